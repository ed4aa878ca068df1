import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Pipeline, type StageOptions, type TaskContext } from '../../src/engine/index.ts';
import { createGate, expectBooksToBalance } from './harness.ts';

// p-queue takes its time from the globals, and so does the engine's own system clock: both move together here.
beforeEach(() => {
  vi.useFakeTimers({
    toFake: ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval', 'setImmediate', 'clearImmediate', 'Date', 'performance'],
    now: Date.UTC(2026, 0, 1),
  });
});
afterEach(async () => {
  for (const pipeline of pipelines.splice(0)) await pipeline.shutdown('force');
  vi.useRealTimers();
});
const pipelines: Pipeline[] = [];
const advance = (ms: number): Promise<unknown> => vi.advanceTimersByTimeAsync(ms);
const named = (count: number) => Array.from({ length: count }, (_, i) => ({ id: `${i + 1}` }));

function createPipeline(stage: Partial<StageOptions> & Pick<StageOptions, 'tasks'>): Pipeline {
  const pipeline = new Pipeline({ stages: [{ name: 'A', workers: 10, ...stage }] });
  pipelines.push(pipeline);
  return pipeline;
}

/** Most starts in any window of that length. */
function busiestWindow(starts: readonly number[], ms: number): number {
  return Math.max(...starts.map((from) => starts.filter((at) => at >= from && at < from + ms).length));
}

describe('a concurrency limit', () => {
  it('changed while items wait takes effect at once, up and down', async () => {
    const gate = createGate();
    const pipeline = createPipeline({ tasks: [gate.task], taskConcurrencyLimits: { gated: 1 } });
    await pipeline.start();
    await pipeline.feed(named(8));
    await advance(0);
    expect(gate.inside).toHaveLength(1);
    await pipeline.tune('A', { taskConcurrencyLimits: { gated: 4 } });
    await advance(0);
    expect(gate.inside).toHaveLength(4);
    await pipeline.tune('A', { taskConcurrencyLimits: { gated: 2 } });
    gate.open('1');
    gate.open('2');
    await advance(0);
    expect(gate.inside).toEqual(['3', '4']);
    gate.open('3');
    await advance(0);
    expect(gate.inside).toEqual(['4', '5']);
    expectBooksToBalance({ pipeline });
    await pipeline.tune('A', { taskConcurrencyLimits: {} });
    await advance(0);
    expect(gate.inside).toEqual(['4', '5', '6', '7', '8']);
  });

  it('holds through timeouts and cancels: each frees its place', async () => {
    let running = 0;
    let most = 0;
    const hangs = (_value: unknown, { signal }: TaskContext) => {
      most = Math.max(most, ++running);
      return new Promise((_resolve, reject) => {
        signal.addEventListener('abort', () => {
          running--;
          reject(signal.reason);
        });
      });
    };
    const pipeline = createPipeline({ tasks: [hangs], taskConcurrencyLimits: { hangs: 2 }, taskTimeoutSeconds: 1, taskAttempts: 1 });
    await pipeline.start();
    await pipeline.feed(named(7));
    await advance(500);
    await pipeline.runtime.cancelItem('1');
    await advance(10_000);
    expect(most).toBe(2);
    expect(pipeline.getStats()).toMatchObject({ itemsFailed: 6, itemsCancelled: 1, itemsInFlight: 0 });
  });

  it('is shared by the uses of one task in a stage', async () => {
    const gate = createGate();
    const pipeline = createPipeline({ tasks: [gate.task, gate.task], taskConcurrencyLimits: { gated: 1 } });
    await pipeline.start();
    await pipeline.feed(named(2));
    await advance(0);
    expect(gate.inside).toHaveLength(1);
    gate.open();
    await advance(0);
    expect(gate.inside).toHaveLength(1);
  });

  it('serves those who wait by their priority', async () => {
    const gate = createGate();
    const pipeline = createPipeline({ tasks: [gate.task], taskConcurrencyLimits: { gated: 1 } });
    await pipeline.start();
    await pipeline.feed(named(3));
    await pipeline.feed([{ id: 'urgent' }], { priority: 1 });
    await advance(0);
    const order: string[] = [];
    for (let i = 0; i < 4; i++) {
      order.push(...gate.inside);
      gate.open();
      await advance(0);
    }
    expect(order).toEqual(['1', 'urgent', '2', '3']);
  });
});

describe('a rate limit', () => {
  it('lets so many start in any window, and says until when the next waits', async () => {
    const starts: number[] = [];
    const pipeline = createPipeline({
      tasks: [
        function stamp() {
          starts.push(performance.now());
        },
      ],
      taskRateLimits: { stamp: { limit: 3, perSeconds: 1 } },
    });
    await pipeline.start();
    await pipeline.feed(named(10));
    await advance(0);
    expect(starts).toHaveLength(3);
    const { waitingFor } = await pipeline.runtime.item('4');
    expect(waitingFor).toMatchObject({ reason: 'rate-limit', task: 'stamp' });
    expect(Date.parse(waitingFor?.until ?? '') - Date.now()).toBeGreaterThanOrEqual(1000);
    await advance(20_000);
    expect(starts).toHaveLength(10);
    expect(busiestWindow(starts, 1000)).toBe(3);
    expect(pipeline.getWorkerMetrics()['A-W0']?.totalProcessingTimeSeconds).toBe(0);
  });

  it('changed live never lets too many start, whatever the order of changes', async () => {
    const starts: number[] = [];
    const pipeline = createPipeline({
      workers: 50,
      tasks: [
        function stamp() {
          starts.push(performance.now());
        },
      ],
      taskRateLimits: { stamp: { limit: 4, perSeconds: 1 } },
    });
    await pipeline.start();
    await pipeline.feed(named(40));
    await advance(300);
    for (const [limit, perSeconds] of [
      [2, 1],
      [5, 2],
      [1, 0.5],
      [4, 1],
    ] as const) {
      const from = performance.now();
      await pipeline.tune('A', { taskRateLimits: { stamp: { limit, perSeconds } } });
      await advance(3_700);
      const since = starts.filter((at) => at >= from);
      expect(busiestWindow(since, perSeconds * 1000)).toBeLessThanOrEqual(limit);
      expect(since.length).toBeGreaterThan(0);
    }
    await advance(60_000);
    expect(starts).toHaveLength(40);
  });

  it('counts each attempt, and a retry waits for it like any other', async () => {
    const starts: number[] = [];
    function flaky(_value: unknown, { attempt }: TaskContext) {
      starts.push(performance.now());
      if (attempt < 3) throw new Error('not yet');
    }
    const pipeline = createPipeline({ tasks: [flaky], taskWaitSeconds: 0, taskRateLimits: { flaky: { limit: 1, perSeconds: 5 } } });
    const running = pipeline.run(named(2));
    await advance(60_000);
    expect((await running).map(({ error }) => error)).toEqual([null, null]);
    expect(starts).toHaveLength(6);
    expect(busiestWindow(starts, 5_000)).toBe(1);
  });

  it('leaves no timer behind when its pipeline is stopped', async () => {
    for (const mode of ['graceful', 'force'] as const) {
      const pipeline = createPipeline({ tasks: [function stamp() {}], taskRateLimits: { stamp: { limit: 1, perSeconds: 3600 } } });
      await pipeline.start();
      await pipeline.feed(named(5));
      await advance(10);
      await pipeline.shutdown(mode);
      await advance(0);
      expect(vi.getTimerCount()).toBe(0);
      expect(pipeline.getStats()).toMatchObject({ itemsProcessed: 1, itemsInFlight: 4 });
    }
  });
});
