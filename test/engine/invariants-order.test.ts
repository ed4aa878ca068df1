import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { StageOptions, TaskContext } from '../../src/engine/index.ts';
import { createGate, eventsOf, expectBooksToBalance, virtualPipeline } from './harness.ts';
import { seededRandom } from './virtual-clock.ts';

const passOn = (value: unknown) => value;
const numbers = (count: number) => Array.from({ length: count }, (_, i) => i);

describe('invariant 3: order', () => {
  it('invariant 3: within a stage a lower priority number goes first, within a priority first come, first served', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.record({ priority: fc.integer({ min: 0, max: 4 }), count: fc.integer({ min: 1, max: 5 }) }), {
          minLength: 1,
          maxLength: 20,
        }),
        fc.integer({ min: 1, max: 3 }),
        fc.boolean(),
        async (batches, workers, paused) => {
          const order: number[] = [];
          const { pipeline, clock } = virtualPipeline([{ name: 'A', workers, tasks: [(value: number) => void order.push(value)] }]);
          if (paused) {
            await pipeline.start();
            await pipeline.pause();
          }
          const fed: { priority: number; n: number }[] = [];
          for (const { priority, count } of batches) {
            const some = numbers(count).map(() => ({ priority, n: fed.length + 1_000 * priority }));
            for (const each of some) fed.push({ ...each, n: fed.length });
            await pipeline.feed(
              fed.slice(-count).map(({ n }) => n),
              { priority },
            );
          }
          await (paused ? pipeline.resume() : pipeline.start());
          await clock.finish(pipeline.join());
          expect(order).toEqual(fed.toSorted((a, b) => a.priority - b.priority || a.n - b.n).map(({ n }) => n));
        },
      ),
      { numRuns: 50 },
    );
  });

  it.each(['per_task', 'per_stage'] as const)(
    'invariant 3: a retry that is due goes before what has not begun there, %s',
    async (retry) => {
      const ends = new Map<number, number>();
      const order: string[] = [];
      const task = async (value: number, { attempt }: TaskContext): Promise<void> => {
        order.push(`${value}.${attempt}`);
        await new Promise<void>((resolve) => clock.setTimer(resolve, 100));
        if (attempt === 1) throw new Error('once');
        ends.set(value, clock.seconds);
      };
      const { pipeline, clock } = virtualPipeline([
        { name: 'A', tasks: [passOn] },
        { name: 'B', workers: 1, tasks: [task], retry, taskAttempts: 2, stageAttempts: 2, taskWaitSeconds: 0.2, queueCapacity: 100 },
      ]);
      await pipeline.start();
      await pipeline.feed(numbers(60));
      await clock.finish(pipeline.join());
      // Two others begin while the first one waits.
      expect(order.slice(0, 8)).toEqual(['0.1', '1.1', '2.1', '0.2', '1.2', '2.2', '3.1', '4.1']);
      expect(ends.get(0)).toBeCloseTo(0.4);
      for (const n of numbers(57)) expect(ends.get(n)).toBeLessThan(ends.get(n + 3) as number);
    },
  );

  it('invariant 3: a retry goes before its own priority only, and due ones go first come, first served', async () => {
    const order: string[] = [];
    const task = (value: string, { attempt, retryAfter }: TaskContext): void => {
      order.push(`${value}${attempt}`);
      if (attempt === 1) throw retryAfter(value === 'a' ? 3 : 1);
    };
    const { pipeline, clock } = virtualPipeline([{ name: 'A', workers: 1, tasks: [task], taskAttempts: 2 }]);
    await pipeline.start();
    await pipeline.feed(['a', 'b', 'c']);
    await clock.settle();
    await pipeline.pause();
    await pipeline.feed(['later'], { priority: 200 });
    await pipeline.feed(['d']);
    await pipeline.feed(['urgent'], { priority: 1 });
    await clock.advance(5_000);
    await pipeline.resume();
    await clock.finish(pipeline.join());
    expect(order.slice(0, 8)).toEqual(['a1', 'b1', 'c1', 'urgent1', 'b2', 'c2', 'a2', 'd1']);
    expect(order.slice(8, 9)).toEqual(['later1']);
  });

  it('invariant 3: a priority is kept through all stages, and through retries', async () => {
    const order: string[] = [];
    const { pipeline, clock } = virtualPipeline([
      { name: 'A', tasks: [passOn] },
      {
        name: 'B',
        tasks: [
          (_v: unknown, { itemId, attempt }: TaskContext) => {
            if (attempt === 1) throw new Error('once');
            order.push(itemId);
          },
        ],
        taskWaitSeconds: 1,
      },
    ]);
    await pipeline.start();
    await pipeline.pauseStage('B');
    for (const [id, priority] of [
      ['low', 300],
      ['high', 1],
      ['middle', 50],
    ] as const)
      await pipeline.feed([{ id }], { priority });
    await pipeline.resumeStage('B');
    await clock.settle();
    await pipeline.pauseStage('B');
    await clock.advance(5_000);
    await pipeline.resumeStage('B');
    await clock.settle();
    expect(order).toEqual(['high', 'middle', 'low']);
  });

  it('invariant 3: results come back in feed order whatever the order of completion', async () => {
    const random = seededRandom(5);
    const { pipeline, clock } = virtualPipeline([
      {
        name: 'A',
        workers: 7,
        tasks: [(value: unknown) => new Promise((resolve) => clock.setTimer(() => resolve(value), 1_000 * random()))],
      },
    ]);
    const results = await clock.finish(pipeline.run(numbers(100)));
    expect(results.map(({ value }) => value)).toEqual(numbers(100));
    expect(pipeline.results.map(({ value }) => value)).toEqual(numbers(100));
  });
});

