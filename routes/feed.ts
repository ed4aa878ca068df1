import type { Readable } from 'node:stream';
import type { FastifyPluginAsync } from 'fastify';
import type { Replayable } from '../src/engine/index.ts';
import { acceptNdjson, isNdjson } from '../src/http/bodies/ndjson-body.ts';
import { feedNdjson } from '../src/http/bodies/ndjson-feed.ts';
import { callerSignal } from '../src/http/guards/caller.ts';
import { traceOf } from '../src/http/guards/request-identity.ts';
import { feedingAs } from '../src/http/routing/feed-access.ts';
import { feedContent, jsonFeedBody } from '../src/http/routing/feed-body.ts';
import { idempotencyHeaders, keyWithBody, keyWithHash, markReplay } from '../src/http/routing/idempotency.ts';
import type { RouteDeps } from '../src/http/routing/route-deps.ts';
import { LOCATION, pipelineParams, problems, REPLAYED, reply } from '../src/http/schemas/route-schemas.ts';
import type { ZodTypes } from '../src/http/schemas/schema-compiler.ts';
import { type FeedReceipt, feedQuerySchema, feedReceiptSchema } from '../src/schemas/control.ts';

/** Feeds items to a pipeline. */
const feed: FastifyPluginAsync<RouteDeps> = async (instance, deps) => {
  const { host, clock, overload, bodyLimitBytes, maxItemsPerRequest, uploadIdleSeconds } = deps;
  const app = instance.withTypeProvider<ZodTypes>();
  acceptNdjson(instance);

  app.post(
    '/pipelines/:id/feed',
    {
      config: { quiet: true, scope: 'feed', takesItems: true },
      schema: {
        tags: ['Feeding'],
        operationId: 'feedItems',
        summary: 'Feed items',
        description:
          'An object with an `id` becomes an item with that id. Its `value` is the payload if present, otherwise the whole object is; its other fields become ' +
          'metadata. Anything else is a payload and gets a generated id. An id that the pipeline already knows is not accepted again (see `onDuplicate`). ' +
          'A JSON body is accepted as a whole or not at all: without room the answer is a 429, whose `Retry-After` follows from the drain rate, or the request waits ' +
          'for room (`wait`). An NDJSON body may have any length: it is read only as fast as there is room. A bad line ' +
          'ends the request; the items before that line stay accepted. Under an `Idempotency-Key` a body that did not come to its end can be sent again ' +
          'from its beginning: what was accepted of it is not accepted again.',
        querystring: feedQuerySchema,
        headers: idempotencyHeaders,
        params: pipelineParams,
        body: feedContent,
        response: {
          202: {
            ...reply(feedReceiptSchema, `Accepted, as durably as the store allows. \`Location\` is the path of the feed. ${REPLAYED}`),
            headers: LOCATION,
          },
          ...problems(
            'malformed-line',
            'line-too-large',
            'value-too-large',
            'too-many-items',
            'unknown-stage',
            'draining',
            'duplicate-items',
            'feed-exists',
            'feed-cancelled',
            'idempotency-key-reused',
            'no-longer-kept',
            'queue-full',
            'overloaded',
          ),
        },
      },
    },
    async (request, response) => {
      const { wait, bigNumbers, idField, ...options } = request.query;
      const { params } = request;
      const runtime = host.get(params.id);
      const trace = traceOf(request);
      let receipt: FeedReceipt & Replayable;
      if (isNdjson(request)) {
        const access = feedingAs(request.caller, runtime.definition, options);
        const { idempotency, hash } = keyWithHash(request);
        const writer = await runtime.openFeed({ ...options, ...access, idempotency, trace });
        receipt = await feedNdjson(request.body as Readable, writer, {
          maxLineBytes: bodyLimitBytes,
          idleTimeoutMs: uploadIdleSeconds * 1000,
          clock,
          hash,
          reading: { bigNumbers, idField },
          pause: () => overload.over(),
        });
      } else {
        const { items, ...others } = jsonFeedBody(request.body, idField, maxItemsPerRequest);
        const asked = { ...options, ...others };
        const access = feedingAs(request.caller, runtime.definition, asked);
        const idempotency = keyWithBody(request, request.body);
        // Only a request that may wait can be abandoned meanwhile.
        const signal = wait === undefined && idempotency === undefined ? undefined : callerSignal(response);
        receipt = await runtime.feed(items, { ...asked, ...access, waitSeconds: wait, idempotency, signal, trace });
      }
      markReplay(response, receipt);
      // Not `return response.send(…)`: a reply that is returned is waited for as a promise, with listeners on its stream.
      response.code(202).header('location', `/pipelines/${params.id}/feeds/${receipt.feedId}`);
      return receipt;
    },
  );
};
export default feed;
