import { z } from 'zod';
import { instantSchema } from './names.ts';
import { quantilesSchema } from './stats.ts';

/** The longest period that can be asked for, in seconds: a week. */
export const HISTORY_SECONDS_MAX = 604_800;
export const HISTORY_POINTS_MAX = 2016;

export const historyQuerySchema = z.strictObject({
  seconds: z.number().min(5).max(HISTORY_SECONDS_MAX).default(3600).meta({
    description:
      'How far back, in seconds. Up to an hour comes in buckets of five seconds or a multiple, more in buckets of five minutes or a multiple.',
  }),
  points: z
    .int()
    .min(1)
    .max(HISTORY_POINTS_MAX)
    .default(360)
    .meta({ description: 'The most buckets of a stage. Buckets are as long as it takes for that.' }),
});

const bucketExample = {
  at: '2026-11-23T17:44:00.000Z',
  in: 26,
  out: 25,
  failed: 0,
  retried: 1,
  queue: 43,
  running: 2,
  limited: 0,
  blocked: 0,
  idle: 0,
  waitSeconds: { p50: 7.9, p90: 8.4 },
  runSeconds: { p50: 0.38, p90: 0.51 },
};

export const historyBucketSchema = z
  .object({
    at: instantSchema.meta({ description: 'The beginning of the bucket.' }),
    in: z.int().meta({ description: 'Items that came into the stage.' }),
    out: z.int().meta({ description: 'Items that completed the stage, or skipped it.' }),
    failed: z.int(),
    retried: z.int().meta({ description: 'Attempts that failed and were followed by another one.' }),
    queue: z.int().meta({ description: 'Items that waited in the stage, at the end of the bucket.' }),
    running: z.int().meta({ description: 'Workers at work, at the end of the bucket.' }),
    limited: z.int().meta({ description: 'Workers that waited for a limit or a thread.' }),
    blocked: z.int().meta({ description: 'Workers that waited for room in the next stage.' }),
    idle: z.int().meta({ description: 'Workers without an item.' }),
    waitSeconds: quantilesSchema.meta({ description: 'How long items waited before their tasks ran; null when none began.' }),
    runSeconds: quantilesSchema.meta({ description: 'How long their tasks ran; null when none did.' }),
  })
  .meta({ id: 'HistoryBucket', examples: [bucketExample] });

export const pipelineHistorySchema = z
  .object({
    from: instantSchema.meta({ description: 'The beginning of the first bucket.' }),
    bucketSeconds: z.number().meta({ description: 'The length of each bucket.' }),
    stages: z.record(z.string(), z.array(historyBucketSchema)).meta({
      description:
        'Buckets of each stage, oldest first, from the first that is known of it. A removed stage is there as long as it has any.',
    }),
  })
  .meta({ id: 'PipelineHistory', examples: [{ from: bucketExample.at, bucketSeconds: 5, stages: { Price: [bucketExample] } }] });
export type PipelineHistory = z.infer<typeof pipelineHistorySchema>;
