/*
 * Room `contract`: everything that the rest of Sluice, and whoever embeds the engine, may ask of it: hosts, runtimes, requests, errors, and
 * what a task sees.
 *
 * Holds: Types, error classes and constants only. The same contract holds for every runtime, in memory, on a store or elsewhere, and the
 * conformance suite checks it.
 * Refuses: any knowledge of how a runtime works, and HTTP: a status code or a header is none of its words.
 */

import type { FeedReceipt, ShutdownMode, ShutdownReport } from '../../schemas/control.ts';
import type { PipelineDefinition } from '../../schemas/definition.ts';
import type { ErrorGroups } from '../../schemas/error-groups.ts';
import type { FeedEvent, FeedView, WaitReply } from '../../schemas/feed.ts';
import type { PipelineHistory } from '../../schemas/history.ts';
import type { ItemDetail, ItemStatus, ItemSummary, PipelineEvent, PipelineResult, StatusEvent, TaskEvent } from '../../schemas/item.ts';
import type { LimiterPatch, LimiterView } from '../../schemas/limiter.ts';
import type { PipelineOverview } from '../../schemas/overview.ts';
import type { MovedItems, StageChange, StageTuned, StageTuning } from '../../schemas/redefinition.ts';
import type { DashboardSnapshot, ErrorSummary, PipelineState, PipelineStats, WorkerMetrics, WorkerState } from '../../schemas/stats.ts';
import type { TaskInfo } from '../../schemas/task.ts';
import type { HostMeasurements } from './measurements.ts';
import type { Operator } from './operator.ts';
import type {
  FeedRequest,
  FeedResultsQuery,
  FeedsQuery,
  FeedWaitQuery,
  FeedWriter,
  FollowQuery,
  ItemsWaitQuery,
  Replayable,
  RunAnswer,
  RunRequest,
  RunStream,
} from './requests.ts';

export type * from './measurements.ts';
export type * from './operator.ts';
export type * from './requests.ts';

/**
 * The contract between what runs a pipeline and what shows it.
 *
 *     routes, tests ──▶ PipelineHost ──▶ PipelineRuntime ◀── local (this process + a store)
 *                                                        ◀── cluster (BullMQ)
 *
 * Everything is asynchronous, because a runtime may have to ask another machine. Every method throws SluiceError with
 * a code of the catalogue and nothing else. What is returned is a copy: nothing in it changes afterwards.
 *
 * A method with an `operator` tells it of the change, and names it in the event `pipeline` of the change.
 */
export interface PipelineRuntime {
  /** As it was given last, without what live tuning changed. */
  readonly definition: PipelineDefinition;
  describe(): Promise<PipelineDescription>;

  /**
   * Accepts items: all or nothing. Resolves when they are as durable as the store makes them.
   * Throws `queue-full` (with `retryAfterSeconds`: by the rate at which room comes) when they do not fit, also when they would but
   * others wait for that room already; `draining`, `unknown-stage`, `duplicate-items`, `feed-exists`, `idempotency-key-reused`.
   */
  feed(items: readonly unknown[], request: FeedRequest): Promise<FeedReceipt & Replayable>;
  /**
   * A feed of any length: `push` takes items in order, each resolves when they are accepted, waiting for room (that is
   * the backpressure). What was pushed stays accepted whatever comes after. `push` throws `draining`, `shutting-down` or
   * `feed-cancelled` when no more is taken, naming in `details.accepted` how many of this feed were.
   */
  openFeed(request: FeedRequest): Promise<FeedWriter>;
  /**
   * Feeds all or nothing and waits for those items alone; every one of them is in the results, in feed order. A pipeline that is
   * `created` or `stopped` is started, unless the request may not. Throws what `feed` throws, `shutting-down` when it was stopped before they have ended, and
   * `request-timeout` when its caller has gone.
   */
  run(items: readonly unknown[], request: RunRequest): Promise<RunAnswer>;
  /**
   * For items that are collected before they are given to `run`: the function that it returns is shown each piece, and throws `queue-full`
   * as soon as all of them can no longer be accepted. Under an idempotency key that is known only of what no backlog could hold.
   */
  gauge(request: RunRequest): (items: readonly unknown[]) => void;
  /** The same, each result when it is ready. With `items` they are accepted all or nothing before this resolves; without, they are pushed. */
  openRun(request: RunRequest, items?: readonly unknown[]): Promise<RunStream>;

