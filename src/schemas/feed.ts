import { z } from 'zod';
import { resultExample, resultSchema } from './item.ts';
import { instantSchema, knownItemIdSchema } from './names.ts';

export const feedExample = {
  feedId: 'my-batch-7',
  createdAt: '2026-11-23T17:44:00.123Z',
  total: 100,
  queued: 55,
  inProgress: 5,
  completed: 38,
  failed: 2,
  cancelled: 0,
  duplicates: 0,
  done: false,
  uploadComplete: true,
  sending: false,
  throughputPerSecond: 10,
  etaSeconds: 6,
};

export const feedViewSchema = z
  .object({
    feedId: z.string(),
    createdAt: instantSchema,
    total: z.int().meta({ description: 'Accepted items; grows while the body is still being sent.' }),
    queued: z.int().meta({ description: 'Items waiting for a worker, or between two attempts.' }),
    inProgress: z.int().meta({ description: 'Items that a worker is processing.' }),
    completed: z.int(),
    failed: z.int(),
    cancelled: z.int(),
    duplicates: z.int().meta({ description: 'Items not accepted because their id was already known, in the pipeline or in this feed.' }),
    done: z.boolean().meta({
      description:
        'True when no request is sending items for it and every item has ended. Whether all items were sent, `uploadComplete` says.',
    }),
    uploadComplete: z.boolean().meta({
      description:
        'True when the body of the last request that sent items for it has arrived whole; false while it is being sent, and after it broke off: ' +
        'send the rest, or all of it, with `?append=true`.',
    }),
    sending: z.boolean().meta({
      description:
        'True while a request is sending items for it, and another one with `?append=true` would be refused. Once it is false, `total` + `duplicates` is how many ' +
        'items were taken of an upload that broke off, if each of its requests began with the item after those.',
    }),
    throughputPerSecond: z.number().meta({
      description:
        'Items completed or failed per second: the recent rate while the feed runs, the average when it is done. Waits between attempts count; the time in which the pipeline has nothing to do does not.',
    }),
    etaSeconds: z.number().nullable().meta({
      description:
        'Estimated time until the items accepted so far have ended, and those before them; 0 when done, null while it is unknown, or the pipeline or a stage on the way is paused.',
    }),
  })
  .meta({
    id: 'Feed',
    examples: [feedExample],
  });
/** One feed at one moment: `total = queued + inProgress + completed + failed + cancelled`. */
export type FeedView = z.infer<typeof feedViewSchema>;

/** Where the results of a feed are: the path of a route of the service. */
export function resultsPath(pipelineId: string, feedId: string): string {
  return `/pipelines/${encodeURIComponent(pipelineId)}/feeds/${encodeURIComponent(feedId)}/results`;
}

/** A feed as the hook `onDone` of its pipeline is told of it. */
export interface DoneFeed extends FeedView {
  pipeline: string;
  /** See {@link resultsPath}. */
  results: string;
}

export const feedEventSchema = z
  .object({
    pipelineId: z.string(),
    ...feedViewSchema.pick({
      feedId: true,
      createdAt: true,
      total: true,
      completed: true,
      failed: true,
      cancelled: true,
      duplicates: true,
      uploadComplete: true,
    }).shape,
    done: z.literal(true),
    results: z.string().meta({ description: 'The path of the results of the feed.' }),
    timestamp: instantSchema,
  })
  .meta({
    id: 'FeedEvent',
    examples: [
      {
        pipelineId: 'orders',
        feedId: 'my-batch-7',
        createdAt: '2026-11-23T17:44:00.123Z',
        total: 100,
        completed: 98,
        failed: 2,
        cancelled: 0,
        duplicates: 0,
        uploadComplete: true,
        done: true,
        results: '/pipelines/orders/feeds/my-batch-7/results',
        timestamp: '2026-11-23T17:44:10.456Z',
      },
    ],
  });
/** A feed is done. */
export type FeedEvent = z.infer<typeof feedEventSchema>;

/** The words of Python's `concurrent.futures.wait`, which AntFlow uses. */
export const returnWhenSchema = z.enum(['ALL_COMPLETED', 'FIRST_COMPLETED', 'FIRST_EXCEPTION']).meta({ id: 'ReturnWhen' });
export type ReturnWhen = z.infer<typeof returnWhenSchema>;

/** How long a request may wait for something. */
export const waitSecondsSchema = z.number().min(0).max(86_400);

export const waitBodySchema = z
  .strictObject({
    itemIds: z
      .array(z.union([knownItemIdSchema, z.number()]))
      .min(1)
      .max(10_000),
    returnWhen: returnWhenSchema.default('ALL_COMPLETED').meta({
      description:
        'When to answer: once all items have ended, once any has ended, or once any has failed. Items that ended before the request count.',
    }),
    timeoutSeconds: waitSecondsSchema.optional().meta({ description: 'Maximum time to wait; without it, as long as it takes.' }),
  })
  .meta({ id: 'WaitBody', examples: [{ itemIds: ['order-1', 'order-2'], returnWhen: 'FIRST_EXCEPTION', timeoutSeconds: 30 }] });

export const waitReplySchema = z
  .object({
    done: z.array(resultSchema).meta({ description: 'Results of the items that have ended, in the order of `itemIds`.' }),
    pending: z.array(z.string()).meta({ description: 'Ids of the items that have not ended, in the order of `itemIds`.' }),
    omitted: z.array(z.string()).optional().meta({
      description: 'Ids of items that have ended but whose results do not fit into this answer (32 MiB). Ask for fewer items at a time.',
    }),
  })
  .meta({ id: 'WaitReply', examples: [{ done: [resultExample], pending: ['order-4712'] }] });
export type WaitReply = z.infer<typeof waitReplySchema>;
