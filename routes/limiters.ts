import type { FastifyPluginAsync } from 'fastify';
import { z } from 'zod';
import { pageByName } from '../src/http/lists.ts';
import type { RouteDeps } from '../src/http/route-deps.ts';
import { BODY_PROBLEMS, listShape, nextCursorSchema, noQuery, problems, reply } from '../src/http/route-schemas.ts';
import type { ZodTypes } from '../src/http/schema-compiler.ts';
import { limiterPatchSchema, limiterViewExample, limiterViewSchema } from '../src/schemas/limiter.ts';
import { nameSchema } from '../src/schemas/names.ts';

const tags = ['Limiters'];
const listSchema = z.object({ limiters: z.array(limiterViewSchema), nextCursor: nextCursorSchema });

/** Limits that tasks of any stage and pipeline share. */
const limiters: FastifyPluginAsync<RouteDeps> = async (instance, { host }) => {
  const app = instance.withTypeProvider<ZodTypes>();

  app.get(
    '/limiters',
    {
      schema: {
        tags,
        operationId: 'listLimiters',
        summary: 'List the shared limiters',
        description: 'How many executions each has let go that still run, how many wait, and until when it is held, ordered by name.',
        querystring: z.strictObject(listShape),
        response: {
          200: reply(listSchema, 'A page of them.', { limiters: [limiterViewExample], nextCursor: null }),
          ...problems('invalid-cursor'),
        },
      },
    },
    async ({ query }) => {
      const all = await host.limiters.list();
      const { page, nextCursor } = pageByName(
        { list: '/limiters' },
        all,
        ({ name }) => name,
        (row) => row,
        query,
      );
      return { limiters: page, nextCursor };
    },
  );

  app.patch(
    '/limiters/:name',
    {
      schema: {
        tags,
        operationId: 'changeLimiter',
        summary: 'Change a shared limiter',
        description: 'Takes effect at once, for those who wait too; it holds until the service ends. `null` takes a limit away.',
        querystring: noQuery,
        params: z.strictObject({ name: nameSchema.meta({ description: 'The name of a limiter.', examples: ['openai'] }) }),
        body: limiterPatchSchema,
        response: { 200: reply(limiterViewSchema, 'As it is now.'), ...problems(...BODY_PROBLEMS, 'limiter-not-found') },
      },
    },
    async ({ params, body }) => host.limiters.change(params.name, body),
  );
};
export default limiters;
