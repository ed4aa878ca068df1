import type { Readable } from 'node:stream';
import type { FastifyPluginAsync } from 'fastify';
import { feedContent, jsonFeedBody } from '../src/http/feed-body.ts';
import { acceptNdjson, collectNdjson, isNdjson } from '../src/http/ndjson-body.ts';
import type { RouteDeps } from '../src/http/route-deps.ts';
import { BODY_PROBLEMS, pipelineParams, problems, refuseDuringShutdown, reply } from '../src/http/route-schemas.ts';
import type { ZodTypes } from '../src/http/schema-compiler.ts';
import { feedOptionsSchema, runReplySchema } from '../src/schemas/control.ts';

/** All items of a run are in memory at once, and so is the reply. */
const RUN_BODY_MAX_BYTES = 64 * 1024 * 1024;

/** Feeds items and waits for them. */
const run: FastifyPluginAsync<RouteDeps> = async (instance, { host, bodyLimitBytes }) => {
  const app = instance.withTypeProvider<ZodTypes>();
  acceptNdjson(instance);

  app.post(
    '/pipelines/:id/run',
    {
      onRequest: refuseDuringShutdown(host),
      config: { quiet: true, scope: 'feed' },
      schema: {
        tags: ['Feeding'],
        operationId: 'runItems',
        summary: 'Feed items and wait for their results',
        description:
          'Takes the same body as feed, waits for those items alone, and answers with every one of them in feed order, the failed and cancelled ones ' +
          'with their `error`. A pipeline that is not running is started. A client that hangs up does not cancel the items.',
        querystring: feedOptionsSchema,
        params: pipelineParams,
        body: feedContent,
        response: {
          200: reply(runReplySchema, 'Every item has ended.'),
          ...problems(
            ...BODY_PROBLEMS,
            'malformed-line',
            'line-too-large',
            'pipeline-not-found',
            'unknown-stage',
            'draining',
            'invalid-state',
            'duplicate-items',
            'feed-exists',
            'queue-full',
            'shutting-down',
          ),
        },
      },
    },
    async (request) => {
      const { params, query } = request;
      const runtime = host.get(params.id);
      if (isNdjson(request)) {
        const limits = { maxBytes: RUN_BODY_MAX_BYTES, maxLineBytes: bodyLimitBytes };
        return runtime.run(await collectNdjson(request.body as Readable, limits), query);
      }
      const { items, ...options } = jsonFeedBody(request.body);
      return runtime.run(items, { ...query, ...options });
    },
  );
};
export default run;
