import type { FastifyPluginAsync } from 'fastify';
import { z } from 'zod';
import { callerSignal, onlyMakerOf } from '../src/http/guards/caller.ts';
import { operatorOf } from '../src/http/guards/operator.ts';
import { decodeCursor, encodeCursor } from '../src/http/routing/cursor.ts';
import { sendNdjson, wantsNdjson } from '../src/http/routing/lists.ts';
import type { RouteDeps } from '../src/http/routing/route-deps.ts';
import {
  cancelledSchema,
  feedParams,
  LIMIT_DEFAULT,
  listReply,
  listShape,
  nextCursorSchema,
  noBody,
  noQuery,
  pipelineParams,
  problems,
  reply,
  retriedSchema,
} from '../src/http/schemas/route-schemas.ts';
import { compileWriter, type ZodTypes } from '../src/http/schemas/schema-compiler.ts';
import { feedExample, feedViewSchema, waitSecondsSchema } from '../src/schemas/feed.ts';

const tags = ['Feeds'];

const feedsSchema = z
  .object({
    feeds: z.array(feedViewSchema),
    nextCursor: nextCursorSchema,
    retired: z.int().meta({ description: 'Number of done feeds that are no longer kept and this list therefore omits.' }),
  })
  .meta({ id: 'FeedPage' });
const waitQuery = z.strictObject({
  timeoutSeconds: waitSecondsSchema.optional().meta({ description: 'Maximum time to wait; without it, as long as it takes.' }),
});
const feedsQuery = z.strictObject({
  ...listShape,
  order: z.enum(['asc', 'desc']).default('asc').meta({ description: '`desc`: the newest feeds first.' }),
});

/** Feeds: the items of one request together. */
const feeds: FastifyPluginAsync<RouteDeps> = async (instance, { host }) => {
  const app = instance.withTypeProvider<ZodTypes>();
  const writeFeed = compileWriter(feedViewSchema);

  app.get(
    '/pipelines/:id/feeds',
    {
      config: { scope: 'read', own: 'feeds' },
      schema: {
        tags,
        operationId: 'listFeeds',
        summary: 'Feeds',
        description: 'In order of creation, or the other way round: all unfinished feeds, and the newest 10 000 that are done.',
        querystring: feedsQuery,
        params: pipelineParams,
        response: {
          200: listReply(feedsSchema, feedViewSchema, 'A page of feeds.', {
            page: { feeds: [feedExample], nextCursor: null, retired: 0 },
            row: feedExample,
          }),
          ...problems('invalid-cursor'),
        },
      },
    },
    async (request, response) => {
      const { limit, cursor, order } = request.query;
      const runtime = host.get(request.params.id);
      const isDescending = order === 'desc';
      const scope = { list: `/pipelines/${request.params.id}/feeds`, ...(isDescending && { filters: { order } }) };
      const after = Number(decodeCursor(scope, cursor) ?? (isDescending ? Number.MAX_SAFE_INTEGER : 0));
      const maker = onlyMakerOf(request.caller);
      const read = (from: number, most: number) => runtime.feeds({ maker, order, after: from, limit: most });
      if (wantsNdjson(request)) return sendNdjson(response, { read, write: writeFeed, after, limit });
      const page = await read(after, limit ?? LIMIT_DEFAULT);
      return { feeds: page.rows, nextCursor: encodeCursor(scope, page.next), retired: page.retired };
    },
  );

  app.get(
    '/pipelines/:id/feeds/:feedId',
    {
      config: { scope: 'read', own: 'feed' },
      schema: {
        tags,
        operationId: 'showFeed',
        summary: 'One feed',
        description: 'Its progress, its rate, and the estimated time for the rest.',
        querystring: noQuery,
        params: feedParams,
        response: { 200: reply(feedViewSchema, 'The feed.') },
      },
    },
    async ({ params }) => host.get(params.id).feedView(params.feedId),
  );

  app.post(
    '/pipelines/:id/feeds/:feedId/wait',
    {
      config: { scope: 'read', own: 'feed' },
      schema: {
        tags,
        operationId: 'waitForFeed',
        summary: 'Wait until a feed is done',
        description:
          'Answers when every item of the feed has ended, or when the time is up. The feed continues in either case.' +
          ' It also ends when the pipeline is stopped before (409 `invalid-state`) or removed (404 `pipeline-not-found`).',
        querystring: waitQuery,
        params: feedParams,
        body: noBody,
        response: {
          200: reply(feedViewSchema, 'The feed is done.'),
          202: reply(feedViewSchema, 'The time is up. The current state of the feed.'),
          ...problems('invalid-state'),
        },
      },
    },
    async ({ params, query }, response) => {
      const waiting = host.get(params.id).waitForFeed(params.feedId, { ...query, signal: callerSignal(response) });
      const { done, feed } = await waiting;
      return response.code(done ? 200 : 202).send(feed);
    },
  );

  app.post(
    '/pipelines/:id/feeds/:feedId/retry',
    {
      config: { scope: 'operate' },
      schema: {
        tags,
        operationId: 'retryFeed',
        summary: 'Run the failed items of a feed again',
        description: 'Each item continues from the stage where it failed.',
        querystring: noQuery,
        params: feedParams,
        body: noBody,
        response: {
          200: reply(retriedSchema, 'The number of items.', { retried: 2 }),
          ...problems('draining'),
        },
      },
    },
    async (request) => ({ retried: await host.get(request.params.id).retryFeed(request.params.feedId, operatorOf(request)) }),
  );

  app.delete(
    '/pipelines/:id/feeds/:feedId',
    {
      config: { scope: 'operate', own: 'feed' },
      schema: {
        tags,
        operationId: 'cancelFeed',
        summary: 'Cancel the unfinished items of a feed',
        description: 'Aborts running items. A feed that is still being sent accepts no more items. Items that have ended are unaffected.',
        querystring: noQuery,
        params: feedParams,
        response: { 200: reply(cancelledSchema, 'The number of items.', { cancelled: 60 }) },
      },
    },
    async (request) => ({ cancelled: await host.get(request.params.id).cancelFeed(request.params.feedId, operatorOf(request)) }),
  );
};
export default feeds;
