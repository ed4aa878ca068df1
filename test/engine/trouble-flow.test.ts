import { describe, expect, it } from 'vitest';
import type { TaskContext } from '../../src/engine/index.ts';
import { createGate, expectBooksToBalance, virtualPipeline } from './harness.ts';

const passOn = (value: unknown) => value;
const named = (...ids: (string | number)[]) => ids.map((id) => ({ id: `${id}` }));

describe('pausing a stage', () => {
  it('lets the stage before fill its queue and block; resuming hands everything on, in order', async () => {
    const order: string[] = [];
    for (const capacity of [1, 2, 3]) {
      for (const workers of [1, 2, 5]) {
        order.length = 0;
        const { pipeline, clock } = virtualPipeline([
          { name: 'A', workers: 2, tasks: [passOn] },
          { name: 'B', workers, tasks: [(_v: unknown, { itemId }) => void order.push(itemId)], queueCapacity: capacity },
        ]);
        await pipeline.start();
        await pipeline.pauseStage('B');
        await pipeline.feed(named(0, 1, 2, 3, 4, 5, 6, 7, 8, 9));
        expect(pipeline.getStats().queueSizes.B).toBe(capacity);
        expectBooksToBalance({ pipeline });
        await pipeline.resumeStage('B');
        await clock.settle();
        expect(order).toEqual(['0', '1', '2', '3', '4', '5', '6', '7', '8', '9']);
        expectBooksToBalance({ pipeline });
      }
    }
  });

  it('keeps the order of priorities when it is resumed', async () => {
    const order: string[] = [];
    const { pipeline, clock } = virtualPipeline([
      { name: 'A', workers: 3, tasks: [passOn] },
      { name: 'B', workers: 3, tasks: [(_v: unknown, { itemId }) => void order.push(itemId)], queueCapacity: 2 },
    ]);
    await pipeline.start();
    await pipeline.pauseStage('B');
    await pipeline.feed(named('n1', 'n2', 'n3', 'n4', 'n5'));
    await pipeline.feed(named('late'), { targetStage: 'B', priority: 200 });
    await pipeline.feed(named('urgent'), { targetStage: 'B', priority: 1 });
    await pipeline.resumeStage('B');
    await clock.settle();
    expect(order).toEqual(['urgent', 'n1', 'n2', 'n3', 'n4', 'n5', 'late']);
  });

  it('is over when the pipeline is joined', async () => {
    const { pipeline, clock } = virtualPipeline([
      { name: 'A', workers: 2, tasks: [passOn] },
      { name: 'B', tasks: [passOn], queueCapacity: 1 },
    ]);
    await pipeline.start();
    await pipeline.pauseStage('B');
    await pipeline.feed(named(1, 2, 3, 4, 5));
    await clock.finish(pipeline.join());
    expect(pipeline.getStats()).toMatchObject({ itemsProcessed: 5, itemsInFlight: 0 });
    await expect(pipeline.pauseStage('C')).rejects.toMatchObject({ code: 'unknown-stage' });
  });

  it('works for a pull stage too', async () => {
    const { pipeline, clock } = virtualPipeline([
      { name: 'A', workers: 3, tasks: [passOn] },
      { name: 'B', workers: 2, tasks: [passOn], pull: true },
    ]);
    await pipeline.start();
    await pipeline.pauseStage('B');
    await pipeline.feed(named(1, 2, 3, 4, 5));
    expect(pipeline.getStats()).toMatchObject({ queueSizes: { A: 2, B: 0 }, stageStats: { A: { inProgressItems: 3 } } });
    await pipeline.resumeStage('B');
    await clock.settle();
    expect(pipeline.getStats().itemsProcessed).toBe(5);
  });
});

