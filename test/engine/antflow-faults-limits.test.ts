import { describe, expect, it } from 'vitest';
import { Pipeline, StageValidationError, StatusTracker, type TaskContext } from '../../src/engine/index.ts';
import { createGate, virtualPipeline } from './harness.ts';

const passOn = (value: unknown) => value;
const numbers = (count: number) => Array.from({ length: count }, (_, i) => i);

// Each title names a fault of AntFlow 0.7.2 or 0.10.0, as seen by running it, that is none here.
describe('AntFlow’s limits', () => {
  it('C1: it polls, so that an instant item takes a tenth of a second', async () => {
    let ran = false;
    const { pipeline, clock } = virtualPipeline([
      {
        name: 'A',
        tasks: [
          () => {
            ran = true;
          },
        ],
      },
    ]);
    await pipeline.start();
    await clock.settle();
    await pipeline.feed([1]);
    expect(ran).toBe(true);
    await clock.settle();
    expect(clock.pending).toBe(0);
  });

  it('C3: the tracker keeps 2.4 kB an item for ever', async () => {
    const statusTracker = new StatusTracker();
    const { pipeline, clock } = virtualPipeline([{ name: 'A', tasks: [passOn] }], {
      statusTracker,
      eventsKept: 64,
      retention: { maxItems: 10 },
    });
    await pipeline.start();
    await pipeline.feed(numbers(5_000).map((i) => ({ id: `i${i}` })));
    await clock.settle();
    expect(statusTracker.getByStatus('completed')).toHaveLength(10);
    expect(statusTracker.getHistory('i0')).toEqual([]);
    expect(statusTracker.getStatus('i0')).toBeUndefined();
    expect(statusTracker.getStats().completed).toBe(5_000);
    expect(pipeline.events.newest - pipeline.events.oldest).toBeLessThan(64);
  });

  it('C4: waits are fixed, though exponential ones are promised', async () => {
    const at: number[] = [];
    const task = () => {
      at.push(clock.seconds);
      throw new Error('no');
    };
    const { pipeline, clock } = virtualPipeline([
      { name: 'A', tasks: [task], taskAttempts: 6, taskWaitSeconds: 0.5, backoff: 'exponential', maxWaitSeconds: 3 },
    ]);
    await clock.finish(pipeline.run([1]));
    expect(at).toEqual([0, 0.5, 1.5, 3.5, 6.5, 9.5]);
  });

  it('C5: per_stage retries do not wait at all', async () => {
    const at: number[] = [];
    const task = () => {
      at.push(clock.seconds);
      throw new Error('no');
    };
    const { pipeline, clock } = virtualPipeline([{ name: 'A', tasks: [task], retry: 'per_stage', taskWaitSeconds: 2 }]);
    await clock.finish(pipeline.run([1]));
    expect(at).toEqual([0, 2, 4]);
  });

  it('C7: one retrying item blocks a stage of one worker', async () => {
    for (const retry of ['per_task', 'per_stage'] as const) {
      const done: unknown[] = [];
      const task = (value: unknown, { attempt }: TaskContext) => {
        if (value === 'flaky' && attempt === 1) throw new Error('once');
        done.push([value, clock.seconds]);
      };
      const { pipeline, clock } = virtualPipeline([{ name: 'A', tasks: [task], retry, taskWaitSeconds: 60 }]);
      await clock.finish(pipeline.run(['flaky', 'healthy']));
      expect(done).toEqual([
        ['healthy', 0],
        ['flaky', 60],
      ]);
    }
  });

  it('C8: urgent items wait behind blocked feeders', async () => {
    const gate = createGate();
    const { pipeline, clock } = virtualPipeline([{ name: 'A', tasks: [gate.task] }], { backlogCapacity: 2 });
    await pipeline.start();
    const feeders = numbers(40).map((i) => pipeline.feed([{ id: `f${i}` }]));
    await clock.settle();
    feeders.push(pipeline.feed([{ id: 'urgent' }], { priority: 1 }));
    await clock.settle();
    const order: string[] = [];
    for (let i = 0; i < 41; i++) {
      order.push(...gate.inside);
      gate.open();
      await clock.settle();
    }
    await Promise.all(feeders);
    expect(order.indexOf('urgent')).toBeLessThanOrEqual(2);
    expect(order.filter((id) => id !== 'urgent')).toEqual(numbers(40).map((i) => `f${i}`));
  });

  it('C11: an asynchronous skipIf skips everything, and an asynchronous callback is never awaited', async () => {
    const order: string[] = [];
    const noted = (value: unknown) => {
      order.push(`B ${value}`);
      return value;
    };
    const { pipeline, clock } = virtualPipeline([
      {
        name: 'A',
        tasks: [() => 'ran'],
        skipIf: async (value) => value === 'skip',
        onSuccess: async () => {
          await null;
          order.push('hook');
        },
      },
      { name: 'B', tasks: [noted] },
    ]);
    const results = await clock.finish(pipeline.run(['run']));
    expect(results[0]?.value).toBe('ran');
    expect(order).toEqual(['hook', 'B ran']);
    const [skipped] = await clock.finish(pipeline.run(['skip']));
    expect(skipped?.value).toBe('skip');
  });

  it('C12: mistakes in a stage are found late or never', () => {
    const task = () => 1;
    const mistakes: object[] = [
      { name: '' },
      { name: '__proto__' },
      { workers: 0 },
      { workers: 2.5 },
      { workers: '2' },
      { taskWaitSeconds: -1 },
      { taskAttempts: 0 },
      { stageAttempts: 1.5 },
      { queueCapacity: 0 },
      { queueCapacity: -5 },
      { jitter: 2 },
      { taskTimeoutSeconds: 0 },
      { retry: 'never' },
      { backoff: 'linear' },
      { tasks: [] },
      { tasks: [42] },
      { tasks: 'task' },
      { skipIf: true },
      { onSuccess: 'log' },
      { taskConcurrencyLimits: { other: 1 } },
      { unknownField: 1 },
    ];
    for (const mistake of mistakes) {
      const stage = { name: 'A', tasks: [task], ...mistake };
      expect(() => new Pipeline({ stages: [stage] }), JSON.stringify(mistake)).toThrow(StageValidationError);
    }
  });

  it('C12: and only one of them is told', () => {
    try {
      new Pipeline({ stages: [{ name: '', workers: 0, tasks: [1 as never], taskWaitSeconds: -1 }] });
      expect.fail('it was accepted');
    } catch (error) {
      const paths = (error as StageValidationError).errors?.map(({ path }) => path);
      expect(paths).toEqual(expect.arrayContaining(['/name', '/workers', '/tasks/0', '/taskWaitSeconds']));
    }
  });

  it('C12: synchronous and bound functions fail as tasks', async () => {
    const times = (factor: number, value: number) => factor * value;
    const { pipeline, clock } = virtualPipeline([{ name: 'A', tasks: [(value: number) => value + 1, times.bind(null, 10)] }]);
    expect(await clock.finish(pipeline.run([1]))).toMatchObject([{ value: 20 }]);
  });
});