describe('invariant 4: never more than asked', () => {
  it('invariant 4: at most `workers` items run in a stage, also while their number changes', async () => {
    let running = 0;
    let allowed = 3;
    const excess: number[] = [];
    const task = async () => {
      if (++running > allowed) excess.push(running);
      await new Promise<void>((resolve) => clock.setTimer(resolve, 100));
      running--;
    };
    const { pipeline, clock } = virtualPipeline([{ name: 'A', workers: 3, tasks: [task] }]);
    await pipeline.start();
    await pipeline.feed(numbers(200));
    for (const workers of [8, 2, 5, 1, 4]) {
      const before = allowed;
      allowed = Math.max(before, workers);
      await pipeline.tune('A', { workers });
      await clock.advance(100);
      // Surplus workers leave after their item; from then on the new number holds.
      allowed = workers;
      await clock.advance(200);
      expect(running).toBe(workers);
      expectBooksToBalance({ pipeline });
    }
    await clock.finish(pipeline.join());
    expect(excess).toEqual([]);
  });

  it('invariant 4: a worker that waits for a limit is busy with waitingFor set, and its wait is not processing time', async () => {
    const gate = createGate();
    const { pipeline, clock } = virtualPipeline([{ name: 'A', workers: 2, tasks: [gate.task], taskConcurrencyLimits: { gated: 1 } }]);
    await pipeline.start();
    await pipeline.feed([{ id: 'a' }, { id: 'b' }]);
    await clock.advance(3_000);
    expect(gate.inside).toEqual(['a']);
    expect(pipeline.getWorkerStates()).toMatchObject({
      'A-W0': { status: 'busy', currentItemId: 'a', currentTask: 'gated', waitingFor: null },
      'A-W1': { status: 'busy', currentItemId: 'b', currentTask: 'gated', waitingFor: { reason: 'task-limit', task: 'gated' } },
    });
    gate.open();
    await clock.advance(1_000);
    gate.open();
    await clock.settle();
    expect(pipeline.getWorkerMetrics()).toMatchObject({
      'A-W0': { totalProcessingTimeSeconds: 3 },
      'A-W1': { totalProcessingTimeSeconds: 1 },
    });
  });
  // At most so many at once and so many starts in a window: trouble-limits.test.ts, where p-queue's time is virtual too.
});

