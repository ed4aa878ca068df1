/*
 * Room `definition`: turns definitions and options into functions. It looks up tasks by name, checks parameters, compiles templates, and
 * applies limits and live tuning.
 *
 * Holds: A specification is complete: later, only an item's own data can make it fail. A fault names its place in the definition as a JSON
 * Pointer.
 * Refuses: items, and any state of a run. A stage changes by getting another specification.
 */

import {
  type HookUse,
  type PauseAfterFailures,
  type StageDefinition,
  type StageDefinitionInput,
  stageDefinitionSchema,
} from '../../schemas/definition.ts';
import { faultsOf, jsonPointer } from '../../schemas/faults.ts';
import type { Fault } from '../../schemas/problem.ts';
import { StageValidationError } from '../contract/errors.ts';
import type { Hook, Predicate, TaskDeclaration, TaskHandler } from '../contract/task.ts';
import type { HookCall, PredicateCall, TaskSpec } from './calls.ts';
import { resolveHook, resolvePredicate, resolveTask, type SpecEnvironment, taskSpecOf } from './resolved-use.ts';
import { useName } from './task-use.ts';
import { withThread } from './thread-handler.ts';

/** Makes the spec of a stage whose tasks are no longer registered: nothing in it can run until it gets another definition. */
export function placeholderStage(definition: StageDefinition): StageSpec {
  const tasks = definition.tasks.map((use): TaskSpec => {
    const name = useName(use);
    const call = (): never => {
      throw new Error(`the task "${name}" is no longer registered`);
    };
    return {
      name,
      params: undefined,
      call,
      takesContext: false,
      timeoutSeconds: undefined,
      defaultLimit: {},
      limiter: undefined,
      eventId: 0,
    };
  });
  // Until then it needs no more than one worker.
  return {
    definition: { ...definition, workers: 1 },
    tasks,
    secrets: [],
    skipIf: undefined,
    onSuccess: undefined,
    onFailure: undefined,
    onSkip: undefined,
    onPause: undefined,
  };
}

/** The hook `onDone` of a pipeline, called with a feed's id and a `DoneFeed`. */
export interface DoneHook {
  call: HookCall;
  /** Names of the secrets that its templates use. */
  secrets: readonly string[];
}

/** A stage's definition with its names turned into functions. */
export interface StageSpec {
  definition: StageDefinition;
  tasks: TaskSpec[];
  /** Names of the secrets that the stage's templates use. */
  secrets: readonly string[];
  skipIf: PredicateCall | undefined;
  onSuccess: HookCall | undefined;
  onFailure: HookCall | undefined;
  onSkip: HookCall | undefined;
  /** The hook of `pauseAfterFailures`. */
  onPause: HookCall | undefined;
}

/** A stage as a library user writes it: the definition's fields, with functions in place of names. */
export interface StageOptions
  extends Omit<StageDefinitionInput, 'tasks' | 'skipIf' | 'onSuccess' | 'onFailure' | 'onSkip' | 'pauseAfterFailures'> {
  tasks: readonly (TaskHandler | TaskDeclaration)[];
  skipIf?: Predicate;
  onSuccess?: Hook;
  onFailure?: Hook;
  onSkip?: Hook;
  pauseAfterFailures?: Omit<PauseAfterFailures, 'hook'> & { hook?: Hook };
}

/** How many items the previous stage may hand over before a worker is free. */
export function queueCapacityOf(definition: StageDefinition): number {
  return definition.queueCapacity ?? Math.max(100, definition.workers * 10);
}

