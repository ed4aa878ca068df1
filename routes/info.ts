import type { FastifyPluginAsync } from 'fastify';
import { z } from 'zod';
import type { RouteDeps } from '../src/http/routing/route-deps.ts';
import { noQuery, reply } from '../src/http/schemas/route-schemas.ts';
import type { ZodTypes } from '../src/http/schemas/schema-compiler.ts';
import { instantSchema } from '../src/schemas/names.ts';

const infoSchema = z
  .object({
    version: z.string(),
    node: z.string().meta({ description: 'Version of Node.js.' }),
    startedAt: instantSchema,
    uptimeSeconds: z.number(),
    role: z.enum(['single', 'owner', 'follower']).meta({
      description: '`single` for a service that is no cluster. Of a node of a cluster: whether it owns the pipelines now.',
    }),
    store: z.object({
      kind: z.string().meta({ description: '`memory`, `sqlite` or `postgresql`.' }),
      isDurable: z.boolean().meta({ description: 'Whether what is accepted outlives the process.' }),
    }),
    limits: z.record(z.string(), z.number()).meta({
      description: 'The limits in force, each under the name of its variable in camelCase: `bodyLimitBytes` is `BODY_LIMIT_BYTES`.',
    }),
  })
  .meta({
    id: 'ServiceInfo',
    examples: [
      {
        version: '0.1.0',
        node: '24.4.0',
        startedAt: '2026-11-23T17:44:00.123Z',
        uptimeSeconds: 3600.5,
        role: 'single',
        store: { kind: 'sqlite', isDurable: true },
        limits: { bodyLimitBytes: 1_048_576, backlogCapacity: 100_000, maxPipelines: 1000 },
      },
    ],
  });

/** Facts about this process. */
const info: FastifyPluginAsync<RouteDeps> = async (instance, { host, clock, limits, version, cluster }) => {
  const startedAt = clock.now();
  const since = clock.monotonic();
  instance.withTypeProvider<ZodTypes>().get(
    '/info',
    {
      config: { scope: 'read', limited: 'all', whileStarting: true, everyNode: true },
      schema: {
        tags: ['Service'],
        operationId: 'showInfo',
        summary: 'What is running here?',
        description:
          'Version, uptime, role, kind of store, and the limits in force. No paths, addresses or names. Each node of a cluster answers for itself.',
        querystring: noQuery,
        response: { 200: reply(infoSchema, 'The service.') },
      },
    },
    async () => {
      const { kind } = host.storeHealth;
      return {
        version,
        node: process.versions.node,
        startedAt: new Date(startedAt).toISOString(),
        uptimeSeconds: Math.round(clock.monotonic() - since) / 1000,
        role: cluster?.role ?? ('single' as const),
        store: { kind, isDurable: kind !== 'memory' },
        limits,
      };
    },
  );
};
export default info;
