import type { FastifyPluginAsync } from 'fastify';
import { SluiceError } from '../src/engine/index.ts';
import type { RouteDeps } from '../src/http/routing/route-deps.ts';
import { noQuery, reply } from '../src/http/schemas/route-schemas.ts';
import type { ZodTypes } from '../src/http/schemas/schema-compiler.ts';
import { handsSchema } from '../src/schemas/hands.ts';

const example = {
  hands: [
    {
      name: 'worker-1',
      version: '0.1.0',
      tasks: ['http_request', 'price'],
      missing: [],
      running: 12,
      capacity: 100,
      since: '2026-11-23T17:44:00.123Z',
      leaving: false,
      fault: null,
    },
  ],
  waiting: [],
};

/** The processes that make calls for this one. */
const hands: FastifyPluginAsync<RouteDeps> = async (instance, { hands: desk, cluster, upgradeOf, isCallerStillAllowed }) => {
  const app = instance.withTypeProvider<ZodTypes>();

  app.get(
    '/hands',
    {
      config: { scope: 'read', limited: 'all', whileStarting: true },
      schema: {
        tags: ['Service'],
        operationId: 'listHands',
        summary: 'Which hands are connected?',
        description:
          'Lists the processes that are connected to make calls of tasks, predicates and hooks, with what each of them has now, and why one is given less than others: another version, missing tasks, other files. `waiting` has the calls that wait for a hand.',
        querystring: noQuery,
        response: { 200: reply(handsSchema, 'The hands.', example) },
      },
    },
    async () => desk.view(),
  );

  app.get(
    '/hands/connect',
    {
      // Each node answers for itself: such a connection is not passed on, the hand goes to the owner.
      config: { scope: 'work', whileStarting: true, upgrades: true, everyNode: true },
      // A matter between processes of the same version, and none of those who use the API.
      schema: { hide: true, querystring: noQuery },
    },
    (request, response) => {
      // A browser names the page in each such request, and lets any page send it.
      if (request.headers.origin !== undefined) throw new SluiceError('forbidden', 'a web page cannot be a hand');
      if (cluster !== null && !cluster.isServing) {
        const { owner } = cluster;
        if (owner !== null && owner.node !== cluster.name) response.header('sluice-owner', owner.url);
        throw new SluiceError(
          'no-owner',
          owner === null ? 'no node owns the pipelines now' : `the owner is ${owner.node}, at ${owner.url}`,
        );
      }
      const { request: raw, socket, head } = upgradeOf(request, response);
      const { caller } = request;
      desk.accept(raw, socket, head, () => isCallerStillAllowed(caller));
    },
  );
};
export default hands;
