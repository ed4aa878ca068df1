import { describe, expect, it } from 'vitest';
import { Pipeline, type StageOptions, type TaskContext } from '../../src/engine/index.ts';
import { eventsOf, expectBooksToBalance, virtualPipeline } from './harness.ts';
import { countedIds, seededRandom, turn, VirtualClock } from './virtual-clock.ts';

const boom = () => {
  throw new Error('boom');
};

describe('invariant 6: retries', () => {
  it('invariant 6: per_task repeats the task that failed, not those before it, each with its own attempts', async () => {
    const runs: string[] = [];
    const flaky =
      (name: string, fails: number) =>
      (value: unknown, { attempt }: TaskContext) => {
        runs.push(`${name}${attempt}`);
        if (attempt <= fails) throw new Error(name);
        return `${value}${name}`;
      };
    const { pipeline, clock } = virtualPipeline([{ name: 'A', tasks: [flaky('a', 2), flaky('b', 0), flaky('c', 2)] }]);
    const [result] = await clock.finish(pipeline.run(['-']));
    expect(result?.value).toBe('-abc');
    expect(runs).toEqual(['a1', 'a2', 'a3', 'b1', 'c1', 'c2', 'c3']);
    expect(clock.seconds).toBe(4);
  });

  it('invariant 6: per_stage starts at the first task with the value that the item entered the stage with', async () => {
    const runs: string[] = [];
    const trace =
      (name: string, failUpTo = 0) =>
      (value: string[], { attempt }: TaskContext) => {
        runs.push(`${name}${attempt}`);
        value.push(name);
        if (attempt <= failUpTo) throw new Error(name);
        return value;
      };
    const { pipeline, clock } = virtualPipeline([{ name: 'A', tasks: [trace('a'), trace('b', 2)], retry: 'per_stage' }]);
    const [result] = await clock.finish(pipeline.run([['in']]));
    expect(result?.value).toEqual(['in', 'a', 'b']);
    expect(runs).toEqual(['a1', 'b1', 'a2', 'b2', 'a3', 'b3']);
  });

  it('invariant 6: a waiting item occupies no worker, in either mode', async () => {
    for (const retry of ['per_task', 'per_stage'] as const) {
      const { pipeline, clock } = virtualPipeline([{ name: 'A', tasks: [boom], retry, taskWaitSeconds: 10 }]);
      await pipeline.start();
      await pipeline.feed([1, 2, 3, 4]);
      await clock.settle();
      expect(pipeline.getStats()).toMatchObject({ statusCounts: { retrying: 4, in_progress: 0 }, stageStats: { A: { pendingItems: 4 } } });
      expect(pipeline.getWorkerStates()['A-W0']).toMatchObject({ status: 'idle' });
    }
  });

  it('invariant 6: the wait is fixed or doubles up to its maximum, times 1 ± jitter', async () => {
    const waitsOf = async (stage: Partial<StageOptions>): Promise<number[]> => {
      const { pipeline, clock } = virtualPipeline([{ name: 'A', tasks: [boom], taskAttempts: 6, taskWaitSeconds: 2, ...stage }]);
      await clock.finish(pipeline.run([1]));
      return eventsOf(pipeline, 'status').flatMap(({ data }) =>
        'metadata' in data && 'waitSeconds' in data.metadata ? [data.metadata.waitSeconds as number] : [],
      );
    };
    expect(await waitsOf({})).toEqual([2, 2, 2, 2, 2]);
    expect(await waitsOf({ backoff: 'exponential', maxWaitSeconds: 10 })).toEqual([2, 4, 8, 10, 10]);
    const jittered = await waitsOf({ jitter: 0.5 });
    for (const wait of jittered) expect(Math.abs(wait - 2)).toBeLessThanOrEqual(1);
    expect(new Set(jittered).size).toBe(5);
  });

  it('invariant 6: a final failure counts once in each counter, calls onFailure once, and shows everywhere', async () => {
    for (const retry of ['per_task', 'per_stage'] as const) {
      const told: unknown[] = [];
      const { pipeline, clock } = virtualPipeline([
        { name: 'A', tasks: [(v: unknown) => v, boom], retry, onFailure: (id, error, info) => void told.push([id, error, info.attempts]) },
      ]);
      const results = await clock.finish(pipeline.run([{ id: 'x' }]));
      expect(told).toEqual([['x', new Error('boom'), 3]]);
      expect(results).toMatchObject([{ id: 'x', value: null, error: { type: 'Error', message: 'boom', stage: 'A', attempts: 3 } }]);
      expect(pipeline.getStats()).toMatchObject({ itemsFailed: 1, stageStats: { A: { failedItems: 1, retriedItems: 2 } } });
      expect(pipeline.getWorkerMetrics()['A-W0']).toMatchObject({ itemsFailed: 1 });
      expect(pipeline.getErrorSummary()).toMatchObject({ totalFailed: 1, failedItems: [{ itemId: 'x', attempts: 3 }] });
      expectBooksToBalance({ pipeline });
    }
  });
});

