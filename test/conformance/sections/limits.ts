import { expect } from 'vitest';
import { ended, eventsOf, named, SOON, type Suite, until } from '../world.ts';

export function limits({ test, world }: Suite): void {
  for (const retry of ['per_task', 'per_stage'] as const) {
    test(`never let more than asked run a task, with more workers, in ${retry}`, async () => {
      let running = 0;
      let peak = 0;
      const { pipeline } = await world({
        tasks: {
          counted: async (value: unknown, { attempt }: { attempt: number }) => {
            peak = Math.max(peak, ++running);
            await new Promise((resolve) => setImmediate(resolve));
            running--;
            if (attempt === 1) throw new Error('once');
            return value;
          },
        },
      });
      const limit = { taskConcurrencyLimits: { counted: 2 } };
      const p = await pipeline([{ name: 'A', workers: 6, retry, tasks: ['counted'], taskWaitSeconds: SOON, ...limit }]);
      const { results } = await p.run([1, 2, 3, 4, 5, 6, 7, 8, 9, 10], {});
      expect(results.every(({ error }) => error === null)).toBe(true);
      expect(peak).toBe(2);
    });
  }

  test('leave the other tasks of the stage alone', async () => {
    const { pipeline, gate, held } = await world();
    const p = await pipeline([{ name: 'A', workers: 4, tasks: ['gated', 'pass'], taskConcurrencyLimits: { pass: 1 } }]);
    await p.feed(named('a', 'b', 'c', 'd'), {});
    await held(4);
    gate.open();
    await ended(p, 4);
  });

  test('show a worker that waits for one as busy, with what it waits for', async () => {
    const { pipeline, gate, held } = await world();
    const p = await pipeline([{ name: 'A', workers: 2, tasks: ['gated'], taskConcurrencyLimits: { gated: 1 } }]);
    await p.feed(named('a', 'b'), {});
    await held(1);
    await until(p, async () => (await p.stats()).stageStats.A?.inProgressItems === 2);
    expect(Object.values(await p.workerStates()).map(({ status, waitingFor }) => [status, waitingFor?.reason ?? null])).toEqual([
      ['busy', null],
      ['busy', 'task-limit'],
    ]);
    gate.open('a');
    expect(await held(1)).toEqual(['b']);
    expect((await p.item('b')).waitingFor).toBeNull();
    gate.open('b');
    await ended(p, 2);
  });

  test('of a rate hold back what would be too much in any window', async () => {
    const { pipeline, runs } = await world();
    const p = await pipeline([{ name: 'A', workers: 5, tasks: ['pass'], taskRateLimits: { pass: { limit: 2, perSeconds: 3_600 } } }]);
    await p.feed(named('a', 'b', 'c', 'd'), {});
    await until(p, async () => {
      const { stageStats } = await p.stats();
      return stageStats.A?.completedItems === 2 && stageStats.A.inProgressItems === 2;
    });
    expect(runs).toEqual(['pass:a', 'pass:b']);
    expect(await p.item('c')).toMatchObject({ status: 'in_progress', waitingFor: { reason: 'rate-limit', task: 'pass' } });
  });

  test('of a rate let everything through in the end', async () => {
    const started: number[] = [];
    const { pipeline } = await world({ tasks: { note: () => void started.push(performance.now()) } });
    const p = await pipeline([{ name: 'A', workers: 5, tasks: ['note'], taskRateLimits: { note: { limit: 2, perSeconds: 0.05 } } }]);
    const before = performance.now();
    await p.run([1, 2, 3, 4, 5, 6], {});
    expect(started).toHaveLength(6);
    // Between the moment at which the limiter lets go and the task's first line the machine may lose any time, so that two starts may be
    // nearer to each other than the limiter let them be; from before the first one on, no start may be too early. Clocks round to a millisecond.
    for (const [i, at] of started.entries()) expect(at - before).toBeGreaterThanOrEqual(Math.floor(i / 2) * 48);
  });

  test('do not count as processing time', async () => {
    const p = await (await world()).pipeline([
      { name: 'A', workers: 2, tasks: ['pass'], taskRateLimits: { pass: { limit: 1, perSeconds: 0.1 } } },
    ]);
    const before = performance.now();
    await p.run(named('a', 'b'), {});
    const elapsed = (performance.now() - before) / 1000;
    const runs = eventsOf(p, { types: new Set(['task']) }).flatMap(({ data }) =>
      'durationSeconds' in data && data.durationSeconds !== null ? [{ ...data, durationSeconds: data.durationSeconds }] : [],
    );
    expect(runs.map(({ itemId }) => itemId)).toEqual(['a', 'b']);
    // `b` has waited for a tenth of a second of what it all took, however long that was; clocks round to a millisecond.
    const atMost = elapsed - 0.098;
    const [, { durationSeconds, worker }] = runs as [unknown, (typeof runs)[0]];
    expect(durationSeconds).toBeLessThanOrEqual(atMost);
    const [first, second] = Object.values(await p.workerMetrics());
    expect([first?.itemsProcessed, second?.itemsProcessed]).toEqual([1, 1]);
    expect((await p.workerMetrics())[String(worker)]?.totalProcessingTimeSeconds).toBeLessThanOrEqual(atMost);
  });
}