/** The spec of a stage given as options. Throws {@link StageValidationError} with every fault. */
export function stageSpecOf(options: StageOptions): StageSpec {
  const { tasks, skipIf, onSuccess, onFailure, onSkip, pauseAfterFailures, ...rest } = options;
  const { hook: onPause, ...limit } = pauseAfterFailures ?? {};
  const faults: Fault[] = [];
  const named = Array.isArray(tasks) ? tasks.map((task, i) => declarationOf(task, i, faults)) : undefined;
  for (const [name, hook] of Object.entries({ skipIf, onSuccess, onFailure, onSkip, 'pauseAfterFailures/hook': onPause })) {
    if (hook !== undefined && typeof hook !== 'function') faults.push({ path: `/${name}`, message: 'must be a function' });
  }
  const parsed = stageDefinitionSchema.safeParse(
    { ...rest, ...(pauseAfterFailures && { pauseAfterFailures: limit }), tasks: named?.map((task) => task?.name ?? 'invalid') ?? tasks },
    { reportInput: true },
  );
  if (!parsed.success) faults.push(...faultsOf(parsed.error));
  else {
    faults.push(...limitFaults(parsed.data));
    if (parsed.data.runOn !== undefined && parsed.data.runOn !== 'here')
      faults.push({ path: '/runOn', message: 'must be "here": functions run in this process' });
  }
  if (faults.length > 0 || !parsed.success) throw new StageValidationError(faults);
  const specs = (named as TaskDeclaration[]).map((task) => {
    const params = task.parseParams(undefined);
    const declaration = withThread(task, undefined);
    return taskSpecOf(declaration, params, declaration.prepare?.(params) ?? declaration.run, parsed.data.unpackArgs);
  });
  // Exactly the arguments of their signature: `HookPlace` is for registered hooks.
  const plainPredicate: PredicateCall | undefined = skipIf && ((value, info) => skipIf(value, info));
  const plain = (hook: Hook | undefined): HookCall | undefined => hook && ((itemId, told, info) => hook(itemId, told, info));
  return {
    definition: parsed.data,
    tasks: specs,
    secrets: [],
    skipIf: plainPredicate,
    onSuccess: plain(onSuccess),
    onFailure: plain(onFailure),
    onSkip: plain(onSkip),
    onPause: plain(onPause),
  };
}

function declarationOf(task: unknown, index: number, faults: Fault[]): TaskDeclaration | undefined {
  if (typeof task === 'function') {
    const name = task.name === '' ? `task-${index}` : task.name;
    return { name, kind: 'task', description: '', paramsSchema: null, parseParams: (given) => given, run: task as TaskHandler };
  }
  if (typeof task === 'object' && task !== null && typeof (task as TaskDeclaration).run === 'function') return task as TaskDeclaration;
  faults.push({ path: `/tasks/${index}`, message: 'must be a function' });
  return undefined;
}

/** A fault for each limit that names no task of the stage. */
export function limitFaults(stage: Pick<StageDefinition, 'tasks' | 'taskConcurrencyLimits' | 'taskRateLimits'>): Fault[] {
  const names = new Set(stage.tasks.map(useName));
  return (['taskConcurrencyLimits', 'taskRateLimits'] as const).flatMap((field) =>
    Object.keys(stage[field])
      .filter((name) => !names.has(name))
      .map((name) => ({ path: jsonPointer([field, name]), message: `is not the name of a task of this stage` })),
  );
}

/** The spec of a checked definition. Throws `invalid-params` when a `with` does not match its task's schema, with every fault. */
export function resolveStage(definition: StageDefinition, environment: SpecEnvironment): StageSpec {
  const { onSuccess, onFailure, onSkip, skipIf, pauseAfterFailures, unpackArgs, runOn } = definition;
  const secrets = new Set<string>();
  const resolving = { ...environment, runOn, onSecrets: (names: readonly string[]) => names.forEach((name) => void secrets.add(name)) };
  const hookOf = (use: HookUse | undefined): HookCall | undefined => (use === undefined ? undefined : resolveHook(use, resolving));
  const spec = {
    definition,
    tasks: definition.tasks.map((use) => resolveTask(use, unpackArgs, resolving)),
    skipIf: skipIf === undefined ? undefined : resolvePredicate(skipIf, resolving),
    onSuccess: hookOf(onSuccess),
    onFailure: hookOf(onFailure),
    onSkip: hookOf(onSkip),
    onPause: hookOf(pauseAfterFailures?.hook),
  };
  return { ...spec, secrets: [...secrets] };
}

/** The hook of a checked use. Throws as {@link resolveStage} does. */
export function resolveDoneHook(use: HookUse, environment: SpecEnvironment): DoneHook {
  let secrets: readonly string[] = [];
  const onSecrets = (names: readonly string[]): void => {
    secrets = names;
  };
  const call = resolveHook(use, { ...environment, runOn: undefined, onSecrets });
  return { call, secrets };
}

/** In place of a hook that is no longer registered: nobody calls it until there is another definition. */
export function placeholderDoneHook(use: HookUse): DoneHook {
  const call = (): never => {
    throw new Error(`the hook "${useName(use)}" is no longer registered`);
  };
  return { call, secrets: [] };
}
