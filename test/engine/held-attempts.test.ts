/** A task that runs in a thread, of which there may be none free: until it begins, it waits, and neither its limit nor its time runs. */
import { describe, expect, it, onTestFinished } from 'vitest';
import { createLocalHost, createTaskRegistry, type LocalHost, type PipelineRuntime } from '../../src/engine/index.ts';
import { type Logger, silentLogger, systemPorts, type ThreadJob, type ThreadRunner } from '../../src/engine/ports.ts';
import { createManualClock } from '../http/sse-harness.ts';

interface Held {
  job: ThreadJob;
  signal: AbortSignal;
  end: (value: unknown) => void;
  fail: (error: Error) => void;
}

/** Threads in which a job begins and ends when the test says so. */
function heldThreads(size = 2) {
  const jobs = new Map<string, Held>();
  const threads: ThreadRunner = {
    size,
    run: (job, signal) =>
      new Promise((end, fail) => {
        jobs.set(job.context.itemId, { job, signal, end, fail });
        signal.addEventListener('abort', () => fail(signal.reason as Error), { once: true });
      }),
    close: async () => true,
  };
  return { threads, held: (id: string): Held => jobs.get(id) ?? expect.fail(`${id} was not called`) };
}

const turns = async (): Promise<void> => {
  for (let i = 0; i < 20; i++) await new Promise((resolve) => setImmediate(resolve));
};

async function world(stage: object = {}, logger: Logger = silentLogger) {
  const clock = createManualClock();
  const { threads, held } = heldThreads();
  const inThread = {
    ...{ name: 'resize', kind: 'task' as const, description: '', paramsSchema: null, parseParams: () => undefined },
    ...{ thread: true, module: 'file:///resize.mjs', run: () => expect.fail('it ran in the event loop') },
  };
  const host = createLocalHost({
    registry: createTaskRegistry([inThread]),
    ports: { ...systemPorts, clock, threads, logger },
    ...{ retentionMaxItems: 100, retentionMaxAgeSeconds: 60, backlogCapacity: 100, eventsKept: 1024 },
    ...{ hookTimeoutSeconds: 1, maxStages: 10, maxWorkersPerStage: 100 },
  });
  onTestFinished(async () => void (await host.shutdown('force', 1)));
  const settings = { workers: 2, taskTimeoutSeconds: 1, taskAttempts: 1, ...stage };
  await host.create({ id: 'p', stages: [{ name: 'A', tasks: ['resize'], ...settings }] });
  return { host, pipeline: host.get('p'), clock, held };
}

const stateOf = async (pipeline: PipelineRuntime) => {
  const { status, error, waitingFor } = await pipeline.item('x');
  return { status, type: error?.type ?? null, waitingFor };
};
const busyOf = async (pipeline: PipelineRuntime): Promise<number> =>
  Object.values(await pipeline.workerMetrics()).reduce((sum, { totalProcessingTimeSeconds }) => sum + totalProcessingTimeSeconds, 0);

