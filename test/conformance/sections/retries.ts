import { expect } from 'vitest';
import type { TaskContext } from '../../../src/engine/index.ts';
import { EVERYTHING, ended, eventsOf, idsOf, NEVER, named, reaches, SOON, type Suite, until } from '../world.ts';

export function retries({ test, world }: Suite): void {
  test('in per_task repeat the task that failed, not the ones before it', async () => {
    const { pipeline, runs } = await world();
    const tasks = ['pass', { task: 'flaky', with: { failures: 2 } }, 'double'];
    const p = await pipeline([{ name: 'A', tasks, taskWaitSeconds: SOON }]);
    expect((await p.run([{ id: 'x', value: 21 }], {})).results[0]?.value).toBe(42);
    expect(runs).toEqual(['pass:x', 'flaky:x', 'flaky:x', 'flaky:x', 'double:x']);
    expect((await p.stats()).stageStats.A).toMatchObject({ completedItems: 1, retriedItems: 2, failedItems: 0 });
  });

  test('in per_task give each task its own attempts', async () => {
    const p = await (await world()).pipeline([{ name: 'A', tasks: ['flaky', 'flaky', 'flaky'], taskAttempts: 2, taskWaitSeconds: SOON }]);
    expect((await p.run(named('x'), {})).results[0]).toMatchObject({ value: 'x', error: null });
  });

  test('in per_stage start the stage again with the value that came in', async () => {
    const { pipeline, runs } = await world();
    const tasks = ['double', { task: 'flaky', with: { failures: 2 } }, 'double'];
    const p = await pipeline([{ name: 'A', retry: 'per_stage', tasks, taskWaitSeconds: SOON }]);
    expect((await p.run([{ id: 'x', value: 1 }], {})).results[0]?.value).toBe(4);
    expect(runs).toEqual(['double:x', 'flaky:x', 'double:x', 'flaky:x', 'double:x', 'flaky:x', 'double:x']);
  });

  for (const retry of ['per_task', 'per_stage'] as const) {
    test(`in ${retry} end as failed after the last attempt, counted once`, async () => {
      const { pipeline, runs } = await world();
      const p = await pipeline([{ name: 'A', retry, tasks: ['broken'], taskAttempts: 4, stageAttempts: 4, taskWaitSeconds: SOON }]);
      const { results } = await p.run(named('x'), {});
      expect(results).toMatchObject([{ value: null, error: { type: 'RangeError', message: 'broken', stage: 'A', attempts: 4 } }]);
      expect(runs).toHaveLength(4);
      const stats = await p.stats();
      expect(stats).toMatchObject({ itemsFailed: 1, itemsProcessed: 0, stageStats: { A: { failedItems: 1, retriedItems: 3 } } });
      expect((await p.workerMetrics())['A-W0']).toMatchObject({ itemsFailed: 1, itemsProcessed: 0 });
    });

    test(`in ${retry} are not spent on a permanent error`, async () => {
      const { pipeline, runs } = await world();
      const p = await pipeline([{ name: 'A', retry, tasks: ['refused'], taskWaitSeconds: NEVER }]);
      const { results } = await p.run(named('x'), {});
      expect(results[0]?.error).toEqual({ type: 'PermanentError', message: 'useless', stage: 'A', attempts: 1 });
      expect(runs).toEqual(['refused:x']);
    });

    test(`in ${retry} start from the value as it was, whatever a failed attempt made of it`, async () => {
      const { pipeline } = await world({
        tasks: {
          spoil: (value: string[], { attempt }: TaskContext) => {
            value.push(`attempt ${attempt}`);
            if (attempt < 3) throw new Error('not yet');
            return value;
          },
        },
      });
      const p = await pipeline([{ name: 'A', retry, tasks: ['spoil'], taskWaitSeconds: SOON }]);
      expect((await p.run([[]], {})).results[0]?.value).toEqual(['attempt 3']);
    });

    test(`in ${retry} occupy no worker while they wait`, async () => {
      const { pipeline } = await world({
        tasks: {
          picky: (value: unknown) => {
            if (value === 'bad') throw new Error('later');
            return value;
          },
        },
      });
      const p = await pipeline([{ name: 'A', retry, tasks: ['picky'], taskWaitSeconds: NEVER }]);
      await p.feed(named('bad', 'good'), {});
      await reaches(p, 'good', 'completed');
      expect(await p.item('bad')).toMatchObject({ status: 'retrying', worker: null, attempts: 1, waitingFor: { reason: 'retry' } });
      expect((await p.workerStates())['A-W0']?.status).toBe('idle');
      expect((await p.stats()).stageStats.A).toMatchObject({ pendingItems: 1, inProgressItems: 0 });
    });

    test(`in ${retry} need no free place: a full stage whose items all fail once goes through`, async () => {
      const p = await (await world()).pipeline([
        { name: 'A', workers: 2, tasks: ['pass'] },
        { name: 'B', workers: 2, retry, tasks: ['flaky'], taskWaitSeconds: SOON, queueCapacity: 1 },
      ]);
      const { results } = await p.run(
        Array.from({ length: 40 }, (_, i) => i),
        {},
      );
      expect(results.map(({ value, error }) => error ?? value)).toEqual(Array.from({ length: 40 }, (_, i) => i));
    });

    test(`in ${retry} are waited for at the end of a run`, async () => {
      const p = await (await world()).pipeline([
        { name: 'A', workers: 10, retry, tasks: [{ task: 'flaky', with: { failures: 2 } }], taskWaitSeconds: SOON },
      ]);
      await p.feed([1, 2, 3, 4, 5, 6, 7, 8, 9, 10], {});
      expect(await p.join()).toMatchObject({ done: true, stats: { itemsProcessed: 10, itemsInFlight: 0 } });
    });
  }

  test('wait as long as the task asks for, be it shorter or longer than the stage’s own wait', async () => {
    const { pipeline } = await world({
      tasks: {
        asks: (value: number, ctx: TaskContext) => {
          if (ctx.attempt === 1) throw ctx.retryAfter(value);
          return value;
        },
      },
    });
    const p = await pipeline([
      { name: 'Long', tasks: ['asks'], taskWaitSeconds: NEVER },
      { name: 'Short', tasks: ['asks'], taskWaitSeconds: 0 },
    ]);
    expect((await p.run([{ id: 'x', value: SOON }], { targetStage: 'Long' })).results[0]?.error).toBeNull();
    await p.feed([{ id: 'y', value: 86_400 }], { targetStage: 'Short' });
    await reaches(p, 'y', 'retrying');
    const { waitingFor, updatedAt } = await p.item('y');
    expect((Date.parse(waitingFor?.until ?? '') - Date.parse(updatedAt)) / 1000).toBeCloseTo(86_400, 0);
  });

  test('wait twice as long each time when the backoff is exponential, up to a maximum', async () => {
    const p = await (await world()).pipeline([
      { name: 'A', tasks: ['broken'], taskAttempts: 5, backoff: 'exponential', taskWaitSeconds: SOON, maxWaitSeconds: 3 * SOON },
    ]);
    await p.feed(named('x'), {});
    await ended(p, 1);
    const waits = eventsOf(p, { types: new Set(['status']), status: new Set(['retrying']) }).map(({ data }) =>
      'metadata' in data ? data.metadata.waitSeconds : undefined,
    );
    expect(waits).toEqual([SOON, 2 * SOON, 3 * SOON, 3 * SOON]);
  });

  test('tell why in a retrying event, with the number of the next attempt', async () => {
    const p = await (await world()).pipeline([{ name: 'A', tasks: ['flaky'], taskWaitSeconds: SOON }]);
    await p.run(named('x'), {});
    const { history } = await p.item('x');
    expect(history.map(({ status }) => status)).toEqual(['queued', 'in_progress', 'retrying', 'queued', 'in_progress', 'completed']);
    expect(history[2]?.metadata).toMatchObject({ retry: true, attempt: 2, error: 'attempt 1 failed', errorType: 'RangeError' });
  });

  test('come back in their priority, before what waits with a lower one', async () => {
    const { pipeline, gate, held } = await world();
    const p = await pipeline([{ name: 'A', tasks: ['gated', 'flaky'], taskWaitSeconds: SOON }]);
    await p.feed(named('urgent'), { priority: 1 });
    await held(1);
    await p.feed(named('n1', 'n2'), {});
    await p.pause();
    gate.open('urgent');
    await until(p, async () => {
      const { status, attempts } = await p.item('urgent');
      return status === 'queued' && attempts === 1;
    });
    await p.resume();
    await reaches(p, 'urgent', 'completed');
    await held(1);
    await until(p, () => idsOf(p, 'in_progress').length > 2);
    expect(idsOf(p, 'in_progress')).toEqual(['urgent', 'urgent', 'n1']);
  });

  test('follow a timeout, which aborts the signal and frees the worker', async () => {
    const reasons: unknown[] = [];
    const { pipeline } = await world({
      tasks: {
        hangs: (_value: unknown, { signal }: TaskContext) =>
          new Promise((_resolve, reject) => {
            signal.addEventListener('abort', () => {
              reasons.push((signal.reason as Error).name);
              reject(signal.reason);
            });
          }),
      },
    });
    const p = await pipeline([{ name: 'A', tasks: ['hangs'], taskTimeoutSeconds: SOON, taskAttempts: 2, taskWaitSeconds: SOON }]);
    const { results } = await p.run(named('x'), {});
    expect(results[0]?.error).toMatchObject({ type: 'TaskTimeoutError', stage: 'A', attempts: 2 });
    expect(reasons).toEqual(['TaskTimeoutError', 'TaskTimeoutError']);
    expect((await p.items({ ...EVERYTHING, status: ['failed'] })).rows).toHaveLength(1);
  });

  test('come after whatever is thrown, error or not', async () => {
    const thrown = [undefined, null, 'text', 7, { reason: 'x' }];
    const { pipeline } = await world({
      tasks: {
        throws: (value: number) => {
          throw thrown[value];
        },
      },
    });
    const p = await pipeline([{ name: 'A', tasks: ['throws'], taskAttempts: 2, taskWaitSeconds: 0 }]);
    const { results } = await p.run([0, 1, 2, 3, 4], {});
    expect(results.map(({ error }) => [error?.type, error?.message, error?.attempts])).toEqual(
      ['undefined', 'null', 'text', '7', '{"reason":"x"}'].map((message) => ['NonError', message, 2]),
    );
  });
}
