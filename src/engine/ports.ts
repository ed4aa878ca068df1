/**
 * The engine's needs from outside, as interfaces. Implementations come from the embedder: the service passes
 * pino, piscina and the system clock; a test passes virtual ones. Without any, {@link systemPorts} is used.
 */

import type { ItemError } from '../schemas/item.ts';
import type { TaskKind } from '../schemas/task.ts';
import type { TraceContext } from '../schemas/trace-context.ts';

/** Time. Every call of the engine goes through here, so that a run can be replayed under a virtual clock. */
export interface Clock {
  /** Milliseconds since the Unix epoch. */
  now(): number;
  /** Milliseconds from an arbitrary zero, never going back; for durations. */
  monotonic(): number;
  /** Calls `fn` once after at least `ms`; the handle goes to {@link Clock.clearTimer}. */
  setTimer(fn: () => void, ms: number): unknown;
  clearTimer(handle: unknown): void;
  /** Calls `fn` after pending I/O had its turn (`setImmediate`). */
  defer(fn: () => void): void;
}

/** Lets the process end although a timer of a {@link Clock} is still armed; timers of virtual clocks have nothing to let go of. */
export function unref(timer: unknown): void {
  (timer as { unref?: () => void } | undefined)?.unref?.();
}

export interface Logger {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

/** A span that is under way. None of its methods throws. */
export interface Span {
  /** Its place in a trace, which goes on to whoever is called for it; null when it has none. */
  readonly context: TraceContext | null;
  /** Calls `work` while this span is the active one, so that spans which it begins become children. Returns, or throws, what `work` does. */
  within<T>(work: () => T): T;
}

/** A span for a request that feeds items. */
export interface SendSpan extends Span {
  /** Ends it, once. `accepted` and `duplicates` count the request's own items; `error`: why not all of them were accepted. */
  end(sent: { accepted: number; duplicates: number; error?: TracedError }): void;
}

/** A span for an item in a stage, from when a worker begins it until the worker is done with it; or for the call of a hook about a feed. */
export interface ProcessSpan extends Span {
  /** Ends it, once. `kind` is that of the outcome: `advance`, `skip`, `retry`, `fail`, `cancelled` or `aborted`. */
  end(outcome: { kind: string; error?: TracedError }): void;
}

/** An error as a span tells it: its type, and its text with secrets masked. */
export interface TracedError {
  readonly type: string;
  readonly message: string;
}

export interface TracedItem {
  pipeline: string;
  stage: string;
  worker: string;
  itemId: string;
  feedId: string;
  /** 1 for the first attempt. */
  attempt: number;
}

/**
 * Makes spans of what happens in pipelines. Its methods never throw; they return null when there is no span to be had. Without a tracer the engine passes the
 * places of requests in traces on as they came.
 */
export interface Tracer {
  /** Begins the span of a request that feeds items. `from`: the place that the request names; an active span goes before it. */
  send(feed: { pipeline: string; feedId: string }, from: TraceContext | null): SendSpan | null;
  /** Begins the span of an item in a stage, which is linked to the request that fed it. */
  process(item: TracedItem, sentBy: TraceContext | null): ProcessSpan | null;
  /** Begins the span of the call of `onDone`, which is linked to the requests that sent the feed. */
  done(feed: { pipeline: string; feedId: string; items: number }, sentBy: readonly TraceContext[]): ProcessSpan | null;
}

/** A job for a worker thread: a module, its default export's `run`, and everything that call needs, structured-cloneable. */
export interface ThreadJob {
  /** `file:` URL of the module whose default export holds `run`. */
  module: string;
  args: unknown[];
  context: ThreadContext;
  /** Called when `run` begins: the job has a thread, and its module is loaded. */
  onBegin: () => void;
  onStatus: (text: string) => void;
  onProgress: (fraction: number) => void;
}

export interface ThreadContext {
  itemId: string;
  sequenceId: number;
  pipeline: string;
  stage: string;
  task: string;
  worker: string;
  attempt: number;
  lastError: ItemError | null;
  metadata: Record<string, unknown>;
  params: unknown;
  trace: TraceContext | null;
}

/** Runs CPU-bound tasks outside the event loop. Aborting `signal` MUST end the thread that runs the job. */
export interface ThreadRunner {
  /** The most threads, and so the most jobs at one time. */
  readonly size: number;
  run(job: ThreadJob, signal: AbortSignal): Promise<unknown>;
  /** Ends all threads, within a few seconds; false when one of them cannot be ended. */
  close(): Promise<boolean>;
}

/** A use of a task, predicate or hook, as a hand looks it up and prepares it: all JSON. */
export interface HandUse {
  readonly kind: TaskKind;
  readonly name: string;
  /** Its `with`, with all templates rendered; undefined without one. */
  readonly given: unknown;
  /** See `UseTraits`. */
  readonly hasSecrets: boolean;
}

/** A call that another process makes: everything that it needs, as JSON. */
export interface HandJob {
  readonly use: HandUse;
  /**
   * The arguments before those of {@link HandJob.context}: of a task its value, already spread with `unpackArgs`; of a predicate the value; of a hook the item's
   * id and its value. If the item failed, an Error stands in place of that value, without secrets in its texts; all else here is JSON.
   */
  readonly args: readonly unknown[];
  /**
   * The rest: for a task a {@link ThreadContext} whose `params` are left out, for a predicate its `PredicateInfo`, for a hook its `HookInfo` with `pipeline` and
   * `trace` of its `HookUse`.
   */
  readonly context: Readonly<Record<string, unknown>>;
  /** Called when its handler begins: a hand has it. Called again when another hand begins it anew. */
  onBegin(): void;
  /** Called when a hand that had begun it is lost, and it waits for another. */
  onWait(): void;
  onStatus(text: string): void;
  onProgress(fraction: number): void;
  /**
   * The same call in this process. It is made, once, when no hand is there for the use any more, unless a hand that was lost may have been ended by this call. Without it the
   * call waits for a hand, however long.
   */
  readonly orHere?: () => unknown;
}

/**
 * Calls tasks, predicates and hooks in other processes. It chooses the one with the fewest jobs among those that have the task; a job whose hand is lost goes to another, and
 * after `maxDeliveries` of those it rejects with a permanent error named `PoisonItem`.
 */
export interface HandRunner {
  /** True while a hand that has this task, predicate or hook is connected, or is expected: then a use that leaves it open goes to hands. */
  isThereFor(kind: TaskKind, name: string): boolean;
  /** Resolves with a handler's value and rejects with its error, as if it had been called here. Aborting `signal` rejects at once, with its reason, and aborts the call. */
  run(job: HandJob, signal: AbortSignal): Promise<unknown>;
  /** Gives out nothing more and lets go of all hands, within a few seconds; jobs that have not ended reject with an AbortedError. */
  close(): Promise<void>;
}

/**
 * A compiled expression. Gives plain data, or a promise of it; `undefined` when it finds nothing. Rejects with an Error that says what is
 * wrong; its `retryable` is true when neither the expression nor its input is to blame.
 *
 * It MUST end by itself, in about a second, whatever the input is, MUST NOT hold the event loop or take memory without bound meanwhile,
 * and MUST NOT change its input or keep it. What it gives shares nothing with the input.
 */
export type Expression = (input: unknown, bindings?: Record<string, unknown>) => unknown;

/** The language of `{{ … }}` in definitions, of limiters' keys and weights. */
export interface ExpressionLanguage {
  /** Throws an Error that says what is wrong with the text, and where. Called in the event loop, so it MUST be quick for any text of 65 536 characters. */
  compile(source: string): Expression;
  /** The members of the input's member `name` that an expression names as they are written: `KEY` of `secrets.KEY`. */
  membersNamed(source: string, name: string): string[];
  /** The members of the input that an expression names: `value` for `value.id & "x"`. Names inside of a step or a function are none. */
  rootsNamed(source: string): string[];
}

/** Secrets that definitions may use and nobody may see. */
export interface Secrets {
  /** By the name that definitions use. */
  readonly values: Readonly<Record<string, string>>;
  /** The text with every secret in it replaced. */
  mask(text: string): string;
}

/** The call that is running for an item, as far as it is known. */
export interface Work {
  pipeline: string | null;
  stage: string | null;
  /** Or `skipIf`, `onSuccess`, `onFailure`, `onSkip`, `pauseAfterFailures`. */
  task: string | null;
  item: string | null;
  sequenceId: number | null;
}

export interface NotedItem {
  readonly id: string;
  readonly sequenceId: number;
}

export interface NotedWorker {
  readonly item: NotedItem | null;
}

/** A stage's calls: its tasks by their number, and at the end its callbacks, the last one backwards. */
export const CALLS_MAX = 4096;
export const CALL = {
  skipIf: CALLS_MAX - 1,
  onSuccess: CALLS_MAX - 2,
  onFailure: CALLS_MAX - 3,
  onSkip: CALLS_MAX - 4,
  pauseAfterFailures: CALLS_MAX - 5,
} as const;

/**
 * Told what is called in the event loop, so that somebody outside can say what holds it or ended the process. {@link LoopNotes.begin} and
 * {@link LoopNotes.end} stand around every call of a task, predicate or hook, so they MUST cost next to nothing, and never throw.
 */
export interface LoopNotes {
  /** Where a stage's calls begin: `begin` is given this plus the number of the call. */
  place(pipeline: string, stage: string, tasks: readonly string[]): number;
  /** The pipeline is gone, with its stages. */
  leave(pipeline: string): void;
  begin(worker: NotedWorker, where: number): void;
  end(): void;
}

export interface Ports {
  clock: Clock;
  /** Uniform in [0, 1). */
  random: () => number;
  /** A prefix for generated ids, different at each call and in each process. 8 to 16 characters of `0-9a-z`. */
  uniqueId: () => string;
  logger: Logger;
  threads: ThreadRunner | undefined;
  /** Without it everything is called in this process. */
  hands?: HandRunner | undefined;
  /** Without it, definitions with templates are refused. */
  expressions: ExpressionLanguage | undefined;
  secrets: Secrets;
  /** Without it nothing is noted. */
  notes?: LoopNotes;
  /** Without it there are no spans. */
  tracer?: Tracer | undefined;
  /**
   * Told when the engine cannot go on: a store has a fault that no trying again mends. MUST end the process; what was answered is stored, and
   * nothing is written after it. Without it, the error is thrown where nobody catches it.
   */
  fail?: (error: unknown) => void;
}

export const noSecrets: Secrets = { values: {}, mask: (text) => text };

const silent = (): void => undefined;
export const silentLogger: Logger = { debug: silent, info: silent, warn: silent, error: silent };

/** The clock of the machine. The globals are looked up at each call, so that a test can replace them. */
export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  setTimer: (fn, ms) => setTimeout(fn, ms),
  clearTimer: (handle) => clearTimeout(handle as NodeJS.Timeout),
  defer: (fn) => void setImmediate(fn),
};

const twoBase36 = (): string => Math.floor(Math.random() * 2 ** 52).toString(36);

export const systemPorts: Ports = {
  clock: systemClock,
  random: Math.random,
  uniqueId: () => `${Date.now().toString(36)}${twoBase36().slice(0, 4)}`,
  logger: silentLogger,
  threads: undefined,
  expressions: undefined,
  secrets: noSecrets,
};
