import type { FeedReceipt, ShutdownMode, ShutdownReport } from '../../schemas/control.ts';
import type { PipelineDefinition } from '../../schemas/definition.ts';
import type { ErrorGroups } from '../../schemas/error-groups.ts';
import type { FeedView, WaitReply } from '../../schemas/feed.ts';
import type { PipelineHistory } from '../../schemas/history.ts';
import type { ItemDetail, ItemSummary, PipelineResult } from '../../schemas/item.ts';
import type { PipelineOverview } from '../../schemas/overview.ts';
import type { StageTuned, StageTuning } from '../../schemas/redefinition.ts';
import type { DashboardSnapshot, ErrorSummary, PipelineStats, WorkerMetrics, WorkerState } from '../../schemas/stats.ts';
import type { SluiceError } from '../contract/errors.ts';
import type { Operator } from '../contract/operator.ts';
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
} from '../contract/requests.ts';
import type {
  ErrorGroupsQuery,
  EventSource,
  HistoryQuery,
  ItemsQuery,
  Page,
  PipelineDescription,
  PipelineRuntime,
  ResultsQuery,
  SelectionQuery,
} from '../contract/runtime.ts';
import { abandon } from '../control/abandon.ts';
import type { Ending } from '../control/endings.ts';
import { FailedGroups } from '../control/failed-groups.ts';
import { Lifecycle, type Unusable } from '../control/lifecycle.ts';
import { Operations } from '../control/operations.ts';
import { Shutdown } from '../control/shutdown.ts';
import { Durable, type StoreLink } from '../durable/durable.ts';
import { StoredAnswers } from '../durable/stored-answers.ts';
import { Answers, RecentAnswers } from '../feeds/answers.ts';
import { DoneCalls } from '../feeds/done-calls.ts';
import { Feeding } from '../feeds/feeding.ts';
import { Feeds } from '../feeds/feeds.ts';
import { waitForItems } from '../feeds/item-wait.ts';
import { Runs } from '../feeds/runs.ts';
import { Core, type CoreOptions } from '../flow/core.ts';
import { PipelineSeries } from '../series/pipeline-series.ts';
import { waitWithin } from '../time/waited.ts';
import { AnswerGate } from './answer-gate.ts';
import { AskedControl } from './asked-control.ts';
import { LiveDefinition } from './live-definition.ts';
import { LiveReads } from './reads.ts';
import { identityFrom, newIdentity } from './stored-facts.ts';
import { StoredReads } from './stored-reads.ts';
import { ToldOperations } from './told-operations.ts';
import { Views } from './views.ts';

/**
 * A pipeline in this process: its queues and workers are here, its items in memory or in a store. Each method of the contract is one line, which
 * says how its answer is given: see {@link AnswerGate}.
 */
export class LocalRuntime implements PipelineRuntime {
  readonly core: Core;
  readonly operations: Operations;
  readonly views: Views;
  private readonly groups: FailedGroups;
  private readonly lifecycle: Lifecycle;
  private readonly ending: Shutdown;
  private readonly feeding: Feeding;
  private readonly runs: Runs;
  private readonly feedsOf: Feeds;
  private readonly told: ToldOperations;
  readonly doneCalls: DoneCalls;
  private readonly live: LiveReads;
  readonly gate: AnswerGate;
  readonly durable: Durable | null = null;
  readonly defined: LiveDefinition;
  readonly asked: AskedControl;
  /** The measurements of the past, see {@link HostHistory}. */
  readonly series = new PipelineSeries();
  /** Brings what earlier processes have stored of it into memory. Throws `store-unavailable`. */
  loadSeries: () => void = () => undefined;

