import type { FeedReceipt, ShutdownMode, ShutdownReport } from '../schemas/control.ts';
import type { PipelineDefinition, StageDefinition } from '../schemas/definition.ts';
import type { FeedView, WaitReply } from '../schemas/feed.ts';
import type { ItemDetail, ItemSummary, PipelineResult } from '../schemas/item.ts';
import type { MovedItems, StageChange, StageTuned, StageTuning } from '../schemas/redefinition.ts';
import type { DashboardSnapshot, ErrorSummary, PipelineStats, WorkerMetrics, WorkerState } from '../schemas/stats.ts';
import { Answers, RecentAnswers } from './answers.ts';
import { Core, type CoreOptions } from './core.ts';
import { SluiceError } from './errors.ts';
import { Feeding } from './feeding.ts';
import { Feeds } from './feeds.ts';
import { waitForItems } from './item-wait.ts';
import { Lifecycle } from './lifecycle.ts';
import { Operations } from './operations.ts';
import { redefineStages, renamedStages } from './redefinition.ts';
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
import { Runs } from './runs.ts';
import type { EventSource, ItemsQuery, Page, PipelineDescription, PipelineRuntime, ResultsQuery } from './runtime.ts';
import { Shutdown } from './shutdown.ts';
import type { StageSpec } from './stage-spec.ts';
import { settingsOf, Tuning } from './tuning.ts';
import { Views } from './views.ts';

/** A pipeline in this process: worker loops and priority queues here, its items in memory. */
export class LocalRuntime implements PipelineRuntime {
  definition: PipelineDefinition;
  readonly core: Core;
  readonly operations: Operations;
  readonly views: Views;
  private readonly lifecycle: Lifecycle;
  private readonly ending: Shutdown;
  private readonly feeding: Feeding;
  private readonly runs: Runs;
  private readonly feedsOf: Feeds;
  private readonly tuning: Tuning;

  constructor(definition: PipelineDefinition, options: CoreOptions) {
    this.definition = definition;
    this.core = new Core(options);
    this.lifecycle = new Lifecycle(this.core);
    this.ending = new Shutdown(this.core, this.lifecycle);
    this.operations = new Operations(this.core);
    this.views = new Views(this.core);
    this.tuning = new Tuning(options.maxWorkersPerStage ?? Number.POSITIVE_INFINITY);
    const answers = new Answers(new RecentAnswers(options.ports.clock));
    this.feedsOf = new Feeds(this.core, this.operations);
    this.feeding = new Feeding(this.core, answers);
    this.runs = new Runs(this.core, this.lifecycle, this.feedsOf, answers);
  }

  get events(): EventSource {
    return this.core.events;
  }

  async describe(): Promise<PipelineDescription> {
    const { core } = this;
    return {
      definition: this.definition,
      state: core.state,
      itemsProcessed: core.processed,
      itemsFailed: core.failed,
      itemsCancelled: core.cancelled,
      itemsInFlight: core.inFlight,
      workers: this.views.workerNames(),
      pausedStages: core.stages.filter((stage) => stage.isPaused).map((stage) => stage.name),
      overrides: this.tuning.view(),
    };
  }

  feed(items: readonly unknown[], request: FeedRequest): Promise<FeedReceipt & Replayable> {
    return this.feeding.feed(items, request);
  }
  openFeed(request: FeedRequest): Promise<FeedWriter> {
    return this.feeding.open(request);
  }
  run(items: readonly unknown[], request: RunRequest): Promise<RunAnswer> {
    return this.runs.run(items, request);
  }
  openRun(request: RunRequest, items?: readonly unknown[]): Promise<RunStream> {
    return this.runs.open(request, items);
  }

  async feeds(query: FeedsQuery): Promise<Page<FeedView>> {
    return this.feedsOf.list(query);
  }
  async feedView(feedId: string): Promise<FeedView> {
    return this.feedsOf.view(feedId);
  }
  async feedResults(feedId: string, query: FeedResultsQuery): Promise<Page<PipelineResult>> {
    return this.feedsOf.results(feedId, query);
  }
  followFeed(feedId: string, query: FollowQuery): AsyncIterable<readonly PipelineResult[]> {
    return this.feedsOf.follow(feedId, query);
  }
  waitForFeed(feedId: string, query: FeedWaitQuery): Promise<{ done: boolean; feed: FeedView }> {
    return this.feedsOf.wait(feedId, query);
  }
  cancelFeed(feedId: string): Promise<number> {
    return this.feedsOf.cancel(feedId);
  }
  retryFeed(feedId: string): Promise<number> {
    return this.feedsOf.retry(feedId);
  }
  waitForItems(query: ItemsWaitQuery): Promise<WaitReply> {
    return waitForItems(this.core, query);
  }

  async start(): Promise<void> {
    this.lifecycle.start();
  }
  async pause(): Promise<void> {
    this.lifecycle.pause();
  }
  async resume(): Promise<void> {
    this.lifecycle.resume();
  }
  async pauseStage(stage: string): Promise<void> {
    this.lifecycle.pauseStage(stage);
  }
  async resumeStage(stage: string): Promise<void> {
    this.lifecycle.resumeStage(stage);
  }

