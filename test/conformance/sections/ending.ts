import { expect } from 'vitest';
import type { ShutdownReport } from '../../../src/schemas/control.ts';
import { ended, expectBooksToBalance, NEVER, named, reaches, SOON, type Suite, until } from '../world.ts';

/** A store that keeps its items loses none of those left; one that does not names them. */
function expectHonest(report: ShutdownReport): void {
  expect([0, report.leftQueued]).toContain(report.notKept);
  expect(report.notKeptIds).toHaveLength(Math.min(100, report.notKept));
}

export function ending({ test, world }: Suite): void {
  test('graceful: what runs finishes its stage, the rest stays queued for the next start', async () => {
    const { pipeline, gate, held, runs } = await world();
    const p = await pipeline([
      { name: 'A', tasks: ['gated'] },
      { name: 'B', tasks: ['pass'] },
    ]);
    await p.feed(named('a', 'b'), {});
    await held(1);
    const ending = p.shutdown('graceful', 60);
    gate.open('a');
    const report = await ending;
    expect(report).toMatchObject({ mode: 'graceful', finished: 0, leftQueued: 2, aborted: 0, timedOut: false });
    expectHonest(report);
    expect((await p.describe()).state).toBe('stopped');
    expect((await p.items({ after: 0, limit: 10 })).rows.map(({ id, stage, status }) => [id, stage, status])).toEqual([
      ['a', 'B', 'queued'],
      ['b', 'A', 'queued'],
    ]);
    await expectBooksToBalance(p);
    await p.start();
    await held(1);
    gate.open('b');
    await ended(p, 2);
    expect(runs.toSorted()).toEqual(['gated:a', 'gated:b', 'pass:a', 'pass:b']);
  });

  test('drain: every item ends, also those in retry waits and behind paused stages', async () => {
    const p = await (await world()).pipeline([
      { name: 'A', tasks: ['flaky'], taskWaitSeconds: SOON },
      { name: 'B', tasks: ['pass'] },
    ]);
    await p.pauseStage('B');
    await p.feed([1, 2, 3], {});
    const report = await p.shutdown('drain', 60);
    expect(report).toEqual({ mode: 'drain', finished: 3, leftQueued: 0, aborted: 0, notKept: 0, notKeptIds: [], timedOut: false });
    expect((await p.describe()).state).toBe('stopped');
  });

  for (const retry of ['per_task', 'per_stage'] as const) {
    test(`force: what runs is aborted and goes back to where it was, its attempt not counted, in ${retry}`, async () => {
      const { pipeline, gate, held, runs } = await world();
      const p = await pipeline([
        { name: 'A', workers: 2, retry, tasks: ['gated'], taskAttempts: 2, stageAttempts: 2, taskWaitSeconds: SOON },
      ]);
      await p.feed(named('a', 'b', 'c'), {});
      await held(2);
      const report = await p.shutdown('force', 60);
      expect(report).toMatchObject({ mode: 'force', finished: 0, leftQueued: 3, aborted: 2, timedOut: false });
      expectHonest(report);
      expect(await p.item('a')).toMatchObject({ status: 'queued', stage: 'A', worker: null, attempts: 0 });
      await expectBooksToBalance(p);
      expect(runs).toEqual(['gated:a', 'gated:b']);
      await p.cancelItem('c');
      await p.start();
      await held(2);
      for (const id of ['a', 'b']) gate.fail(id, new Error('the first attempt that counts'));
      await held(2);
      gate.open();
      await ended(p, 3);
      expect(await p.stats()).toMatchObject({ itemsProcessed: 2, itemsFailed: 0, itemsCancelled: 1 });
    });
  }

  test('turns to force when its time is up, and says so', async () => {
    const { pipeline, held } = await world();
    const p = await pipeline([{ name: 'A', tasks: ['gated'] }]);
    await p.feed(named('a'), {});
    await held(1);
    expect(await p.shutdown('graceful', 0.01)).toMatchObject({ mode: 'force', leftQueued: 1, aborted: 1, timedOut: true });
    await p.start();
    await held(1);
    expect(await p.shutdown('drain', 0.01)).toMatchObject({ mode: 'force', leftQueued: 1, aborted: 1, timedOut: true });
  });

  test('in a harder mode overtakes a softer one that still runs; both get the same report', async () => {
    const { pipeline, held } = await world();
    const p = await pipeline([{ name: 'A', tasks: ['gated'] }]);
    await p.feed(named('a', 'b'), {});
    await held(1);
    const soft = p.shutdown('drain', NEVER);
    const harder = p.shutdown('graceful', NEVER);
    const hardest = p.shutdown('force', NEVER);
    const report = await hardest;
    expect(report).toMatchObject({ mode: 'force', leftQueued: 2, aborted: 1, timedOut: false });
    expect(await soft).toEqual(report);
    expect(await harder).toEqual(report);
  });

  test('twice, and of what never ran, is nothing', async () => {
    const p = await (await world()).pipeline([{ name: 'A', tasks: ['pass'] }], { start: false });
    await p.feed(named('a'), {});
    for (let i = 0; i < 2; i++) {
      expect(await p.shutdown('graceful', 10)).toMatchObject({ mode: 'graceful', finished: 0, leftQueued: 1, aborted: 0, timedOut: false });
    }
    await p.start();
    await reaches(p, 'a', 'completed');
  });

  test('leaves retry waits, which go on after the next start', async () => {
    const { pipeline } = await world();
    const p = await pipeline([{ name: 'A', tasks: ['flaky'], taskWaitSeconds: 0.02 }]);
    await p.feed(named('a'), {});
    await until(p, async () => (await p.item('a')).history.some(({ status }) => status === 'retrying'));
    await p.shutdown('graceful', 10);
    const { status } = await p.item('a');
    // Under load its wait may have been over before the shutdown began.
    if (status !== 'completed') {
      expect(await p.stats()).toMatchObject({ itemsInFlight: 1 });
      await p.start();
      await reaches(p, 'a', 'completed');
    }
    expect((await p.item('a')).history.filter(({ final }) => final)).toHaveLength(1);
  });

  test('tells a join that it was cut short', async () => {
    const { pipeline, held } = await world();
    const p = await pipeline([{ name: 'A', tasks: ['gated'] }]);
    await p.feed(named('a'), {});
    await held(1);
    const refused = expect(p.join()).rejects.toMatchObject({ code: 'invalid-state' });
    await p.shutdown('force', 10);
    await refused;
  });
}
