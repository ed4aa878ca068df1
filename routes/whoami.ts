import type { FastifyPluginAsync } from 'fastify';
import { z } from 'zod';
import type { RouteDeps } from '../src/http/routing/route-deps.ts';
import { noQuery, reply } from '../src/http/schemas/route-schemas.ts';
import type { ZodTypes } from '../src/http/schemas/schema-compiler.ts';
import { SCOPES } from '../src/schemas/api-key.ts';
import { instantSchema } from '../src/schemas/names.ts';

const callerSchema = z
  .object({
    name: z.string().nullable().meta({ description: 'Name of the key; null if no keys are configured.' }),
    scopes: z.array(z.enum(SCOPES)).meta({ description: 'Scopes of the key; `admin` includes the others.' }),
    pipelines: z.array(z.string()).nullable().meta({ description: 'The pipelines that the key is limited to; null for all.' }),
    expiresAt: instantSchema.nullable().meta({ description: 'When the key expires; null if it does not.' }),
  })
  .meta({ id: 'Caller', examples: [{ name: 'import', scopes: ['feed'], pipelines: ['orders'], expiresAt: '2027-01-31T00:00:00.000Z' }] });

/** The identity and rights of the caller. */
const whoami: FastifyPluginAsync<RouteDeps> = async (instance) => {
  instance.withTypeProvider<ZodTypes>().get(
    '/whoami',
    {
      config: { scope: 'any' },
      schema: {
        tags: ['Service'],
        operationId: 'showCaller',
        summary: 'Who am I?',
        description: 'Name, scopes, pipelines and expiry of the key sent with the request.',
        querystring: noQuery,
        response: { 200: reply(callerSchema, 'The caller.') },
      },
    },
    async ({ caller: { name, scopes, pipelines, expiresAt } }) => ({
      name: name === '' ? null : name,
      scopes: SCOPES.filter((scope) => scopes.has(scope)),
      pipelines: pipelines === null ? null : [...pipelines].sort(),
      expiresAt: expiresAt === null ? null : new Date(expiresAt).toISOString(),
    }),
  );
};
export default whoami;
