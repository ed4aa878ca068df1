import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { StageOptions, TaskContext } from '../../src/engine/index.ts';
import { createGate, type Virtual, virtualPipeline } from './harness.ts';

type Timed = Omit<StageOptions, 'name' | 'tasks'> & { ms: number | ((n: number) => number) };

/** Stages named A, B, C … whose one task, `work`, takes so long. */
function timed(...stages: Timed[]): Virtual {
  const virtual: Virtual = virtualPipeline(
    stages.map(({ ms, ...options }, i) => {
      let n = 0;
      function work(value: unknown): Promise<unknown> {
        const length = typeof ms === 'number' ? ms : ms(n++);
        return new Promise((resolve) => void virtual.clock.setTimer(() => resolve(value), length));
      }
      return { name: String.fromCharCode(65 + i), tasks: [work], ...options };
    }),
    { retention: { maxItems: 50 }, backlogCapacity: 1_000_000 },
  );
  return virtual;
}

const numbers = (count: number) => Array.from({ length: count }, (_, i) => i);

function expectWithin(value: number | null, truth: number, share: number): void {
  expect(value).not.toBeNull();
  expect((value as number) / truth).toBeGreaterThan(1 - share);
  expect((value as number) / truth).toBeLessThan(1 + share);
}

const bottleneckOf = async ({ pipeline }: Virtual) => (await pipeline.runtime.stats()).bottleneck;
const etaOf = async ({ pipeline }: Virtual) => (await pipeline.runtime.stats()).etaSeconds;

const WORKERS = { reason: 'workers', task: null, limiter: null, until: null, workersWaiting: 0 };

