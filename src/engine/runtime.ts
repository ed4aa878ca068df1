import type { FeedOptions, FeedReceipt, RunReply, ShutdownMode, ShutdownReport } from '../schemas/control.ts';
import type { PipelineDefinition } from '../schemas/definition.ts';
import type { ItemDetail, ItemStatus, ItemSummary, PipelineEvent, PipelineResult, StatusEvent, TaskEvent } from '../schemas/item.ts';
import type { DashboardSnapshot, ErrorSummary, PipelineState, PipelineStats, WorkerMetrics, WorkerState } from '../schemas/stats.ts';
import type { TaskInfo } from '../schemas/task.ts';

/**
 * The contract between what runs a pipeline and what shows it.
 *
 *     routes, tests ──▶ PipelineHost ──▶ PipelineRuntime ◀── local (this process + a store)
 *                                                        ◀── cluster (BullMQ)
 *
 * Everything is asynchronous, because a runtime may have to ask another machine. Every method throws SluiceError with
 * a code of the catalogue and nothing else. What is returned is a copy: nothing in it changes afterwards.
 */
export interface PipelineRuntime {
  readonly definition: PipelineDefinition;
  describe(): Promise<PipelineDescription>;

  /**
   * Accepts items: all or nothing. Resolves when they are as durable as the store makes them.
   * Throws `queue-full` (with `retryAfterSeconds`) when they do not fit, `draining`, `unknown-stage`, `duplicate-items`, `feed-exists`.
   */
  feed(items: readonly unknown[], options: FeedOptions): Promise<FeedReceipt>;
  /**
   * A feed of any length: `push` takes items in order, each resolves when they are accepted, waiting for room (that is
   * the backpressure). What was pushed stays accepted whatever comes after. `push` throws `draining` or `shutting-down`
   * when no more is taken, naming in `details.accepted` how many of this feed were.
   */
  openFeed(options: FeedOptions): Promise<FeedWriter>;
  /** Feeds and waits for those items alone; every one of them is in the results, in feed order. A pipeline that is `created` or `stopped` is started. */
  run(items: readonly unknown[], options: FeedOptions, signal?: AbortSignal): Promise<RunReply>;

  /** Throws `already-running`. */
  start(): Promise<void>;
  pause(): Promise<void>;
  resume(): Promise<void>;
  pauseStage(stage: string): Promise<void>;
  resumeStage(stage: string): Promise<void>;
  /** Refuses new feeds, finishes every item everywhere, stops. `done: false` when the time was up first; it goes on draining. */
  join(timeoutSeconds?: number): Promise<{ done: boolean; stats: PipelineStats }>;
  shutdown(mode: ShutdownMode, timeoutSeconds?: number): Promise<ShutdownReport>;

  stats(): Promise<PipelineStats>;
  workerNames(): Promise<Record<string, string[]>>;
  workerStates(): Promise<Record<string, WorkerState>>;
  workerMetrics(): Promise<Record<string, WorkerMetrics>>;
  snapshot(): Promise<DashboardSnapshot>;
  errors(): Promise<ErrorSummary>;

  /** Ascending by sequence id, those after `after`; at most `limit`. */
  results(query: ResultsQuery): Promise<Page<PipelineResult>>;
  items(query: ItemsQuery): Promise<Page<ItemSummary>>;
  /** Throws `item-not-found`. */
  item(itemId: string): Promise<ItemDetail>;
  /** Aborts it when it runs. Throws `item-not-found`, `item-final`. */
  cancelItem(itemId: string): Promise<ItemSummary>;
  /** Puts a failed item back at the stage where it failed, or at another. Throws `item-not-found`, `item-not-final`, `unknown-stage`. */
  retryItem(itemId: string, fromStage?: string): Promise<ItemSummary>;
  /** Every failed item that fits; how many. Throws `unknown-stage`, `draining`. */
  retryFailed(query: { stage?: string; errorType?: string; feedId?: string }): Promise<number>;