  /** With a `link`, everything is kept in its store, and a pipeline that is there already goes on: see {@link AskedControl.recover}. */
  constructor(definition: PipelineDefinition, options: CoreOptions, link?: StoreLink) {
    const identity = link?.facts ? identityFrom(link.facts) : newIdentity(options);
    this.core = new Core(link === undefined ? options : { ...options, identity }, {
      onEnd: () => this.lifecycle.onEnd(),
      onFree: () => this.lifecycle.onFree(),
      onFailures: (stage, limit, error) => {
        this.lifecycle.pauseAfterFailures(stage, limit, error);
        this.asked.pausedItself(stage);
      },
      onOwed: (feed) => this.doneCalls.add(feed),
    });
    this.lifecycle = new Lifecycle(this.core);
    this.operations = new Operations(this.core);
    this.groups = new FailedGroups(this.core);
    this.feedsOf = new Feeds(this.core, this.operations);
    // One of a store calls none before it goes on.
    this.doneCalls = new DoneCalls(this.core, (feed) => this.feedsOf.doneView(feed), {
      isHeld: Boolean(link?.facts),
      maxDeliveries: link?.maxDeliveries ?? Number.POSITIVE_INFINITY,
    });
    this.ending = new Shutdown(this.core, this.lifecycle, () => this.doneCalls.ended());
    this.views = new Views(this.core);
    this.told = new ToldOperations(this.core, this.operations, this.feedsOf, this.views);
    this.defined = new LiveDefinition(definition, this.core, this.lifecycle, this.operations, (stage) => this.durable?.keepFormer(stage));
    this.asked = new AskedControl(this.core, this.lifecycle, this.defined, this.doneCalls);
    const { clock } = options.ports;
    if (link !== undefined) {
      this.durable = new Durable(this.core, link, identity, {
        definition: () => ({
          definition: this.defined.current,
          source: this.defined.inFile,
          hasRoutes: this.core.hasRoutes,
        }),
        control: () => this.asked.now,
        operated: () => {
          const { definition, workers, secrets, state, stateReason } = this.live.describe();
          const told = { definition, workers, secrets, stateReason, ...this.defined.origin, ...this.asked.now };
          return this.unusable === null ? told : { ...told, state };
        },
      });
    }
    const { durable } = this;
    const answers = new Answers(
      durable === null
        ? new RecentAnswers(clock, options.maxIdempotencyKeys)
        : new StoredAnswers(durable.journal, durable.shelf, durable.keyClock),
    );
    this.feeding = new Feeding(this.core, answers);
    this.runs = new Runs(this.core, this.lifecycle, this.feedsOf, answers);
    this.live = new LiveReads(this.core, this.views, this.feedsOf, this.operations, () => ({
      definition: this.defined.current,
      overrides: this.defined.overrides,
      ...this.defined.origin,
    }));
    this.gate = new AnswerGate(this.core, this.live, durable === null ? null : new StoredReads(durable, this.views));
  }

  /** Why it cannot run, when its definition cannot be used. */
  get unusable(): Unusable | null {
    return this.lifecycle.unusable;
  }
  set unusable(unusable: Unusable) {
    this.lifecycle.unusable = unusable;
  }

  /** The last definition that is stored; without a store, the last one. */
  get definition(): PipelineDefinition {
    return this.durable?.journal.stored?.operated.definition ?? this.defined.current;
  }

  get events(): EventSource {
    return this.core.events;
  }

  /** Begins to store everything. Call it for a new pipeline. */
  beginStored(): void {
    if (this.durable === null) return;
    this.durable.begin();
    for (const fact of ['identity', 'definition', 'stages', 'control'] as const) this.core.keeper.touchFact(fact);
  }

  async history({ seconds, points }: HistoryQuery): Promise<PipelineHistory> {
    this.gate.expectHere();
    this.loadSeries();
    return this.series.read(this.core.time.clock.now(), seconds, points);
  }

  describe(): Promise<PipelineDescription> {
    return this.gate.read((reads) => reads.describe());
  }

