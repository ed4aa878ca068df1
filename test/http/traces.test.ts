/** The `traceparent` of a request that feeds, on its way to what the tasks call, in a service without an SDK. */
import { describe, expect, it, onTestFinished } from 'vitest';
import type { TaskContext, TaskDeclaration } from '../../src/engine/index.ts';
import { builtInTasks } from '../../tasks/index.ts';
import { serve } from '../tasks/http-server.ts';
import { create, type Service, startService } from './app-harness.ts';

const TRACE = { traceparent: '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01', tracestate: 'v=1' };
const [json, ndjson] = ['application/json', 'application/x-ndjson'];

/** A service whose pipeline `p` notes of each item what its task was told of a trace. */
async function looking(): Promise<{ service: Service; seen: unknown[] }> {
  const seen: unknown[] = [];
  const look = (value: unknown, ctx: TaskContext): unknown => {
    seen.push(ctx.trace);
    return value;
  };
  const task: TaskDeclaration = {
    name: 'look',
    kind: 'task',
    description: '',
    paramsSchema: null,
    parseParams: () => undefined,
    run: look,
  };
  const service = await startService({ tasks: [task, ...builtInTasks({ outputDir: 'unused', httpAllowHosts: ['127.0.0.1'] })] });
  onTestFinished(() => service[Symbol.asyncDispose]());
  await create(service, { id: 'p', stages: [{ name: 'Look', tasks: ['look'] }] });
  return { service, seen };
}

describe('the place in a trace that a request names', () => {
  it.each([
    ['feed', json, undefined],
    ['feed', ndjson, undefined],
    ['run', json, undefined],
    ['run', ndjson, undefined],
    ['run', json, ndjson],
    ['run', ndjson, 'text/event-stream'],
  ])('reaches the task by %s of %s, answered as %s', async (route, type, accept) => {
    const { service, seen } = await looking();
    const headers = { 'content-type': type, ...(accept !== undefined && { accept }) };
    const payload = type === json ? '{"items":["x"]}' : '"x"\n';
    const send = (trace: object) =>
      service.app.inject({ method: 'POST', url: `/pipelines/p/${route}`, headers: { ...headers, ...trace }, payload });
    for (const trace of [TRACE, {}, { ...TRACE, traceparent: 'nonsense' }]) expect((await send(trace)).statusCode).toBeLessThan(300);
    await service.host.get('p').join();
    expect(seen).toEqual([TRACE, null, null]);
  });

  it('goes on in the request of http_request, through the stages before', async () => {
    const { service } = await looking();
    const server = await serve((_request, reply) => reply.end());
    const fetching = { task: 'http_request', with: { url: server.origin } };
    const stages = [
      { name: 'Look', tasks: ['look'] },
      { name: 'Fetch', tasks: [fetching] },
    ];
    await create(service, { id: 'q', stages });
    const headers = { 'content-type': json, ...TRACE };
    const answer = await service.app.inject({ method: 'POST', url: '/pipelines/q/run', headers, payload: '{"items":["x"]}' });
    expect(answer.json().results).toMatchObject([{ error: null }]);
    expect(server.seen).toMatchObject([{ headers: TRACE }]);
  });
});
