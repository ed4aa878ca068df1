import type { FastifyPluginAsync } from 'fastify';
import type { PipelineRuntime } from '../src/engine/index.ts';
import { toControlled } from '../src/http/routing/pipeline-view.ts';
import type { RouteDeps } from '../src/http/routing/route-deps.ts';
import { noBody, noQuery, pipelineParams, problems, reply, stageParams } from '../src/http/schemas/route-schemas.ts';
import type { ZodTypes } from '../src/http/schemas/schema-compiler.ts';
import { joinBodySchema, shutdownBodySchema, shutdownReportSchema } from '../src/schemas/control.ts';
import { pipelineControlledSchema } from '../src/schemas/pipeline.ts';
import type { ErrorCode } from '../src/schemas/problem.ts';
import { pipelineStatsSchema } from '../src/schemas/stats.ts';

const tags = ['Control'];

interface Action {
  name: string;
  summary: string;
  description: string;
  codes: ErrorCode[];
  act(runtime: PipelineRuntime): Promise<void>;
}

const ACTIONS: Action[] = [
  {
    name: 'start',
    summary: 'Start a pipeline',
    description: 'Also one that was stopped: items that wait in it are run.',
    codes: ['already-running', 'invalid-state'],
    act: (runtime) => runtime.start(),
  },
  {
    name: 'pause',
    summary: 'Pause a pipeline',
    description: 'No item is handed to a worker any more; what runs, finishes. Feeding goes on.',
    codes: ['invalid-state'],
    act: (runtime) => runtime.pause(),
  },
  {
    name: 'resume',
    summary: 'Resume a paused pipeline',
    description: 'Items are handed out again.',
    codes: ['invalid-state'],
    act: (runtime) => runtime.resume(),
  },
];

const STAGE_ACTIONS: (Omit<Action, 'act'> & { act(runtime: PipelineRuntime, stage: string): Promise<void> })[] = [
  {
    name: 'pause',
    summary: 'Pause one stage',
    description: 'Its workers take no more items; the stages before it fill up.',
    codes: ['invalid-state'],
    act: (runtime, stage) => runtime.pauseStage(stage),
  },
  {
    name: 'resume',
    summary: 'Resume one stage',
    description: 'Its workers take items again.',
    codes: [],
    act: (runtime, stage) => runtime.resumeStage(stage),
  },
];

/** What a pipeline is told to do. */
const control: FastifyPluginAsync<RouteDeps> = async (instance, { host }) => {
  const app = instance.withTypeProvider<ZodTypes>();

  for (const { name, summary, description, codes, act } of ACTIONS) {
    app.post(
      `/pipelines/:id/${name}`,
      {
        config: { scope: 'operate', newWork: name !== 'pause' },
        schema: {
          tags,
          operationId: `${name}Pipeline`,
          summary,
          description,
          querystring: noQuery,
          params: pipelineParams,
          body: noBody,
          response: {
            200: reply(pipelineControlledSchema, 'The pipeline after it.'),
            ...problems(...codes),
          },
        },
      },
      async ({ params, caller }) => {
        const runtime = host.get(params.id);
        await act(runtime);
        return toControlled(await runtime.describe(), caller);
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
            200: reply(pipelineControlledSchema, 'The pipeline after it.'),
            ...problems(...codes),
          },
        },
      },
      async ({ params, caller }) => {
        const runtime = host.get(params.id);
        await act(runtime, params.stage);
        return toControlled(await runtime.describe(), caller);
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
        summary: 'Finish everything, then stop',
        description:
          'Refuses new feeds, finishes every item in every stage, stops the workers. It goes on when the time is up or the client has gone.',
        querystring: noQuery,
        params: pipelineParams,
        body: joinBodySchema.optional(),
        response: {
          200: reply(pipelineStatsSchema, 'Everything is finished.'),
          202: reply(pipelineStatsSchema, 'The time is up; it is still draining. The statistics so far.'),
          ...problems('invalid-state', 'shutting-down'),
        },
      },
    },
    async ({ params, body }, response) => {
      const { done, stats } = await host.get(params.id).join(body?.timeoutSeconds);
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
        body: shutdownBodySchema.optional(),
        response: {
          200: reply(shutdownReportSchema, 'Stopped; what became of the items.'),
        },
      },
    },
    async ({ params, body }) => host.get(params.id).shutdown(body?.mode ?? 'graceful', body?.timeoutSeconds),
  );
};
export default control;
