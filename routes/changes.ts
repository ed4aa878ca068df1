import type { FastifyPluginAsync } from 'fastify';
import { z } from 'zod';
import { changesBefore, numberIn } from '../src/http/routing/changes.ts';
import { decodeCursor, encodeCursor } from '../src/http/routing/cursor.ts';
import type { RouteDeps } from '../src/http/routing/route-deps.ts';
import { LIMIT_DEFAULT, listQuery, nextCursorSchema, pipelineParams, problems, reply } from '../src/http/schemas/route-schemas.ts';
import type { ZodTypes } from '../src/http/schemas/schema-compiler.ts';
import { operatorChangeExample, operatorChangeSchema } from '../src/schemas/operator-change.ts';

const changesSchema = z.object({ changes: z.array(operatorChangeSchema), nextCursor: nextCursorSchema }).meta({ id: 'OperatorChangePage' });

/** Lists what operators have changed. */
const changes: FastifyPluginAsync<RouteDeps> = async (instance, { host }) => {
  const app = instance.withTypeProvider<ZodTypes>();

  app.get(
    '/pipelines/:id/audit',
    {
      config: { scope: 'read' },
      schema: {
        tags: ['Pipelines'],
        operationId: 'listOperatorChanges',
        summary: 'Changes by operators',
        description:
          'Who changed what, the newest first, as far back as events are kept. A page may have fewer changes than `limit`, or none; the list goes on as long as there is a `nextCursor`.',
        querystring: listQuery,
        params: pipelineParams,
        response: {
          200: reply(changesSchema, 'A page of changes.', { changes: [operatorChangeExample], nextCursor: null }),
          ...problems('invalid-cursor'),
        },
      },
    },
    async ({ params, query: { limit = LIMIT_DEFAULT, cursor } }) => {
      const { events } = host.get(params.id);
      const scope = { list: `/pipelines/${params.id}/audit` };
      const id = decodeCursor(scope, cursor);
      const before = id === undefined ? events.newest + 1 : numberIn(events, id);
      const { changes: found, next } = changesBefore(events, before, limit);
      return { changes: found, nextCursor: encodeCursor(scope, next === null ? null : events.lines.idOf(next)) };
    },
  );
};
export default changes;
