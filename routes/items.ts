import { Readable } from 'node:stream';
import type { FastifyPluginAsync } from 'fastify';
import { z } from 'zod';
import { operatorOf } from '../src/http/guards/operator.ts';
import { given } from '../src/http/routing/lists.ts';
import { textOf, withPreviews } from '../src/http/routing/previews.ts';
import type { RouteDeps } from '../src/http/routing/route-deps.ts';
import {
  cancelledSchema,
  itemParams,
  noBody,
  noQuery,
  pipelineParams,
  problems,
  reply,
  retriedSchema,
} from '../src/http/schemas/route-schemas.ts';
import type { ZodTypes } from '../src/http/schemas/schema-compiler.ts';
import { groupIdSchema } from '../src/schemas/error-groups.ts';
import { errorFilterShape, itemDetailSchema, itemStatusSchema, itemSummarySchema, metadataSchema } from '../src/schemas/item.ts';
import { knownItemIdSchema, knownNameSchema, knownStageNameSchema } from '../src/schemas/names.ts';
import { previewSchema } from '../src/schemas/preview.ts';

const retryQuery = z.strictObject({
  fromStage: knownStageNameSchema.optional().meta({ description: 'The stage to start from; by default the one where the item failed.' }),
});
const selectionShape = {
  status: z.array(itemStatusSchema).max(7).optional().meta({ description: 'Only items with one of these statuses.' }),
  stage: knownStageNameSchema.optional(),
  ...errorFilterShape,
  group: groupIdSchema.optional(),
  feedId: knownNameSchema.optional(),
  itemIds: z.array(knownItemIdSchema).max(10_000).optional().meta({ description: 'Only these items; those that are not there are none.' }),
  metadata: metadataSchema
    .refine((members) => Object.keys(members).length > 0, 'must have a member; without any, every item would fit')
    .optional()
    .meta({
      description: 'Only items whose metadata has all of these members, with equal values.',
      minProperties: 1,
      examples: [{ customer: 'c-17' }],
    }),
  dryRun: z.boolean().optional().meta({ description: 'Only says how many it would be.' }),
};
const retryBody = z
  .strictObject(selectionShape)
  .meta({
    id: 'RetryBody',
    examples: [
      { stage: 'Check', errorType: 'PermanentError' },
      { errorType: 'HttpStatus', errorStatus: 429 },
      { group: 'k3Jx0aQ9b1m2', dryRun: true },
    ],
  })
  .optional();
const cancelBody = z
  .strictObject({
    ...selectionShape,
    all: z.literal(true).optional().meta({ description: 'Every unfinished item; needed if nothing else is given.' }),
  })
  .refine(({ all, dryRun: _, ...filter }) => all === true || Object.keys(filter).length > 0, {
    message: 'must have a filter, or { "all": true } to cancel every unfinished item',
  })
  .meta({ id: 'CancelBody', examples: [{ feedId: 'my-batch-7', status: ['queued'] }, { all: true }] });
const valueSchema = z.unknown().meta({ id: 'ItemValue', description: 'Any JSON value.', examples: [{ sku: 'A7', total: 28.5 }] });

/** Written piece by piece, as the client reads. */
function* slicesOf(text: string): Generator<string> {
  for (let at = 0; at < text.length; at += SLICE) yield text.slice(at, at + SLICE);
}
const SLICE = 64 * 1024;

const tags = ['Looking'];