describe('invariant 5: bounded', () => {
  it('invariant 5: a full next stage holds the worker, and the pressure runs up to the feeder', async () => {
    const gate = createGate();
    const { pipeline, clock } = virtualPipeline(
      [
        { name: 'A', workers: 2, tasks: [passOn] },
        { name: 'B', workers: 3, tasks: [passOn], queueCapacity: 4 },
        { name: 'C', tasks: [gate.task], queueCapacity: 5 },
      ],
      { backlogCapacity: 6 },
    );
    await pipeline.start();
    let read = 0;
    async function* source() {
      for (; read < 1_000; ) yield read++;
    }
    const feeding = pipeline.feedAsync(source());
    await clock.settle();
    expect(pipeline.getStats()).toMatchObject({
      queueSizes: { A: 6, B: 4, C: 5 },
      stageStats: { A: { inProgressItems: 2 }, B: { inProgressItems: 3 }, C: { inProgressItems: 1 } },
      itemsFed: 21,
    });
    expect(read).toBe(22);
    gate.open();
    await clock.settle();
    expect(pipeline.getStats().itemsFed).toBe(22);
    expectBooksToBalance({ pipeline });
    await pipeline.shutdown('force');
    await expect(feeding).rejects.toMatchObject({ code: 'shutting-down', details: { accepted: 22 } });
  });

  it('invariant 5: the default room is for max(100, workers × 10)', async () => {
    for (const [workers, room] of [
      [1, 100],
      [10, 100],
      [25, 250],
    ] as const) {
      const gate = createGate();
      const { pipeline } = virtualPipeline([
        { name: 'A', tasks: [passOn] },
        { name: 'B', workers, tasks: [gate.task] },
      ]);
      await pipeline.start();
      await pipeline.feed(numbers(1_000));
      expect(pipeline.getStats().queueSizes.B).toBe(room);
    }
  });

  it('invariant 5: what is fed from outside and what is handed over are served in one order', async () => {
    const order: string[] = [];
    const gate = createGate();
    const noted = (value: unknown, ctx: TaskContext) => {
      order.push(ctx.itemId);
      return gate.task(value, ctx);
    };
    const { pipeline, clock } = virtualPipeline([
      { name: 'A', tasks: [passOn] },
      { name: 'B', tasks: [noted] },
    ]);
    await pipeline.start();
    await pipeline.feed([{ id: 'first' }]);
    await pipeline.feed([{ id: 'handed 1' }]);
    await pipeline.feed([{ id: 'fed 2' }], { targetStage: 'B' });
    await pipeline.feed([{ id: 'handed 3' }]);
    await pipeline.feed([{ id: 'urgent' }], { targetStage: 'B', priority: 5 });
    for (let i = 0; i < 5; i++) {
      await clock.settle();
      gate.open();
    }
    await clock.settle();
    expect(order).toEqual(['first', 'urgent', 'handed 1', 'fed 2', 'handed 3']);
  });

  it('invariant 5: a full stage whose every worker retries does not deadlock', async () => {
    for (const retry of ['per_task', 'per_stage'] as const) {
      const flaky = (value: unknown, { attempt }: TaskContext) => {
        if (attempt < 3) throw new Error('not yet');
        return value;
      };
      const stage: StageOptions = { name: 'B', workers: 2, tasks: [flaky], retry, queueCapacity: 1 };
      const { pipeline, clock } = virtualPipeline([{ name: 'A', workers: 4, tasks: [passOn] }, stage], { backlogCapacity: 1 });
      expect(await clock.finish(pipeline.run(numbers(50)))).toHaveLength(50);
      expect(pipeline.getStats().itemsProcessed).toBe(50);
    }
  });

  it('invariant 5: events, results and finished items are bounded', async () => {
    const { pipeline, clock } = virtualPipeline([{ name: 'A', tasks: [passOn] }], { eventsKept: 128, retention: { maxItems: 7 } });
    await pipeline.start();
    for (let i = 0; i < 20; i++) await pipeline.feed(numbers(300));
    await clock.settle();
    expect(pipeline.results).toHaveLength(7);
    expect(eventsOf(pipeline, 'status', 'task', 'result', 'pipeline', 'feed').length).toBeLessThanOrEqual(128);
    expect(await pipeline.runtime.results({ status: 'all', after: 0, limit: 100 })).toMatchObject({ retired: 5_993 });
  });
});
