import type { FastifyPluginAsync, FastifySchemaCompiler } from 'fastify';
import { z } from 'zod';
import { SluiceError } from '../src/engine/index.ts';
import { type Caller, sees } from '../src/http/guards/caller.ts';
import { invalidInput } from '../src/http/problems/faults.ts';
import { pageByName } from '../src/http/routing/lists.ts';
import { toDetail, toSummary } from '../src/http/routing/pipeline-view.ts';
import type { RouteDeps } from '../src/http/routing/route-deps.ts';
import { LOCATION, listShape, nextCursorSchema, noQuery, pipelineParams, problems, reply } from '../src/http/schemas/route-schemas.ts';
import { validatorCompiler, type ZodTypes } from '../src/http/schemas/schema-compiler.ts';
import { pipelineDefinitionSchema } from '../src/schemas/definition.ts';
import { pipelineDetailSchema, pipelinePutSchema, pipelineSummaryExample, pipelineSummarySchema } from '../src/schemas/pipeline.ts';

const listQuery = z.strictObject(listShape);
const listSchema = z.object({ pipelines: z.array(pipelineSummarySchema), nextCursor: nextCursorSchema }).meta({ id: 'PipelinePage' });

const createBody = pipelineDefinitionSchema
  .extend({ start: z.boolean().default(true).meta({ description: '`false` leaves the pipeline in the state `created`.' }) })
  .meta({
    id: 'CreatePipeline',
    examples: [
      { id: 'greet', stages: [{ name: 'Greet', workers: 2, tasks: [{ task: 'jsonata', with: { expression: '"Hello " & name' } }] }] },
    ],
  });

const putBody = createBody
  .partial({ id: true })
  .extend({
    start: z
      .boolean()
      .default(true)
      .meta({ description: 'If the request creates the pipeline, `false` leaves it in the state `created`.' }),
  })
  .meta({
    id: 'PutPipeline',
    examples: [{ stages: [{ name: 'Greet', workers: 4, tasks: [{ task: 'jsonata', with: { expression: '"Hello " & name' } }] }] }],
  });

const removeQuery = z.strictObject({
  mode: z.enum(['drain', 'force']).optional().meta({
    description:
      '`drain` finishes the items first; `force` aborts and removes them. Without `mode` the request is refused while items are unfinished.',
  }),
});

const tags = ['Pipelines'];