describe('an item that waits for a thread', () => {
  it('says so, and does not use up its time limit, nor count as processed meanwhile', async () => {
    const { pipeline, clock, held } = await world();
    await pipeline.feed([{ id: 'x' }], {});
    await turns();
    clock.advance(60_000);
    await turns();
    const waitingFor = { reason: 'thread', task: 'resize' };
    expect(await stateOf(pipeline)).toEqual({ status: 'in_progress', type: null, waitingFor });
    const worker = Object.values(await pipeline.workerStates()).find(({ currentItemId }) => currentItemId === 'x');
    expect(worker).toMatchObject({ currentTask: 'resize', waitingFor });
    held('x').job.onBegin();
    expect(await stateOf(pipeline)).toEqual({ status: 'in_progress', type: null, waitingFor: null });
    clock.advance(900);
    held('x').end('done');
    await turns();
    expect(await stateOf(pipeline)).toMatchObject({ status: 'completed' });
    expect(await busyOf(pipeline)).toBeCloseTo(0.9, 5);
    const { events } = pipeline.events.read(0, 100, { types: new Set(['task']) });
    expect(events.map(({ data }) => 'eventType' in data && [data.eventType, data.durationSeconds])).toEqual([
      ['start', null],
      ['complete', 0.9],
    ]);
  });

  it('has its whole limit once it has begun, and not more', async () => {
    const { pipeline, clock, held } = await world();
    await pipeline.feed([{ id: 'x' }], {});
    await turns();
    clock.advance(5000);
    held('x').job.onBegin();
    clock.advance(999);
    await turns();
    expect(await stateOf(pipeline)).toMatchObject({ status: 'in_progress' });
    clock.advance(1);
    await turns();
    expect(await stateOf(pipeline)).toMatchObject({ status: 'failed', type: 'TaskTimeoutError' });
    expect(held('x').signal.aborted).toBe(true);
    expect(await busyOf(pipeline)).toBeCloseTo(1, 5);
  });

  it('fails with what keeps it from beginning, and is tried again', async () => {
    const { pipeline, clock, held } = await world({ taskAttempts: 2, taskWaitSeconds: 0 });
    await pipeline.feed([{ id: 'x' }], {});
    await turns();
    clock.advance(3000);
    held('x').fail(Object.assign(new Error('did not load'), { name: 'ThreadStart' }));
    await turns();
    clock.advance(1);
    await turns();
    expect(await stateOf(pipeline)).toMatchObject({ waitingFor: { reason: 'thread' } });
    held('x').job.onBegin();
    held('x').end('done');
    await turns();
    expect(await pipeline.item('x')).toMatchObject({ status: 'completed', attempts: 2 });
    expect(await busyOf(pipeline)).toBe(0);
  });

  it.each(['cancel', 'shutdown'] as const)('gives its place up at a %s, and what comes late changes nothing', async (how) => {
    const { pipeline, clock, held } = await world();
    await pipeline.feed([{ id: 'x' }], {});
    await turns();
    clock.advance(2000);
    if (how === 'cancel') await pipeline.cancelItem('x');
    else await pipeline.shutdown('force');
    await turns();
    expect(held('x').signal.aborted).toBe(true);
    held('x').job.onBegin();
    clock.advance(10_000);
    await turns();
    expect(await stateOf(pipeline)).toMatchObject({ status: how === 'cancel' ? 'cancelled' : 'queued' });
    expect(await busyOf(pipeline)).toBe(0);
    for (const { status, waitingFor } of Object.values(await pipeline.workerStates())) expect([status, waitingFor]).toEqual(['idle', null]);
  });

  it('is what holds a stage up, when more workers would not help', async () => {
    const { pipeline, held } = await world();
    await pipeline.feed(
      ['x', 'y', 'z'].map((id) => ({ id })),
      {},
    );
    await turns();
    expect((await pipeline.stats()).bottleneck).toMatchObject({
      stage: 'A',
      reason: 'thread',
      task: 'resize',
      workersWaiting: 2,
      workers: 2,
    });
    for (const id of ['x', 'y']) held(id).job.onBegin();
    expect((await pipeline.stats()).bottleneck).toMatchObject({ stage: 'A', reason: 'workers', workersWaiting: 0 });
  });
});

describe('a stage with more workers than there are threads', () => {
  const crowd = (host: LocalHost, workers: number) =>
    host.put('p', { id: 'p', stages: [{ name: 'A', tasks: ['resize'], taskTimeoutSeconds: 1, taskAttempts: 1, workers }] });

  it('is told so once', async () => {
    const warnings: object[] = [];
    const logger = { ...silentLogger, warn: (fields: object) => void warnings.push(fields) };
    const { host } = await world({ workers: 3 }, logger);
    const told = { pipeline: 'p', stage: 'A', task: 'resize', workers: 3, threads: 2 };
    expect(warnings).toEqual([told]);
    await crowd(host, 4);
    expect(warnings).toEqual([told]);
    await crowd(host, 2);
    await crowd(host, 5);
    expect(warnings).toEqual([told, { ...told, workers: 5 }]);
  });
});
