/**
 * For authors of tasks, `import { defineTask } from 'sluice/task'`: the types of a file in TASKS_DIR, and functions that check an object against
 * them. The functions add nothing that a plain object could not say; a file that wants no import of Sluice does without.
 *
 * The service resolves `sluice/task` to this file whatever folder the tasks are in; an editor needs the package, or a path to it.
 */
import type { HookInfo, HookUse, PredicateInfo, TaskContext } from './engine/index.ts';
import type { RateLimit } from './schemas/definition.ts';

export type { HookInfo, HookUse, PredicateInfo, RateLimit, TaskContext };

/** A zod schema, or one of another library that follows https://standardschema.dev. Its output is `ctx.params`. */
export interface StandardSchema<Output> {
  readonly '~standard': {
    readonly version: 1;
    readonly vendor: string;
    readonly validate: (value: unknown) => unknown;
    readonly types?: { readonly input: unknown; readonly output: Output } | undefined;
  };
}

/** A JSON Schema (draft 2020-12). It says nothing to TypeScript: name the type of the parameters beside it. */
export interface JsonSchema {
  readonly [keyword: string]: unknown;
}

interface Named {
  /** The name used in definitions; the file's name by default. */
  name?: string;
  /** Shown by `GET /tasks`. */
  description?: string;
}

/** A task: gets a value and answers the next one. */
export interface Task<Value = unknown, Params = unknown, Result = unknown> extends Named {
  kind?: 'task';
  /** The schema of `with` in a definition; without it a task takes no parameters. */
  params?: StandardSchema<Params> | JsonSchema;
  /** At most so many at a time in a stage, unless the stage has a limit of its own. */
  concurrency?: number;
  /** At most so many starts in any window of that length. */
  rateLimit?: RateLimit;
  /** How long an attempt may take, unless the stage says otherwise. */
  timeoutSeconds?: number;
  /** For work that keeps a processor busy: it runs in a worker thread. */
  thread?: boolean;
  /** Answers the next value. An error is retried, unless it is made by `ctx.permanent`. */
  run(value: Value, ctx: TaskContext<Params>): Result | Promise<Result>;
}

/** A predicate for a stage's `skipIf`: true lets the item skip the stage. */
export interface Predicate<Value = unknown, Params = unknown> extends Named {
  kind: 'predicate';
  /** The schema of `with` in a definition; without it a predicate takes no parameters. */
  params?: StandardSchema<Params> | JsonSchema;
  run(value: Value, info: PredicateInfo & { params: Params }): boolean | Promise<boolean>;
}

/**
 * A hook for a stage's `onSuccess`, `onFailure`, `onSkip` or `pauseAfterFailures`: it is told of an item and changes nothing about it. Or for a pipeline's `onDone`: of a
 * feed that is done.
 */
export interface Hook<Params = unknown> extends Named {
  kind: 'hook';
  /** The schema of `with` in a definition; without it a hook takes no parameters. */
  params?: StandardSchema<Params> | JsonSchema;
  /**
   * `info.value` and `info.input` are there in `onFailure`: what came into the stage, and what was fed. In `onDone` the id is the feed's, the value a
   * `DoneFeed`, and `info.stage` is empty.
   */
  run(itemId: string, valueOrError: unknown, info: HookInfo, use: Omit<HookUse, 'params'> & { params: Params }): unknown;
}

/** The object itself. `ctx.params` has the output of a zod schema in `params`; beside a JSON Schema its type is named: `defineTask<Value, Params>`. */
export function defineTask<Value = unknown, Params = unknown, Result = unknown>(
  task: Task<Value, Params, Result>,
): Task<Value, Params, Result> {
  return task;
}

export function definePredicate<Value = unknown, Params = unknown>(
  predicate: Omit<Predicate<Value, Params>, 'kind'>,
): Predicate<Value, Params> {
  return { ...predicate, kind: 'predicate' };
}

export function defineHook<Params = unknown>(hook: Omit<Hook<Params>, 'kind'>): Hook<Params> {
  return { ...hook, kind: 'hook' };
}
