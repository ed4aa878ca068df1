import { z } from 'zod';
import { waitingForSchema } from './item.ts';
import { eventIdSchema, instantSchema } from './names.ts';

export const pipelineStateSchema = z.enum(['created', 'running', 'paused', 'draining', 'stopped']);
export type PipelineState = z.infer<typeof pipelineStateSchema>;

export const stageStatsSchema = z
  .object({
    stageName: z.string(),
    pendingItems: z.int().meta({ description: 'Waiting in this stage: in its queue, or between two attempts.' }),
    inProgressItems: z.int().meta({ description: 'Held by a worker of this stage.' }),
    completedItems: z.int(),
    failedItems: z.int(),
    skippedItems: z.int(),
    retriedItems: z.int(),
  })
  .meta({ id: 'StageStats' });
export type StageStats = z.infer<typeof stageStatsSchema>;

export const statusCountsSchema = z.object({
  queued: z.int(),
  in_progress: z.int(),
  completed: z.int(),
  failed: z.int(),
  retrying: z.int(),
  skipped: z.int(),
  cancelled: z.int(),
});
export type StatusCounts = z.infer<typeof statusCountsSchema>;

export const bottleneckReasonSchema = z.enum(['workers', 'task-limit', 'rate-limit', 'retry', 'next-stage-full', 'paused']);

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
    throughputPerSecond: z.number(),
    latencySeconds: z
      .object({ p50: z.number().nullable(), p90: z.number().nullable(), p99: z.number().nullable() })
      .meta({ description: 'From acceptance to the final state, over the last minute.' }),
    bottleneck: z.object({ stage: z.string(), reason: bottleneckReasonSchema }).nullable(),
    etaSeconds: z.number().nullable(),
    handlersIgnoringSignal: z
      .int()
      .meta({ description: 'Task executions that still run although they timed out or were cancelled: their handler ignores its signal.' }),
    asOf: eventIdSchema,
  })
  .meta({ id: 'PipelineStats' });
export type PipelineStats = z.infer<typeof pipelineStatsSchema>;

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
  .meta({ id: 'WorkerState' });
export type WorkerState = z.infer<typeof workerStateSchema>;

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
  .meta({ id: 'WorkerMetrics' });
export type WorkerMetrics = z.infer<typeof workerMetricsSchema>;

export const failedItemSchema = z
  .object({ itemId: z.string(), error: z.string(), errorType: z.string(), stage: z.string(), attempts: z.int(), timestamp: instantSchema })
  .meta({ id: 'FailedItem' });
export type FailedItem = z.infer<typeof failedItemSchema>;

export const errorSummarySchema = z
  .object({
    totalFailed: z.int(),
    errorsByType: z.record(z.string(), z.int()),
    errorsByStage: z.record(z.string(), z.int()),
    failedItems: z.array(failedItemSchema).meta({ description: 'The newest failures last, at most 1000; the counts cover all.' }),
  })
  .meta({ id: 'ErrorSummary' });
export type ErrorSummary = z.infer<typeof errorSummarySchema>;

export const workerNamesSchema = z.record(z.string(), z.array(z.string())).meta({ examples: [{ Fetch: ['Fetch-W0', 'Fetch-W1'] }] });
export const workerStatesSchema = z.record(z.string(), workerStateSchema);
export const workerMetricsMapSchema = z.record(z.string(), workerMetricsSchema);

export const snapshotSchema = z
  .object({
    workerStates: workerStatesSchema,
    workerMetrics: workerMetricsMapSchema,
    pipelineStats: pipelineStatsSchema,
    errorSummary: errorSummarySchema,
    timestamp: instantSchema,
    asOf: eventIdSchema,
  })
  .meta({ id: 'Snapshot' });
export type DashboardSnapshot = z.infer<typeof snapshotSchema>;
