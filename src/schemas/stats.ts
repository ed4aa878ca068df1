import { z } from 'zod';
import { waitingForSchema, waitingReasonSchema } from './item.ts';
import { eventIdSchema, instantSchema } from './names.ts';

export const pipelineStateSchema = z.enum(['created', 'running', 'paused', 'draining', 'stopped']).meta({ id: 'PipelineState' });
export type PipelineState = z.infer<typeof pipelineStateSchema>;

const priceStatsExample = {
  stageName: 'Price',
  pendingItems: 43,
  inProgressItems: 2,
  completedItems: 310,
  failedItems: 0,
  skippedItems: 0,
  retriedItems: 7,
  ratePerSecond: { in: 5.4, out: 5.2 },
  waitSeconds: { p50: 1.1, p90: 3.2 },
  runSeconds: { p50: 0.38, p90: 0.52 },
  oldestItemAgeSeconds: 8.3,
  workers: { running: 2, limited: 0, blocked: 0, idle: 0 },
};

/** The middle of some durations in seconds, and what nine in ten of them do not exceed; null without any. */
export const quantilesSchema = z.object({ p50: z.number().nullable(), p90: z.number().nullable() });

const stageMeasuresShape = {
  ratePerSecond: z.object({ in: z.number(), out: z.number() }).meta({
    description: 'How many items come into the stage, and go on from it (completed or skipped), per second, lately.',
  }),
  waitSeconds: quantilesSchema.meta({
    description:
      'How long items waited in the stage for a worker, a limit or a thread, over the last minute, each time a worker had one; null if none had.',
  }),
  runSeconds: quantilesSchema.meta({
    description:
      'How long the tasks of the stage ran for an item, without waits, over the last minute, each time a worker had one; null if none had.',
  }),
  oldestItemAgeSeconds: z.number().nullable().meta({
    description:
      'How long the item has been in the stage that has been there the longest; after a restart, since its status last changed. null: no item is there.',
  }),
  workers: z.object({ running: z.int(), limited: z.int(), blocked: z.int(), idle: z.int() }).meta({
    description:
      'The workers of the stage by what they do: a task runs; it waits for a limit or a thread; it is done, and the next stage has no room; it has no item.',
  }),
};

export const stageStatsSchema = z
  .object({
    stageName: z.string(),
    pendingItems: z.int().meta({ description: 'Items waiting in the queue of this stage, or between two attempts.' }),
    inProgressItems: z.int().meta({ description: 'Items in a worker of this stage.' }),
    completedItems: z.int(),
    failedItems: z.int(),
    skippedItems: z.int(),
    retriedItems: z.int(),
    ...stageMeasuresShape,
  })
  .meta({
    id: 'StageStats',
    examples: [priceStatsExample],
  });
export type StageStats = z.infer<typeof stageStatsSchema>;
/** The part of {@link StageStats} that is measured by the process, and not stored. */
export type StageMeasures = Pick<StageStats, keyof typeof stageMeasuresShape>;

export const statusCountsSchema = z
  .object({
    queued: z.int(),
    in_progress: z.int(),
    completed: z.int(),
    failed: z.int(),
    retrying: z.int(),
    skipped: z.int(),
    cancelled: z.int(),
  })
  .meta({ id: 'StatusCounts' });
export type StatusCounts = z.infer<typeof statusCountsSchema>;

const statsExample = {
  itemsProcessed: 310,
  itemsFailed: 1,
  itemsCancelled: 0,
  itemsFed: 356,
  itemsInFlight: 45,
  queueSizes: { Check: 0, Price: 43 },
  stageStats: {
    Check: {
      stageName: 'Check',
      pendingItems: 0,
      inProgressItems: 0,
      completedItems: 355,
      failedItems: 1,
      skippedItems: 0,
      retriedItems: 0,
      ratePerSecond: { in: 5.4, out: 5.4 },
      waitSeconds: { p50: 0.001, p90: 0.003 },
      runSeconds: { p50: 0.002, p90: 0.004 },
      oldestItemAgeSeconds: null,
      workers: { running: 0, limited: 0, blocked: 0, idle: 1 },
    },
    Price: priceStatsExample,
  },
  statusCounts: { queued: 42, in_progress: 2, completed: 310, failed: 1, retrying: 1, skipped: 0, cancelled: 0 },
  throughputPerSecond: 5.2,
  latencySeconds: { p50: 1.8, p90: 4.1, p99: 9.6 },
  bottleneck: { stage: 'Price', reason: 'workers' as const, task: null, limiter: null, until: null, workersWaiting: 0, workers: 2 },
  etaSeconds: 8.7,
  handlersIgnoringSignal: 0,
  asOf: 'mf3k2x1a-4711',
};