describe('the bottleneck', () => {
  it.each([
    ['fast workers fill its queue', { ms: 10, workers: 10 }],
    ['one worker is just twice as fast', { ms: 50, workers: 1 }],
  ])('is the slow stage when %s, never the one before it', async (_, first) => {
    const virtual = timed(first, { ms: 100, workers: 1 }, { ms: 10, workers: 1 });
    await virtual.pipeline.start();
    await virtual.pipeline.runtime.feed(numbers(5000), {});
    await virtual.clock.advance(2_000);
    for (let step = 0; step < 60; step++) {
      await virtual.clock.advance(333);
      expect(await bottleneckOf(virtual)).toEqual({ stage: 'B', ...WORKERS, workers: 1 });
    }
  });

  it('is the first stage when that is the slow one, whatever it was that waited after it', async () => {
    const virtual = timed({ ms: 100, workers: 2 }, { ms: 10, workers: 5 }, { ms: 10, workers: 5 });
    await virtual.pipeline.start();
    await virtual.pipeline.pauseStage('B');
    await virtual.pipeline.runtime.feed(numbers(1000), {});
    await virtual.clock.advance(3_000);
    expect(await bottleneckOf(virtual)).toMatchObject({ stage: 'B', reason: 'paused', workers: 5 });
    await virtual.pipeline.resumeStage('B');
    await virtual.clock.advance(3_000);
    expect(await bottleneckOf(virtual)).toEqual({ stage: 'A', ...WORKERS, workers: 2 });
  });

  it('goes down over several full stages, and over one that pulls', async () => {
    const virtual = timed(
      { ms: 10, workers: 3 },
      { ms: 10, workers: 3, queueCapacity: 5 },
      { ms: 10, workers: 1, pull: true },
      { ms: 500, workers: 2, queueCapacity: 1 },
    );
    await virtual.pipeline.start();
    await virtual.pipeline.runtime.feed(numbers(300), {});
    await virtual.clock.advance(10_000);
    expect(await bottleneckOf(virtual)).toEqual({ stage: 'D', ...WORKERS, workers: 2 });
    expect((await virtual.pipeline.runtime.item(await waitingItem(virtual, 'A'))).waitingFor).toEqual({
      reason: 'next-stage-full',
      stage: 'B',
    });
  });

  it('says which limit holds up its workers, and how many, and until when', async () => {
    const limited = { ms: 1000, workers: 5, taskConcurrencyLimits: { work: 2 } };
    const virtual = timed(limited, { ms: 10 });
    await virtual.pipeline.start();
    await virtual.pipeline.runtime.feed(numbers(50), {});
    await virtual.clock.advance(500);
    const holdUp = { stage: 'A', reason: 'task-limit', task: 'work', limiter: null, until: null, workers: 5 };
    expect(await bottleneckOf(virtual)).toEqual({ ...holdUp, workersWaiting: 3 });
    // All of its workers run now, but another one would wait.
    await virtual.pipeline.tune('A', { workers: 2 });
    await virtual.clock.advance(5_000);
    expect(await bottleneckOf(virtual)).toEqual({ ...holdUp, workers: 2, workersWaiting: 0 });
    await virtual.pipeline.tune('A', { taskConcurrencyLimits: { work: 100 } });
    expect(await bottleneckOf(virtual)).toEqual({ stage: 'A', ...WORKERS, workers: 2 });

    const rated = timed({ ms: 10, workers: 3, taskRateLimits: { work: { limit: 2, perSeconds: 60 } } });
    await rated.pipeline.start();
    const from = rated.clock.now();
    await rated.pipeline.runtime.feed(numbers(50), {});
    await rated.clock.advance(1_000);
    const bottleneck = await bottleneckOf(rated);
    expect(bottleneck).toMatchObject({ stage: 'A', reason: 'rate-limit', task: 'work', workersWaiting: 3, workers: 3 });
    expect(Math.abs(Date.parse(bottleneck?.until ?? '') - from - 60_000)).toBeLessThan(100);
    expect((await rated.pipeline.runtime.item(await waitingItem(rated, 'A'))).waitingFor).toMatchObject({
      reason: 'rate-limit',
      task: 'work',
      until: bottleneck?.until,
    });
  });

  it('is none while nothing waits, and a retry that all wait for', async () => {
    const gate = createGate();
    const { pipeline, clock } = virtualPipeline([{ name: 'A', tasks: [gate.task], workers: 2, taskWaitSeconds: 60 }]);
    await pipeline.start();
    expect((await pipeline.runtime.stats()).bottleneck).toBeNull();
    await pipeline.runtime.feed([{ id: 'x' }], {});
    await clock.advance(10);
    expect((await pipeline.runtime.stats()).bottleneck).toBeNull();
    gate.fail('x', new Error('no'));
    await clock.settle();
    expect((await pipeline.runtime.stats()).bottleneck).toMatchObject({ stage: 'A', reason: 'retry' });
    await pipeline.pause();
    expect((await pipeline.runtime.stats()).bottleneck).toMatchObject({ stage: 'A', reason: 'paused' });
  });
});

/** An item that waits in the queue of a stage. */
async function waitingItem({ pipeline }: Virtual, stage: string): Promise<string> {
  const page = await pipeline.runtime.items({ status: ['queued'], stage, after: 0, limit: 1 });
  return (page.rows[0] as { id: string }).id;
}

