import type { FeedOptions, FeedReceipt, RunReply, ShutdownMode, ShutdownReport } from '../schemas/control.ts';
import type { PipelineDefinition } from '../schemas/definition.ts';
import type { ItemDetail, ItemSummary, PipelineResult } from '../schemas/item.ts';
import type { DashboardSnapshot, ErrorSummary, FailedItem, PipelineStats, WorkerMetrics, WorkerState } from '../schemas/stats.ts';
import { Core, type CoreOptions } from './core.ts';
import { PipelineError } from './errors.ts';
import { FeedResults } from './feed-results.ts';
import { Lifecycle } from './lifecycle.ts';
import { Operations, type StageTuning } from './operations.ts';
import type { EventSource, FeedWriter, ItemsQuery, Page, PipelineDescription, PipelineRuntime, ResultsQuery } from './runtime.ts';
import { Shutdown } from './shutdown.ts';
import { Views } from './views.ts';

/** A pipeline in this process: worker loops and priority queues here, its items in memory. */
export class LocalRuntime implements PipelineRuntime {
  readonly definition: PipelineDefinition;
  readonly core: Core;
  readonly operations: Operations;
  readonly views: Views;
  private readonly lifecycle: Lifecycle;
  private readonly ending: Shutdown;

  constructor(definition: PipelineDefinition, options: CoreOptions) {
    this.definition = definition;
    this.core = new Core(options);
    this.lifecycle = new Lifecycle(this.core);
    this.ending = new Shutdown(this.core, this.lifecycle);
    this.operations = new Operations(this.core);
    this.views = new Views(this.core);
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
    };
  }

  async feed(items: readonly unknown[], options: FeedOptions): Promise<FeedReceipt> {
    const { admission } = this.core;
    admission.check(items, options.onDuplicate);
    const feed = admission.openFeed(options);
    try {
      const ids = admission.admitAll(items, feed, options);
      return feed.receipt(ids);
    } finally {
      admission.closeFeed(feed);
      admission.dropFeed(feed);
    }
  }

  async openFeed(options: FeedOptions): Promise<FeedWriter> {
    const { admission } = this.core;
    const feed = admission.openFeed(options);
    return {
      feedId: feed.id,
      push: async (items) => {
        admission.check(items, options.onDuplicate);
        await admission.admitWhenRoom(items, feed, options, true);
      },
      end: async () => {
        if (feed.isOpen) admission.closeFeed(feed);
        return feed.receipt();
      },
    };
  }

  async run(items: readonly unknown[], options: FeedOptions, signal?: AbortSignal): Promise<RunReply> {
    const { admission } = this.core;
    admission.check(items, options.onDuplicate);
    const feed = admission.openFeed(options);
    const waiting = new FeedResults(feed, this.core.followers);
    try {
      if (this.core.state === 'created' || this.core.state === 'stopped') this.lifecycle.start();
      admission.admitAll(items, feed, options);
      admission.closeFeed(feed);
      const results = await abortable(waiting.all(), signal);
      return { feedId: feed.id, results: this.core.options.collectResults ? results : [], errorSummary: this.summaryOf(results) };
    } finally {
      admission.dropFeed(feed);
      waiting.stop();
    }
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

  /** Changes a stage while it runs. */
  async tune(stage: string, tuning: StageTuning): Promise<void> {
    this.operations.tune(stage, tuning);
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
    const page = this.core.index.results(query);
    return { ...page, rows: page.rows.map((item) => item.toResult()) };
  }

  async items(query: ItemsQuery): Promise<Page<ItemSummary>> {
    this.core.time.tick();
    this.core.index.retireAged();
    const page = this.core.index.items(query);
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

  private summaryOf(results: readonly PipelineResult[]): ErrorSummary {
    const failed = results.filter((result) => result.error !== null && result.error.type !== 'Cancelled');
    const errorsByType: Record<string, number> = {};
    const errorsByStage: Record<string, number> = {};
    const failedItems: FailedItem[] = [];
    const now = this.core.time.instant(this.core.time.tick());
    for (const { id, error } of failed) {
      const { type, message, stage, attempts } = error as NonNullable<typeof error>;
      errorsByType[type] = (errorsByType[type] ?? 0) + 1;
      errorsByStage[stage] = (errorsByStage[stage] ?? 0) + 1;
      const item = this.core.index.get(id);
      const timestamp = item === undefined ? now : this.core.time.instant(item.updatedAt);
      if (failedItems.length < 1000) failedItems.push({ itemId: id, error: message, errorType: type, stage, attempts, timestamp });
    }
    return { totalFailed: failed.length, errorsByType, errorsByStage, failedItems };
  }
}

/** Rejects as soon as the signal aborts; the work goes on without its waiter. */
function abortable<T>(work: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return work;
  return new Promise((resolve, reject) => {
    const gone = (): void => reject(new PipelineError('request-timeout', 'the caller has gone'));
    if (signal.aborted) gone();
    signal.addEventListener('abort', gone, { once: true });
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', gone));
  });
}
