import { describe, expect, it } from 'vitest';
import type { TaskContext } from '../../src/engine/index.ts';
import { StatusTracker } from '../../src/engine/index.ts';
import { createGate, expectBooksToBalance, virtualPipeline } from './harness.ts';

const passOn = (value: unknown) => value;
const numbers = (count: number) => Array.from({ length: count }, (_, i) => i);

// Each title names a fault of AntFlow 0.7.2 or 0.10.0, as seen by running it, that is none here.
describe('AntFlow loses work', () => {
  it('A1: per_stage retries at the end of a run are lost by join', async () => {
    for (const [items, workers] of [
      [10, 10],
      [1, 1],
      [20, 5],
    ] as const) {
      const slow = async (value: unknown, { attempt }: TaskContext) => {
        await new Promise<void>((resolve) => clock.setTimer(resolve, 500));
        if (attempt < 3) throw new Error('not yet');
        return value;
      };
      const { pipeline, clock } = virtualPipeline([
        { name: 'A', workers, tasks: [slow], retry: 'per_stage', stageAttempts: 5, taskWaitSeconds: 0.1 },
      ]);
      const results = await clock.finish(pipeline.run(numbers(items)));
      expect(results.map(({ value, error }) => [value, error])).toEqual(numbers(items).map((i) => [i, null]));
      expect(pipeline.getStats()).toMatchObject({ itemsProcessed: items, itemsInFlight: 0, statusCounts: { retrying: 0 } });
    }
  });

  it('A2: a per_stage retry into a bounded queue deadlocks', async () => {
    const failed = new Set<unknown>();
    const once = (value: unknown) => {
      if (failed.has(value)) return value;
      failed.add(value);
      throw new Error('once');
    };
    const { pipeline, clock } = virtualPipeline(
      [
        { name: 'A', workers: 2, tasks: [passOn] },
        { name: 'B', workers: 2, tasks: [once], retry: 'per_stage', queueCapacity: 1, taskWaitSeconds: 0 },
      ],
      { backlogCapacity: 2 },
    );
    expect(await clock.finish(pipeline.run(numbers(100)))).toHaveLength(100);
    expect(pipeline.getStats()).toMatchObject({ itemsProcessed: 100, stageStats: { B: { retriedItems: 100 } } });
  });

  it('A3: an item whose task returns None in per_stage vanishes', async () => {
    const { pipeline, clock } = virtualPipeline([
      { name: 'A', tasks: [() => null], retry: 'per_stage' },
      { name: 'B', tasks: [() => undefined], retry: 'per_stage' },
    ]);
    const results = await clock.finish(pipeline.run([1, 2, 3]));
    expect(results.map(({ value, error }) => [value, error])).toEqual([1, 2, 3].map(() => [undefined, null]));
    expect(pipeline.getStats()).toMatchObject({ itemsProcessed: 3 });
  });

  it('A4: shutdown while a feed waits for room hangs for ever', async () => {
    for (const mode of ['graceful', 'drain', 'force'] as const) {
      const gate = createGate();
      const { pipeline, clock } = virtualPipeline([{ name: 'A', workers: 2, tasks: [gate.task] }], { backlogCapacity: 2 });
      const running = pipeline.run(numbers(50)).catch((error: unknown) => error);
      await clock.settle();
      expect(gate.inside).toHaveLength(2);
      const ending = pipeline.shutdown(mode);
      for (let i = 0; i < 3 && mode !== 'force'; i++) {
        await clock.settle();
        gate.open();
      }
      expect(await ending).toMatchObject({ mode });
      expect(await running).toMatchObject({ code: mode === 'drain' ? 'draining' : 'shutting-down' });
      expectBooksToBalance({ pipeline });
    }
  });

  it('A5: a task that raises a cancellation kills its worker', async () => {
    class CancelledError extends Error {
      override name = 'CancelledError';
    }
    const task = (value: unknown) => {
      if (value === 1) throw new CancelledError('cancelled');
      if (value === 2) throw AbortSignal.abort().reason;
      return value;
    };
    const { pipeline, clock } = virtualPipeline([{ name: 'A', tasks: [task], taskAttempts: 1 }]);
    const results = await clock.finish(pipeline.run([1, 2, 3]));
    expect(results.map(({ value, error }) => error?.type ?? value)).toEqual(['CancelledError', 'AbortError', 3]);
  });

  it('A6: a tracker’s callback that raises makes a successful task run again', async () => {
    let runs = 0;
    const boom = () => {
      throw new Error('callback');
    };
    const statusTracker = new StatusTracker({
      onStatusChange: boom,
      onTaskStart: boom,
      onTaskComplete: boom,
      onTaskRetry: boom,
      onTaskFail: boom,
    });
    const { pipeline, clock, logs } = virtualPipeline([{ name: 'A', tasks: [() => ++runs] }], { statusTracker });
    const results = await clock.finish(pipeline.run(['x']));
    await clock.settle();
    expect(results).toMatchObject([{ value: 1, error: null }]);
    expect(runs).toBe(1);
    expect(logs).toHaveLength(5);
  });

  it('A7: a synchronous callback on the tracker fails every item', async () => {
    const seen: string[] = [];
    const statusTracker = new StatusTracker({
      onTaskStart: (event) => seen.push(event.itemId),
      onStatusChange: async (event) => seen.push(event.status),
    });
    const { pipeline, clock } = virtualPipeline([{ name: 'A', tasks: [passOn] }], { statusTracker });
    expect(await clock.finish(pipeline.run([{ id: 'x' }]))).toMatchObject([{ error: null }]);
    await clock.settle();
    expect(seen).toEqual(['queued', 'in_progress', 'x', 'completed']);
  });

  it('A8: an asynchronous callback that raises kills the run', async () => {
    const statusTracker = new StatusTracker({ onStatusChange: () => Promise.reject(new Error('callback')) });
    const { pipeline, clock, logs } = virtualPipeline([{ name: 'A', tasks: [passOn] }], { statusTracker });
    expect(await clock.finish(pipeline.run(['x']))).toMatchObject([{ value: 'x' }]);
    await clock.settle();
    expect(logs.map(({ level }) => level)).toEqual(['warn', 'warn', 'warn']);
  });

  it('A9: items fed during join are lost', async () => {
    const gate = createGate();
    const { pipeline, clock } = virtualPipeline([
      { name: 'A', tasks: [passOn] },
      { name: 'B', tasks: [gate.task] },
    ]);
    await pipeline.start();
    await pipeline.feed([1]);
    await clock.settle();
    const joined = pipeline.join();
    await expect(pipeline.feed([2])).rejects.toMatchObject({ code: 'draining' });
    await expect(pipeline.feedAsync([2])).rejects.toMatchObject({ code: 'draining' });
    await expect(pipeline.runtime.run([2], {})).rejects.toMatchObject({ code: 'draining' });
    gate.open();
    await joined;
    expect(pipeline.getStats()).toMatchObject({ itemsFed: 1, itemsProcessed: 1, itemsInFlight: 0 });
  });

  it('A10: shutdown drops queued items in silence', async () => {
    const gate = createGate();
    const { pipeline, clock } = virtualPipeline([{ name: 'A', tasks: [gate.task] }]);
    await pipeline.start();
    await pipeline.feed(numbers(5).map((i) => ({ id: `${i}`, value: i })));
    const ending = pipeline.shutdown();
    gate.open();
    expect(await ending).toMatchObject({ finished: 1, leftQueued: 4, notKeptIds: ['1', '2', '3', '4'] });
    await pipeline.start();
    for (let i = 0; i < 4; i++) {
      await clock.settle();
      gate.open();
    }
    await pipeline.join();
    expect(pipeline.results.map(({ value }) => value)).toEqual(numbers(5));
  });

  it('A11: what is fed after shutdown or before start is accepted and never processed, or blocks for ever', async () => {
    const { pipeline, clock } = virtualPipeline([{ name: 'A', tasks: [passOn] }], { backlogCapacity: 3 });
    await pipeline.feed([1, 2, 3]);
    await expect(pipeline.feed([4])).rejects.toMatchObject({ code: 'queue-full' });
    await clock.finish(pipeline.join());
    await pipeline.shutdown();
    await pipeline.feed([5]);
    await clock.finish(pipeline.join());
    expect(pipeline.results.map(({ value }) => value)).toEqual([1, 2, 3, 5]);
  });

  it('A16: shutdown waits for ever on a hung task and through all its retries', async () => {
    const task = (value: unknown) => {
      if (value === 'hang') return new Promise(() => undefined);
      throw new Error('no');
    };
    const { pipeline, clock } = virtualPipeline([{ name: 'A', workers: 2, tasks: [task], taskAttempts: 4, taskWaitSeconds: 0.7 }]);
    await pipeline.start();
    await pipeline.feed(['fails']);
    await clock.settle();
    expect(await clock.finish(pipeline.shutdown())).toMatchObject({ leftQueued: 1 });
    expect(clock.seconds).toBe(0);
    await pipeline.start();
    await pipeline.feed(['hang']);
    expect(await clock.finish(pipeline.shutdown('graceful', 1))).toMatchObject({ timedOut: true, aborted: 1, leftQueued: 2 });
    expect(clock.seconds).toBe(1);
  });

  it('A17: a limit of 0 hangs', async () => {
    const task = () => 1;
    expect(() => virtualPipeline([{ name: 'A', tasks: [task], taskConcurrencyLimits: { task: 0 } }])).toThrow(
      /taskConcurrencyLimits\/task/,
    );
    expect(() => virtualPipeline([{ name: 'A', tasks: [task], taskRateLimits: { task: { limit: 0, perSeconds: 1 } } }])).toThrow(/limit/);
  });
});