describe('the time that a pipeline has left', () => {
  it('does not average over idle time', async () => {
    const virtual = timed({ ms: 100, workers: 1 });
    await virtual.pipeline.start();
    await virtual.pipeline.runtime.feed(numbers(50), {});
    await virtual.clock.advance(45_000);
    await virtual.pipeline.runtime.feed(numbers(600), { feedId: 'f' });
    expectWithin(await etaOf(virtual), 60, 0.05);
    await virtual.clock.advance(5_000);
    expectWithin(await etaOf(virtual), 55, 0.05);
    const view = await virtual.pipeline.runtime.feedView('f');
    expectWithin(view.etaSeconds, 55, 0.05);
    expectWithin((await virtual.pipeline.runtime.stats()).throughputPerSecond, 10, 0.05);
  });

  it('is that of the stage which takes the longest, not of the one from which most comes now', async () => {
    const virtual = timed({ ms: 500, workers: 1 }, { ms: 10, workers: 1 });
    await virtual.pipeline.start();
    await virtual.pipeline.pauseStage('B');
    await virtual.pipeline.runtime.feed(numbers(180), {});
    await virtual.clock.advance(40_000);
    expect(await etaOf(virtual)).toBeNull();
    await virtual.pipeline.resumeStage('B');
    await virtual.clock.advance(600);
    expectWithin(await etaOf(virtual), 49.4, 0.1);
  });

  it('is unknown until each stage is known, and while it is paused; and 0 with nothing in flight', async () => {
    const virtual = timed({ ms: 100 }, { ms: 100 }, { ms: 5_000 });
    expect(await etaOf(virtual)).toBe(0);
    await virtual.pipeline.runtime.feed(numbers(20), {});
    expect(await etaOf(virtual)).toBeNull();
    await virtual.pipeline.start();
    await virtual.clock.advance(4_000);
    expect(await etaOf(virtual)).toBeNull();
    await virtual.clock.advance(6_500);
    expectWithin(await etaOf(virtual), 90, 0.1);
    await virtual.pipeline.pause();
    expect(await etaOf(virtual)).toBeNull();
    await virtual.clock.advance(1_000_000);
    await virtual.pipeline.resume();
    expectWithin(await etaOf(virtual), 90, 0.1);
    await virtual.clock.advance(200_000);
    expect(await etaOf(virtual)).toBe(0);
  });

  it('counts the wait for the last retry', async () => {
    let failures = 0;
    const virtual: Virtual = virtualPipeline([
      {
        name: 'A',
        taskWaitSeconds: 600,
        tasks: [
          (value: unknown) =>
            new Promise(
              (resolve, reject) =>
                void virtual.clock.setTimer(() => (value === 3 && failures++ === 0 ? reject(new Error()) : resolve(value)), 100),
            ),
        ],
      },
    ]);
    await virtual.pipeline.start();
    await virtual.pipeline.runtime.feed(numbers(20), {});
    await virtual.clock.advance(10_000);
    expectWithin(await etaOf(virtual), 590.5, 0.01);
  });

  it('is right within 20 % after 10 seconds, and does not jump, for a pipeline and its feeds', async () => {
    const stage = fc.record({
      workers: fc.integer({ min: 1, max: 8 }),
      ms: fc.integer({ min: 20, max: 2000 }),
      jitter: fc.double({ min: 0, max: 0.3, noNaN: true }),
    });
    await fc.assert(
      fc.asyncProperty(
        fc.array(stage, { minLength: 1, maxLength: 3 }),
        fc.integer({ min: 1, max: 3 }),
        fc.nat(),
        async (stages, feeds, seed) => {
          let state = seed;
          const random = (): number => {
            state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
            return state / 2 ** 32;
          };
          const virtual = timed(
            ...stages.map(({ workers, ms, jitter }) => ({ workers, ms: () => ms * (1 + jitter * (2 * random() - 1)) })),
          );
          const { pipeline, clock } = virtual;
          await pipeline.start();
          const perSecond = Math.min(...stages.map(({ workers, ms }) => (1000 * workers) / ms));
          const each = Math.ceil((perSecond * 70) / feeds);
          for (let n = 0; n < feeds; n++) await pipeline.runtime.feed(numbers(each), { feedId: `f${n}` });
          const told = new Map<string, [at: number, eta: number | null][]>();
          const note = (key: string, at: number, eta: number | null): void => void told.set(key, [...(told.get(key) ?? []), [at, eta]]);
          const ends = new Map<string, number>();
          for (let at = 0; (await pipeline.runtime.stats()).itemsInFlight > 0; at += 1) {
            if (at % 3 === 0) note('all', at, await etaOf(virtual));
            for (let n = 0; n < feeds; n++) {
              const { done, etaSeconds } = await pipeline.runtime.feedView(`f${n}`);
              if (done && !ends.has(`f${n}`)) ends.set(`f${n}`, at);
              if (at % 3 === 0) note(`f${n}`, at, etaSeconds);
            }
            await clock.advance(1_000);
            ends.set('all', at + 1);
          }
          const filled = stages.reduce((sum, { ms }) => sum + ms / 1000, 0);
          for (const [key, list] of told) {
            const end = ends.get(key) ?? (ends.get('all') as number);
            let last: { at: number; eta: number } | null = null;
            for (const [at, eta] of list) {
              const truth = end - at;
              // What has just begun is not steady yet, and what has nearly ended is counted in single items.
              if (at < 10 + 2 * filled || truth < 10 + 2 * filled) continue;
              expectWithin(eta, truth, 0.2);
              if (last !== null) expect(Math.max((eta as number) / last.eta, last.eta / ((eta as number) + 3))).toBeLessThan(1.5);
              last = { at, eta: eta as number };
            }
          }
        },
      ),
      { numRuns: 25 },
    );
  }, 120_000);
});

