import type { FastifyPluginAsync } from 'fastify';
import { z } from 'zod';
import { acceptYaml } from '../src/http/bodies/yaml-body.ts';
import { acceptAnyBody } from '../src/http/routing/definition-body.ts';
import { checkDefinitionBody } from '../src/http/routing/definition-check.ts';
import type { RouteDeps } from '../src/http/routing/route-deps.ts';
import { problems, reply } from '../src/http/schemas/route-schemas.ts';
import type { ZodTypes } from '../src/http/schemas/schema-compiler.ts';
import { pipelineDefinitionSchema } from '../src/schemas/definition.ts';
import { knownNameSchema } from '../src/schemas/names.ts';
import { validationSchema } from '../src/schemas/validation.ts';

const query = z.strictObject({
  against: knownNameSchema.optional().meta({
    description: 'The id of a pipeline that the definition is meant for: the answer then says what a `PUT` would change.',
    examples: ['orders'],
  }),
});

const body = pipelineDefinitionSchema
  .partial({ id: true })
  .extend({ start: z.boolean().optional() })
  .meta({
    id: 'DefinitionToCheck',
    examples: [{ id: 'greet', stages: [{ name: 'Greet', tasks: [{ task: 'jsonata', with: { expression: '"Hello " & name' } }] }] }],
  });

const YAML_EXAMPLE = `id: greet
stages:
  - name: Greet
    tasks:
      - task: jsonata
        with: { expression: '"Hello " & name' }
`;

/** Checks definitions. */
const validation: FastifyPluginAsync<RouteDeps> = async (instance, { host, clock }) => {
  const app = instance.withTypeProvider<ZodTypes>();
  acceptYaml(instance, clock);

  app.post(
    '/pipelines/validate',
    {
      config: { scope: 'read', limited: 'named' },
      validatorCompiler: acceptAnyBody as never,
      schema: {
        tags: ['Pipelines'],
        operationId: 'validatePipeline',
        summary: 'Check a definition',
        description: [
          'Says whether the service would accept the definition now, and everything that is wrong with it; nothing is created or changed. A definition that is not valid is a 200 too.',
          'A body in YAML, or in JSON that is sent as `application/yaml`, has the line and the column of each fault.',
          'A document of a definitions file with one pipeline, `{ limits, pipelines }`, is taken as well.',
        ].join(' '),
        querystring: query,
        body: {
          content: {
            'application/json': { schema: body },
            'application/yaml': { schema: z.string().meta({ examples: [YAML_EXAMPLE] }) },
          },
        },
        response: { 200: reply(validationSchema, 'The outcome.'), ...problems('pipeline-not-found') },
      },
    },
    async ({ body: sent, caller, query: { against } }) => checkDefinitionBody(sent, { host, caller, against }),
  );
};
export default validation;
