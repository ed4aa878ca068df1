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
import type { FeedView, WaitReply } from '../../schemas/feed.ts';
import type { PipelineHistory } from '../../schemas/history.ts';
import type { ItemDetail, ItemSummary, PipelineResult } from '../../schemas/item.ts';
import type { PipelineOverview } from '../../schemas/overview.ts';
import type { StageTuned, StageTuning } from '../../schemas/redefinition.ts';
import type { DashboardSnapshot, ErrorSummary, PipelineState, PipelineStats, WorkerMetrics, WorkerState } from '../../schemas/stats.ts';
import type { EventSource } from './event-source.ts';
import type { Operator } from './operator.ts';
import type { ErrorGroupsQuery, HistoryQuery, ItemsQuery, Page, ResultsQuery, SelectionQuery } from './queries.ts';
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

export type * from './event-source.ts';
export type * from './operator.ts';
export type * from './queries.ts';
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
   * the backpressure). What was pushed stays accepted whatever comes after. `push` throws `draining`, `shutting-down`,
   * `feed-cancelled`, `pipeline-not-found` when the pipeline is removed, or `queue-full` when it is stopped and has no room, naming in `details.accepted` how many of this feed were.
   */
  openFeed(request: FeedRequest): Promise<FeedWriter>;
  /**
   * Feeds all or nothing and waits for those items alone; every one of them is in the results, in feed order. A pipeline that is
   * `created` or `stopped` is started, unless the request may not. Throws what `feed` throws, and
   * `request-timeout` when its caller has gone. When the pipeline ends before they have: `invalid-state` if it was stopped, `pipeline-not-found` if it is removed, `shutting-down` if the
   * service ends.
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
   * further than it is asked to. An item that is retried after it was given is not given again. Throws as {@link PipelineRuntime.run} when the
   * pipeline ends before, and in the end `no-longer-kept` when retention took results before they were read.
   */
  followFeed(feedId: string, query: FollowQuery): AsyncIterable<readonly PipelineResult[]>;
  /** Until the feed is done, or the time is up (`done: false`). Throws as {@link PipelineRuntime.run} when the pipeline ends before. */
  waitForFeed(feedId: string, query: FeedWaitQuery): Promise<{ done: boolean; feed: FeedView }>;
  /** Cancels every unfinished item; one that is still being sent takes no more. Returns how many. */
  cancelFeed(feedId: string, operator?: Operator): Promise<number>;
  /** Runs every failed item again, from the stage where it failed. Returns how many. Throws `draining`. */
  retryFeed(feedId: string, operator?: Operator): Promise<number>;
  /**
   * AntFlow's `wait`: until all items have ended, any has, or any has failed; or the time is up. What has ended before counts, too.
   * Throws `item-not-found` with all unknown ids in `details.ids`, and as {@link PipelineRuntime.run} when the pipeline ends before.
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