describe('the time that a feed has left', () => {
  it('counts what is before it, and not what is behind it', async () => {
    const virtual = timed({ ms: 100, workers: 1 }, { ms: 10, workers: 1 });
    const { pipeline, clock } = virtual;
    await pipeline.start();
    await pipeline.runtime.feed(numbers(300), { feedId: 'first' });
    await pipeline.runtime.feed(numbers(100), { feedId: 'second' });
    await pipeline.runtime.feed(numbers(500), { feedId: 'last' });
    await clock.advance(10_000);
    const eta = async (id: string) => (await pipeline.runtime.feedView(id)).etaSeconds;
    expectWithin(await eta('first'), 20, 0.05);
    expectWithin(await eta('second'), 30, 0.05);
    expectWithin(await eta('last'), 80, 0.05);
    await pipeline.runtime.feed(numbers(100), { feedId: 'urgent', priority: 1 });
    expectWithin(await eta('urgent'), 10, 0.05);
    expectWithin(await eta('first'), 30, 0.05);
    const { rows } = await pipeline.runtime.feeds({ after: 0, limit: 10 });
    expect(rows.map(({ etaSeconds }) => Math.round(etaSeconds as number))).toEqual([30, 40, 90, 10]);
  });

  it('does not wait for a stage before the one that it is fed into', async () => {
    const virtual = timed({ ms: 1000, workers: 1 }, { ms: 100, workers: 1 });
    const { pipeline, clock } = virtual;
    await pipeline.start();
    await pipeline.runtime.feed(numbers(500), { feedId: 'slow' });
    await clock.advance(20_000);
    await pipeline.runtime.feed(numbers(100), { feedId: 'late', targetStage: 'B' });
    await clock.advance(2_000);
    expectWithin((await pipeline.runtime.feedView('late')).etaSeconds, 9, 0.15);
  });
});

describe('the rate of a feed', () => {
  /** Item n completes at its attempt n + 1; a wait between two takes ten seconds, an attempt as good as nothing. */
  async function waiting(count: number): Promise<Virtual> {
    const tasks = [
      (value: unknown, { attempt }: TaskContext) => {
        if (attempt <= (value as number)) throw new Error('not yet');
        return value;
      },
    ];
    const virtual = virtualPipeline([{ name: 'A', workers: 4, tasks, taskWaitSeconds: 10, taskAttempts: 100 } as never]);
    await virtual.pipeline.start();
    await virtual.pipeline.runtime.feed(numbers(count), { feedId: 'f' });
    return virtual;
  }
  const rateOf = async ({ pipeline }: Virtual) => (await pipeline.runtime.feedView('f')).throughputPerSecond;

  it('whose items wait for retries is one by the clock: one item in ten seconds', async () => {
    const virtual = await waiting(30);
    await virtual.clock.advance(60_000);
    for (let i = 0; i < 20; i++) {
      await virtual.clock.advance(7_000);
      expectWithin(await rateOf(virtual), 0.1, 0.2);
    }
    await virtual.clock.advance(200_000);
    // Thirty items in 290 seconds.
    expectWithin(await rateOf(virtual), 30 / 290, 0.02);
    await virtual.clock.advance(3_600_000);
    expectWithin(await rateOf(virtual), 30 / 290, 0.02);
  });

  it('counts neither the time before its first item nor that in which nothing of the pipeline waits', async () => {
    const virtual = timed({ ms: 100, workers: 1 });
    const { pipeline, clock } = virtual;
    await pipeline.start();
    await pipeline.runtime.feed(numbers(100), { feedId: 'f' });
    await clock.advance(10_000);
    await clock.advance(600_000);
    await pipeline.runtime.feed(numbers(100), { feedId: 'f', append: true } as never);
    await clock.advance(5_000);
    expectWithin(await rateOf(virtual), 10, 0.05);
  });

  it('falls while all that is left waits for one attempt', async () => {
    const virtual = await waiting(2);
    await virtual.clock.advance(9_000);
    const first = await rateOf(virtual);
    expect(first).toBeLessThanOrEqual(1);
    await virtual.clock.advance(2_000);
    expectWithin(await rateOf(virtual), 0.2, 0.02);
  });
});