export const pipelineStatsSchema = z
  .object({
    itemsProcessed: z.int(),
    itemsFailed: z.int(),
    itemsCancelled: z.int(),
    itemsFed: z.int(),
    itemsInFlight: z.int(),
    queueSizes: z.record(z.string(), z.int()),
    stageStats: z.record(z.string(), stageStatsSchema),
    statusCounts: statusCountsSchema,
    throughputPerSecond: z.number().meta({
      description:
        'Items that end per second while the pipeline works: idle time and pauses are not averaged in. 0 a minute after the last end, if nothing runs.',
    }),
    latencySeconds: z
      .object({ p50: z.number().nullable(), p90: z.number().nullable(), p99: z.number().nullable() })
      .meta({ description: 'Time from acceptance to the final state, over the last minute.' }),
    bottleneck: z
      .object({
        stage: z.string(),
        reason: waitingReasonSchema,
        task: z.string().nullable().meta({ description: 'The task whose limit holds up its workers, or that waits for a thread.' }),
        limiter: z.string().nullable().meta({ description: 'The shared limiter that they wait for.' }),
        until: instantSchema.nullable().meta({ description: 'When the first of them may go on, if that is known.' }),
        workersWaiting: z.int().meta({ description: 'How many of its workers wait for that.' }),
        workers: z.int(),
      })
      .meta({ id: 'Bottleneck' })
      .nullable()
      .meta({
        description:
          'The stage that holds up the rest, never one that only waits for it; null when no item waits. `workers` is the reason only where more of them would help.',
      }),
    etaSeconds: z.number().nullable().meta({
      description:
        'Estimated time until all items in flight have ended: 0 when there are none; null while it is unknown, or the pipeline or a stage on the way is paused.',
    }),
    handlersIgnoringSignal: z.int().meta({
      description: 'Task executions that still run although they timed out or were cancelled, because their handler ignores its signal.',
    }),
    asOf: eventIdSchema,
  })
  .meta({ id: 'PipelineStats', examples: [statsExample] });
export type PipelineStats = z.infer<typeof pipelineStatsSchema>;

const workerStateExample = {
  workerName: 'Price-W0',
  stage: 'Price',
  status: 'busy' as const,
  currentItemId: 'order-4711',
  currentTask: 'jsonata',
  taskStatus: null,
  processingSince: '2026-11-23T17:44:00.123Z',
  waitingFor: null,
};

export const workerStateSchema = z
  .object({
    workerName: z.string(),
    stage: z.string(),
    status: z.enum(['idle', 'busy']),
    currentItemId: z.string().nullable(),
    currentTask: z.string().nullable(),
    taskStatus: z.string().nullable(),
    processingSince: instantSchema.nullable(),
    waitingFor: waitingForSchema.nullable(),
  })
  .meta({ id: 'WorkerState', examples: [workerStateExample] });
export type WorkerState = z.infer<typeof workerStateSchema>;

const workerMetricsExample = {
  workerName: 'Price-W0',
  stage: 'Price',
  itemsProcessed: 155,
  itemsFailed: 0,
  totalProcessingTimeSeconds: 58.9,
  avgProcessingTimeSeconds: 0.38,
  lastActive: '2026-11-23T17:44:00.123Z',
};

export const workerMetricsSchema = z
  .object({
    workerName: z.string(),
    stage: z.string(),
    itemsProcessed: z.int(),
    itemsFailed: z.int(),
    totalProcessingTimeSeconds: z.number(),
    avgProcessingTimeSeconds: z.number(),
    lastActive: instantSchema.nullable(),
  })
  .meta({ id: 'WorkerMetrics', examples: [workerMetricsExample] });
export type WorkerMetrics = z.infer<typeof workerMetricsSchema>;

const failedItemExample = {
  itemId: 'order-4712',
  error: "the value does not match the schema: it must have required property 'quantity'",
  errorType: 'PermanentError',
  stage: 'Check',
  attempts: 1,
  timestamp: '2026-11-23T17:44:00.123Z',
};

export const failedItemSchema = z
  .object({ itemId: z.string(), error: z.string(), errorType: z.string(), stage: z.string(), attempts: z.int(), timestamp: instantSchema })
  .meta({ id: 'FailedItem', examples: [failedItemExample] });
export type FailedItem = z.infer<typeof failedItemSchema>;

export const errorSummaryExample = {
  totalFailed: 1,
  errorsByType: { PermanentError: 1 },
  errorsByStage: { Check: 1 },
  failedItems: [failedItemExample],
};

export const errorSummarySchema = z
  .object({
    totalFailed: z.int(),
    errorsByType: z.record(z.string(), z.int()),
    errorsByStage: z.record(z.string(), z.int()),
    failedItems: z.array(failedItemSchema).meta({ description: 'At most 1000 failures, the newest last; the counts cover all.' }),
  })
  .meta({ id: 'ErrorSummary', examples: [errorSummaryExample] });
export type ErrorSummary = z.infer<typeof errorSummarySchema>;

export const workerNamesSchema = z
  .record(z.string(), z.array(z.string()))
  .meta({ id: 'WorkerNames', examples: [{ Check: ['Check-W0'], Price: ['Price-W0', 'Price-W1'] }] });
export const workerStatesSchema = z
  .record(z.string(), workerStateSchema)
  .meta({ id: 'WorkerStates', examples: [{ 'Price-W0': workerStateExample }] });
export const workerMetricsMapSchema = z
  .record(z.string(), workerMetricsSchema)
  .meta({ id: 'WorkerMetricsMap', examples: [{ 'Price-W0': workerMetricsExample }] });

export const snapshotSchema = z
  .object({
    workerStates: workerStatesSchema,
    workerMetrics: workerMetricsMapSchema,
    pipelineStats: pipelineStatsSchema,
    errorSummary: errorSummarySchema,
    timestamp: instantSchema,
    asOf: eventIdSchema,
  })
  .meta({
    id: 'Snapshot',
    examples: [
      {
        workerStates: { 'Price-W0': workerStateExample },
        workerMetrics: { 'Price-W0': workerMetricsExample },
        pipelineStats: statsExample,
        errorSummary: errorSummaryExample,
        timestamp: '2026-11-23T17:44:00.123Z',
        asOf: 'mf3k2x1a-4711',
      },
    ],
  });
export type DashboardSnapshot = z.infer<typeof snapshotSchema>;