describe('invariant 7: callbacks cannot hurt', () => {
  it('invariant 7: a throwing skipIf means "do not skip", a throwing hook is logged; the item goes its way', async () => {
    const { pipeline, clock, logs } = virtualPipeline([
      { name: 'A', tasks: [(v: unknown) => v], skipIf: boom, onSuccess: boom },
      { name: 'B', tasks: [boom], skipIf: () => true, onSkip: boom },
      { name: 'C', tasks: [boom], onFailure: boom, taskAttempts: 1 },
    ]);
    const results = await clock.finish(pipeline.run([{ id: 'x' }]));
    expect(results).toMatchObject([{ error: { stage: 'C', attempts: 1 } }]);
    expect(logs.map(({ level, fields }) => [level, (fields as { stage: string }).stage])).toEqual([
      ['warn', 'A'],
      ['warn', 'A'],
      ['warn', 'B'],
      ['warn', 'C'],
    ]);
  });
  // Hanging, rejecting, vandalising and cancelling ones: trouble-callbacks.test.ts.
});

describe('invariant 11: no polling, no leaks', () => {
  it('invariant 11: an item that meets an idle worker starts in the same turn of the event loop', async () => {
    let startedIn = -1;
    let turns = 0;
    // Its own clock: of a turn that takes too long by that of a busy machine, the rest comes in the next one.
    const { pipeline } = virtualPipeline([
      { name: 'A', tasks: [(v: unknown) => v] },
      {
        name: 'B',
        tasks: [
          () => {
            startedIn = turns;
          },
        ],
      },
    ]);
    await pipeline.start();
    const counting = setImmediate(() => turns++);
    await pipeline.feed([1]);
    clearImmediate(counting);
    expect(startedIn).toBe(0);
  });

  it('invariant 11: an idle pipeline has no timer, and a stopped one no timer, listener or handle', async () => {
    // Its own clock: those of the process may be anybody's.
    const { pipeline, clock } = virtualPipeline([
      {
        name: 'A',
        workers: 3,
        tasks: [async (value: unknown) => value],
        taskTimeoutSeconds: 3_600,
        taskConcurrencyLimits: {},
        onSuccess: async () => undefined,
        skipIf: async () => false,
      },
    ]);
    await pipeline.start();
    await pipeline.feed([1, 2, 3, 4, 5]);
    await clock.settle();
    expect(pipeline.getStats()).toMatchObject({ itemsProcessed: 5, itemsInFlight: 0 });
    expect(clock.pending).toBe(0);
    await pipeline.join();
    await clock.settle();
    expect(clock.pending).toBe(0);
  });

  it('invariant 11: a busy pipeline lets timers and I/O have their turn', async () => {
    let isDone = false;
    const pipeline = new Pipeline({ stages: [{ name: 'A', tasks: [(n: number) => n, async (n: number) => n] }] });
    const running = pipeline.run(Array.from({ length: 30_000 }, (_, i) => i)).then(() => {
      isDone = true;
    });
    let turns = 0;
    for (; !isDone; turns++) await turn();
    await running;
    expect(turns).toBeGreaterThan(5);
  });
});

describe('invariant 12: deterministic under a virtual clock', () => {
  it('invariant 12: the same seed gives the same run, event by event', async () => {
    const run = async (seed: number): Promise<string> => {
      const clock = new VirtualClock();
      const random = seededRandom(seed);
      const chancy = (value: unknown) => {
        const dice = random();
        if (dice < 0.3) throw new Error(`${dice}`);
        return dice < 0.6 ? value : new Promise((resolve) => clock.setTimer(() => resolve(value), dice * 2_000));
      };
      const pipeline = new Pipeline({
        stages: [
          { name: 'A', workers: 3, tasks: [chancy, chancy], jitter: 1, taskTimeoutSeconds: 1.5 },
          { name: 'B', workers: 2, tasks: [chancy], retry: 'per_stage', queueCapacity: 1, backoff: 'exponential', jitter: 0.3 },
        ],
        ports: { clock, random, uniqueId: countedIds() },
      });
      await clock.finish(pipeline.run(Array.from({ length: 60 }, (_, i) => i)));
      return JSON.stringify([eventsOf(pipeline, 'status', 'task', 'result', 'pipeline', 'feed'), pipeline.getDashboardSnapshot()]);
    };
    expect(await run(11)).toBe(await run(11));
    expect(await run(12)).not.toBe(await run(11));
  });
});
