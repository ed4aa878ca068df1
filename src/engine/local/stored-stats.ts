import type { PipelineStats, StageStats } from '../../schemas/stats.ts';
import type { Figures } from '../durable/figures.ts';

/** The statistics of a pipeline as of a flush; rates and the like are those of `now`. `epoch`: the first part of event ids. */
export function statsOf(figures: Figures, now: PipelineStats, epoch: string): PipelineStats {
  const { counters, loads } = figures;
  const { fed, processed, failed, cancelled, lastEvent } = counters;
  const { throughputPerSecond, latencySeconds, bottleneck, handlersIgnoringSignal } = now;
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
    etaSeconds: itemsInFlight === 0 ? 0 : throughputPerSecond === 0 ? null : itemsInFlight / throughputPerSecond,
    handlersIgnoringSignal,
    asOf: `${epoch}-${lastEvent}`,
  };
}