  /** In the order of their creation. `next` is for `after`; `retired` is how many done ones were forgotten. */
  feeds(query: FeedsQuery): Promise<Page<FeedView>>;
  /** The name that it was made under, see {@link FeedRequest.maker}; null without one. Throws `feed-not-found`, as all of the following. */
  feedMaker(feedId: string): Promise<string | null>;
  feedView(feedId: string): Promise<FeedView>;
  /** The results of the items that have ended so far, ascending by sequence id. */
  feedResults(feedId: string, query: FeedResultsQuery): Promise<Page<PipelineResult>>;
  /**
   * Results in feed order, in batches, each as soon as it and all before it are final; over when the feed is done. It reads no
   * further than it is asked to. An item that is retried after it was given is not given again. Throws `shutting-down` when the
   * pipeline is stopped, and in the end `no-longer-kept` when retention took results before they were read.
   */
  followFeed(feedId: string, query: FollowQuery): AsyncIterable<readonly PipelineResult[]>;
  /** Until the feed is done, or the time is up (`done: false`). Throws `shutting-down` when the pipeline is stopped before. */
  waitForFeed(feedId: string, query: FeedWaitQuery): Promise<{ done: boolean; feed: FeedView }>;
  /** Cancels every unfinished item; one that is still being sent takes no more. Returns how many. */
  cancelFeed(feedId: string, operator?: Operator): Promise<number>;
  /** Runs every failed item again, from the stage where it failed. Returns how many. Throws `draining`. */
  retryFeed(feedId: string, operator?: Operator): Promise<number>;
  /**
   * AntFlow's `wait`: until all items have ended, any has, or any has failed; or the time is up. What has ended before counts, too.
   * Throws `item-not-found` with all unknown ids in `details.ids`, `shutting-down` when the pipeline is stopped before.
   */
  waitForItems(query: ItemsWaitQuery): Promise<WaitReply>;

  /** Throws `already-running`. */
  start(operator?: Operator): Promise<void>;
  pause(operator?: Operator): Promise<void>;
  resume(operator?: Operator): Promise<void>;
  pauseStage(stage: string, operator?: Operator): Promise<void>;
  resumeStage(stage: string, operator?: Operator): Promise<void>;
  /** Refuses new feeds, finishes every item everywhere, stops. `done: false` when the time was up first; it goes on draining. */
  join(timeoutSeconds?: number, operator?: Operator): Promise<{ done: boolean; stats: PipelineStats }>;
  shutdown(mode: ShutdownMode, timeoutSeconds?: number, operator?: Operator): Promise<ShutdownReport>;

  /** Changes a stage while it runs, without losing an item. Throws `unknown-stage`, `invalid-pipeline` with every fault. */
  tune(stage: string, tuning: StageTuning, operator?: Operator): Promise<StageTuned>;
  /** Returns to the definition. Throws `unknown-stage`. */
  untune(stage: string, operator?: Operator): Promise<StageTuned>;

  stats(): Promise<PipelineStats>;
  /** The numbers of a list of pipelines; cheaper than {@link PipelineRuntime.stats}. */
  overview(): Promise<PipelineOverview>;
  workerNames(): Promise<Record<string, string[]>>;
  workerStates(): Promise<Record<string, WorkerState>>;
  workerMetrics(): Promise<Record<string, WorkerMetrics>>;
  snapshot(): Promise<DashboardSnapshot>;
  /** Tells of the last `seconds`, in at most `points` buckets a stage. A runtime that keeps no past has no buckets. */
  history(query: HistoryQuery): Promise<PipelineHistory>;
  errors(): Promise<ErrorSummary>;
  /**
   * The items that are failed now, by what their messages have in common. They are counted as they are now, stored or not; the first time that somebody asks, all that have failed are
   * looked at.
   */
  errorGroups(query: ErrorGroupsQuery): Promise<ErrorGroups>;

