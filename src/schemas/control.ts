import { z } from 'zod';
import { waitSecondsSchema } from './feed.ts';
import { failedResultExample, resultExample, resultSchema } from './item.ts';
import { itemIdSchema, knownStageNameSchema, nameSchema, prioritySchema } from './names.ts';
import { errorSummaryExample, errorSummarySchema } from './stats.ts';

export const onDuplicateSchema = z.enum(['skip', 'reject', 'rerun']);
export type OnDuplicate = z.infer<typeof onDuplicateSchema>;

const feedOptionsShape = {
  targetStage: knownStageNameSchema.optional().meta({ description: 'The stage to begin at; by default the first.' }),
  priority: prioritySchema.optional(),
  feedId: nameSchema.optional().meta({ description: 'A name for this feed; by default one is made.' }),
  onDuplicate: onDuplicateSchema.optional().meta({
    description:
      'What becomes of an id that is known already: `skip` (by default) counts it, `reject` accepts nothing and lists them, `rerun` runs an item again that has ended.',
  }),
};

export const feedBodySchema = z.strictObject({ items: z.array(z.unknown()), ...feedOptionsShape }).meta({
  id: 'FeedBody',
  examples: [
    {
      items: [
        { id: 'order-4711', sku: 'A7', quantity: 3 },
        { id: 'order-4712', sku: 'B2' },
      ],
      priority: 50,
    },
  ],
});
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
  .meta({
    id: 'FeedReceipt',
    examples: [
      {
        feedId: 'feed-mwty2h4k7f3a',
        accepted: 2,
        duplicates: 0,
        firstSequence: 12,
        lastSequence: 13,
        ids: ['order-4711', 'order-4712'],
      },
    ],
  });
export type FeedReceipt = z.infer<typeof feedReceiptSchema>;

export const runReplySchema = z.object({ feedId: z.string(), results: z.array(resultSchema), errorSummary: errorSummarySchema }).meta({
  id: 'RunReply',
  examples: [
    {
      feedId: 'feed-mwty2h4k7f3a',
      results: [resultExample, failedResultExample],
      errorSummary: errorSummaryExample,
    },
  ],
});
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
  .meta({
    id: 'ShutdownReport',
    examples: [
      { mode: 'graceful', finished: 5, leftQueued: 2, aborted: 0, notKept: 2, notKeptIds: ['order-4713', 'order-4714'], timedOut: false },
    ],
  });
export type ShutdownReport = z.infer<typeof shutdownReportSchema>;
