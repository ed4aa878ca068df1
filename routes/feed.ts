import type { Readable } from 'node:stream';
import type { FastifyPluginAsync } from 'fastify';
import { feedContent, jsonFeedBody } from '../src/http/feed-body.ts';
import { acceptNdjson, isNdjson } from '../src/http/ndjson-body.ts';
import { feedNdjson } from '../src/http/ndjson-feed.ts';
import type { RouteDeps } from '../src/http/route-deps.ts';
import { BODY_PROBLEMS, LOCATION, pipelineParams, problems, refuseDuringShutdown, reply } from '../src/http/route-schemas.ts';
import type { ZodTypes } from '../src/http/schema-compiler.ts';
import { type FeedReceipt, feedOptionsSchema, feedReceiptSchema } from '../src/schemas/control.ts';

/** Gives items to a pipeline. */
const feed: FastifyPluginAsync<RouteDeps> = async (instance, { host, bodyLimitBytes }) => {
  const app = instance.withTypeProvider<ZodTypes>();
  acceptNdjson(instance);

  app.post(
    '/pipelines/:id/feed',
    {
      onRequest: refuseDuringShutdown(host),
      config: { quiet: true, scope: 'feed' },
      schema: {
        tags: ['Feeding'],
        operationId: 'feedItems',
        summary: 'Feed items',
        description:
          'An object with an `id` gives the item that id; its `value` is the payload if it has one, else the whole object; its other fields become ' +
          'metadata. Anything else is a payload with a generated id. An id that the pipeline knows is not taken again (`onDuplicate`). ' +
          'A JSON body is taken all or nothing. An NDJSON body may have any length: it is read as fast as there is room, and a bad line ' +
          'ends it with the items before that line accepted.',
        querystring: feedOptionsSchema,
        params: pipelineParams,
        body: feedContent,
        response: {
          202: {
            ...reply(feedReceiptSchema, 'Accepted, as durable as the store makes it; `Location` is the address of the feed.'),
            headers: LOCATION,
          },
          ...problems(
            ...BODY_PROBLEMS,
            'malformed-line',
            'line-too-large',
            'pipeline-not-found',
            'unknown-stage',
            'draining',
            'duplicate-items',
            'feed-exists',
            'queue-full',
            'shutting-down',
          ),
        },
      },
    },
    async (request, response) => {
      const { params, query } = request;
      const runtime = host.get(params.id);
      let receipt: FeedReceipt;
      if (isNdjson(request)) {
        receipt = await feedNdjson(request.body as Readable, await runtime.openFeed(query), bodyLimitBytes);
      } else {
        const { items, ...options } = jsonFeedBody(request.body);
        receipt = await runtime.feed(items, { ...query, ...options });
      }
      return response.code(202).header('location', `/pipelines/${params.id}/feeds/${receipt.feedId}`).send(receipt);
    },
  );
};
export default feed;
