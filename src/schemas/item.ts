import { z } from 'zod';
import { instantSchema } from './names.ts';
import { previewShape } from './preview.ts';

/** Where an item is. `completed` (of the last stage), `failed` and `cancelled` are final. */
export const itemStatusSchema = z
  .enum(['queued', 'in_progress', 'completed', 'failed', 'retrying', 'skipped', 'cancelled'])
  .meta({ id: 'ItemStatus' });
export type ItemStatus = z.infer<typeof itemStatusSchema>;

export const metadataSchema = z.record(z.string(), z.unknown());
export type Metadata = z.infer<typeof metadataSchema>;

const itemErrorExample = {
  type: 'PermanentError',
  message: "the value does not match the schema: it must have required property 'quantity'",
  stage: 'Check',
  attempts: 1,
};

export const itemErrorSchema = z
  .object({
    type: z.string(),
    message: z.string(),
    status: z.int().optional().meta({ description: 'The HTTP status that the error carries, as those of `http_request` do.' }),
    stage: z.string(),
    attempts: z.int(),
  })
  .meta({ id: 'ItemError', examples: [itemErrorExample] });
export type ItemError = z.infer<typeof itemErrorSchema>;

/** Filters of items by how they failed, of `GET items` and `POST retry`. */
export const errorFilterShape = {
  errorType: z.string().min(1).max(200).optional().meta({ description: 'Only items that failed with this type of error.' }),
  errorStatus: z
    .int()
    .min(100)
    .max(599)
    .optional()
    .meta({
      description: 'Only items whose error carries this HTTP status.',
      examples: [429],
    }),
};

export const resultExample = {
  id: 'order-4711',
  value: { sku: 'A7', total: 28.5 },
  sequenceId: 12,
  metadata: { sku: 'A7', quantity: 3 },
  error: null,
  feedId: 'feed-mwty2h4k7f3a-1',
};
export const failedResultExample = {
  id: 'order-4712',
  value: null,
  sequenceId: 13,
  metadata: { sku: 'B2' },
  error: itemErrorExample,
  feedId: 'feed-mwty2h4k7f3a-1',
  input: { id: 'order-4712', sku: 'B2' },
};

export const resultSchema = z
  .object({
    id: z.string(),
    value: z.unknown(),
    sequenceId: z.int(),
    metadata: metadataSchema,
    error: itemErrorSchema.nullable(),
    feedId: z.string(),
    input: z.unknown().optional().meta({ description: 'The value as it was fed; only for failed and cancelled items.' }),
    ...previewShape,
  })
  .meta({ id: 'ItemResult', examples: [resultExample, failedResultExample] });
/** The end of one item: its value, or the error that ended it. */
export type PipelineResult = z.infer<typeof resultSchema>;

const statusEventExample = {
  itemId: 'order-4711',
  feedId: 'feed-mwty2h4k7f3a-1',
  stage: 'Price',
  status: 'completed' as const,
  final: true,
  worker: 'Price-W0',
  timestamp: '2026-11-23T17:44:00.123Z',
  metadata: {},
};

export const statusEventSchema = z
  .object({
    itemId: z.string(),
    feedId: z.string(),
    stage: z.string(),
    status: itemStatusSchema,
    final: z.boolean().meta({ description: 'True on the event that ends the item.' }),
    worker: z.string().nullable(),
    timestamp: instantSchema,
    metadata: metadataSchema.meta({ description: 'Details of the status: the error and next attempt of a retry, the error of a failure.' }),
  })
  .meta({ id: 'StatusEvent', examples: [statusEventExample] });
export type StatusEvent = z.infer<typeof statusEventSchema>;

export const taskEventTypeSchema = z.enum(['start', 'complete', 'retry', 'fail', 'progress']).meta({ id: 'TaskEventType' });
export type TaskEventType = z.infer<typeof taskEventTypeSchema>;

export const taskEventSchema = z
  .object({
    itemId: z.string(),
    stage: z.string(),
    taskName: z.string(),
    worker: z.string(),
    eventType: taskEventTypeSchema,
    attempt: z.int(),
    timestamp: instantSchema,
    error: z.object({ type: z.string(), message: z.string() }).nullable(),
    durationSeconds: z.number().nullable(),
    taskStatus: z.string().optional(),
    fraction: z.number().optional(),
  })
  .meta({
    id: 'TaskEvent',
    examples: [
      {
        itemId: 'order-4711',
        stage: 'Price',
        taskName: 'jsonata',
        worker: 'Price-W0',
        eventType: 'complete',
        attempt: 1,
        timestamp: '2026-11-23T17:44:00.123Z',
        error: null,
        durationSeconds: 0.004,
      },
    ],
  });
export type TaskEvent = z.infer<typeof taskEventSchema>;

