import { expect } from 'vitest';
import type { TaskContext } from '../../../src/engine/index.ts';
import { ended, expectBooksToBalance, NEVER, named, reaches, type Suite, until } from '../world.ts';

/** Two stages, and an item in every state that an item can be in: 8 fed in all. */
async function everyState({ world }: Suite) {
  const it = await world({ predicates: { isSkip: (value) => value === 'skip' } });
  const p = await it.pipeline([
    { name: 'A', workers: 2, tasks: ['pass'], skipIf: 'isSkip' },
    { name: 'B', tasks: ['gated'] },
    { name: 'Broken', tasks: ['refused'] },
    { name: 'Flaky', tasks: ['flaky'], taskWaitSeconds: NEVER },
  ]);
  await p.feed(named('retrying'), { targetStage: 'Flaky' });
  await p.feed(named('failed 1', 'failed 2'), { targetStage: 'Broken' });
  await ended(p, 2);
  await p.feed(named('running'), {});
  await it.held(1);
  await p.feed(named('queued', 'skip', 'cancelled'), {});
  await until(p, async () => (await p.stats()).queueSizes.B === 3);
  await p.cancelItem('cancelled');
  await reaches(p, 'retrying', 'retrying');
  return { ...it, p };
}

export function looking(suite: Suite): void {
  const { test, world } = suite;

  test('count every item once: fed = processed + failed + cancelled + in flight', async () => {
    const { p, gate, held } = await everyState(suite);
    await expectBooksToBalance(p);
    const stats = await p.stats();
    expect(stats).toMatchObject({ itemsFed: 7, itemsProcessed: 0, itemsFailed: 2, itemsCancelled: 1, itemsInFlight: 4 });
    expect(stats.statusCounts).toMatchObject({ queued: 2, in_progress: 1, retrying: 1, failed: 2, cancelled: 1, completed: 0 });
    expect(stats.queueSizes).toEqual({ A: 0, B: 2, Broken: 0, Flaky: 0 });
    expect(stats.stageStats.A).toMatchObject({ stageName: 'A', completedItems: 3, skippedItems: 1, pendingItems: 0, inProgressItems: 0 });
    expect(stats.stageStats.B).toMatchObject({ completedItems: 0, pendingItems: 2, inProgressItems: 1 });
    expect(stats.stageStats.Flaky).toMatchObject({ pendingItems: 1, retriedItems: 1 });
    expect(stats.stageStats.Broken).toMatchObject({ failedItems: 2 });
    for (let left = 3; left > 0; left--) {
      const [id = ''] = await held(1);
      gate.open(id);
      await expectBooksToBalance(p);
    }
    await ended(p, 6);
    await expectBooksToBalance(p);
  });

  test('are summed up in an overview', async () => {
    const { p } = await everyState(suite);
    expect(await p.overview()).toMatchObject({
      queued: 3,
      running: 1,
      failedLastFiveMinutes: 2,
      ratePerSecond: { in: expect.any(Number), out: expect.any(Number) },
      etaSeconds: null,
      bottleneck: { stage: 'B' },
    });
  });

  test('describe the pipeline with the same numbers', async () => {
    const { p } = await everyState(suite);
    expect(await p.describe()).toMatchObject({ itemsProcessed: 0, itemsFailed: 2, itemsCancelled: 1, itemsInFlight: 4 });
  });

  test('name the event that they are as of', async () => {
    const { p } = await everyState(suite);
    const { asOf } = await p.stats();
    const snapshot = await p.snapshot();
    expect(asOf).toBe(p.events.lines.idOf(p.events.newest));
    expect(snapshot.asOf).toBe(asOf);
    expect(snapshot.pipelineStats.asOf).toBe(asOf);
  });

  test('make one snapshot of it all', async () => {
    const { p } = await everyState(suite);
    const snapshot = await p.snapshot();
    expect(snapshot.pipelineStats.statusCounts).toEqual((await p.stats()).statusCounts);
    expect(snapshot.workerStates).toEqual(await p.workerStates());
    expect(snapshot.workerMetrics).toEqual(await p.workerMetrics());
    expect(snapshot.errorSummary).toEqual(await p.errors());
    expect(new Date(snapshot.timestamp).toISOString()).toBe(snapshot.timestamp);
  });

  test('are copies: nothing in them changes afterwards', async () => {
    const { p, gate, held } = await everyState(suite);
    const seen = [await p.snapshot(), await p.stats(), await p.item('running'), await p.describe(), await p.items({ after: 0, limit: 10 })];
    const before = structuredClone(seen);
    gate.open('running');
    const [next = ''] = await held(1);
    await reaches(p, next, 'in_progress', 'B');
    expect(seen).toEqual(before);
  });

  test('say where it is held up, and what would help', async () => {
    const { p } = await everyState(suite);
    expect((await p.stats()).bottleneck).toEqual({
      stage: 'B',
      reason: 'workers',
      task: null,
      limiter: null,
      until: null,
      workersWaiting: 0,
      workers: expect.any(Number),
    });
    await p.pauseStage('B');
    expect((await p.stats()).bottleneck).toMatchObject({ stage: 'B', reason: 'paused', workersWaiting: 0 });
  });

  test('know throughput, latency and nothing in the way when all is done', async () => {
    const p = await (await world()).pipeline([{ name: 'A', tasks: ['pass'] }]);
    expect(await p.stats()).toMatchObject({ throughputPerSecond: 0, latencySeconds: { p50: null, p90: null, p99: null } });
    await p.run([1, 2, 3], {});
    const { throughputPerSecond, latencySeconds, bottleneck, etaSeconds, handlersIgnoringSignal } = await p.stats();
    expect(throughputPerSecond).toBeGreaterThan(0);
    expect(latencySeconds.p50).toBeGreaterThanOrEqual(0);
    expect(latencySeconds.p99).toBeGreaterThanOrEqual(latencySeconds.p50 ?? 0);
    expect([bottleneck, etaSeconds, handlersIgnoringSignal]).toEqual([null, 0, 0]);
  });

  test('name the workers before any run, in the order of their numbers', async () => {
    const p = await (await world()).pipeline(
      [
        { name: 'Fetch', workers: 3, tasks: ['pass'] },
        { name: 'Process', workers: 2, tasks: ['pass'] },
      ],
      { start: false },
    );
    expect(await p.workerNames()).toEqual({ Fetch: ['Fetch-W0', 'Fetch-W1', 'Fetch-W2'], Process: ['Process-W0', 'Process-W1'] });
    expect(Object.keys(await p.workerStates())).toEqual(['Fetch-W0', 'Fetch-W1', 'Fetch-W2', 'Process-W0', 'Process-W1']);
    expect((await p.workerMetrics())['Fetch-W2']).toEqual({
      workerName: 'Fetch-W2',
      stage: 'Fetch',
      itemsProcessed: 0,
      itemsFailed: 0,
      totalProcessingTimeSeconds: 0,
      avgProcessingTimeSeconds: 0,
      lastActive: null,
    });
  });

  test('show what each worker does, with the status that its task tells', async () => {
    const { pipeline, gate, held } = await world({
      tasks: {
        telling: (value: unknown, ctx: TaskContext) => {
          expect(ctx.setStatus('half way')).toBe(true);
          expect(ctx.setStatus('too soon', { minIntervalSeconds: NEVER })).toBe(false);
          return gate.task(value, ctx);
        },
      },
    });
    const p = await pipeline([{ name: 'A', workers: 2, tasks: ['telling', 'gated'] }]);
    const idle = { status: 'idle', currentItemId: null, currentTask: null, taskStatus: null, processingSince: null, waitingFor: null };
    expect((await p.workerStates())['A-W0']).toEqual({ workerName: 'A-W0', stage: 'A', ...idle });
    await p.feed(named('x'), {});
    await until(p, () => gate.inside.length === 1);
    expect((await p.workerStates())['A-W0']).toEqual({
      workerName: 'A-W0',
      stage: 'A',
      status: 'busy',
      currentItemId: 'x',
      currentTask: 'telling',
      taskStatus: 'half way',
      processingSince: expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/),
      waitingFor: null,
    });
    gate.open('x');
    await until(p, async () => (await p.workerStates())['A-W0']?.currentTask === 'gated');
    expect((await p.workerStates())['A-W0']?.taskStatus).toBeNull();
    await held(1);
    gate.open('x');
    await ended(p, 1);
    await until(p, async () => (await p.workerStates())['A-W0']?.status === 'idle');
  });

  test('measure each worker: processed, failed, time in all and on average', async () => {
    const { pipeline } = await world({
      tasks: {
        picky: (value: unknown, ctx: TaskContext) => {
          if (value === 'bad') throw ctx.permanent('no');
          return value;
        },
      },
    });
    const p = await pipeline([{ name: 'A', tasks: ['picky'] }]);
    await p.run(['good', 'bad', 'fine', 'well'], {});
    const metrics = (await p.workerMetrics())['A-W0'];
    expect(metrics).toMatchObject({ itemsProcessed: 3, itemsFailed: 1, lastActive: expect.any(String) });
    expect(metrics?.avgProcessingTimeSeconds).toBeCloseTo((metrics?.totalProcessingTimeSeconds ?? 0) / 4, 9);
  });
}