  /** Ascending by sequence id, those after `after`; at most `limit`. */
  results(query: ResultsQuery): Promise<Page<PipelineResult>>;
  items(query: ItemsQuery): Promise<Page<ItemSummary>>;
  /** Throws `item-not-found`. */
  item(itemId: string): Promise<ItemDetail>;
  /** Aborts it when it runs. Throws `item-not-found`, `item-final`. */
  cancelItem(itemId: string, operator?: Operator): Promise<ItemSummary>;
  /** Puts a failed item back at the stage where it failed, or at another. Throws `item-not-found`, `item-not-final`, `unknown-stage`. */
  retryItem(itemId: string, fromStage?: string, operator?: Operator): Promise<ItemSummary>;
  /** Every failed item that fits; how many. Throws `unknown-stage`, `draining`. */
  retryFailed(query: SelectionQuery, operator?: Operator): Promise<number>;
  /** Every unfinished item that fits; how many. Those that wait go first, so that none begins that is cancelled next. Throws `unknown-stage`. */
  cancelItems(query: SelectionQuery, operator?: Operator): Promise<number>;

  readonly events: EventSource;
}

export interface PipelineDescription {
  definition: PipelineDefinition;
  /** `file`: it is what the pipeline's file says. */
  definitionSource: 'file' | 'api';
  /** True when there is a file, and it says otherwise. */
  fileDiffers: boolean;
  state: PipelineState;
  /** Why it is in its state, when nobody asked for it; else null. */
  stateReason: string | null;
  itemsProcessed: number;
  itemsFailed: number;
  itemsCancelled: number;
  itemsInFlight: number;
  workers: Record<string, string[]>;
  pausedStages: string[];
  /** Why a stage is paused, by stage, when nobody asked for it. */
  pausedReasons: Record<string, string>;
  /** The live tuning, by stage. */
  overrides: Record<string, StageTuning>;
  /** Names of the secrets that its templates use, sorted. */
  secrets: string[];
}

/** The outcome of a PUT. */
export interface PutOutcome {
  isCreated: boolean;
  pipeline: PipelineDescription;
  /** Empty when no stage is different. */
  changes: StageChange[];
  /** The fields of the pipeline itself that are different, such as `retention`. */
  changedFields: string[];
  /** For each removed stage, where its items went. */
  moved: MovedItems[];
}

export interface Page<T> {
  rows: T[];
  /** The `after` of the next page: the sequence id (for feeds, the ordinal) of the last row if more rows follow, else null. */
  next: number | null;
  /** How many rows retention took in all. */
  retired: number;
}

/** With `feedId` and a status, a page may have fewer rows than `limit`, or none, and still not be the last. */
export interface ResultsQuery {
  status: 'completed' | 'failed' | 'cancelled' | 'all';
  after: number;
  limit: number;
  feedId?: string;
}

/** How items failed. An item that did not fail matches no such filter. */
export interface ErrorFilter {
  errorType?: string;
  errorStatus?: number;
  /** The id of an {@link ErrorGroup}. */
  group?: string;
}

/** Items that match everything that is given. Of one that has not ended, the error is that of its last attempt that failed. */
export interface ItemFilter extends ErrorFilter {
  status?: readonly ItemStatus[];
  stage?: string;
  feedId?: string;
  itemIds?: readonly string[];
  /** Each member MUST be equal to that of the item. */
  metadata?: Readonly<Record<string, unknown>>;
}

