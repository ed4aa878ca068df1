import { z } from 'zod';
import { type PipelineState, type PipelineStats, pipelineStateSchema, pipelineStatsSchema, stageStatsSchema } from './stats.ts';

const { bottleneck, etaSeconds, latencySeconds, throughputPerSecond, asOf } = pipelineStatsSchema.shape;

/** The statistics of a pipeline that change all the time, as a display needs them: about a kilobyte for three stages. */
export const statsEventSchema = z
  .object({
    asOf,
    state: pipelineStateSchema,
    itemsFed: z.int(),
    itemsProcessed: z.int(),
    itemsFailed: z.int(),
    itemsCancelled: z.int(),
    itemsInFlight: z.int(),
    throughputPerSecond,
    etaSeconds,
    latencySeconds,
    bottleneck,
    stages: z.record(z.string(), stageStatsSchema.omit({ stageName: true })),
  })
  .meta({ id: 'StatsEvent' });
export type StatsEvent = z.infer<typeof statsEventSchema>;

/** Numbers are told with three digits that count: who looks sees no more, and it is half as long. */
export function toStatsEvent(stats: PipelineStats, state: PipelineState): StatsEvent {
  const { asOf, itemsFed, itemsProcessed, itemsFailed, itemsCancelled, itemsInFlight, bottleneck, stageStats } = stats;
  return {
    ...{ asOf, state, itemsFed, itemsProcessed, itemsFailed, itemsCancelled, itemsInFlight },
    ...rounded({ throughputPerSecond: stats.throughputPerSecond, etaSeconds: stats.etaSeconds, latencySeconds: stats.latencySeconds }),
    bottleneck,
    stages: Object.fromEntries(
      Object.entries(stageStats).map(([name, { stageName: _, ...stage }]) => {
        const { ratePerSecond, waitSeconds, runSeconds, oldestItemAgeSeconds } = stage;
        return [name, { ...stage, ...rounded({ ratePerSecond, waitSeconds, runSeconds, oldestItemAgeSeconds }) }];
      }),
    ),
  };
}

function rounded<T>(value: T): T {
  if (typeof value === 'number') return (Number.isInteger(value) ? value : Number(value.toPrecision(3))) as T;
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, member]) => [name, rounded(member)])) as T;
}
