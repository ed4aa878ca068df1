import type { FeedOptions, FeedReceipt, ShutdownMode, ShutdownReport } from '../../schemas/control.ts';
import type { PipelineDefinition } from '../../schemas/definition.ts';
import type { PipelineResult } from '../../schemas/item.ts';
import type { StageTuned, StageTuning } from '../../schemas/redefinition.ts';
import type { DashboardSnapshot, ErrorSummary, PipelineState, PipelineStats, WorkerMetrics, WorkerState } from '../../schemas/stats.ts';
import { PipelineError, StageValidationError } from '../contract/errors.ts';
import type { EventSource } from '../contract/runtime.ts';
import type { Hook } from '../contract/task.ts';
import { type StageOptions, stageSpecOf } from '../definition/stage-spec.ts';
import type { StoreLink } from '../durable/durable.ts';
import { BUFFER_ALL, FeedResults, inFeedOrder } from '../feeds/feed-results.ts';
import type { CoreOptions } from '../flow/core.ts';
import { type Ports, systemPorts } from '../ports.ts';
import { LocalRuntime } from './local-runtime.ts';
import type { StatusTracker } from './status-tracker.ts';

export interface PipelineOptions {
  stages: readonly StageOptions[];
  /** Keeps completed items' values for {@link Pipeline.results}. Default true. */
  collectResults?: boolean;
  statusTracker?: StatusTracker;
  id?: string;
  /** The most items that wait after being fed from outside. Default 100 000. */
  backlogCapacity?: number;
  /** The bounds for finished items. Default 100 000 items, 7 days. */
  retention?: { maxItems?: number; maxAgeSeconds?: number };
  /** The number of events that are kept. Default 262 144. */
  eventsKept?: number;
  /** The time after which a hook or predicate is no longer waited for. Default 30. */
  hookTimeoutSeconds?: number;
  /** Called with the id of each feed that is done, and a `DoneFeed`. */
  onDone?: Hook;
  ports?: Partial<Ports>;
}

/** AntFlow's options of `feed`. */
export type PipelineFeedOptions = Pick<FeedOptions, 'targetStage' | 'priority' | 'feedId' | 'onDuplicate'>;

/**
 * AntFlow's `Pipeline`: stages of workers that items flow through. Without HTTP, in this process, in memory.
 *
 *     const pipeline = new Pipeline({ stages: [{ name: 'Fetch', workers: 5, tasks: [fetchData] }] });
 *     const results = await pipeline.run(urls);
 *
 * Throws {@link PipelineError} when the list of stages is empty, {@link StageValidationError} when a stage is wrong.
 */
export class Pipeline {
  /** The pipeline as the service uses it, for callers who outgrow the short names. */
  readonly runtime: LocalRuntime;

  /** With a `link`, everything is kept in its store, as the service keeps it. */
  constructor(options: PipelineOptions, link?: StoreLink) {
    const { stages, collectResults = true, statusTracker, id = 'pipeline', onDone } = options;
    if (!Array.isArray(stages) || stages.length === 0) throw new PipelineError('invalid-pipeline', 'a pipeline needs at least one stage');
    const specs = stages.map(stageSpecOf);
    const names = specs.map((spec) => spec.definition.name);
    const faults = names.flatMap((name, i) =>
      names.indexOf(name) < i ? [{ path: `/stages/${i}/name`, message: `"${name}" is already the name of an earlier stage` }] : [],
    );
    if (faults.length > 0) throw new StageValidationError(faults);
    if (specs[0]?.definition.pull === true)
      throw new PipelineError('invalid-pipeline', 'the first stage has no stage before it to pull from');
    const definition: PipelineDefinition = { id, collectResults, stages: specs.map((spec) => spec.definition) };
    const core: CoreOptions = {
      id,
      specs,
      collectResults,
      retention: {
        maxItems: options.retention?.maxItems ?? 100_000,
        maxAgeSeconds: options.retention?.maxAgeSeconds ?? 604_800,
      },
      backlogCapacity: options.backlogCapacity ?? 100_000,
      eventsKept: options.eventsKept ?? 262_144,
      hookTimeoutSeconds: options.hookTimeoutSeconds ?? 30,
      onDone: onDone && { call: (feedId, told, info) => onDone(feedId, told, info), secrets: [] },
      values: undefined,
      // Who has it in his own process gets whatever there is.
      pageCharacters: Number.POSITIVE_INFINITY,
      ports: { ...systemPorts, ...options.ports },
    };
    this.runtime = new LocalRuntime(definition, core, link);
    this.runtime.beginStored();
    statusTracker?.attach(this.runtime);
  }

  get state(): PipelineState {
    return this.runtime.core.state;
  }

  get events(): EventSource {
    return this.runtime.events;
  }

  /** Completed items in feed order; empty unless `collectResults`. */
  get results(): PipelineResult[] {
    if (!this.runtime.core.options.collectResults) return [];
    const page = this.runtime.core.index.results({ status: 'completed', after: 0, limit: Number.POSITIVE_INFINITY });
    return page.rows.map((item) => item.toResult());
  }

  /** Begins handing out items. Throws `already-running`. */
  start(): Promise<void> {
    return this.runtime.start();
  }

  /**
   * Accepts items, waiting for room as long as the pipeline runs. Throws `unknown-stage`, `draining`, `shutting-down` (with how
   * many were `accepted` in its details), and `queue-full` when it does not run and they do not fit.
   */
  feed(items: Iterable<unknown>, options: PipelineFeedOptions = {}): Promise<FeedReceipt> {
    return this.feedBatches([[...items]], options);
  }

