import type { FastifyPluginAsync } from 'fastify';
import { z } from 'zod';
import { sees } from '../src/http/guards/caller.ts';
import { operatorOf } from '../src/http/guards/operator.ts';
import { acceptAnyBody, readDefinitionBody, refuseOthers } from '../src/http/routing/definition-body.ts';
import { pageByName } from '../src/http/routing/lists.ts';
import { toDetail, toSummary, withOverviews } from '../src/http/routing/pipeline-view.ts';
import type { RouteDeps } from '../src/http/routing/route-deps.ts';
import { LOCATION, listShape, nextCursorSchema, noQuery, pipelineParams, problems, reply } from '../src/http/schemas/route-schemas.ts';
import type { ZodTypes } from '../src/http/schemas/schema-compiler.ts';
import { pipelineDefinitionSchema } from '../src/schemas/definition.ts';
import { pipelineDetailSchema, pipelinePutSchema, pipelineSummaryExample, pipelineSummarySchema } from '../src/schemas/pipeline.ts';

const listQuery = z.strictObject({
  ...listShape,
  include: z
    .literal('overview')
    .optional()
    .meta({ description: 'Also queue, rates, failures, time left and bottleneck of each pipeline.' }),
});
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
        description:
          'All pipelines with state and headline counters, ordered by id; with `include=overview` also with what a display of all of them shows.',
        querystring: listQuery,
        response: {
          200: reply(listSchema, 'A page of pipelines.', { pipelines: [pipelineSummaryExample], nextCursor: null }),
          ...problems('invalid-cursor'),
        },
      },
    },
    async ({ query: { include, ...query }, caller }) => {
      const seen = (await host.list()).filter(({ definition }) => sees(caller, definition.id));
      const { page, nextCursor } = pageByName({ list: '/pipelines' }, seen, ({ definition }) => definition.id, toSummary, query);
      return { pipelines: include === undefined ? page : await withOverviews(host, page), nextCursor };
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
          'Creates a pipeline from a definition, with the limiters in its `limits`, and starts it unless `"start": false`. A document of a definitions file with one pipeline, `{ limits, pipelines }`, is taken as well. All faults of the definition are reported at once.',
        querystring: noQuery,
        body: createBody,
        response: {
          201: { ...reply(pipelineDetailSchema, 'Created. `Location` is the path of the pipeline.'), headers: LOCATION },
          ...problems('pipeline-exists', 'limiter-conflict', 'unknown-task', 'unknown-limiter', 'invalid-params', 'invalid-pipeline'),
        },
      },
    },
    async (request, response) => {
      const { start, definition, within } = readDefinitionBody(request.body);
      const { caller } = request;
      refuseOthers(caller, definition);
      const created = await within(() => host.create(definition, { start, within: caller.pipelines, operator: operatorOf(request) }));
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
          'A document of a definitions file with one pipeline, `{ limits, pipelines }`, is taken as well. A limiter in `limits` that nothing else defines is changed for all who use it; one that is no longer in it is removed.',
        ].join(' '),
        querystring: noQuery,
        params: pipelineParams,
        body: putBody,
        response: {
          200: reply(pipelinePutSchema, 'Redefined, or unchanged.'),
          201: { ...reply(pipelinePutSchema, 'Created. `Location` is the path of the pipeline.'), headers: LOCATION },
          ...problems(
            ...(['limiter-conflict', 'limiter-in-use', 'unknown-task', 'unknown-limiter', 'invalid-params'] as const),
            ...(['invalid-pipeline', 'invalid-state'] as const),
          ),
        },
      },
    },
    async (request, response) => {
      const { params, body, caller } = request;
      const { start, definition, within } = readDefinitionBody(body);
      const put = () => host.put(params.id, definition, { start, within: caller.pipelines, operator: operatorOf(request) });
      const { isCreated, pipeline, ...outcome } = await within(put);
      if (isCreated) response.code(201).header('location', `/pipelines/${params.id}`);
      return response.send({ ...toDetail(pipeline), ...outcome });
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
        description:
          'Also removes its results and history, and the limiters that nothing else defines, and ends its event streams. Refused while other pipelines use one of those limiters.',
        querystring: removeQuery,
        params: pipelineParams,
        response: {
          204: z.null().meta({ description: 'Removed.' }),
          ...problems('items-in-flight', 'limiter-in-use'),
        },
      },
    },
    async (request, response) => {
      const { params, query, caller } = request;
      const { events } = host.get(params.id);
      await host.remove(params.id, query.mode, { within: caller.pipelines, operator: operatorOf(request) });
      await hub.closeSource(events);
      return response.code(204).send(null);
    },
  );
};
export default pipelines;