  readonly events: EventSource;
}

export interface PipelineDescription {
  definition: PipelineDefinition;
  state: PipelineState;
  itemsProcessed: number;
  itemsFailed: number;
  itemsCancelled: number;
  itemsInFlight: number;
  workers: Record<string, string[]>;
  pausedStages: string[];
}

export interface FeedWriter {
  readonly feedId: string;
  push(items: readonly unknown[]): Promise<void>;
  /** What was accepted so far, as durable as the store makes it. Idempotent. The writer MUST be ended, also after an error. */
  end(): Promise<FeedReceipt>;
}

export interface Page<T> {
  rows: T[];
  /** The sequence id of the last row when more rows follow, else null. */
  next: number | null;
  /** How many rows retention took in all. */
  retired: number;
}

export interface ResultsQuery {
  status: 'completed' | 'failed' | 'cancelled' | 'all';
  after: number;
  limit: number;
  feedId?: string;
}

export interface ItemsQuery {
  status?: ItemStatus[];
  stage?: string;
  feedId?: string;
  after: number;
  limit: number;
}

/** What a subscriber wants; an absent field lets everything through. Snapshots are made by the hub, not read from here. */
export interface EventFilter {
  types: ReadonlySet<EventType>;
  itemId?: ReadonlySet<string>;
  feedId?: ReadonlySet<string>;
  stage?: ReadonlySet<string>;
  status?: ReadonlySet<string>;
}

export type EventType = 'status' | 'task' | 'result' | 'pipeline';

export type SluiceEvent =
  | { seq: number; type: 'status'; data: StatusEvent }
  | { seq: number; type: 'task'; data: TaskEvent }
  | { seq: number; type: 'result'; data: PipelineResult }
  | { seq: number; type: 'pipeline'; data: PipelineEvent };

/**
 * The one sequence of a pipeline's events: seq 1, 2, 3 … without a gap. The newest are kept, so a reader is a cursor:
 * replay and live are the same reading, there is no seam between them.
 */
export interface EventSource {
  /** The first part of every id. It changes when seq starts anew, that is after a restart that kept no events. */
  readonly epoch: string;
  /** Of the oldest event still kept; `newest + 1` when none is. */
  readonly oldest: number;
  /** Of the newest event; 0 before the first. */
  readonly newest: number;
  /** Events after `after` that fit the filter, scanning at most `scan` of them. `cursor` is the seq up to which it looked. */
  read(after: number, scan: number, filter: EventFilter): { events: SluiceEvent[]; cursor: number };
  /** Calls `wake` in a later turn after events were added, once for many of them. Returns the way to end it. */
  subscribe(wake: () => void): () => void;
}

/** The pipelines of a service, by id, whatever runs them. */
export interface PipelineHost {
  /** What definitions can name: built-in and user tasks, predicates, hooks. */
  readonly tasks: TaskCatalogue;
  /** True from the first call of {@link PipelineHost.shutdown}. */
  readonly shuttingDown: boolean;
  list(): Promise<PipelineDescription[]>;
  /**
   * Checks a definition as it came and builds it; started unless `start` is false.
   * Throws `invalid-input`, `unknown-task`, `invalid-pipeline`, `invalid-params`, each with every fault, and `pipeline-exists`.
   */
  create(definition: unknown, options?: { start?: boolean }): Promise<PipelineDescription>;
  /** Throws `pipeline-not-found`. */
  get(id: string): PipelineRuntime;
  /** Without a mode: refused with `items-in-flight` while there are any. `drain` finishes them first, `force` aborts and drops them. */
  remove(id: string, mode?: 'drain' | 'force'): Promise<void>;
  /** Ends every pipeline. Idempotent; a later, harder mode overtakes a softer one that still runs. */
  shutdown(mode: ShutdownMode, timeoutSeconds: number): Promise<ShutdownReport>;
}

export interface TaskCatalogue {
  list(): TaskInfo[];
}
