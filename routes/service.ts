import type { FastifyPluginAsync } from 'fastify';
import { z } from 'zod';
import { SluiceError } from '../src/engine/index.ts';
import { may } from '../src/http/guards/caller.ts';
import type { RouteDeps } from '../src/http/routing/route-deps.ts';
import { noQuery, problems, reply } from '../src/http/schemas/route-schemas.ts';
import type { ZodTypes } from '../src/http/schemas/schema-compiler.ts';
import { shutdownBodySchema, shutdownModeSchema } from '../src/schemas/control.ts';

const planSchema = z
  .object({
    mode: shutdownModeSchema,
    timeoutSeconds: z.number().meta({ description: 'After that, what still runs is aborted.' }),
    pipelines: z.int(),
    itemsInFlight: z.int().meta({ description: 'Unfinished items at this moment, queued ones too.' }),
  })
  .meta({ id: 'ShutdownPlan', examples: [{ mode: 'graceful', timeoutSeconds: 30, pipelines: 3, itemsInFlight: 45 }] });

const statusSchema = z.object({ status: z.literal('ok') });
const readySchema = z
  .object({
    status: z.literal('ok'),
    store: z
      .object({
        kind: z.string().meta({ description: '`memory` or `sqlite`.' }),
        recovered: z
          .object({
            pipelines: z.int(),
            queued: z.int(),
            running: z.int().meta({ description: 'Were running when the process before ended; they are queued again.' }),
            retrying: z.int(),
            poisoned: z.int().meta({ description: 'Were running in `MAX_DELIVERIES` processes that crashed; they have failed.' }),
            seconds: z.number(),
          })
          .nullable()
          .meta({ description: 'What the start found; null when nothing is kept.' }),
      })
      .optional()
      .meta({ description: 'With `?verbose`.' }),
  })
  .meta({ id: 'Readiness' });
const readyQuerySchema = z.strictObject({
  verbose: z.enum(['', 'true', '1', 'false', '0']).optional().meta({
    description: 'Says more about the store and what the start found there; where keys are set up, to one that may `read` all pipelines.',
  }),
});
const tags = ['Service'];

/** The process itself: its end and its health. */
const service: FastifyPluginAsync<RouteDeps> = async (instance, { host, shutdownTimeoutSeconds, requestShutdown }) => {
  const app = instance.withTypeProvider<ZodTypes>();

  app.post(
    '/shutdown',
    {
      config: { scope: 'admin' },
      schema: {
        tags,
        operationId: 'shutdownService',
        summary: 'End the service',
        description:
          '`graceful` (the default) finishes running items and leaves queued ones in the store; `drain` finishes everything; `force` aborts. ' +
          'It begins when this reply is sent, and ends with exit code 0 and one report line in the log. A later, harder mode overtakes.',
        querystring: noQuery,
        body: shutdownBodySchema.optional(),
        response: { 202: reply(planSchema, 'The plan.') },
      },
    },
    async ({ body }, response) => {
      const mode = body?.mode ?? 'graceful';
      const timeoutSeconds = body?.timeoutSeconds ?? shutdownTimeoutSeconds;
      const pipelines = await host.list();
      // `close` comes after the reply was flushed, and also when the client did not wait for it.
      response.raw.once('close', () => requestShutdown(mode, timeoutSeconds));
      const itemsInFlight = pipelines.reduce((sum, pipeline) => sum + pipeline.itemsInFlight, 0);
      return response.code(202).send({ mode, timeoutSeconds, pipelines: pipelines.length, itemsInFlight });
    },
  );

  app.get(
    '/livez',
    {
      config: { quiet: true, scope: 'public' },
      schema: {
        tags,
        operationId: 'isAlive',
        summary: 'Is the process alive?',
        description: 'Stays 200 while the service shuts down.',
        querystring: noQuery,
        response: { 200: reply(statusSchema, 'It is.', { status: 'ok' }) },
      },
    },
    async () => ({ status: 'ok' }),
  );

  app.get(
    '/readyz',
    {
      config: { quiet: true, scope: 'public' },
      schema: {
        tags,
        operationId: 'isReady',
        summary: 'Does the service take work?',
        description: 'Not any more from the moment that a shutdown begins, and not while the store cannot be written; `detail` says why.',
        querystring: readyQuerySchema,
        response: { 200: reply(readySchema, 'It does.', { status: 'ok' }), ...problems('shutting-down', 'store-unavailable') },
      },
    },
    async ({ query, caller }) => {
      if (host.shuttingDown) throw new SluiceError('shutting-down');
      const { kind, trouble, recovered } = host.storeHealth;
      if (trouble !== null) throw new SluiceError('store-unavailable', `the store is not writable: ${trouble}`, { retryAfterSeconds: 5 });
      // What is in the store is for who may look at all of it.
      const isAsked = query.verbose !== undefined && query.verbose !== 'false' && query.verbose !== '0';
      const isVerbose = isAsked && may(caller, 'read') && caller.pipelines === null;
      return { status: 'ok' as const, ...(isVerbose ? { store: { kind, recovered } } : {}) };
    },
  );
};
export default service;
