import type { FastifyPluginAsync } from 'fastify';
import { z } from 'zod';
import { type PipelineRuntime, SluiceError } from '../src/engine/index.ts';
import { callerSignal, onlyMakerOf } from '../src/http/guards/caller.ts';
import { formOf } from '../src/http/routing/accept.ts';
import { decodeCursor, encodeCursor } from '../src/http/routing/cursor.ts';
import { sendNdjson, wantsNdjson } from '../src/http/routing/lists.ts';
import type { RouteDeps } from '../src/http/routing/route-deps.ts';
import { type RowStep, sendRows } from '../src/http/routing/row-stream.ts';
import {
  feedParams,
  LIMIT_DEFAULT,
  listReply,
  listShape,
  NDJSON,
  noQuery,
  pipelineParams,
  problems,
  type Reply,
  reply,
  resultPageSchema,
} from '../src/http/schemas/route-schemas.ts';
import { compileWriter, type ZodTypes } from '../src/http/schemas/schema-compiler.ts';
import { waitBodySchema, waitReplySchema } from '../src/schemas/feed.ts';
import { type PipelineResult, resultExample, resultSchema } from '../src/schemas/item.ts';
import { feedResultLineSchema, feedResultStream } from '../src/schemas/messages.ts';

const resultsQuery = z.strictObject({
  ...listShape,
  status: z.enum(['completed', 'failed', 'cancelled', 'all']).default('all').meta({ description: 'How the items ended.' }),
  follow: z
    .boolean()
    .optional()
    .meta({
      'x-form': NDJSON,
      description:
        'Answers as NDJSON and keeps the response open until the feed is done. Each result is sent as soon as it and all earlier ones are final. ' +
        'An error after the start is reported in the last line, `{"problem": {…}}`. NDJSON is silent while nothing ends; with `Accept: text/event-stream` each result is an ' +
        'event `result`, comments come in between, and the last event is `feed`, how the feed is then, or `problem`.',
    }),
});

const pagesReply = listReply(resultPageSchema, feedResultLineSchema, 'A page of results.', {
  page: { results: [resultExample], nextCursor: null, retired: 0 },
  row: resultExample,
});
const resultsReply: Reply = {
  ...pagesReply,
  content: {
    ...pagesReply.content,
    'text/event-stream': {
      schema: z.string(),
      stream: feedResultStream,
      example: `event: result\ndata: ${JSON.stringify(resultExample)}\n\n`,
    },
  },
};

/** The results of a feed, and waiting for items by id. */
const feedResults: FastifyPluginAsync<RouteDeps> = async (instance, { host, streams, sseHeartbeatSeconds }) => {
  const app = instance.withTypeProvider<ZodTypes>();
  const writeResult = compileWriter(resultSchema);

  app.route({
    method: 'GET',
    url: '/pipelines/:id/feeds/:feedId/results',
    // The answer to HEAD would not end while a feed is followed, either.
    exposeHeadRoute: false,
    config: { scope: 'read', own: 'feed' },
    schema: {
      tags: ['Feeds'],
      operationId: 'listFeedResults',
      summary: 'Results of a feed',
      description:
        'In feed order, regardless of the order of completion. By default includes every item that has ended, also failed and cancelled ones.',
      querystring: resultsQuery,
      params: feedParams,
      response: {
        200: resultsReply,
        ...problems('invalid-cursor', 'no-longer-kept', 'invalid-state', 'shutting-down', 'too-many-streams'),
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
        streams.enter(request.caller, response.raw);
        // An unknown feed must be found while the answer can still be a 404.
        await runtime.feedView(feedId);
        const signal = callerSignal(response);
        const form = formOf(request, ['sse', 'ndjson']) ?? 'ndjson';
        const steps = followed(runtime, feedId, { status, after, signal }, limit);
        return sendRows(request, response, steps, { form, signal, heartbeatSeconds: sseHeartbeatSeconds });
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
      config: { scope: 'read', own: 'items' },
      schema: {
        tags: ['Feeds'],
        operationId: 'waitForItems',
        summary: 'Wait for single items',
        description:
          'Answers when all items have ended, when the first has ended or failed (`returnWhen`), or when the time is up.' +
          ' It also ends when the pipeline is stopped before (409 `invalid-state`) or removed (404 `pipeline-not-found`).',
        params: pipelineParams,
        querystring: noQuery,
        body: waitBodySchema,
        response: {
          200: reply(waitReplySchema, 'The items that have ended, and the ids of the others; also sent when the time is up.'),
          ...problems('item-not-found', 'invalid-state'),
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

/** The results of a feed, cut off after `limit`, and then the feed. */
async function* followed(
  runtime: PipelineRuntime,
  feedId: string,
  query: Parameters<PipelineRuntime['followFeed']>[1],
  limit = Number.POSITIVE_INFINITY,
): AsyncGenerator<RowStep> {
  let left = limit;
  for await (const batch of runtime.followFeed(feedId, query)) {
    const results: readonly PipelineResult[] = batch.slice(0, left);
    yield { results };
    left -= results.length;
    if (left === 0) break;
  }
  yield { feed: () => runtime.feedView(feedId) };
}
