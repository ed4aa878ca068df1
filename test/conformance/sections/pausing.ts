import { expect } from 'vitest';
import type { PipelineRuntime } from '../../../src/engine/index.ts';
import { ended, eventsOf, expectBooksToBalance, inTime, NEVER, named, reaches, SOON, type Suite, seqOf, until } from '../world.ts';

/** The seq of the pipeline event of that change. */
function seqOfChange(p: PipelineRuntime, change: string): number {
  const found = eventsOf(p, { types: new Set(['pipeline']) }).find(({ data }) => 'change' in data && data.change === change);
  expect(found, `a pipeline event "${change}"`).toBeDefined();
  return found?.seq ?? Number.NaN;
}

export function pausing({ test, world }: Suite): void {
  test('lets running items finish, starts none, and goes on where it was', async () => {
    const { pipeline, gate, held } = await world();
    const p = await pipeline([
      { name: 'A', tasks: ['gated'] },
      { name: 'B', tasks: ['pass'] },
    ]);
    await p.feed(named('a', 'b'), {});
    await held(1);
    await p.pause();
    expect((await p.describe()).state).toBe('paused');
    gate.open('a');
    await reaches(p, 'a', 'queued', 'B');
    expect(await p.stats()).toMatchObject({ queueSizes: { A: 1, B: 1 }, itemsProcessed: 0 });
    await expectBooksToBalance(p);
    await p.resume();
    await held(1);
    gate.open('b');
    await ended(p, 2);
    const resumed = seqOfChange(p, 'resumed');
    expect(seqOf(p, 'a', 'in_progress', 'B')).toBeGreaterThan(resumed);
    expect(seqOf(p, 'b', 'in_progress', 'A')).toBeGreaterThan(resumed);
  });

  test('takes feeds meanwhile, and brings retries back to their queue', async () => {
    const { pipeline, gate, held, runs } = await world();
    const p = await pipeline([{ name: 'A', tasks: ['gated', 'flaky'], taskWaitSeconds: SOON }]);
    await p.feed(named('x'), {});
    await held(1);
    await p.pause();
    await p.feed(named('y'), {});
    gate.open('x');
    await until(p, async () => (await p.stats()).queueSizes.A === 2);
    expect(runs).toEqual(['gated:x', 'flaky:x']);
    expect(await p.item('x')).toMatchObject({ status: 'queued', waitingFor: { reason: 'paused' } });
    await p.resume();
    await held(1);
    gate.open('y');
    await ended(p, 2);
  });

  test('of a stage holds that stage alone, shows in the description, and ends with its resuming', async () => {
    const p = await (await world()).pipeline([
      { name: 'A', tasks: ['pass'] },
      { name: 'B', tasks: ['pass'] },
    ]);
    await p.pauseStage('A');
    expect(await p.describe()).toMatchObject({ state: 'running', pausedStages: ['A'] });
    await p.feed(named('x'), {});
    await p.feed(named('y'), { targetStage: 'B' });
    await reaches(p, 'y', 'completed');
    expect(await p.item('x')).toMatchObject({ status: 'queued', stage: 'A' });
    await p.resumeStage('A');
    await reaches(p, 'x', 'completed');
    expect((await p.describe()).pausedStages).toEqual([]);
    expect(seqOf(p, 'x', 'in_progress', 'A')).toBeGreaterThan(seqOfChange(p, 'stage-resumed'));
  });

  test('of a later stage lets the one before fill its queue and wait; nothing is lost', async () => {
    const p = await (await world()).pipeline([
      { name: 'A', workers: 2, tasks: ['pass'] },
      { name: 'B', tasks: ['pass'], queueCapacity: 3 },
    ]);
    await p.pauseStage('B');
    await p.feed([1, 2, 3, 4, 5, 6, 7, 8, 9, 10], {});
    await until(p, async () => (await p.stats()).stageStats.A?.inProgressItems === 2 && (await p.stats()).queueSizes.B === 3);
    await expectBooksToBalance(p);
    await p.resumeStage('B');
    await ended(p, 10);
    expect((await p.stats()).itemsProcessed).toBe(10);
  });

  test('of a stage by itself, after too many failures: what was not tried waits, and the reason is told until it is resumed', async () => {
    const told: unknown[] = [];
    const hooked = Promise.withResolvers<void>();
    const hook = (itemId: string, error: unknown): void => {
      told.push([itemId, (error as Error).message]);
      hooked.resolve();
    };
    const { pipeline, runs, host } = await world({ hooks: { told: hook } });
    const stages = [
      { name: 'A', tasks: ['refused'], pauseAfterFailures: { count: 3, withinSeconds: NEVER, hook: 'told' } },
      { name: 'B', tasks: ['pass'] },
    ];
    const p = await pipeline(stages);
    const ids = Array.from({ length: 10 }, (_, i) => `i${i}`);
    await p.feed(named(...ids), {});
    await ended(p, 3);
    await hooked.promise;
    const reason = `3 items failed within ${NEVER} s, the last one with PermanentError: useless`;
    expect(await p.describe()).toMatchObject({ state: 'running', pausedStages: ['A'], pausedReasons: { A: reason }, itemsInFlight: 7 });
    expect(await p.item('i3')).toMatchObject({ status: 'queued', waitingFor: { reason: 'paused' } });
    const paused = eventsOf(p, { types: new Set(['pipeline']) }).flatMap(({ data }) => ('change' in data && data.reason ? [data] : []));
    expect(paused).toMatchObject([{ change: 'stage-paused', stage: 'A', reason }]);
    await p.feed(named('b'), { targetStage: 'B' });
    await reaches(p, 'b', 'completed');
    await p.resumeStage('A');
    await ended(p, 7);
    expect(await p.describe()).toMatchObject({ pausedStages: ['A'], itemsFailed: 6 });
    await inTime(async () => told.length === 2);
    expect(told).toEqual([
      ['i2', 'useless'],
      ['i5', 'useless'],
    ]);
    await host.put('p', { id: 'p', stages: [{ name: 'A', tasks: ['refused'] }, stages[1]] });
    expect(await p.describe()).toMatchObject({ pausedStages: ['A'], pausedReasons: { A: reason } });
    await p.resumeStage('A');
    await ended(p, 11);
    expect(await p.describe()).toMatchObject({ pausedStages: [], pausedReasons: {}, itemsFailed: 10 });
    expect(runs.filter((run) => run.startsWith('refused'))).toHaveLength(10);
    await expectBooksToBalance(p);
  });

  test('of a stage by itself follows a new definition at once', async () => {
    const { pipeline, host } = await world();
    const stages = (limit?: { count: number; withinSeconds: number }) => [
      { name: 'A', tasks: ['refused'], ...(limit && { pauseAfterFailures: limit }) },
    ];
    const p = await pipeline(stages({ count: 100, withinSeconds: NEVER }));
    await p.feed(named('a', 'b', 'c'), {});
    await ended(p, 3);
    await host.put('p', { id: 'p', stages: stages({ count: 5, withinSeconds: NEVER }) });
    await p.feed(named('d', 'e', 'f', 'g'), {});
    await ended(p, 5);
    expect(await p.describe()).toMatchObject({ pausedStages: ['A'], itemsInFlight: 2 });
    await p.resumeStage('A');
    await ended(p, 7);
    await host.put('p', { id: 'p', stages: stages() });
    await p.feed(named('h', 'i', 'j', 'k'), {});
    await ended(p, 11);
    await host.put('p', { id: 'p', stages: stages({ count: 1, withinSeconds: NEVER }) });
    await p.feed(named('l', 'm'), {});
    await ended(p, 12);
    expect(await p.describe()).toMatchObject({ pausedStages: ['A'], itemsInFlight: 1 });
  });

  test('is idempotent, and refused where it has no meaning', async () => {
    const p = await (await world()).pipeline([{ name: 'A', tasks: ['pass'] }], { start: false });
    await expect(p.pause()).rejects.toMatchObject({ code: 'invalid-state' });
    await expect(p.resume()).rejects.toMatchObject({ code: 'invalid-state' });
    await p.start();
    await p.pause();
    await p.pause();
    await expect(p.start()).rejects.toMatchObject({ code: 'already-running' });
    await p.resume();
    await p.resume();
    await p.pauseStage('A');
    await p.pauseStage('A');
    await p.resumeStage('A');
    await p.resumeStage('A');
    await expect(p.pauseStage('Z')).rejects.toMatchObject({ code: 'unknown-stage' });
    await expect(p.resumeStage('Z')).rejects.toMatchObject({ code: 'unknown-stage' });
    expect((await p.describe()).state).toBe('running');
    const changes = eventsOf(p, { types: new Set(['pipeline']) }).flatMap(({ data }) => ('change' in data ? [data.change] : []));
    expect(changes).toEqual(['started', 'paused', 'resumed', 'stage-paused', 'stage-resumed']);
  });
}