  async join(timeoutSeconds?: number): Promise<{ done: boolean; stats: PipelineStats }> {
    const joined = this.lifecycle.join().then(() => true);
    if (timeoutSeconds === undefined) return { done: await joined, stats: this.views.stats() };
    const { dues, time } = this.core;
    const { promise: late, resolve: tooLate } = Promise.withResolvers<false>();
    const limit = dues.add(time.tick() + timeoutSeconds * 1000, () => tooLate(false));
    try {
      const done = await Promise.race([joined, late]);
      return { done, stats: this.views.stats() };
    } finally {
      dues.cancel(limit);
      // The draining goes on; when a shutdown cuts it short, nobody waits here any more.
      joined.catch(() => undefined);
    }
  }

  shutdown(mode: ShutdownMode, timeoutSeconds?: number): Promise<ShutdownReport> {
    return this.ending.shutdown(mode, timeoutSeconds);
  }

  async tune(name: string, tuning: StageTuning): Promise<StageTuned> {
    const stage = this.operations.stage(name);
    this.operations.settle(stage, this.tuning.change(this.defined(name), tuning));
    return this.tuned(name);
  }

  async untune(name: string): Promise<StageTuned> {
    const stage = this.operations.stage(name);
    this.tuning.drop(name);
    this.operations.settle(stage, this.defined(name));
    return this.tuned(name);
  }

  /**
   * Gives it another definition while it runs; see redefinition.ts for what becomes of the items. Live tuning stays where its stages
   * do. `specOf` turns a stage's definition into functions; it throws before anything is changed.
   */
  redefine(
    definition: PipelineDefinition,
    bounds: Pick<CoreOptions, 'collectResults' | 'retention' | 'backlogCapacity'>,
    specOf: (stage: StageDefinition) => StageSpec,
  ): { changes: StageChange[]; moved: MovedItems[] } {
    const { core } = this;
    if (this.lifecycle.isShuttingDown) throw new SluiceError('invalid-state', 'the pipeline is being shut down');
    const nameBefore = renamedStages(core, definition.stages);
    const specs = definition.stages.map((stage) => specOf(this.tuning.effective(stage, nameBefore.get(stage.name))));
    this.definition = definition;
    Object.assign(core.options, bounds);
    core.index.retain(bounds.retention);
    const outcome = redefineStages(core, specs);
    this.tuning.follow(definition.stages, nameBefore);
    core.admission.resize(bounds.backlogCapacity);
    return outcome;
  }

  private defined(stage: string): StageDefinition {
    return this.definition.stages.find(({ name }) => name === stage) as StageDefinition;
  }

  private tuned(stage: string): StageTuned {
    const { spec } = this.operations.stage(stage);
    return { stage, effective: settingsOf(spec.definition), defined: settingsOf(this.defined(stage)) };
  }

  async stats(): Promise<PipelineStats> {
    return this.views.stats();
  }
  async workerNames(): Promise<Record<string, string[]>> {
    return this.views.workerNames();
  }
  async workerStates(): Promise<Record<string, WorkerState>> {
    return this.views.workerStates();
  }
  async workerMetrics(): Promise<Record<string, WorkerMetrics>> {
    return this.views.workerMetrics();
  }
  async snapshot(): Promise<DashboardSnapshot> {
    return this.views.snapshot();
  }
  async errors(): Promise<ErrorSummary> {
    return this.views.errors();
  }

  async results(query: ResultsQuery): Promise<Page<PipelineResult>> {
    this.core.time.tick();
    this.core.index.retireAged();
    if (!this.core.options.collectResults && query.status === 'completed')
      return { rows: [], next: null, retired: this.core.index.retired };
    const page = this.core.index.results(query, this.rangeOf(query.feedId));
    return { ...page, rows: page.rows.map((item) => item.toResult()) };
  }

  async items(query: ItemsQuery): Promise<Page<ItemSummary>> {
    this.core.time.tick();
    this.core.index.retireAged();
    const page = this.core.index.items(query, this.rangeOf(query.feedId));
    return { ...page, rows: page.rows.map((item) => this.views.summary(item)) };
  }

  async item(itemId: string): Promise<ItemDetail> {
    this.core.time.tick();
    this.core.index.retireAged();
    return this.views.detail(this.operations.find(itemId));
  }
  async cancelItem(itemId: string): Promise<ItemSummary> {
    return this.views.summary(this.operations.cancel(itemId));
  }
  async retryItem(itemId: string, fromStage?: string): Promise<ItemSummary> {
    return this.views.summary(this.operations.retry(itemId, fromStage));
  }
  async retryFailed(query: { stage?: string; errorType?: string; feedId?: string }): Promise<number> {
    return this.operations.retryFailed(query);
  }

  /** Where the items of a feed are; undefined when it is not known any more. */
  private rangeOf(feedId: string | undefined) {
    return feedId === undefined ? undefined : this.core.feeds.find(feedId);
  }
}