describe('pausing the pipeline', () => {
  it('lets running items finish, starts none, and goes on where it was', async () => {
    const gate = createGate();
    const { pipeline, clock } = virtualPipeline([
      { name: 'A', tasks: [gate.task] },
      { name: 'B', tasks: [passOn] },
    ]);
    await pipeline.start();
    await pipeline.feed(named(1, 2));
    await pipeline.pause();
    gate.open();
    await clock.settle();
    expect(pipeline.getStats()).toMatchObject({ queueSizes: { A: 1, B: 1 }, itemsProcessed: 0 });
    expect(await pipeline.runtime.item('1')).toMatchObject({ stage: 'B', waitingFor: { reason: 'paused' } });
    expectBooksToBalance({ pipeline });
    await pipeline.resume();
    await clock.settle();
    gate.open();
    await clock.finish(pipeline.join());
    expect(pipeline.results.map(({ id }) => id)).toEqual(['1', '2']);
  });

  it('brings a parked item back to its queue, where it waits', async () => {
    let runs = 0;
    const flaky = () => {
      if (++runs === 1) throw new Error('once');
    };
    const { pipeline, clock } = virtualPipeline([{ name: 'A', tasks: [flaky] }]);
    await pipeline.start();
    await pipeline.feed(named(1));
    await pipeline.pause();
    await clock.advance(10_000);
    expect(runs).toBe(1);
    expect(pipeline.getStats().statusCounts).toMatchObject({ queued: 1, retrying: 0 });
    await pipeline.resume();
    await clock.settle();
    expect(pipeline.getStats().itemsProcessed).toBe(1);
  });

  it('serves a later stage’s waiting items before those that come new when it goes on', async () => {
    const order: string[] = [];
    const { pipeline, clock } = virtualPipeline([
      { name: 'A', tasks: [passOn] },
      { name: 'B', tasks: [(_v: unknown, { itemId }) => void order.push(itemId)] },
    ]);
    await pipeline.feed(named('first'), { targetStage: 'B' });
    await pipeline.feed(named('second'));
    await pipeline.start();
    await clock.settle();
    expect(order).toEqual(['first', 'second']);
  });

  it('is idempotent, and refused where it has no meaning', async () => {
    const { pipeline } = virtualPipeline([{ name: 'A', tasks: [passOn] }]);
    await expect(pipeline.pause()).rejects.toMatchObject({ code: 'invalid-state' });
    await pipeline.start();
    await pipeline.pause();
    await pipeline.pause();
    await expect(pipeline.start()).rejects.toMatchObject({ code: 'already-running' });
    await pipeline.resume();
    await pipeline.resume();
    expect(pipeline.state).toBe('running');
  });
});

describe('changing the number of workers', () => {
  it('starts more at once and lets surplus ones leave after their item', async () => {
    const gate = createGate();
    const { pipeline, clock } = virtualPipeline([{ name: 'A', tasks: [gate.task] }]);
    await pipeline.start();
    await pipeline.feed(named(1, 2, 3, 4, 5, 6));
    await pipeline.tune('A', { workers: 4 });
    expect(gate.inside).toEqual(['1', '2', '3', '4']);
    await pipeline.tune('A', { workers: 2 });
    expect(pipeline.getWorkerNames().A).toEqual(['A-W0', 'A-W1']);
    expect(Object.keys(pipeline.getWorkerStates())).toHaveLength(4);
    expectBooksToBalance({ pipeline });
    gate.open();
    await clock.settle();
    expect(gate.inside).toEqual(['5', '6']);
    expect(Object.keys(pipeline.getWorkerStates())).toEqual(['A-W0', 'A-W1']);
    gate.open();
    await clock.settle();
    expect(pipeline.getStats().itemsProcessed).toBe(6);
    expectBooksToBalance({ pipeline });
  });

  it('takes back those that were about to leave', async () => {
    const gate = createGate();
    const { pipeline, clock } = virtualPipeline([{ name: 'A', workers: 3, tasks: [gate.task] }]);
    await pipeline.start();
    await pipeline.feed(named(1, 2, 3, 4, 5, 6));
    await pipeline.tune('A', { workers: 1 });
    await pipeline.tune('A', { workers: 3 });
    expect(Object.keys(pipeline.getWorkerStates())).toEqual(['A-W0', 'A-W1', 'A-W2']);
    gate.open();
    await clock.settle();
    expect(gate.inside).toEqual(['4', '5', '6']);
    expectBooksToBalance({ pipeline });
  });

  it('with more room lets the best of the waiting in first', async () => {
    const order: string[] = [];
    const gate = createGate();
    const noted = (value: unknown, ctx: TaskContext) => {
      order.push(ctx.itemId);
      return gate.task(value, ctx);
    };
    const { pipeline, clock } = virtualPipeline([
      { name: 'A', workers: 3, tasks: [passOn] },
      { name: 'B', tasks: [noted], queueCapacity: 1 },
    ]);
    await pipeline.start();
    await pipeline.feed(named('runs', 'handed', 'blocked1', 'blocked2'));
    await pipeline.feed(named('fed'), { targetStage: 'B', priority: 50 });
    await pipeline.tune('B', { workers: 2, queueCapacity: 5 });
    expect(order).toEqual(['runs', 'fed']);
    gate.open();
    await clock.settle();
    gate.open();
    await clock.settle();
    expect(order).toEqual(['runs', 'fed', 'handed', 'blocked1', 'blocked2']);
  });

  it('refuses what makes no sense, and changes nothing then', async () => {
    const { pipeline } = virtualPipeline([{ name: 'A', tasks: [passOn] }]);
    for (const tuning of [{ workers: 0 }, { workers: 1.5 }, { queueCapacity: 0 }, { taskConcurrencyLimits: { nobody: 1 } }]) {
      await expect(pipeline.tune('A', tuning)).rejects.toMatchObject({ code: 'invalid-pipeline' });
    }
    expect(pipeline.getWorkerNames().A).toEqual(['A-W0']);
  });
});
