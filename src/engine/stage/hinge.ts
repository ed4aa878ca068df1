import type { ItemError, ItemStatus, Metadata, TaskEventType } from '../../schemas/item.ts';
import type { TraceContext } from '../../schemas/trace-context.ts';
import type { AbortedError } from '../contract/errors.ts';
import type { TaskSpec } from '../definition/calls.ts';
import type { Gate, KeptStarts, Limit } from '../limits/gate.ts';
import type { TaskMeter } from '../measures/stage-meter.ts';
import type { Logger, LoopNotes, Tracer } from '../ports.ts';
import type { Due } from '../time/due-queue.ts';
import type { ValueRule } from '../values/value-rule.ts';

/*
 * The hinge between a runtime and the code that runs one item through one stage. Types only. A runtime brings items, slots, events, gates and
 * time; a stage brings an outcome, which the runtime carries out and never second-guesses. In its own files a stage sees nothing else of a
 * runtime: no queue, no event log, no store. Times are milliseconds of the monotonic clock.
 */

/** A stage, as its items and workers know it. */
export interface StagePlace {
  readonly name: string;
  readonly pipelineId: string;
  /** The number of executions that go on although their attempt was given up. Counted by the stage's runner. */
  ignoringSignal: number;
  /** Where the durations of its tasks are recorded. */
  readonly meter: { task(name: string): TaskMeter };
}

/** An item in a stage. While a slot holds it, only the stage's runner changes the fields that are not `readonly`. */
export interface StageItem {
  readonly id: string;
  readonly sequenceId: number;
  /** Items with a lower number go first. */
  readonly priority: number;
  readonly feed: { readonly id: string };
  readonly metadata: Metadata;
  /** The place in a trace of the request that fed it; null when there is none. */
  readonly trace: TraceContext | null;
  readonly stage: StagePlace;
  /** The stage that follows; null when an item that leaves this one has ended. */
  readonly nextStage: object | null;
  status: ItemStatus;
  updatedAt: number;
  /** The value to go on from: what came into the stage, or into the task that is next. */
  value: unknown;
  /** The value as it was fed. */
  readonly fed: unknown;
  /** The approximate size of the value in characters of JSON; 0 when it was not measured. */
  size: number;
  /** The task to go on with, within the stage. */
  taskIndex: number;
  /** Attempts begun of the current unit: the task (`per_task`) or the stage (`per_stage`). */
  attempts: number;
  /** Attempts begun of all units before that. */
  earlierAttempts: number;
  /** The error of its last attempt that failed, in any stage. */
  readonly lastError: ItemError | null;
}

export interface Advanced {
  kind: 'advance';
  value: unknown;
}

/** The result of a stage for one item. It is to be carried out at once: the slot may use the object again for its next item. */
export type Outcome =
  | Advanced
  | { kind: 'skip' }
  | { kind: 'retry'; waitMs: number; taskIndex: number; value: unknown; attempts: number; error: ItemError }
  /** `thrown`: what the task threw. */
  | { kind: 'fail'; error: ItemError; thrown: unknown }
  | { kind: 'cancelled' }
  /** A forced shutdown: the item stays where it was before the attempt. */
  | { kind: 'aborted' };

export type Failure = Extract<Outcome, { kind: 'fail' }>;

/** The context of a running attempt, as far as its slot is concerned. */
export interface Attempt {
  /** Ends the attempt: it changes nothing from now on. With a reason, its signal aborts. */
  end(reason?: Error): void;
}

/**
 * The receiver of the promise of the current attempt. When an attempt is given up (timeout, cancel), its lane dies and the
 * slot gets a new one: a handler that goes on finds a dead lane and can change nothing any more.
 */
export interface Lane {
  alive: boolean;
  onValue: (value: unknown) => void;
  onError: (error: unknown) => void;
}

