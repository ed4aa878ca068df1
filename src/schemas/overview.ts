import { z } from 'zod';
import { pipelineStateSchema, pipelineStatsSchema } from './stats.ts';

const { bottleneck, etaSeconds } = pipelineStatsSchema.shape;

export const overviewExample = {
  queued: 43,
  running: 2,
  ratePerSecond: { in: 5.4, out: 5.2 },
  failedLastFiveMinutes: 1,
  etaSeconds: 8.7,
  bottleneck: { stage: 'Price', reason: 'workers' as const, task: null, limiter: null, until: null, workersWaiting: 0, workers: 2 },
};

/** The few numbers by which one sees how a pipeline is doing. */
export const overviewSchema = z
  .object({
    queued: z.int().meta({ description: 'Items that wait in a queue or between two attempts.' }),
    running: z.int().meta({ description: 'Items in a worker.' }),
    ratePerSecond: z
      .object({ in: z.number(), out: z.number() })
      .meta({ description: 'How many items come into the first stage, and how many end, per second, lately.' }),
    failedLastFiveMinutes: z.int().meta({
      description:
        'How many items have failed in the last five minutes, or since the process started if that is less; also those that were retried since.',
    }),
    etaSeconds,
    bottleneck,
    pausedReasons: z
      .record(z.string(), z.string())
      .optional()
      .meta({ description: 'Why a stage is paused, by stage, if nobody asked for that; absent if there is none.' }),
  })
  .meta({ id: 'PipelineOverview', examples: [overviewExample] });
export type PipelineOverview = z.infer<typeof overviewSchema>;

/** The overview of all pipelines, as an event has it. */
export const overviewEventSchema = z
  .object({
    pipelines: z.array(
      z.object({
        id: z.string(),
        state: pipelineStateSchema,
        itemsProcessed: z.int(),
        itemsFailed: z.int(),
        itemsInFlight: z.int(),
        overview: overviewSchema,
      }),
    ),
    asOf: pipelineStatsSchema.shape.asOf.meta({
      description: 'The id of an event of `GET /events` that is in these numbers, as are all before it.',
    }),
  })
  .meta({
    id: 'OverviewEvent',
    examples: [
      {
        pipelines: [{ id: 'orders', state: 'running', itemsProcessed: 310, itemsFailed: 1, itemsInFlight: 45, overview: overviewExample }],
        asOf: 'mf3k2x1a-4711',
      },
    ],
  });
export type OverviewEvent = z.infer<typeof overviewEventSchema>;
