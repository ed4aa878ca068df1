import type { FastifyPluginAsync } from 'fastify';
import { z } from 'zod';
import type { RouteDeps } from '../src/http/routing/route-deps.ts';
import { noQuery, reply } from '../src/http/schemas/route-schemas.ts';
import type { ZodTypes } from '../src/http/schemas/schema-compiler.ts';
import { SCOPES } from '../src/schemas/api-key.ts';

const callerSchema = z
  .object({
    name: z.string().nullable().meta({ description: 'Of the key; null where no keys are set up.' }),
    scopes: z.array(z.enum(SCOPES)).meta({ description: 'As the key has them; `admin` opens what the others do.' }),
    pipelines: z.array(z.string()).nullable().meta({ description: 'The only ones that the key is for; null for all.' }),
  })
  .meta({ id: 'Caller', examples: [{ name: 'import', scopes: ['feed'], pipelines: ['orders'] }] });

/** What a key opens. */
const whoami: FastifyPluginAsync<RouteDeps> = async (instance) => {
  instance.withTypeProvider<ZodTypes>().get(
    '/whoami',
    {
      config: { scope: 'any' },
      schema: {
        tags: ['Service'],
        operationId: 'showCaller',
        summary: 'Who am I?',
        description: 'The name of the key that the request came with, and what it opens.',
        querystring: noQuery,
        response: { 200: reply(callerSchema, 'You are.') },
      },
    },
    async ({ caller: { name, scopes, pipelines } }) => ({
      name: name === '' ? null : name,
      scopes: SCOPES.filter((scope) => scopes.has(scope)),
      pipelines: pipelines === null ? null : [...pipelines].sort(),
    }),
  );
};
export default whoami;
