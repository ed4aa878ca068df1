import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { describe, expect, it, onTestFinished } from 'vitest';
import { createLocalHost, createTaskRegistry, type PipelineRuntime } from '../../src/engine/index.ts';
import { type Clock, systemClock, systemPorts } from '../../src/engine/ports.ts';
import { createThreadRunner } from '../../src/loader/threads.ts';
import { createManualClock } from '../http/sse-harness.ts';
import { folderWith } from '../loader/folder.ts';

const BUSY = `export default { run(value, ctx) {
  ctx.setStatus('busy');
  if (value === 'hang' || (value === 'hang once' && ctx.attempt === 1)) for (;;);
  return value === 'trace' ? ctx.trace : [value, ctx.attempt, ctx.worker];
} };`;

/** A pipeline whose one task runs in a worker thread, on the clock of the machine unless it gets another. */
async function pipelineOf(stage: object, clock: Clock = systemClock): Promise<PipelineRuntime> {
  const module = pathToFileURL(join(folderWith({ 'busy.mjs': BUSY }), 'busy.mjs')).href;
  const busy = {
    name: 'busy',
    kind: 'task' as const,
    description: '',
    paramsSchema: null,
    parseParams: () => undefined,
    thread: true,
    module,
    run: () => expect.fail('it ran in the event loop'),
  };
  const host = createLocalHost({
    registry: createTaskRegistry([busy]),
    ports: { ...systemPorts, clock, threads: createThreadRunner({ maxThreads: 2 }) },
    retentionMaxItems: 100,
    retentionMaxAgeSeconds: 60,
    backlogCapacity: 100,
    eventsKept: 1024,
    hookTimeoutSeconds: 1,
    maxStages: 10,
    maxWorkersPerStage: 10,
  });
  onTestFinished(async () => void (await host.shutdown('force', 1)));
  await host.create({ id: 'p', stages: [{ name: 'A', tasks: ['busy'], ...stage }] });
  return host.get('p');
}

/** Waits for an event of the pipeline. */
function eventually(pipeline: PipelineRuntime, fits: (event: { type: string; data: object }) => boolean): Promise<void> {
  const types = new Set(['status', 'task', 'result'] as const);
  return new Promise((resolve) => {
    const look = (): void => {
      if (!pipeline.events.read(0, 10_000, { types }).events.some(fits)) return;
      leave();
      resolve();
    };
    const leave = pipeline.events.subscribe(look);
    look();
  });
}
const isBusy = ({ data }: { data: object }): boolean => 'taskStatus' in data && data.taskStatus === 'busy';

describe('a task in a worker thread', () => {
  it('answers like any other', async () => {
    const pipeline = await pipelineOf({});
    const { results } = await pipeline.run([{ id: 'x', value: 'quick' }], {});
    expect(results).toMatchObject([{ id: 'x', value: ['quick', 1, 'A-W0'], error: null }]);
  });

  it('is told the place of its item in a trace', async () => {
    const pipeline = await pipelineOf({});
    const trace = { traceparent: '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01', tracestate: 'v=1' };
    const { results } = await pipeline.run(['trace'], { trace });
    expect(results[0]?.value).toEqual(trace);
  });

  it('is really stopped by its timeout, and its item tried again', async () => {
    // What a machine needs to start a thread is not counted: the time is up when the handler hangs.
    const clock = createManualClock();
    const pipeline = await pipelineOf({ taskTimeoutSeconds: 1, taskAttempts: 2, taskWaitSeconds: 0 }, clock);
    const ran = pipeline.run(
      ['hang once', 'hang'].map((id) => ({ id, value: id })),
      {},
    );
    for (const [id, attempt] of [
      ['hang once', 1],
      ['hang', 1],
      ['hang', 2],
    ] as const) {
      await eventually(
        pipeline,
        ({ data }) => isBusy({ data }) && 'itemId' in data && data.itemId === id && 'attempt' in data && data.attempt === attempt,
      );
      clock.advance(1000);
    }
    const { results } = await ran;
    expect(results.map(({ value, error }) => error?.type ?? value)).toEqual([['hang once', 2, 'A-W0'], 'TaskTimeoutError']);
  });

  it('is really stopped by a cancel, and its thread serves the next', async () => {
    const pipeline = await pipelineOf({});
    await pipeline.feed([{ id: 'x', value: 'hang' }], {});
    await eventually(pipeline, isBusy);
    expect(await pipeline.cancelItem('x')).toMatchObject({ status: 'cancelled' });
    const { results } = await pipeline.run(['quick'], {});
    expect(results).toMatchObject([{ value: ['quick', 1, 'A-W0'] }]);
  });

  it('is really stopped by a forced shutdown, and its item kept', async () => {
    const pipeline = await pipelineOf({});
    await pipeline.feed([{ id: 'x', value: 'hang' }], {});
    await eventually(pipeline, isBusy);
    expect(await pipeline.shutdown('force')).toMatchObject({ aborted: 1, leftQueued: 1, notKeptIds: ['x'] });
    expect(await pipeline.item('x')).toMatchObject({ status: 'queued', attempts: 0 });
  });
});
