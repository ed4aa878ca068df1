import type { FastifyPluginAsync } from 'fastify';
import { z } from 'zod';
import { unreadiness } from '../src/http/gateway/readiness.ts';
import { may } from '../src/http/guards/caller.ts';
import { operatorOf } from '../src/http/guards/operator.ts';
import type { RouteDeps } from '../src/http/routing/route-deps.ts';
import { noQuery, problems, reply } from '../src/http/schemas/route-schemas.ts';
import type { ZodTypes } from '../src/http/schemas/schema-compiler.ts';
import { shutdownBodySchema, shutdownModeSchema } from '../src/schemas/control.ts';

const planSchema = z
  .object({
    mode: shutdownModeSchema,
    timeoutSeconds: z.number().meta({ description: 'Items still running after this time are aborted.' }),
    pipelines: z.int(),
    itemsInFlight: z.int().meta({ description: 'Unfinished items at this moment, including queued ones.' }),
  })
  .meta({ id: 'ShutdownPlan', examples: [{ mode: 'graceful', timeoutSeconds: 30, pipelines: 3, itemsInFlight: 45 }] });

const statusSchema = z.object({ status: z.literal('ok') }).meta({ id: 'Liveness' });
const readySchema = z
  .object({
    status: z.literal('ok'),
    role: z.enum(['owner', 'follower']).optional().meta({
      description:
        'Only of a node of a cluster. A `follower` is ready when it follows the log and knows who owns, or that nobody does: it passes requests on to the owner, or takes over.',
    }),
    store: z
      .object({
        kind: z.string().meta({ description: '`memory`, `sqlite` or `postgresql`.' }),
        recovered: z
          .object({
            pipelines: z.int(),
            queued: z.int(),
            running: z.int().meta({ description: 'Items that were running when the previous process ended; they are queued again.' }),
            retrying: z.int(),
            poisoned: z.int().meta({ description: 'Items that were running in `MAX_DELIVERIES` crashed processes; they have failed.' }),
            seconds: z.number(),
          })
          .nullable()
          .meta({ description: 'What the start found in the store; null for a store that keeps nothing.' }),
        unusable: z.array(z.object({ pipelineId: z.string(), reason: z.string() })).meta({
          description:
            'Stored pipelines that are `stopped` because their definitions name what is no longer there: a task, a secret, a limiter.',
        }),
      })
      .optional()
      .meta({ description: 'Only with `?verbose`.' }),
    overloaded: z.string().nullable().optional().meta({
      description:
        'Only with `?verbose`: why new items are refused now, since the service has more to do than it can; null when it does not.',
    }),
  })
  .meta({ id: 'Readiness' });
const readyQuerySchema = z.strictObject({
  verbose: z.enum(['', 'true', '1', 'false', '0']).optional().meta({
    description:
      'Adds details about the store and what the start found there. If keys are configured, only for a key that may `read` all pipelines.',
  }),
});
const tags = ['Service'];
const shutdownBody = shutdownBodySchema.optional();

/** Health and shutdown of the process. */
const service: FastifyPluginAsync<RouteDeps> = async (
  instance,
  { host, start, overload, cluster, shutdownTimeoutSeconds, requestShutdown },
) => {
  const app = instance.withTypeProvider<ZodTypes>();

  app.post(
    '/shutdown',
    {
      config: { scope: 'admin', whileStarting: true, everyNode: true },
      schema: {
        tags,
        operationId: 'shutdownService',
        summary: 'End the service',
        description:
          '`graceful` (the default) finishes running items and leaves queued ones in the store; `drain` finishes everything; `force` aborts. ' +
          'The shutdown begins when this reply is sent. The process ends with exit code 0 and one report line in the log. A later request with a harder mode overtakes it. ' +
          'In a cluster it ends the node that it is sent to, and no other; if that one owns, another takes over at once.',
        querystring: noQuery,
        body: shutdownBody,
        response: { 202: reply(planSchema, 'The plan.') },
      },
    },
    async (request, response) => {
      const { body } = request;
      const mode = body?.mode ?? 'graceful';
      const timeoutSeconds = body?.timeoutSeconds ?? shutdownTimeoutSeconds;
      const pipelines = await host.list();
      const operator = operatorOf(request);
      operator.note?.({
        change: 'shutdown',
        pipelineId: null,
        stage: null,
        before: { shuttingDown: host.shuttingDown },
        after: { shuttingDown: true, mode, timeoutSeconds },
      });
      // `close` comes after the reply was flushed, and also when the client did not wait for it.
      response.raw.once('close', () => requestShutdown(mode, timeoutSeconds, operator.by));
      const itemsInFlight = pipelines.reduce((sum, pipeline) => sum + pipeline.itemsInFlight, 0);
      return response.code(202).send({ mode, timeoutSeconds, pipelines: pipelines.length, itemsInFlight });
    },
  );

  app.get(
    '/livez',
    {
      config: { quiet: true, scope: 'public', whileStarting: true, everyNode: true },
      schema: {
        tags,
        operationId: 'isAlive',
        summary: 'Is the process alive?',
        description: '200 from the moment the service listens; stays 200 while it starts and shuts down.',
        querystring: noQuery,
        response: { 200: reply(statusSchema, 'The process is alive.', { status: 'ok' }) },
      },
    },
    async () => ({ status: 'ok' }),
  );

  app.get(
    '/readyz',
    {
      config: { quiet: true, scope: 'public', whileStarting: true, everyNode: true },
      schema: {
        tags,
        operationId: 'isReady',
        summary: 'Is the service ready for work?',
        description:
          '503 until the pipelines go on after a start, from the moment a shutdown begins, and while the store is not writable; `detail` gives the reason. ' +
          'A node of a cluster answers for itself: 503 `no-owner` until it has caught up with the log and knows who owns, or that nobody does, and while it owns and does not serve. ' +
          'While the store is not writable, reads answer with what is stored, and requests that change something get 503.',
        querystring: readyQuerySchema,
        response: {
          200: reply(readySchema, 'The service accepts work.', { status: 'ok' }),
          ...problems('starting', 'shutting-down', 'store-unavailable', 'no-owner'),
        },
      },
    },
    async ({ query, caller }) => {
      const reason = unreadiness(start, host, cluster);
      if (reason !== null) throw reason;
      const { kind, recovered, unusable } = host.storeHealth;
      // The contents of the store are for callers that may read all of it.
      const isAsked = query.verbose !== undefined && query.verbose !== 'false' && query.verbose !== '0';
      const isVerbose = isAsked && may(caller, 'read') && caller.pipelines === null;
      return {
        status: 'ok' as const,
        ...(cluster && { role: cluster.role }),
        ...(isVerbose ? { store: { kind, recovered, unusable }, overloaded: overload.reason } : {}),
      };
    },
  );
};
export default service;