describe('the numbers of a stage', () => {
  it('tell what it does, how fast, and how long items wait and run there', async () => {
    const virtual = timed({ ms: 50, workers: 2 }, { ms: 200, workers: 1, queueCapacity: 10 });
    const { pipeline, clock } = virtual;
    await pipeline.start();
    await pipeline.runtime.feed(numbers(1000), {});
    await clock.advance(30_000);
    const { A, B } = (await pipeline.runtime.stats()).stageStats;
    expect(A?.workers).toEqual({ running: 0, limited: 0, blocked: 2, idle: 0 });
    expect(B?.workers).toEqual({ running: 1, limited: 0, blocked: 0, idle: 0 });
    for (const stage of [A, B]) expectWithin(stage?.ratePerSecond.out ?? 0, 5, 0.1);
    expectWithin(B?.ratePerSecond.in ?? 0, 5, 0.1);
    expectWithin(A?.runSeconds.p50 ?? 0, 0.05, 0.02);
    expectWithin(B?.runSeconds.p90 ?? 0, 0.2, 0.02);
    // Ten wait before it.
    expectWithin(B?.waitSeconds.p90 ?? 0, 2, 0.1);
    expectWithin(A?.oldestItemAgeSeconds ?? 0, 30, 0.01);
    expectWithin(B?.oldestItemAgeSeconds ?? 0, 2.1, 0.1);
  });

  it('tell a wait for a limit from work, and an idle worker from a limited one', async () => {
    const virtual = timed({ ms: 1000, workers: 4, taskConcurrencyLimits: { work: 1 } });
    const { pipeline, clock } = virtual;
    await pipeline.start();
    await pipeline.runtime.feed(numbers(3), {});
    await clock.advance(500);
    const stage = async () => (await pipeline.runtime.stats()).stageStats.A;
    expect((await stage())?.workers).toEqual({ running: 1, limited: 2, blocked: 0, idle: 1 });
    await clock.advance(10_000);
    expect(await stage()).toMatchObject({ oldestItemAgeSeconds: null, workers: { running: 0, limited: 0, blocked: 0, idle: 4 } });
    expectWithin((await stage())?.waitSeconds.p90 ?? 0, 2, 0.02);
    expectWithin((await stage())?.runSeconds.p90 ?? 0, 1, 0.02);
    await clock.advance(60_000);
    expect(await stage()).toMatchObject({ waitSeconds: { p50: null, p90: null }, runSeconds: { p50: null, p90: null } });
  });

  it('find the oldest item with a worker, in any priority of the queue, and between two attempts', async () => {
    const gate = createGate();
    const { pipeline, clock } = virtualPipeline([{ name: 'A', tasks: [gate.task], taskWaitSeconds: 1000 }]);
    await pipeline.start();
    const age = async () => (await pipeline.runtime.stats()).stageStats.A?.oldestItemAgeSeconds;
    expect(await age()).toBeNull();
    await pipeline.runtime.feed([{ id: 'parked' }], {});
    await clock.advance(5_000);
    await pipeline.runtime.feed([{ id: 'low' }], { priority: 500 });
    await clock.advance(5_000);
    await pipeline.runtime.feed([{ id: 'high' }], { priority: 1 });
    expect(await age()).toBe(10);
    gate.fail('parked', new Error('no'));
    await clock.settle();
    expect(await age()).toBe(10);
    await pipeline.runtime.cancelItem('parked');
    expect(await age()).toBe(5);
    await pipeline.runtime.cancelItem('low');
    expect(await age()).toBe(0);
  });
});