/** Runs items through a stage: the runner as slots and runtime see it. */
export interface Runner<Item, Slot> {
  readonly logger: Logger;
  /** Begins a slot's item. Returns the outcome, or undefined when it comes later, through {@link StageEnvironment.done}. */
  run(slot: Slot, item: Item): Outcome | undefined;
  /**
   * Gives up the running attempt. Returns undefined when its fate is already decided: that outcome comes by itself. `reason`: what its signal says, if that is not
   * that the item was cancelled, or the pipeline shut down by force.
   */
  abandon(slot: Slot, kind: 'cancelled' | 'aborted', reason?: AbortedError): Outcome | undefined;
  /** Copies what the hook of `pauseAfterFailures` is to be told of an item that fails; null without a hook. Calling the copy calls the hook. */
  pauseHook(item: Item, outcome: Failure): (() => void) | null;
  gateOf(task: Pick<TaskSpec, 'name'>): Gate | undefined;
  /** Whether executions under a limit have begun since {@link Runner.keptStarts} was called. */
  readonly hasNewStarts: boolean;
  /** The starts in the windows of its tasks for a store, on the scale of `lasting`. */
  keptStarts(lasting: (monotonic: number) => number): [task: string, starts: KeptStarts][];
  /** Counts starts of an earlier process, at monotonic instants. To be called before anything runs. */
  restoreStarts(task: string, starts: KeptStarts): void;
  /** Sets other limits. `slots`: the slots of the stage, of which some run now. */
  changeLimits(limits: StageLimits, slots: readonly Slot[]): void;
  onValue(slot: Slot, value: unknown): void;
  onError(slot: Slot, error: unknown): void;
  onLate(slot: Slot): void;
  /** Whether an attempt is one of the whole stage: cut short, it begins again where it began, at the slot's `first`. */
  readonly isPerStage: boolean;
  /** The place in this runner's tasks of an item that was to go on at the task `index` of another definition of the stage. */
  placeOf(index: number, other: Runner<Item, Slot>): number;
}

/** The limits that a stage's definition sets, by the names of its tasks. */
export interface StageLimits {
  taskConcurrencyLimits: Readonly<Record<string, NonNullable<Limit['concurrency']>>>;
  taskRateLimits: Readonly<Record<string, NonNullable<Limit['rate']>>>;
}

/** The fields that only some task events have. */
export interface TaskEventExtra {
  error?: { type: string; message: string };
  taskStatus?: string;
  fraction?: number;
}

/** The sink for the events of a stage, which it is told of in order. Their instant is {@link StageTime.now}. */
export interface StageEvents<Item, Slot> {
  status(item: Item, status: 'in_progress', slot: Slot): void;
  /** Adds a task event. Its duration is the time since `slot.startedAt`. */
  task(type: TaskEventType, slot: Slot, item: Item, task: TaskSpec, attempt: number, extra?: TaskEventExtra): void;
}

/** The clock, read once a transition. */
export interface StageTime {
  /** The newest reading. */
  readonly now: number;
  /** Set after each call of foreign code. */
  isStale: boolean;
  /** A new reading. */
  tick(): number;
  /** A new reading, if the last one is stale. */
  fresh(): number;
}

/** Timers. */
export interface StageDues {
  add(at: number, run: () => void): Due;
  /** Cancels a timer. Idempotent. */
  cancel(due: Due): void;
}

/** Turns of the event loop. */
export interface StageTurn {
  /** Whether others are to have a turn now. `since`: when this one began, where the asker knows. */
  isOver(since?: number): boolean;
  readonly queue: { add(work: () => void): void };
}

/** The parts of a runtime that a stage's runner uses. */
export interface StageEnvironment<Item, Slot> {
  readonly pipelineId: string;
  readonly time: StageTime;
  readonly dues: StageDues;
  readonly turn: StageTurn;
  readonly events: StageEvents<Item, Slot>;
  /** Uniform in [0, 1). */
  readonly random: () => number;
  readonly logger: Logger;
  readonly notes: LoopNotes | null;
  /** null without spans. */
  readonly tracer: Tracer | null;
  /** Hides secrets in the text of an error or a status, which any reader may see. */
  readonly maskSecrets: (text: string) => string;
  /** The most characters of an error's text. */
  readonly maxErrorCharacters: number;
  /** Makes a gate for a task that has limits or gets some. Uses of one task in a stage share a gate. */
  readonly gateFor: (task: string, limit: Limit) => Gate;
  /** Carries out an outcome that came later than the call of {@link Runner.run}. */
  readonly done: (slot: Slot, outcome: Outcome) => void;
  /** The rule for a task's result; undefined: it may be anything. */
  readonly values: ValueRule | undefined;
  /** Called when a task has made a large value, with its size in characters of JSON. */
  readonly onLarge: (size: number) => void;
  readonly hookTimeoutMs: number;
}
