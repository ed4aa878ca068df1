import type { FastifyPluginAsync } from 'fastify';
import { z } from 'zod';
import type { PipelineHost } from '../src/engine/index.ts';
import { type Caller, may, sees } from '../src/http/guards/caller.ts';
import { pageByName } from '../src/http/routing/lists.ts';
import type { RouteDeps } from '../src/http/routing/route-deps.ts';
import { listQuery, nextCursorSchema, noQuery, problems, reply } from '../src/http/schemas/route-schemas.ts';
import type { ZodTypes } from '../src/http/schemas/schema-compiler.ts';
import type { PipelineDefinition } from '../src/schemas/definition.ts';
import { type LimiterView, limiterPatchSchema, limiterViewExample, limiterViewSchema } from '../src/schemas/limiter.ts';
import { knownNameSchema } from '../src/schemas/names.ts';

const tags = ['Limiters'];
const limiterParams = z.strictObject({ name: knownNameSchema.meta({ description: 'The name of a limiter.', examples: ['openai'] }) });
const listSchema = z.object({ limiters: z.array(limiterViewSchema), nextCursor: nextCursorSchema }).meta({ id: 'LimiterPage' });

/** Limits that tasks of any stage and pipeline share. */
const limiters: FastifyPluginAsync<RouteDeps> = async (instance, { host }) => {
  const app = instance.withTypeProvider<ZodTypes>();

  app.get(
    '/limiters',
    {
      config: { scope: 'read', limited: 'filtered' },
      schema: {
        tags,
        operationId: 'listLimiters',
        summary: 'List the shared limiters',
        description:
          'For each limiter: how many executions it admitted that still run, how many wait, and until when it is held. Ordered by name.',
        querystring: listQuery,
        response: {
          200: reply(listSchema, 'A page of the list.', { limiters: [limiterViewExample], nextCursor: null }),
          ...problems('invalid-cursor'),
        },
      },
    },
    async ({ query, caller }) => {
      const seen = await limitersFor(caller, host);
      const { page, nextCursor } = pageByName(
        { list: '/limiters' },
        seen,
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
      config: { scope: 'operate' },
      schema: {
        tags,
        operationId: 'changeLimiter',
        summary: 'Change a shared limiter',
        description:
          'Takes effect at once, also for waiting executions, and lasts until the service ends. `null` removes a limit, or sets what is none to its default; `heldUntil: null` ends a hold, and whoever waits goes on.',
        querystring: noQuery,
        params: limiterParams,
        body: limiterPatchSchema,
        response: {
          200: reply(limiterViewSchema, 'The limiter after the change; for a key without `read`, `keys` is empty.'),
        },
      },
    },
    async ({ params, body, caller }) => {
      const changed = await host.limiters.change(params.name, body);
      // Limiter keys come from items, which require the scope read.
      return may(caller, 'read') ? changed : { ...changed, keys: [] };
    },
  );
};
export default limiters;

/** For a key for some pipelines: the limiters that these use, and without its keys, which are made of items, one that others use as well. */
async function limitersFor(caller: Caller, host: PipelineHost): Promise<LimiterView[]> {
  const all = await host.limiters.list();
  if (caller.pipelines === null) return all;
  const users = (await host.list()).map(({ definition }) => ({ isSeen: sees(caller, definition.id), names: limitersOf(definition) }));
  return all.flatMap((limiter) => {
    const using = users.filter(({ names }) => names.has(limiter.name));
    if (!using.some(({ isSeen }) => isSeen)) return [];
    return [using.every(({ isSeen }) => isSeen) ? limiter : { ...limiter, keys: [] }];
  });
}

function limitersOf({ stages }: PipelineDefinition): Set<string> {
  return new Set(stages.flatMap(({ tasks }) => tasks.flatMap((use) => (typeof use === 'string' ? [] : (use.limiter ?? [])))));
}
