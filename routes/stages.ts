import type { FastifyPluginAsync } from 'fastify';
import type { RouteDeps } from '../src/http/routing/route-deps.ts';
import { noQuery, problems, reply, stageParams } from '../src/http/schemas/route-schemas.ts';
import type { ZodTypes } from '../src/http/schemas/schema-compiler.ts';
import { stageTunedSchema, stageTuningSchema } from '../src/schemas/redefinition.ts';

const tags = ['Pipelines'];

/** Live tuning of one stage. */
const stages: FastifyPluginAsync<RouteDeps> = async (instance, { host }) => {
  const app = instance.withTypeProvider<ZodTypes>();

  app.patch(
    '/pipelines/:id/stages/:stage',
    {
      config: { scope: 'operate' },
      schema: {
        tags,
        operationId: 'tuneStage',
        summary: 'Tune a stage while it runs',
        description:
          'Workers, limits and queue capacity take effect at once; no item is lost. A field that is given goes before the definition, until it is given anew or dropped. It stays with its stage through a new definition.',
        querystring: noQuery,
        params: stageParams,
        body: stageTuningSchema,
        response: {
          200: reply(stageTunedSchema, 'What holds now, and what the definition says.'),
          ...problems('invalid-pipeline'),
        },
      },
    },
    async ({ params, body }) => host.get(params.id).tune(params.stage, body),
  );

  app.delete(
    '/pipelines/:id/stages/:stage',
    {
      config: { scope: 'operate' },
      schema: {
        tags,
        operationId: 'untuneStage',
        summary: 'Return a stage to its definition',
        description:
          'Drops what live tuning changed. The stage itself stays: a definition without it, put in place of this one, removes it.',
        querystring: noQuery,
        params: stageParams,
        response: {
          200: reply(stageTunedSchema, 'What holds now is what the definition says.'),
        },
      },
    },
    async ({ params }) => host.get(params.id).untune(params.stage),
  );
};
export default stages;