export const pipelineEventSchema = z
  .object({
    pipelineId: z.string(),
    change: z.string(),
    state: z.string(),
    stage: z.string().nullable(),
    timestamp: instantSchema,
    reason: z.string().optional().meta({
      description:
        'Why it changed, if nobody asked for that: a stage has paused itself (`pauseAfterFailures`), or the definition can no longer be used.',
    }),
    by: z.string().nullable().optional().meta({
      description:
        'Who asked for the change: the name of an API key, or a signal such as `SIGTERM`; null for a caller without a key. Absent if nobody did: what the pipeline does by itself has no `by`.',
    }),
    before: z
      .unknown()
      .optional()
      .meta({ description: 'What was changed as it was before, if somebody asked for the change; null if there was nothing.' }),
    after: z.unknown().optional().meta({ description: 'The same after the change; null if there is nothing any more.' }),
  })
  .meta({
    id: 'PipelineEvent',
    examples: [
      {
        pipelineId: 'orders',
        change: 'paused',
        state: 'paused',
        stage: null,
        timestamp: '2026-11-23T17:44:00.123Z',
        by: 'night-shift',
        before: { state: 'running' },
        after: { state: 'paused' },
      },
    ],
  });
export type PipelineEvent = z.infer<typeof pipelineEventSchema>;

export const waitingReasonSchema = z
  .enum(['workers', 'task-limit', 'rate-limit', 'thread', 'hand', 'retry', 'next-stage-full', 'paused'])
  .meta({ id: 'WaitingReason' });
export type WaitingReason = z.infer<typeof waitingReasonSchema>;

export const waitingForSchema = z
  .object({
    reason: waitingReasonSchema,
    until: instantSchema.optional(),
    task: z.string().optional(),
    limiter: z.string().optional(),
    stage: z.string().optional(),
  })
  .meta({ id: 'WaitingFor', description: 'The reason why an unfinished item waits; `until` if that is known.' });
export type WaitingFor = z.infer<typeof waitingForSchema>;

export const itemSummaryExample = {
  id: 'order-4711',
  sequenceId: 12,
  feedId: 'feed-mwty2h4k7f3a-1',
  status: 'completed' as const,
  stage: 'Price',
  worker: null,
  priority: 100,
  attempts: 1,
  totalAttempts: 3,
  updatedAt: '2026-11-23T17:44:00.123Z',
  error: null,
  lastError: { type: 'Error', message: 'HTTP 503', status: 503, stage: 'Check', attempts: 1 },
};

export const itemSummarySchema = z
  .object({
    id: z.string(),
    sequenceId: z.int(),
    feedId: z.string(),
    status: itemStatusSchema,
    stage: z.string(),
    worker: z.string().nullable(),
    priority: z.int(),
    attempts: z
      .int()
      .meta({ description: 'Attempts of the current task (`per_task`) or stage (`per_stage`); of an item that has ended, the last one.' }),
    totalAttempts: z.int().meta({ description: 'Attempts in every stage, of every task, and in every run after a retry.' }),
    updatedAt: instantSchema,
    error: itemErrorSchema.nullable().meta({ description: 'The error that ended the item.' }),
    lastError: itemErrorSchema
      .nullable()
      .meta({ description: 'The error of the last attempt that failed, also when a later one succeeded; null if none has failed.' }),
    input: z
      .unknown()
      .optional()
      .meta({ description: 'The value as it was fed, if `include=input` asks for it; not for completed items.' }),
  })
  .meta({ id: 'ItemSummary', examples: [itemSummaryExample] });
export type ItemSummary = z.infer<typeof itemSummarySchema>;

export const itemDetailSchema = itemSummarySchema
  .extend({
    value: z.unknown(),
    metadata: metadataSchema,
    acceptedAt: instantSchema,
    waitingFor: waitingForSchema.nullable(),
    history: z.array(statusEventSchema),
    ...previewShape,
    historyTruncated: z.boolean().meta({ description: 'True when the oldest events of this item are no longer kept.' }),
  })
  .meta({
    id: 'ItemDetail',
    examples: [
      {
        ...itemSummaryExample,
        value: { sku: 'A7', total: 28.5 },
        metadata: { sku: 'A7', quantity: 3 },
        acceptedAt: '2026-11-23T17:44:00.123Z',
        waitingFor: null,
        history: [
          { ...statusEventExample, stage: 'Check', status: 'queued', final: false, worker: null },
          { ...statusEventExample, stage: 'Check', status: 'in_progress', final: false, worker: 'Check-W0' },
          { ...statusEventExample, stage: 'Check', status: 'completed', final: false, worker: 'Check-W0' },
          { ...statusEventExample, status: 'queued', final: false, worker: null },
          { ...statusEventExample, status: 'in_progress', final: false },
          statusEventExample,
        ],
        historyTruncated: false,
      },
    ],
  });
export type ItemDetail = z.infer<typeof itemDetailSchema>;
