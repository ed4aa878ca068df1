import type { FastifyPluginAsync } from 'fastify';
import type { Operator, PipelineRuntime } from '../src/engine/index.ts';
import { operatorOf } from '../src/http/guards/operator.ts';
import { toControlled } from '../src/http/routing/pipeline-view.ts';
import type { RouteDeps } from '../src/http/routing/route-deps.ts';
import { noBody, noQuery, pipelineParams, problems, reply, stageParams } from '../src/http/schemas/route-schemas.ts';
import type { ZodTypes } from '../src/http/schemas/schema-compiler.ts';
import { joinBodySchema, shutdownBodySchema, shutdownReportSchema } from '../src/schemas/control.ts';
import { pipelineControlledSchema } from '../src/schemas/pipeline.ts';
import type { ErrorCode } from '../src/schemas/problem.ts';
import { pipelineStatsSchema } from '../src/schemas/stats.ts';

const tags = ['Control'];
const joinBody = joinBodySchema.optional();
const shutdownBody = shutdownBodySchema.optional();

interface Action {
  name: string;
  summary: string;
  description: string;
  codes: ErrorCode[];
  act(runtime: PipelineRuntime, operator: Operator): Promise<void>;
}

const ACTIONS: Action[] = [
  {
    name: 'start',
    summary: 'Start a pipeline',
    description: 'Also restarts a stopped pipeline; items that wait in it are then run.',
    codes: ['already-running', 'invalid-state'],
    act: (runtime, operator) => runtime.start(operator),
  },
  {
    name: 'pause',
    summary: 'Pause a pipeline',
    description: 'Workers take no more items; running items finish. Feeding continues.',
    codes: ['invalid-state'],
    act: (runtime, operator) => runtime.pause(operator),
  },
  {
    name: 'resume',
    summary: 'Resume a paused pipeline',
    description: 'Workers take items again.',
    codes: ['invalid-state'],
    act: (runtime, operator) => runtime.resume(operator),
  },
];

const STAGE_ACTIONS: (Omit<Action, 'act'> & { act(runtime: PipelineRuntime, stage: string, operator: Operator): Promise<void> })[] = [
  {
    name: 'pause',
    summary: 'Pause one stage',
    description: 'The workers of this stage take no more items; the stages before it fill up.',
    codes: ['invalid-state'],
    act: (runtime, stage, operator) => runtime.pauseStage(stage, operator),
  },
  {
    name: 'resume',
    summary: 'Resume one stage',
    description: 'The workers of this stage take items again.',
    codes: [],
    act: (runtime, stage, operator) => runtime.resumeStage(stage, operator),
  },
];

/** Starting, pausing, draining and stopping pipelines and stages. */
const control: FastifyPluginAsync<RouteDeps> = async (instance, { host }) => {
  const app = instance.withTypeProvider<ZodTypes>();

  for (const { name, summary, description, codes, act } of ACTIONS) {
    app.post(
      `/pipelines/:id/${name}`,
      {
        config: { scope: 'operate' },
        schema: {
          tags,
          operationId: `${name}Pipeline`,
          summary,
          description,
          querystring: noQuery,
          params: pipelineParams,
          body: noBody,
          response: {
            200: reply(pipelineControlledSchema, 'The pipeline after the change.'),
            ...problems(...codes),
          },
        },
      },
      async (request) => {
        const runtime = host.get(request.params.id);
        await act(runtime, operatorOf(request));
        return toControlled(await runtime.describe(), request.caller);
      },
    );
  }

  for (const { name, summary, description, codes, act } of STAGE_ACTIONS) {
    app.post(
      `/pipelines/:id/stages/:stage/${name}`,
      {
        config: { scope: 'operate' },
        schema: {
          tags,
          operationId: `${name}Stage`,
          summary,
          description,
          querystring: noQuery,
          params: stageParams,
          body: noBody,
          response: {
            200: reply(pipelineControlledSchema, 'The pipeline after the change.'),
            ...problems(...codes),
          },
        },
      },
      async (request) => {
        const runtime = host.get(request.params.id);
        await act(runtime, request.params.stage, operatorOf(request));
        return toControlled(await runtime.describe(), request.caller);
      },
    );
  }

  app.post(
    '/pipelines/:id/join',
    {
      config: { scope: 'admin' },
      schema: {
        tags,
        operationId: 'joinPipeline',
        summary: 'Finish all items, then stop',
        description:
          'Refuses new feeds, finishes every item in every stage, then stops the workers. Draining continues when the time is up or the client disconnects.',
        querystring: noQuery,
        params: pipelineParams,
        body: joinBody,
        response: {
          200: reply(pipelineStatsSchema, 'Everything is finished.'),
          202: reply(pipelineStatsSchema, 'The time is up and the pipeline is still draining. The statistics so far.'),
          ...problems('invalid-state'),
        },
      },
    },
    async (request, response) => {
      const { done, stats } = await host.get(request.params.id).join(request.body?.timeoutSeconds, operatorOf(request));
      return response.code(done ? 200 : 202).send(stats);
    },
  );

  app.post(
    '/pipelines/:id/shutdown',
    {
      config: { scope: 'admin' },
      schema: {
        tags,
        operationId: 'shutdownPipeline',
        summary: 'Stop one pipeline',
        description: '`graceful` (the default) finishes running items and leaves queued ones; `drain` finishes everything; `force` aborts.',
        querystring: noQuery,
        params: pipelineParams,
        body: shutdownBody,
        response: {
          200: reply(shutdownReportSchema, 'The pipeline has stopped; the report says what happened to its items.'),
        },
      },
    },
    async (request) => {
      const { params, body } = request;
      return host.get(params.id).shutdown(body?.mode ?? 'graceful', body?.timeoutSeconds, operatorOf(request));
    },
  );
};
export default control;
