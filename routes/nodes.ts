import type { FastifyPluginAsync } from 'fastify';
import { z } from 'zod';
import type { RouteDeps } from '../src/http/routing/route-deps.ts';
import { noQuery, problems, reply } from '../src/http/schemas/route-schemas.ts';
import type { ZodTypes } from '../src/http/schemas/schema-compiler.ts';
import { nodeViewSchema } from '../src/schemas/nodes.ts';

const nodesSchema = z.object({ nodes: z.array(nodeViewSchema) }).meta({
  id: 'ClusterNodes',
  examples: [
    {
      nodes: [
        {
          name: 'sluice-0',
          url: 'http://sluice-0.sluice:3000',
          role: 'owner',
          position: 48_213,
          lagSeconds: 0,
          hands: 2,
          version: '0.1.0',
        },
        {
          name: 'sluice-1',
          url: 'http://sluice-1.sluice:3000',
          role: 'follower',
          position: 48_213,
          lagSeconds: 0.1,
          hands: 0,
          version: '0.1.0',
        },
      ],
    },
  ],
});

/** The nodes of the cluster. */
const nodes: FastifyPluginAsync<RouteDeps> = async (instance, { cluster }) => {
  instance.withTypeProvider<ZodTypes>().get(
    '/nodes',
    {
      config: { scope: 'read', limited: 'all', whileStarting: true, everyNode: true },
      schema: {
        tags: ['Service'],
        operationId: 'listNodes',
        summary: 'The nodes of the cluster',
        description:
          'The nodes that have announced themselves of late, by name, as this node knows them. Empty for a service that is no cluster.',
        querystring: noQuery,
        response: { 200: reply(nodesSchema, 'The nodes.'), ...problems('store-unavailable') },
      },
    },
    async () => {
      const found = cluster === null ? [] : [...(await cluster.nodes())];
      return { nodes: found.sort((a, b) => (a.name < b.name ? -1 : 1)) };
    },
  );
};
export default nodes;