/** Lists, creates, shows, redefines and removes pipelines. */
const pipelines: FastifyPluginAsync<RouteDeps> = async (instance, { host, hub }) => {
  const app = instance.withTypeProvider<ZodTypes>();

  app.get(
    '/pipelines',
    {
      config: { scope: 'read', limited: 'filtered' },
      schema: {
        tags,
        operationId: 'listPipelines',
        summary: 'List the pipelines',
        description: 'All pipelines with state and headline counters, ordered by id.',
        querystring: listQuery,
        response: {
          200: reply(listSchema, 'A page of pipelines.', { pipelines: [pipelineSummaryExample], nextCursor: null }),
          ...problems('invalid-cursor'),
        },
      },
    },
    async ({ query, caller }) => {
      const seen = (await host.list()).filter(({ definition }) => sees(caller, definition.id));
      const { page, nextCursor } = pageByName({ list: '/pipelines' }, seen, ({ definition }) => definition.id, toSummary, query);
      return { pipelines: page, nextCursor };
    },
  );

  app.post(
    '/pipelines',
    {
      config: { scope: 'admin', limited: 'named' },
      validatorCompiler: acceptAnyBody as never,
      schema: {
        tags,
        operationId: 'createPipeline',
        summary: 'Create a pipeline',
        description:
          'Creates a pipeline from a definition and starts it unless `"start": false`. All faults of the definition are reported at once.',
        querystring: noQuery,
        body: createBody,
        response: {
          201: { ...reply(pipelineDetailSchema, 'Created. `Location` is the path of the pipeline.'), headers: LOCATION },
          ...problems('pipeline-exists', 'unknown-task', 'unknown-limiter', 'invalid-params', 'invalid-pipeline'),
        },
      },
    },
    async ({ body, caller }, response) => {
      const { start, definition } = readCreateBody(body);
      refuseOthers(caller, definition);
      const created = await host.create(definition, { start });
      return response.code(201).header('location', `/pipelines/${created.definition.id}`).send(toDetail(created));
    },
  );

  app.put(
    '/pipelines/:id',
    {
      config: { scope: 'admin' },
      validatorCompiler: acceptAnyBody as never,
      schema: {
        tags,
        operationId: 'putPipeline',
        summary: 'Create or redefine a pipeline',
        description: [
          'Gives the pipeline this definition; sending the same definition again changes nothing. The pipeline may be running with items in every stage: no item is lost, and none passes a stage twice.',
          'Running items finish their stage under the old definition; the others continue under the new one, after the tasks that they have already passed.',
          'Items of a removed stage continue in the next stage that remains, or are completed if there is none. A stage with the same tasks in the same position under another name counts as renamed.',
          'If the stages are reordered, each item passes the stages that it still had ahead of it, in the new order.',
        ].join(' '),
        querystring: noQuery,
        params: pipelineParams,
        body: putBody,
        response: {
          200: reply(pipelinePutSchema, 'Redefined, or unchanged.'),
          201: { ...reply(pipelinePutSchema, 'Created. `Location` is the path of the pipeline.'), headers: LOCATION },
          ...problems('unknown-task', 'unknown-limiter', 'invalid-params', 'invalid-pipeline', 'invalid-state'),
        },
      },
    },
    async ({ params, body }, response) => {
      const { start, definition } = readCreateBody(body);
      const { isCreated, pipeline, changes, moved } = await host.put(params.id, definition, { start });
      if (isCreated) response.code(201).header('location', `/pipelines/${params.id}`);
      return response.send({ ...toDetail(pipeline), changes, moved });
    },
  );

  app.get(
    '/pipelines/:id',
    {
      config: { scope: 'read' },
      schema: {
        tags,
        operationId: 'showPipeline',
        summary: 'Show a pipeline',
        description: 'The definition with all defaults filled in, the state, and the names of the workers.',
        querystring: noQuery,
        params: pipelineParams,
        response: { 200: reply(pipelineDetailSchema, 'The pipeline.') },
      },
    },
    async ({ params }) => toDetail(await host.get(params.id).describe()),
  );

  app.delete(
    '/pipelines/:id',
    {
      config: { scope: 'admin' },
      schema: {
        tags,
        operationId: 'removePipeline',
        summary: 'Remove a pipeline',
        description: 'Also removes its results and history, and ends its event streams.',
        querystring: removeQuery,
        params: pipelineParams,
        response: {
          204: z.null().meta({ description: 'Removed.' }),
          ...problems('items-in-flight'),
        },
      },
    },
    async ({ params, query }, response) => {
      const { events } = host.get(params.id);
      await host.remove(params.id, query.mode);
      await hub.closeSource(events);
      return response.code(204).send(null);
    },
  );
};
export default pipelines;

/** Leaves the body unchecked: the host reports faults of form and of meaning together, and checking the form here would hide the latter. */
const acceptAnyBody: FastifySchemaCompiler<z.ZodType> = (route) =>
  route.httpPart === 'body' ? (body: unknown) => ({ value: body }) : validatorCompiler(route);

/** Refuses a key for other pipelines, before the answer tells anything about the definition or about an existing pipeline. */
function refuseOthers(caller: Caller, definition: unknown): void {
  const { id } = (definition ?? {}) as { id?: unknown };
  if (caller.pipelines === null || (typeof id === 'string' && sees(caller, id))) return;
  throw new SluiceError(
    'forbidden',
    `the key "${caller.name}" is for ${caller.pipelines.size} pipelines only, and this is not one of them`,
  );
}

function readCreateBody(body: unknown): { start: boolean; definition: unknown } {
  if (body === undefined || body === null) throw invalidInput('body', [{ path: '', message: 'is required' }]);
  if (typeof body !== 'object' || Array.isArray(body)) return { start: true, definition: body };
  const { start = true, ...definition } = body as Record<string, unknown>;
  if (typeof start !== 'boolean') throw invalidInput('body', [{ path: '/start', message: 'must be a boolean' }]);
  return { start, definition };
}
