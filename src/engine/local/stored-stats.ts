import type { PipelineStats, StageMeasures, StageStats } from '../../schemas/stats.ts';
import type { EventLines } from '../contract/event-source.ts';
import type { Figures } from '../durable/figures.ts';

/** The statistics of a pipeline as of a flush; rates and the like are those of `now`. */
export function statsOf(figures: Figures, now: PipelineStats, lines: EventLines): PipelineStats {
  const { counters, loads } = figures;
  const { fed, processed, failed, cancelled, lastEvent } = counters;
  const { throughputPerSecond, latencySeconds, bottleneck, etaSeconds, handlersIgnoringSignal } = now;
  const queueSizes: Record<string, number> = {};
  const stageStats: Record<string, StageStats> = {};
  let queued = 0;
  let retrying = 0;
  for (const [i, { name, waiting, parked, inProgress }] of loads.entries()) {
    const [, completed, failedThere, skipped, retried] = counters.stages[i] as (typeof counters.stages)[number];
    queueSizes[name] = waiting;
    stageStats[name] = {
      stageName: name,
      pendingItems: waiting + parked,
      inProgressItems: inProgress,
      completedItems: completed,
      failedItems: failedThere,
      skippedItems: skipped,
      retriedItems: retried,
      ...measuresOf(now.stageStats[name]),
    };
    queued += waiting;
    retrying += parked;
  }
  const itemsInFlight = fed - processed - failed - cancelled;
  return {
    itemsProcessed: processed,
    itemsFailed: failed,
    itemsCancelled: cancelled,
    itemsFed: fed,
    itemsInFlight,
    queueSizes,
    stageStats,
    statusCounts: {
      queued,
      in_progress: itemsInFlight - queued - retrying,
      completed: processed,
      failed,
      retrying,
      skipped: 0,
      cancelled,
    },
    throughputPerSecond,
    latencySeconds,
    bottleneck,
    etaSeconds: itemsInFlight === 0 ? 0 : etaSeconds === 0 ? null : etaSeconds,
    handlersIgnoringSignal,
    asOf: lines.idOf(lastEvent),
  };
}

/** Before a stage can be told of by its new name, it is shown under the one that is stored. */
const UNMEASURED: StageMeasures = {
  ratePerSecond: { in: 0, out: 0 },
  waitSeconds: { p50: null, p90: null },
  runSeconds: { p50: null, p90: null },
  oldestItemAgeSeconds: null,
  workers: { running: 0, limited: 0, blocked: 0, idle: 0 },
};

function measuresOf(live: StageMeasures | undefined): StageMeasures {
  const { ratePerSecond, waitSeconds, runSeconds, oldestItemAgeSeconds, workers } = live ?? UNMEASURED;
  return { ratePerSecond, waitSeconds, runSeconds, oldestItemAgeSeconds, workers };
}