  feed(items: readonly unknown[], request: FeedRequest): Promise<FeedReceipt & Replayable> {
    return this.gate.promise(
      () => this.feeding.feed(items, request),
      ({ accepted }) => accepted,
    );
  }
  openFeed(request: FeedRequest): Promise<FeedWriter> {
    return this.gate.writer(() => this.feeding.open(request));
  }
  run(items: readonly unknown[], request: RunRequest): Promise<RunAnswer> {
    return this.gate.promise(
      () => this.runs.run(items, request),
      (answer) => this.gate.acceptedOf(answer),
    );
  }
  gauge(request: RunRequest): (items: readonly unknown[]) => void {
    const mayWait = Boolean(request.waitSeconds) || request.idempotency !== undefined;
    return this.core.admission.gauge(request, mayWait);
  }
  openRun(request: RunRequest, items?: readonly unknown[]): Promise<RunStream> {
    return this.gate.stream(() => this.runs.open(request, items), request, items !== undefined);
  }

  feeds(query: FeedsQuery): Promise<Page<FeedView>> {
    return this.gate.read((reads) => reads.feeds(query));
  }
  feedMaker(feedId: string): Promise<string | null> {
    return this.gate.read((reads) => reads.feedMaker(feedId));
  }
  feedView(feedId: string): Promise<FeedView> {
    return this.gate.read((reads) => reads.feedView(feedId));
  }
  feedResults(feedId: string, query: FeedResultsQuery): Promise<Page<PipelineResult>> {
    return this.gate.read((reads) => reads.feedResults(feedId, query));
  }
  followFeed(feedId: string, query: FollowQuery): AsyncIterable<readonly PipelineResult[]> {
    return this.gate.follow((reads) => reads.feedMaker(feedId), this.feedsOf.follow(feedId, query), query.signal);
  }
  waitForFeed(feedId: string, query: FeedWaitQuery): Promise<{ done: boolean; feed: FeedView }> {
    return this.gate.wait(
      query,
      () => this.feedsOf.wait(feedId, query),
      (stored) => {
        const feed = stored.feedView(feedId);
        return { done: feed.done, feed };
      },
    );
  }
  cancelFeed(feedId: string, operator?: Operator): Promise<number> {
    return this.gate.ending(() => this.told.cancelFeed(feedId, operator));
  }
  retryFeed(feedId: string, operator?: Operator): Promise<number> {
    return this.gate.promise(() => this.told.retryFeed(feedId, operator));
  }
  waitForItems(query: ItemsWaitQuery): Promise<WaitReply> {
    return this.gate.wait(
      query,
      () => waitForItems(this.core, query),
      (stored) => stored.itemsNow(query),
    );
  }

  start(operator?: Operator): Promise<void> {
    return this.gate.promise(() => this.lifecycle.start('running', operator));
  }
  pause(operator?: Operator): Promise<void> {
    return this.gate.promise(() => this.lifecycle.pause(operator));
  }
  resume(operator?: Operator): Promise<void> {
    return this.gate.promise(() => this.lifecycle.resume(operator));
  }
  pauseStage(stage: string, operator?: Operator): Promise<void> {
    return this.gate.promise(() => this.lifecycle.pauseStage(stage, operator));
  }
  resumeStage(stage: string, operator?: Operator): Promise<void> {
    return this.gate.promise(() => this.lifecycle.resumeStage(stage, operator));
  }
  join(timeoutSeconds?: number, operator?: Operator): Promise<{ done: boolean; stats: PipelineStats }> {
    return this.gate.begin(
      { timeoutSeconds },
      () => this.joined(timeoutSeconds, operator),
      (stored) => ({ done: false, stats: stored.stats() }),
    );
  }
  shutdown(mode: ShutdownMode, timeoutSeconds?: number, operator?: Operator, ending: Ending = 'stop'): Promise<ShutdownReport> {
    return this.gate.promise(() => {
      this.asked.stopped();
      return this.stop(mode, ending, timeoutSeconds, operator);
    });
  }
  tune(stage: string, tuning: StageTuning, operator?: Operator): Promise<StageTuned> {
    return this.gate.promise(() => this.defined.tune(stage, tuning, operator));
  }
  untune(stage: string, operator?: Operator): Promise<StageTuned> {
    return this.gate.promise(() => this.defined.untune(stage, operator));
  }

