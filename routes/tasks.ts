import type { FastifyPluginAsync } from 'fastify';
import { z } from 'zod';
import { pageByName } from '../src/http/routing/lists.ts';
import type { RouteDeps } from '../src/http/routing/route-deps.ts';
import { listQuery, nextCursorSchema, problems, reply } from '../src/http/schemas/route-schemas.ts';
import type { ZodTypes } from '../src/http/schemas/schema-compiler.ts';
import { taskInfoSchema } from '../src/schemas/task.ts';

const listSchema = z.object({ tasks: z.array(taskInfoSchema), nextCursor: nextCursorSchema }).meta({ id: 'TaskPage' });

/** The tasks, predicates and hooks that definitions can use. */
const tasks: FastifyPluginAsync<RouteDeps> = async (instance, { host }) => {
  instance.withTypeProvider<ZodTypes>().get(
    '/tasks',
    {
      config: { scope: 'read', limited: 'all' },
      schema: {
        tags: ['Tasks'],
        operationId: 'listTasks',
        summary: 'List tasks, predicates and hooks',
        description: 'Lists the built-in ones and those from TASKS_DIR, ordered by name.',
        querystring: listQuery,
        response: {
          200: reply(listSchema, 'A page of the list.', {
            tasks: [
              {
                name: 'file_append',
                kind: 'task',
                description: 'Appends the value to a file as one line of JSON and lets it pass unchanged.',
                paramsSchema: { type: 'object', properties: { file: { type: 'string' } }, required: ['file'], additionalProperties: false },
              },
            ],
            nextCursor: null,
          }),
          ...problems('invalid-cursor'),
        },
      },
    },
    async ({ query }) => {
      const all = host.tasks.list();
      const { page, nextCursor } = pageByName(
        { list: '/tasks' },
        all,
        ({ name }) => name,
        (row) => row,
        query,
      );
      return { tasks: page, nextCursor };
    },
  );
};
export default tasks;