/** Shows, cancels and retries single items. */
const items: FastifyPluginAsync<RouteDeps> = async (instance, { host }) => {
  const app = instance.withTypeProvider<ZodTypes>();

  app.get(
    '/pipelines/:id/items/:itemId',
    {
      config: { scope: 'read' },
      schema: {
        tags,
        operationId: 'showItem',
        summary: 'One item',
        description: 'The item with its value, the reason it waits, and its history.',
        querystring: z.strictObject({ preview: previewSchema }),
        params: itemParams,
        response: { 200: reply(itemDetailSchema, 'The item.') },
      },
    },
    async ({ params, query: { preview } }, response) => {
      const item = await host.get(params.id).item(params.itemId);
      if (preview === undefined) return item;
      return response.serializer(JSON.stringify).send(withPreviews(item, preview) as never);
    },
  );

  app.get(
    '/pipelines/:id/items/:itemId/value',
    {
      config: { scope: 'read' },
      schema: {
        tags,
        operationId: 'showItemValue',
        summary: 'The value of an item',
        description: 'The newest value of the item as JSON and nothing else: its result if it has completed.',
        querystring: z.strictObject({
          download: z.enum(['true', 'false']).default('false').meta({ description: '`true`: browsers save it as a file.' }),
        }),
        params: itemParams,
        response: { 200: reply(valueSchema, 'The value.', { sku: 'A7', total: 28.5 }) },
      },
    },
    async ({ params, query }, response) => {
      const { value } = await host.get(params.id).item(params.itemId);
      // The name is the client's to choose where the id cannot be one.
      const name = params.itemId.replaceAll(/[^\w.-]/g, '_').slice(0, 100);
      if (query.download === 'true') response.header('content-disposition', `attachment; filename="${name}.json"`);
      return response.type('application/json').send(Readable.from(slicesOf(textOf(value)), { objectMode: false }) as never);
    },
  );

  app.delete(
    '/pipelines/:id/items/:itemId',
    {
      config: { scope: 'operate' },
      schema: {
        tags,
        operationId: 'cancelItem',
        summary: 'Cancel an item',
        description: 'A running item is aborted.',
        querystring: noQuery,
        params: itemParams,
        response: { 200: reply(itemSummarySchema, 'The item.'), ...problems('item-final') },
      },
    },
    async (request) => host.get(request.params.id).cancelItem(request.params.itemId, operatorOf(request)),
  );

  app.post(
    '/pipelines/:id/items/:itemId/retry',
    {
      config: { scope: 'operate' },
      schema: {
        tags,
        operationId: 'retryItem',
        summary: 'Run a failed item again',
        description: 'From the stage where it failed, or from `fromStage`.',
        querystring: retryQuery,
        params: itemParams,
        body: noBody,
        response: {
          200: reply(itemSummarySchema, 'The item.'),
          ...problems('item-not-final', 'item-final', 'unknown-stage', 'draining'),
        },
      },
    },
    async (request) => host.get(request.params.id).retryItem(request.params.itemId, request.query.fromStage, operatorOf(request)),
  );

  app.post(
    '/pipelines/:id/retry',
    {
      config: { scope: 'operate' },
      schema: {
        tags,
        operationId: 'retryFailedItems',
        summary: 'Run all failed items again',
        description:
          'Retries the failed items that match every given field; without fields, all of them. With `dryRun` it does nothing, and says how many it would be.',
        querystring: noQuery,
        params: pipelineParams,
        body: retryBody,
        response: {
          200: reply(retriedSchema, 'The number of items.', { retried: 3 }),
          ...problems('unknown-stage', 'draining'),
        },
      },
    },
    async (request) => ({ retried: await host.get(request.params.id).retryFailed(given(request.body ?? {}), operatorOf(request)) }),
  );

  app.post(
    '/pipelines/:id/cancel',
    {
      config: { scope: 'operate' },
      schema: {
        tags,
        operationId: 'cancelItems',
        summary: 'Cancel items',
        description:
          'Cancels the unfinished items that match every given field, those that wait first; running ones are aborted. The error of an unfinished item is that of its last attempt that failed: by `group` and the like, those end that would be tried again after such an error. Items that have failed have ended, and stay as they are. With `dryRun` it does nothing, and says how many it would be.',
        querystring: noQuery,
        params: pipelineParams,
        body: cancelBody,
        response: {
          200: reply(cancelledSchema, 'The number of items.', { cancelled: 3 }),
          ...problems('unknown-stage'),
        },
      },
    },
    async (request) => {
      const { all: _, ...filter } = request.body;
      return { cancelled: await host.get(request.params.id).cancelItems(given(filter), operatorOf(request)) };
    },
  );
};
export default items;