/** Items to be retried, or cancelled. */
export interface SelectionQuery extends ItemFilter {
  /** They are only counted: as many as would be, if nothing changed meanwhile. */
  dryRun?: boolean;
}

export interface ErrorGroupsQuery {
  feedId?: string;
  stage?: string;
  limit: number;
}

/** With filters that no index knows ({@link ErrorFilter}, `text`, `minAttempts`; `stage`; `feedId` with `status`), a page may have fewer rows than `limit`, or none, and still not be the last. */
export interface ItemsQuery extends ErrorFilter {
  status?: ItemStatus[];
  stage?: string;
  feedId?: string;
  /** `desc`: the newest first; `after` is then the place behind which the page begins in that order. */
  order?: 'asc' | 'desc';
  /** Contained in the id or the message of the error, in whatever case. */
  text?: string;
  /** Attempts in every stage and every run. */
  minAttempts?: number;
  /** `input`: with the value that was fed, of items that have not completed. */
  include?: 'input';
  after: number;
  limit: number;
}

/** The filter of a subscriber; an absent field lets everything through. Snapshots are made by the hub, not read from here. */
export interface EventFilter {
  types: ReadonlySet<EventType>;
  /** Only for the events of all pipelines. */
  pipelineId?: ReadonlySet<string>;
  itemId?: ReadonlySet<string>;
  feedId?: ReadonlySet<string>;
  stage?: ReadonlySet<string>;
  status?: ReadonlySet<string>;
}

export type EventType = 'status' | 'task' | 'result' | 'pipeline' | 'feed';

export type SluiceEvent =
  | { seq: number; type: 'status'; data: StatusEvent }
  | { seq: number; type: 'task'; data: TaskEvent }
  | { seq: number; type: 'result'; data: PipelineResult }
  | { seq: number; type: 'pipeline'; data: PipelineEvent }
  | { seq: number; type: 'feed'; data: FeedEvent };

/** How much may be formed of events in one go, in characters of JSON; what was is taken off. */
export interface ReadBudget {
  characters: number;
}

/**
 * The one sequence of a pipeline's events: seq 1, 2, 3 … without a gap. The newest are kept, so a reader is a cursor:
 * replay and live are the same reading, there is no seam between them.
 */
export interface EventSource {
  /** The first part of every id. It changes when seq starts anew, that is after a restart that kept no events. */
  readonly epoch: string;
  /** Number of the oldest event still kept; `newest + 1` if none is. */
  readonly oldest: number;
  /** Number of the newest event; 0 before the first. */
  readonly newest: number;
  /**
   * Events after `after` that fit the filter, scanning at most `scan` of them, and with the event that uses the budget up no more.
   * `cursor` is the seq up to which it looked.
   */
  read(after: number, scan: number, filter: EventFilter, budget?: ReadBudget): { events: SluiceEvent[]; cursor: number };
  /** Calls `wake` in a later turn after events were added, once for many of them. Returns the way to end it. */
  subscribe(wake: () => void): () => void;
}

export interface PutOptions {
  /** `false` leaves a pipeline that is created in the state `created`. */
  start?: boolean;
  /** The pipelines that the caller may change and see; null or absent: all. A limiter that others use is not changed. */
  within?: ReadonlySet<string> | null;
  operator?: Operator | undefined;
}

export interface ValidateOptions extends Pick<PutOptions, 'within'> {
  against?: string | undefined;
}

/** The outcome of a definition that could be put. */
export interface Validated {
  /** With all defaults filled in. */
  definition: PipelineDefinition;
  /** As in {@link PutOutcome}, as far as can be told now; absent without `against`. */
  changes?: StageChange[];
  changedFields?: string[];
  moved?: MovedItems[];
}

export interface HistoryQuery {
  seconds: number;
  points: number;
}

