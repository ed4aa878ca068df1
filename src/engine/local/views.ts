import type { ItemDetail, ItemSummary, WaitingFor } from '../../schemas/item.ts';
import type { PipelineOverview } from '../../schemas/overview.ts';
import type {
  DashboardSnapshot,
  ErrorSummary,
  PipelineStats,
  StageMeasures,
  StageStats,
  WorkerMetrics,
  WorkerState,
} from '../../schemas/stats.ts';
import type { ItemsQuery } from '../contract/runtime.ts';
import type { PipelineFace, WorkerFace } from '../flow/face.ts';
import { Forecast } from '../flow/forecast.ts';
import { bottleneckOf, queuedWaitsFor, waitingForOf, workerHoldUp } from '../flow/hold-ups.ts';
import { oldestItemMs, workersNow } from '../flow/stage-now.ts';
import type { Histogram } from '../measures/histogram.ts';
import { type Item, type Stage, Worker } from '../model/model.ts';
import { pausesOf } from './stored-facts.ts';

/** Shows a pipeline, its items and its workers as they are now. Each answer is a copy: nothing in it changes afterwards. */
export class Views {
  private readonly core: PipelineFace;

  constructor(core: PipelineFace) {
    this.core = core;
  }

  stats(): PipelineStats {
    const { core } = this;
    const { ledger } = core;
    const now = core.time.tick();
    const queueSizes: Record<string, number> = {};
    const stageStats: Record<string, StageStats> = {};
    let queued = 0;
    let retrying = 0;
    let inProgress = 0;
    for (const stage of core.allStages) {
      queueSizes[stage.name] = stage.waiting;
      stageStats[stage.name] = {
        stageName: stage.name,
        pendingItems: stage.waiting + stage.parked,
        inProgressItems: stage.inProgress,
        completedItems: stage.completed,
        failedItems: stage.failed,
        skippedItems: stage.skipped,
        retriedItems: stage.retried,
        ...this.measuresOf(stage, now),
      };
      queued += stage.waiting;
      retrying += stage.parked;
      inProgress += stage.inProgress;
    }
    const rate = core.meter.perSecond(now);
    const [p50 = null, p90 = null, p99 = null] = secondsOf(core.meter.latencies(now), [0.5, 0.9, 0.99]);
    const { processed, failed, cancelled, inFlight } = ledger;
    return {
      itemsProcessed: processed,
      itemsFailed: failed,
      itemsCancelled: cancelled,
      itemsFed: ledger.fed,
      itemsInFlight: inFlight,
      queueSizes,
      stageStats,
      statusCounts: { queued, in_progress: inProgress, completed: processed, failed, retrying, skipped: 0, cancelled },
      throughputPerSecond: rate,
      latencySeconds: { p50, p90, p99 },
      bottleneck: bottleneckOf(core),
      etaSeconds: new Forecast(core).all(),
      handlersIgnoringSignal: core.allStages.reduce((sum, stage) => sum + stage.ignoringSignal, 0),
      asOf: core.events.asOf,
    };
  }

  /** A part of the statistics that costs little to make, whatever the pipeline has measured. */
  overview(): PipelineOverview {
    const { core } = this;
    const now = core.time.tick();
    let queued = 0;
    let running = 0;
    for (const stage of core.allStages) {
      queued += stage.waiting + stage.parked;
      running += stage.inProgress;
    }
    const { pausedReasons } = pausesOf(core.stages);
    return {
      queued,
      running,
      ratePerSecond: { in: core.stages[0]?.meter.arrivals.perSecond(now) ?? 0, out: core.meter.perSecond(now) },
      failedLastFiveMinutes: core.meter.failures.at(now),
      etaSeconds: new Forecast(core).all(),
      bottleneck: bottleneckOf(core),
      ...(Object.keys(pausedReasons).length > 0 && { pausedReasons }),
    };
  }

  /** The measurements of a stage, and what is there now. */
  measuresOf(stage: Stage, now: number): StageMeasures {
    const { arrivals, departures, wait, run } = stage.meter;
    const oldestMs = oldestItemMs(stage, this.core.scheduler.retries.timedOf(stage), now);
    return {
      ratePerSecond: { in: arrivals.perSecond(now), out: departures.perSecond(now) },
      waitSeconds: middleOf(wait.recent(now)),
      runSeconds: middleOf(run.recent(now)),
      oldestItemAgeSeconds: oldestMs === null ? null : oldestMs / 1000,
      workers: workersNow(stage.workers),
    };
  }

