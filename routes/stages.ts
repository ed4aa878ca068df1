import type { FastifyPluginAsync } from 'fastify';
import { operatorOf } from '../src/http/guards/operator.ts';
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
          'Changes to workers, limits and queue capacity take effect at once; no item is lost. A given field overrides the definition until it is changed or dropped, also after a new definition, as long as the stage exists.',
        querystring: noQuery,
        params: stageParams,
        body: stageTuningSchema,
        response: {
          200: reply(stageTunedSchema, 'The values in effect, and those of the definition.'),
          ...problems('invalid-pipeline'),
        },
      },
    },
    async (request) => host.get(request.params.id).tune(request.params.stage, request.body, operatorOf(request)),
  );

  app.delete(
    '/pipelines/:id/stages/:stage',
    {
      config: { scope: 'operate' },
      schema: {
        tags,
        operationId: 'untuneStage',
        summary: 'Return a stage to its definition',
        description: 'Drops the live tuning of the stage. The stage itself stays; to remove it, PUT a definition without it.',
        querystring: noQuery,
        params: stageParams,
        response: {
          200: reply(stageTunedSchema, 'The values in effect, now those of the definition.'),
        },
      },
    },
    async (request) => host.get(request.params.id).untune(request.params.stage, operatorOf(request)),
  );
};
export default stages;
