import type { FastifyPluginAsync } from 'fastify';
import { z } from 'zod';
import { limitersOf, type PipelineHost } from '../src/engine/index.ts';
import { type Caller, may, sees } from '../src/http/guards/caller.ts';
import { operatorOf } from '../src/http/guards/operator.ts';
import { pageByName } from '../src/http/routing/lists.ts';
import type { RouteDeps } from '../src/http/routing/route-deps.ts';
import { listQuery, nextCursorSchema, noQuery, problems, reply } from '../src/http/schemas/route-schemas.ts';
import type { ZodTypes } from '../src/http/schemas/schema-compiler.ts';
import { type LimiterView, limiterPatchSchema, limiterViewExample, limiterViewSchema } from '../src/schemas/limiter.ts';
import { knownNameSchema } from '../src/schemas/names.ts';

const tags = ['Limiters'];
const WAITERS_SHOWN = 100;
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
          'For each limiter: how many executions it admitted that still run, how much of its window is used, when the next may begin, until when it is held, and who waits for it. Ordered by name.',
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
          'Takes effect at once, also for waiting executions, and lasts until the definition of the limiter changes or `DELETE /limiters/{name}`; with a durable store also after a restart. `null` removes a limit, or sets what is none to its default; `heldUntil: null` ends a hold, and whoever waits goes on.',
        querystring: noQuery,
        params: limiterParams,
        body: limiterPatchSchema,
        response: {
          200: reply(limiterViewSchema, 'The limiter after the change; for a key without `read`, `keys` and `waiters` are empty.'),
        },
      },
    },
    async (request) => shownTo(request.caller, await host.limiters.change(request.params.name, request.body, operatorOf(request))),
  );

  app.delete(
    '/limiters/:name',
    {
      config: { scope: 'operate' },
      schema: {
        tags,
        operationId: 'resetLimiter',
        summary: 'Return a shared limiter to its definition',
        description: 'Undoes what `PATCH` has changed. The limiter itself goes only with the last definition that has it. A hold stays.',
        querystring: noQuery,
        params: limiterParams,
        response: {
          200: reply(limiterViewSchema, 'The limiter after the change; for a key without `read`, `keys` and `waiters` are empty.'),
        },
      },
    },
    async (request) => shownTo(request.caller, await host.limiters.reset(request.params.name, operatorOf(request))),
  );
};
export default limiters;

/** For a key for some pipelines: the limiters that these use, and without its keys, which are made of items, one that others use as well. */
async function limitersFor(caller: Caller, host: PipelineHost): Promise<LimiterView[]> {
  const all = (await host.limiters.list()).map((limiter) => shownTo(caller, limiter));
  if (caller.pipelines === null) return all;
  const users = (await host.list()).map(({ definition }) => ({ isSeen: sees(caller, definition.id), names: limitersOf(definition) }));
  return all.flatMap((limiter) => {
    const using = users.filter(({ names }) => names.has(limiter.name));
    if (!using.some(({ isSeen }) => isSeen)) return [];
    return [using.every(({ isSeen }) => isSeen) ? limiter : { ...limiter, keys: [] }];
  });
}

/** Keys come from items, and waiters name stages: both require the scope read; of waiters a caller sees his own pipelines'. */
function shownTo(caller: Caller, limiter: LimiterView): LimiterView {
  if (!may(caller, 'read')) return { ...limiter, keys: [], waiters: [] };
  const waiters = limiter.waiters.filter(({ pipelineId }) => sees(caller, pipelineId));
  return { ...limiter, waiters: waiters.slice(0, WAITERS_SHOWN) };
}