  workerNames(): Record<string, string[]> {
    return Object.fromEntries(this.core.stages.map((stage) => [stage.name, stage.workerNames]));
  }

  workerStates(): Record<string, WorkerState> {
    return this.eachWorker((worker) => {
      const { item } = worker;
      return {
        workerName: worker.name,
        stage: worker.stage.name,
        status: item === null ? 'idle' : 'busy',
        currentItemId: item?.id ?? null,
        currentTask: worker.task?.name ?? worker.waitingTask?.name ?? null,
        taskStatus: worker.taskStatus,
        processingSince: item === null ? null : this.core.time.instant(worker.processingSince),
        waitingFor: item === null ? null : this.workerWaitsFor(worker),
      };
    });
  }

  workerMetrics(): Record<string, WorkerMetrics> {
    return this.eachWorker((worker) => {
      const { itemsProcessed, itemsFailed, busyMs, lastActive } = worker;
      const ended = itemsProcessed + itemsFailed;
      return {
        workerName: worker.name,
        stage: worker.stage.name,
        itemsProcessed,
        itemsFailed,
        totalProcessingTimeSeconds: busyMs / 1000,
        avgProcessingTimeSeconds: ended === 0 ? 0 : busyMs / 1000 / ended,
        lastActive: lastActive === 0 ? null : this.core.time.instant(lastActive),
      };
    });
  }

  errors(): ErrorSummary {
    return this.core.ledger.errorSummary();
  }

  snapshot(): DashboardSnapshot {
    const pipelineStats = this.stats();
    return {
      workerStates: this.workerStates(),
      workerMetrics: this.workerMetrics(),
      pipelineStats,
      errorSummary: this.errors(),
      timestamp: this.core.time.instant(this.core.time.now),
      asOf: pipelineStats.asOf,
    };
  }

  summary(item: Item): ItemSummary {
    return {
      id: item.id,
      sequenceId: item.sequenceId,
      feedId: item.feed.id,
      status: item.shownStatus,
      stage: item.stage.name,
      worker: item.holder instanceof Worker ? item.holder.name : null,
      priority: item.priority,
      attempts: item.attempts,
      totalAttempts: item.totalAttempts,
      updatedAt: this.core.time.instant(item.updatedAt),
      error: item.error,
      lastError: item.lastError,
    };
  }

  /** An item in a list. */
  listed(item: Item, include: ItemsQuery['include']): ItemSummary {
    const summary = this.summary(item);
    return include === 'input' && item.fed !== undefined ? { ...summary, input: item.fed } : summary;
  }

  detail(item: Item): ItemDetail {
    const history = this.core.events.history(item);
    return {
      ...this.summary(item),
      value: item.value,
      metadata: item.metadata,
      acceptedAt: item.stored.accepted === null ? this.core.time.instant(item.acceptedAt) : new Date(item.stored.accepted).toISOString(),
      waitingFor: item.isFinal ? null : this.waitsFor(item),
      history: history.events,
      historyTruncated: history.truncated,
    };
  }

  private waitsFor(item: Item): WaitingFor | null {
    const { holder, stage, status } = item;
    if (holder instanceof Worker) return this.workerWaitsFor(holder);
    if (status === 'retrying' && holder !== null) return { reason: 'retry', until: this.core.time.instant(holder.at) };
    return queuedWaitsFor(stage, (at) => this.core.time.instant(at));
  }

  private workerWaitsFor(worker: WorkerFace): WaitingFor | null {
    const holdUp = workerHoldUp(worker);
    return holdUp === null ? null : waitingForOf(holdUp, (at) => this.core.time.instant(at));
  }

  private eachWorker<T>(view: (worker: WorkerFace) => T): Record<string, T> {
    const all: Record<string, T> = {};
    for (const stage of this.core.allStages) {
      for (const worker of stage.workers) all[worker.name] = view(worker);
    }
    return all;
  }
}

/** Quantiles in seconds. */
function secondsOf(durations: Histogram, shares: readonly number[]): (number | null)[] {
  return durations.quantiles(shares).map((ms) => (ms === null ? null : ms / 1000));
}

function middleOf(durations: Histogram): { p50: number | null; p90: number | null } {
  const [p50 = null, p90 = null] = secondsOf(durations, [0.5, 0.9]);
  return { p50, p90 };
}
