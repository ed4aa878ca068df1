import type { FastifyPluginAsync } from 'fastify';
import { z } from 'zod';
import { operatorOf } from '../src/http/guards/operator.ts';
import { given } from '../src/http/routing/lists.ts';
import type { RouteDeps } from '../src/http/routing/route-deps.ts';
import { itemParams, noBody, noQuery, pipelineParams, problems, reply, retriedSchema } from '../src/http/schemas/route-schemas.ts';
import type { ZodTypes } from '../src/http/schemas/schema-compiler.ts';
import { errorFilterShape, itemDetailSchema, itemSummarySchema } from '../src/schemas/item.ts';
import { knownNameSchema, knownStageNameSchema } from '../src/schemas/names.ts';

const retryQuery = z.strictObject({
  fromStage: knownStageNameSchema.optional().meta({ description: 'The stage to start from; by default the one where the item failed.' }),
});
const retryBody = z
  .strictObject({
    stage: knownStageNameSchema.optional(),
    ...errorFilterShape,
    feedId: knownNameSchema.optional(),
  })
  .meta({
    id: 'RetryBody',
    examples: [
      { stage: 'Check', errorType: 'PermanentError' },
      { errorType: 'HttpStatus', errorStatus: 429 },
    ],
  })
  .optional();
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
        querystring: noQuery,
        params: itemParams,
        response: { 200: reply(itemDetailSchema, 'The item.') },
      },
    },
    async ({ params }) => host.get(params.id).item(params.itemId),
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
        description: 'Retries the failed items that match every given field; without fields, all of them.',
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
};
export default items;
