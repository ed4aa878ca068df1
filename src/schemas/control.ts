import { z } from 'zod';
import { waitSecondsSchema } from './feed.ts';
import { resultSchema } from './item.ts';
import { itemIdSchema, nameSchema, prioritySchema, stageNameSchema } from './names.ts';
import { errorSummarySchema } from './stats.ts';

export const onDuplicateSchema = z.enum(['skip', 'reject', 'rerun']);
export type OnDuplicate = z.infer<typeof onDuplicateSchema>;

const feedOptionsShape = {
  targetStage: stageNameSchema.optional(),
  priority: prioritySchema.optional(),
  feedId: nameSchema.optional(),
  onDuplicate: onDuplicateSchema.optional(),
};

export const feedBodySchema = z
  .strictObject({ items: z.array(z.unknown()), ...feedOptionsShape })
  .meta({ id: 'FeedBody', examples: [{ items: [{ id: 'a', value: { name: 'Ada' } }, { name: 'Grace' }], priority: 50 }] });
export const feedOptionsSchema = z.strictObject(feedOptionsShape);
export type FeedOptions = z.infer<typeof feedOptionsSchema>;

const feedQueryShape = {
  ...feedOptionsShape,
  wait: waitSecondsSchema.optional().meta({
    description: 'Seconds to wait for room for all items, instead of a 429 at once. NDJSON that is taken as there is room always waits.',
    examples: [10],
  }),
};
export const feedQuerySchema = z.strictObject(feedQueryShape);
export const runQuerySchema = z.strictObject({
  ...feedQueryShape,
  timeoutSeconds: waitSecondsSchema.optional().meta({
    description: 'How long to wait for the items; without it, as long as it takes. They go on after that.',
  }),
  cancelOnDisconnect: z.boolean().optional().meta({ description: 'Cancel what is unfinished when the client hangs up.' }),
});

export const feedReceiptSchema = z
  .object({
    feedId: z.string(),
    accepted: z.int(),
    duplicates: z.int(),
    firstSequence: z.int().nullable(),
    lastSequence: z.int().nullable(),
    ids: z.array(itemIdSchema).optional().meta({ description: 'One id an item, in feed order; for JSON bodies only.' }),
  })
  .meta({ id: 'FeedReceipt' });
export type FeedReceipt = z.infer<typeof feedReceiptSchema>;

export const runReplySchema = z
  .object({ feedId: z.string(), results: z.array(resultSchema), errorSummary: errorSummarySchema })
  .meta({ id: 'RunReply' });
export type RunReply = z.infer<typeof runReplySchema>;

export const shutdownModeSchema = z.enum(['graceful', 'drain', 'force']);
export type ShutdownMode = z.infer<typeof shutdownModeSchema>;

const timeoutSchema = waitSecondsSchema;

export const shutdownBodySchema = z
  .strictObject({ mode: shutdownModeSchema.optional(), timeoutSeconds: timeoutSchema.optional() })
  .meta({ id: 'ShutdownBody', examples: [{ mode: 'graceful', timeoutSeconds: 30 }] });
export const joinBodySchema = z.strictObject({ timeoutSeconds: timeoutSchema.optional() }).meta({ examples: [{ timeoutSeconds: 10 }] });

export const shutdownReportSchema = z
  .object({
    mode: shutdownModeSchema.meta({ description: 'How it ended: `force` when the time was up.' }),
    finished: z.int().meta({ description: 'Items that reached a final state during the shutdown.' }),
    leftQueued: z.int().meta({ description: 'Unfinished items left in the store.' }),
    aborted: z.int().meta({ description: 'Task executions that were aborted; their items are among the ones left.' }),
    notKept: z.int().meta({ description: 'Of the items left, those that end with the process because the store is not durable.' }),
    notKeptIds: z.array(z.string()).meta({ description: 'The first 100 of these.' }),
    timedOut: z.boolean(),
  })
  .meta({ id: 'ShutdownReport' });
export type ShutdownReport = z.infer<typeof shutdownReportSchema>;