  stats(): Promise<PipelineStats> {
    return this.gate.read((reads) => reads.stats());
  }
  overview(): Promise<PipelineOverview> {
    return this.gate.read((reads) => reads.overview());
  }
  workerNames(): Promise<Record<string, string[]>> {
    return this.gate.read((reads) => reads.workerNames());
  }
  workerStates(): Promise<Record<string, WorkerState>> {
    return this.gate.read((reads) => reads.workerStates());
  }
  /** The metrics as they are now: no store keeps them. */
  async workerMetrics(): Promise<Record<string, WorkerMetrics>> {
    this.gate.expectHere();
    return this.views.workerMetrics();
  }
  snapshot(): Promise<DashboardSnapshot> {
    return this.gate.read((reads) => reads.snapshot());
  }
  /** The groups as they are now: a message of a failure tells nothing that a crash could undo but that it was. */
  async errorGroups(query: ErrorGroupsQuery): Promise<ErrorGroups> {
    this.gate.expectHere();
    return this.groups.view(query);
  }
  errors(): Promise<ErrorSummary> {
    return this.gate.read((reads) => reads.errors());
  }

  results(query: ResultsQuery): Promise<Page<PipelineResult>> {
    return this.gate.read((reads) => reads.results(query));
  }
  items(query: ItemsQuery): Promise<Page<ItemSummary>> {
    return this.gate.read((reads) => reads.items(query));
  }
  item(itemId: string): Promise<ItemDetail> {
    return this.gate.read((reads) => reads.item(itemId));
  }
  cancelItem(itemId: string, operator?: Operator): Promise<ItemSummary> {
    return this.gate.ending(() => this.told.cancelItem(itemId, operator));
  }
  retryItem(itemId: string, fromStage?: string, operator?: Operator): Promise<ItemSummary> {
    return this.gate.promise(() => this.told.retryItem(itemId, fromStage, operator));
  }
  retryFailed(query: SelectionQuery, operator?: Operator): Promise<number> {
    return this.gate.promise(() => this.told.retryFailed(query, operator));
  }
  cancelItems(query: SelectionQuery, operator?: Operator): Promise<number> {
    return this.gate.ending(() => this.told.cancelItems(query, operator));
  }

  // The methods below bypass the gate: the caller sees to it that nothing is told before it is stored.

  /** Starts a new pipeline. */
  begin(): void {
    this.lifecycle.start();
  }

  /** Refuses all changes from now on: the process ends. What was asked for until now is what the next start goes by. */
  close(): void {
    this.asked.freeze();
    this.core.evacuation.stop();
    this.core.admission.close();
    this.gate.isEnding = true;
  }

  /** Shuts the pipeline down, whether that can be stored or not. */
  async stop(mode: ShutdownMode, ending: Ending, timeoutSeconds?: number, operator?: Operator): Promise<ShutdownReport> {
    const report = await this.ending.shutdown(mode, timeoutSeconds, this.gate.isEnding ? 'process' : ending, operator);
    if (this.gate.isEnding) this.doneCalls.stop();
    return report;
  }

  /** Leaves it to whoever has it now: nothing begins, is stored, or is answered with anything but this error. */
  abandon(error: SluiceError): void {
    this.gate.abandoned = error;
    this.doneCalls.stop();
    abandon(this.core, this.lifecycle, error);
    this.ending.abandon();
    this.durable?.unwatch();
  }

  /** The pipeline as it is now, stored or not. */
  describeNow(): PipelineDescription {
    return this.live.describe();
  }

  private async joined(timeoutSeconds: number | undefined, operator?: Operator): Promise<{ done: boolean; stats: PipelineStats }> {
    const { dues, time } = this.core;
    const joined = this.lifecycle.join(operator);
    const waited = await waitWithin(joined, { timeoutSeconds }, time, dues);
    // The draining goes on; when a shutdown cuts it short, nobody waits here any more.
    joined.catch(() => undefined);
    return { done: waited.is === 'done', stats: this.views.stats() };
  }
}