  /** Feeds from an asynchronous iterable, which is read only as fast as there is room; see {@link Pipeline.feed}. */
  feedAsync(items: AsyncIterable<unknown> | Iterable<unknown>, options: PipelineFeedOptions = {}): Promise<FeedReceipt> {
    return this.feedBatches(singly(items), options);
  }

  private async feedBatches(batches: AsyncIterable<unknown[]> | Iterable<unknown[]>, options: PipelineFeedOptions): Promise<FeedReceipt> {
    const { admission, feeds } = this.runtime.core;
    const feed = admission.openFeed(options);
    try {
      for await (const batch of batches) {
        await admission.admitWhenRoom(admission.check(batch, options), feed, options, false);
      }
      feeds.close(feed);
      return feed.receipt();
    } finally {
      if (feed.isOpen) feeds.refuse(feed);
    }
  }

  /** Finishes every item in every stage, refusing new ones, and stops. */
  async join(): Promise<void> {
    await this.runtime.join();
  }

  /**
   * Starts, feeds and joins. Every item of this run is in the answer, in feed order, the failed and cancelled ones with their
   * `error`. A pipeline that runs already goes on running: then only these items are waited for. When the items cannot be
   * fed, or the pipeline is shut down meanwhile, it throws; what was accepted stays queued.
   */
  async run(items: Iterable<unknown>, options: PipelineFeedOptions = {}): Promise<PipelineResult[]> {
    const wasIdle = this.state === 'created' || this.state === 'stopped';
    const all: PipelineResult[] = [];
    try {
      for await (const result of this.resultsOf(items, options, wasIdle)) all.push(result);
    } catch (error) {
      if (wasIdle) await this.stopUnlessStopping();
      throw error;
    }
    if (wasIdle && this.state !== 'stopped') await this.join();
    if (!this.runtime.core.options.collectResults) return [];
    return inFeedOrder(all);
  }

  /**
   * Yields each result as it is ready, in the order of completion, the first before the last item is fed. Stopping early
   * (`break`) shuts down the pipeline if this call has started it.
   */
  async *stream(items: AsyncIterable<unknown> | Iterable<unknown>, options: PipelineFeedOptions = {}): AsyncGenerator<PipelineResult> {
    const wasIdle = this.state === 'created' || this.state === 'stopped';
    let isComplete = false;
    try {
      yield* this.resultsOf(items, options, wasIdle);
      isComplete = true;
    } finally {
      if (wasIdle) {
        if (!isComplete) await this.stopUnlessStopping();
        else if (this.state !== 'stopped') await this.join();
      }
    }
  }

  /** Stops the pipeline. By default `graceful`: running items finish their stage, the others stay queued for the next start. */
  shutdown(mode: ShutdownMode = 'graceful', timeoutSeconds?: number): Promise<ShutdownReport> {
    return this.runtime.shutdown(mode, timeoutSeconds, undefined, 'process');
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.shutdown();
  }

  pause(): Promise<void> {
    return this.runtime.pause();
  }
  resume(): Promise<void> {
    return this.runtime.resume();
  }
  pauseStage(stage: string): Promise<void> {
    return this.runtime.pauseStage(stage);
  }
  resumeStage(stage: string): Promise<void> {
    return this.runtime.resumeStage(stage);
  }
  /** Changes the workers, limits and queue capacity of a stage while it runs. */
  tune(stage: string, tuning: StageTuning): Promise<StageTuned> {
    return this.runtime.tune(stage, tuning);
  }

  getStats(): PipelineStats {
    return this.runtime.views.stats();
  }
  getWorkerNames(): Record<string, string[]> {
    return this.runtime.views.workerNames();
  }
  getWorkerStates(): Record<string, WorkerState> {
    return this.runtime.views.workerStates();
  }
  getWorkerMetrics(): Record<string, WorkerMetrics> {
    return this.runtime.views.workerMetrics();
  }
  getDashboardSnapshot(): DashboardSnapshot {
    return this.runtime.views.snapshot();
  }
  getErrorSummary(): ErrorSummary {
    return this.runtime.views.errors();
  }

  /** Shuts down by force, unless the pipeline drains or shuts down already: that goes on in its own way. */
  private async stopUnlessStopping(): Promise<void> {
    if (this.state === 'running' || this.state === 'paused') await this.shutdown('force');
  }

  private async *resultsOf(
    items: AsyncIterable<unknown> | Iterable<unknown>,
    options: PipelineFeedOptions,
    start: boolean,
  ): AsyncGenerator<PipelineResult> {
    const { core } = this.runtime;
    const { admission, feeds } = core;
    if (start) await this.start();
    const feed = admission.openFeed(options);
    let wake: () => void = () => undefined;
    let fault: { error: unknown } | undefined;
    const waiting = new FeedResults(feed, core, BUFFER_ALL, () => wake());
    let isStopped = false;
    const feeding = (async () => {
      try {
        for await (const entry of items) {
          if (isStopped) break;
          await admission.admitWhenRoom(admission.check([entry], options), feed, options, false);
        }
      } catch (error) {
        fault = { error };
      } finally {
        feeds.close(feed, fault === undefined);
        wake();
      }
    })();
    try {
      for (;;) {
        // The next wake is asked for before looking, so that none is missed.
        const woken = new Promise<void>((resolve) => {
          wake = resolve;
        });
        waiting.recall();
        yield* waiting.take();
        if (fault !== undefined) throw fault.error;
        if (waiting.fault !== null) throw waiting.fault;
        if (waiting.isDone && waiting.size === 0) break;
        if (waiting.size === 0) await woken;
      }
      await feeding;
    } finally {
      isStopped = true;
      waiting.stop();
    }
  }
}

async function* singly(items: AsyncIterable<unknown> | Iterable<unknown>): AsyncGenerator<unknown[]> {
  for await (const item of items) yield [item];
}
