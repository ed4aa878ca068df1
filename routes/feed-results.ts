import type { FastifyPluginAsync } from 'fastify';
import { z } from 'zod';
import { type PipelineRuntime, SluiceError } from '../src/engine/index.ts';
import { callerSignal, onlyMakerOf } from '../src/http/guards/caller.ts';
import { decodeCursor, encodeCursor } from '../src/http/routing/cursor.ts';
import { sendNdjson, wantsNdjson } from '../src/http/routing/lists.ts';
import type { RouteDeps } from '../src/http/routing/route-deps.ts';
import { type RowStep, sendRows } from '../src/http/routing/row-stream.ts';
import {
  feedParams,
  LIMIT_DEFAULT,
  listReply,
  listShape,
  nextCursorSchema,
  noQuery,
  pipelineParams,
  problems,
  reply,
  retiredSchema,
} from '../src/http/schemas/route-schemas.ts';
import { compileWriter, type ZodTypes } from '../src/http/schemas/schema-compiler.ts';
import { waitBodySchema, waitReplySchema } from '../src/schemas/feed.ts';
import { type PipelineResult, resultExample, resultSchema } from '../src/schemas/item.ts';

const resultsQuery = z.strictObject({
  ...listShape,
  status: z.enum(['completed', 'failed', 'cancelled', 'all']).default('all').meta({ description: 'How they ended.' }),
  follow: z
    .boolean()
    .optional()
    .meta({
      description:
        'Answer as NDJSON, and keep the answer open until the feed is done: each result is sent as soon as it and all before it are final. ' +
        'What goes wrong meanwhile is the last line, `{"problem": {…}}`.',
    }),
});
const resultsSchema = z.object({ results: z.array(resultSchema), nextCursor: nextCursorSchema, retired: retiredSchema });

/** What became of the items of a feed, and waiting for items by name. */
const feedResults: FastifyPluginAsync<RouteDeps> = async (instance, { host, sseHeartbeatSeconds }) => {
  const app = instance.withTypeProvider<ZodTypes>();
  const writeResult = compileWriter(resultSchema);

  app.route({
    method: 'GET',
    url: '/pipelines/:id/feeds/:feedId/results',
    // Of HEAD a followed feed would have no end either.
    exposeHeadRoute: false,
    config: { scope: 'read', own: 'feed' },
    schema: {
      tags: ['Feeds'],
      operationId: 'listFeedResults',
      summary: 'Results of a feed',
      description:
        'In feed order, whatever the order of completion; by default every item that has ended, the failed and cancelled ones too.',
      querystring: resultsQuery,
      params: feedParams,
      response: {
        200: listReply(resultsSchema, resultSchema, 'A page of results.', {
          page: { results: [resultExample], nextCursor: null, retired: 0 },
          row: resultExample,
        }),
        ...problems('invalid-cursor', 'no-longer-kept', 'shutting-down'),
      },
    },
    handler: async (request, response) => {
      const { limit, cursor, follow, status } = request.query;
      const { id, feedId } = request.params;
      const runtime = host.get(id);
      const scope = { list: `/pipelines/${id}/feeds/${feedId}/results`, filters: { status } };
      const after = Number(decodeCursor(scope, cursor) ?? 0);
      if (follow) {
        if (host.shuttingDown) throw new SluiceError('shutting-down');
        // While it can still be a status.
        await runtime.feedView(feedId);
        const signal = callerSignal(response);
        const steps = followed(runtime.followFeed(feedId, { status, after, signal }), limit);
        return sendRows(request, response, steps, { form: 'ndjson', signal, heartbeatSeconds: sseHeartbeatSeconds });
      }
      const read = (from: number, most: number) => runtime.feedResults(feedId, { status, after: from, limit: most });
      if (wantsNdjson(request)) {
        await runtime.feedView(feedId);
        return sendNdjson(response, { read, write: writeResult, after, limit });
      }
      const page = await read(after, limit ?? LIMIT_DEFAULT);
      return { results: page.rows, nextCursor: encodeCursor(scope, page.next), retired: page.retired };
    },
  });

  app.post(
    '/pipelines/:id/wait',
    {
      config: { scope: 'read', own: 'items', newWork: true },
      schema: {
        tags: ['Feeds'],
        operationId: 'waitForItems',
        summary: 'Wait for single items',
        description: 'Answers when all have ended, when any has, or when any has failed, or when the time is up.',
        params: pipelineParams,
        querystring: noQuery,
        body: waitBodySchema,
        response: {
          200: reply(waitReplySchema, 'Those that have ended, and the others; also when the time is up.'),
          ...problems('item-not-found'),
        },
      },
    },
    async ({ params, body, caller }, response) =>
      host.get(params.id).waitForItems({
        ...body,
        itemIds: body.itemIds.map(String),
        maker: onlyMakerOf(caller),
        signal: callerSignal(response),
      }),
  );
};
export default feedResults;

/** At most so many results, if that is asked for. */
async function* followed(rows: ReturnType<PipelineRuntime['followFeed']>, limit = Number.POSITIVE_INFINITY): AsyncGenerator<RowStep> {
  let left = limit;
  for await (const batch of rows) {
    const results: readonly PipelineResult[] = batch.slice(0, left);
    yield { results };
    left -= results.length;
    if (left === 0) return;
  }
}