/** The pipelines of a service, by id, whatever runs them. */
export interface PipelineHost {
  /** The built-in and user tasks, predicates and hooks that definitions can use. */
  readonly tasks: TaskCatalogue;
  /** Limits that tasks of any pipeline share. */
  readonly limiters: LimiterCatalogue;
  /** The events of all pipelines in one sequence, `pipelineId` first in each datum. */
  readonly events: EventSource;
  /** The dashboard snapshot of each pipeline. */
  snapshots(): Promise<({ pipelineId: string } & DashboardSnapshot)[]>;
  /** The measurements up to now, stored or not, also while the store has trouble. */
  measure(): Promise<HostMeasurements>;
  /** Where everything is kept, and whether that can be written now. */
  readonly storeHealth: StoreHealth;
  /** True from the first call of {@link PipelineHost.shutdown}. */
  readonly shuttingDown: boolean;
  list(): Promise<PipelineDescription[]>;
  /**
   * Checks a definition as it came and builds it, with the limiters that it defines; started unless `start` is false.
   * Throws `invalid-input`, `unknown-task`, `unknown-limiter`, `invalid-pipeline`, `invalid-params`, each with every fault, `pipeline-exists`, and
   * `limiter-conflict` or `forbidden` when it would change limiters that it may not change.
   */
  create(definition: unknown, options?: PutOptions): Promise<PipelineDescription>;
  /**
   * Creates the pipeline, or gives it another definition, while it runs and with items in every stage: none is lost, and none goes
   * through a stage twice. The same definition again changes nothing. `start` is for one that is created. Throws what `create` throws
   * but `pipeline-exists`, `limiter-in-use` when a limiter would go that others use, and `invalid-state` during its shutdown.
   */
  put(id: string, definition: unknown, options?: PutOptions): Promise<PutOutcome>;
  /**
   * Checks a definition as {@link PipelineHost.put} would, and says what that would do; nothing is created or changed. It throws what `put` throws. `against`: the
   * id of a pipeline that is there, which the definition would be put to; throws `pipeline-not-found`.
   */
  validate(definition: unknown, options?: ValidateOptions): Promise<Validated>;
  /** Throws `pipeline-not-found`. */
  get(id: string): PipelineRuntime;
  /**
   * Without a mode: refused with `items-in-flight` while there are any. `drain` finishes them first, `force` aborts and drops them. Throws `limiter-in-use` when
   * others use a limiter that only its definition defines.
   */
  remove(id: string, mode?: 'drain' | 'force', options?: Pick<PutOptions, 'within' | 'operator'>): Promise<void>;
  /** Ends every pipeline. Idempotent; a later, harder mode overtakes a softer one that still runs. */
  shutdown(mode: ShutdownMode, timeoutSeconds: number, operator?: Operator): Promise<ShutdownReport>;
}

/** Items that a start found in its store: waiting, running or between two attempts in the previous process. */
export interface StoreRecovery {
  pipelines: number;
  queued: number;
  running: number;
  retrying: number;
  /** Were running in too many processes that crashed: they have failed. */
  poisoned: number;
  seconds: number;
}

export interface StoreHealth {
  kind: string;
  /** Why it cannot be written now. */
  trouble: string | null;
  /** null when nothing is kept. */
  recovered: StoreRecovery | null;
  /** The pipelines that cannot run, since their definitions can no longer be used. */
  unusable: { pipelineId: string; reason: string }[];
}

export interface TaskCatalogue {
  list(): TaskInfo[];
}

export interface LimiterCatalogue {
  /** By name, each with all stages that wait for it. */
  list(): Promise<LimiterView[]>;
  /**
   * Takes effect at once, for those who wait too, and stays until the definition of the limiter changes or {@link LimiterCatalogue.reset}. Throws
   * `limiter-not-found`, `invalid-input`.
   */
  change(name: string, patch: LimiterPatch, operator?: Operator): Promise<LimiterView>;
  /** Returns to the definition. A hold stays. Throws `limiter-not-found`. */
  reset(name: string, operator?: Operator): Promise<LimiterView>;
}
