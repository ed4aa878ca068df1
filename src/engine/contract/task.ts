import type { RateLimit } from '../../schemas/definition.ts';
import type { ItemError, Metadata } from '../../schemas/item.ts';
import type { Fault } from '../../schemas/problem.ts';
import type { TaskKind } from '../../schemas/task.ts';
import type { TraceContext } from '../../schemas/trace-context.ts';
import type { Logger } from '../ports.ts';

/** The item and the place of an attempt, as the task sees them. Valid for this attempt only; later calls do nothing. */
export interface TaskContext<Params = unknown> {
  readonly itemId: string;
  readonly sequenceId: number;
  readonly pipeline: string;
  readonly stage: string;
  readonly task: string;
  readonly worker: string;
  /** 1 for the first execution. */
  readonly attempt: number;
  /** The error of the item's last attempt that failed, in any stage, as every reader sees it; null when none has. */
  readonly lastError: ItemError | null;
  /** The task's own copy. */
  readonly metadata: Metadata;
  /** The parsed `with` of the definition. */
  readonly params: Params;
  /** Aborts on timeout, on cancel and on forced shutdown. */
  readonly signal: AbortSignal;
  /** Calls `listener` with the reason when `signal` would abort, while this attempt lasts. Cheaper than a signal, of which none is made. */
  onAbort(listener: (reason: unknown) => void): void;
  readonly logger: Logger;
  /**
   * The place of this attempt in a trace: the headers to send on to whatever it calls. With a tracer it is that of the item's span in this stage,
   * without one that of the request that fed the item; null when there is none.
   */
  readonly trace: TraceContext | null;
  /** Shows in the worker's state and as a `progress` event; false when it came sooner than `minIntervalSeconds` after the last. */
  setStatus(text: string, options?: { minIntervalSeconds?: number }): boolean;
  /** How much of this attempt is done, 0 to 1; a `progress` event. */
  progress(fraction: number): void;
  /** An error that is not retried: `throw ctx.permanent('no such user')`. */
  permanent(message: string): Error;
  /** An error that is retried after so many seconds: `throw ctx.retryAfter(30)`. */
  retryAfter(seconds: number, message?: string): Error;
}

/** A task's handler. With `unpackArgs` an array is spread before `ctx`. It may be synchronous. */
// biome-ignore lint/suspicious/noExplicitAny: a handler is free in what it takes; the pipeline's author puts the right ones together
export type TaskHandler = (...args: any[]) => unknown;

/**
 * Details that a hook gets besides the item's id and its value or error. In `onDone` the id is that of a feed and the value a `DoneFeed`; `stage` is
 * then empty, and the numbers are 0.
 */
export interface HookInfo {
  sequenceId: number;
  feedId: string;
  /** Empty in `onDone`. */
  stage: string;
  attempts: number;
  metadata: Metadata;
  /** If the item failed: the value that came into the stage, or into the task that failed. */
  value?: unknown;
  /** If the item failed: the value as it was fed. */
  input?: unknown;
}
/** Details that only a registered hook gets. */
export interface HookUse {
  pipeline: string;
  /** The parsed `with` of the definition. */
  params: unknown;
  logger: Logger;
  /** The headers to send on to whatever the hook calls, as in {@link TaskContext}; null when there are none. */
  trace: TraceContext | null;
}
export type Hook = (itemId: string, valueOrError: unknown, info: HookInfo) => unknown;
export type RegisteredHook = (itemId: string, valueOrError: unknown, info: HookInfo, use: HookUse) => unknown;

/** Details that a predicate gets besides the value. */
export interface PredicateInfo {
  itemId: string;
  sequenceId: number;
  metadata: Metadata;
}
export type Predicate = (value: unknown, info: PredicateInfo) => boolean | Promise<boolean>;
/** `params`: the parsed `with` of the definition. */
export type RegisteredPredicate = (value: unknown, info: PredicateInfo & { params: unknown }) => boolean | Promise<boolean>;

/** Properties of a definition's use of a task, beyond its parameters. */
export interface UseTraits {
  /** Templates in its parameters name secrets, so what they make may hold one, whatever the expression has made of it. */
  readonly hasSecrets: boolean;
}

/** A task as it was declared: what `GET /tasks` shows and a stage runs. */
export interface TaskDeclaration {
  name: string;
  kind: TaskKind;
  description: string;
  /** JSON Schema of the parameters; null when it takes none. */
  paramsSchema: Record<string, unknown> | null;
  /** Names of parameters in which `{{` is no template, because they are texts of a language of their own. */
  verbatim?: readonly string[];
  /**
   * About how long checking and preparing this `with` takes, at most: 1 is a tenth of a millisecond. Whatever is given. A definition whose uses
   * take too long together is refused before any of them is looked at.
   */
  costOf?: (given: unknown) => number;
  /**
   * Finds what can never succeed in a `with` as it is written, templates and all, such as an address that is refused. Asked of a new definition, never of
   * one that was accepted before.
   */
  lint?: (given: unknown) => Fault[];
  /** Checks and completes `with`; throws a SluiceError `invalid-params` with every fault. Called once a use, or once an item when it has templates. */
  parseParams: (given: unknown) => unknown;
  /**
   * The parsed params, of which these members are another item's: cheaper than to parse them all for each item. Throws as `parseParams` does.
   */
  parseMembers?: (parsed: unknown, given: Record<string, unknown>, members: readonly string[]) => unknown;
  /** Defaults that a stage's own limits override. */
  concurrency?: number;
  rateLimit?: RateLimit;
  timeoutSeconds?: number;
  /** CPU-bound: runs `module`'s default export in a worker thread. */
  thread?: boolean;
  /** The `file:` address of the module that it is declared in, if it has one of its own. */
  module?: string;
  /** Goes to a hand while hands are there, unless its stage says where it runs: code of users, and what waits for others. */
  prefersHands?: boolean;
  /** Called after `parseParams`, with the parsed params; may prepare something and returns the handler, predicate or hook. */
  prepare?: (params: unknown, traits?: UseTraits) => TaskHandler;
  run: TaskHandler;
}
