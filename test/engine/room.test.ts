import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { SluiceError } from '../../src/engine/index.ts';
import { createGate, type Virtual, virtualPipeline } from './harness.ts';

const named = (count: number, prefix = 'i') => Array.from({ length: count }, (_, i) => ({ id: `${prefix}${i}` }));

/** Gives one to the worker and fills the backlog: i0 is held, the others wait. */
async function occupy({ pipeline }: { pipeline: Virtual['pipeline'] }, capacity: number): Promise<void> {
  const [first, ...others] = named(capacity + 1);
  await pipeline.runtime.feed([first], {});
  await pipeline.runtime.feed(others, {});
}

/** A pipeline whose first stage takes so long for each item, and perhaps a second stage that is slower. */
function timed(workers: number, durationMs: number, backlogCapacity: number, second?: { workers: number; durationMs: number }): Virtual {
  const sleep = (ms: number) => (value: unknown) => new Promise((resolve) => void virtual.clock.setTimer(() => resolve(value), ms));
  const stages = [{ name: 'A', workers, tasks: [sleep(durationMs)] }];
  if (second !== undefined) stages.push({ name: 'B', workers: second.workers, tasks: [sleep(second.durationMs)] });
  const virtual: Virtual = virtualPipeline(stages, { backlogCapacity, retention: { maxItems: 10 } });
  return virtual;
}

/** What a refused feed of so many items is told, and how long it takes until they fit, in seconds. */
async function ask({ pipeline, clock }: Virtual, count: number): Promise<{ told: number; takes: number }> {
  const items = Array.from({ length: count }, (_, i) => i);
  const error: unknown = await pipeline.runtime.feed(items, {}).catch((thrown: unknown) => thrown);
  expect(error).toMatchObject({ code: 'queue-full' });
  const since = clock.seconds;
  await clock.finish(pipeline.runtime.feed(items, { waitSeconds: 1_000_000 }));
  return { told: (error as SluiceError).retryAfterSeconds as number, takes: clock.seconds - since };
}

/** Whole seconds, at least one, and within a factor of two of the truth. */
function expectFair({ told, takes }: { told: number; takes: number }): void {
  expect(Number.isInteger(told)).toBe(true);
  expect(told).toBeGreaterThanOrEqual(Math.max(1, takes / 2));
  expect(told).toBeLessThanOrEqual(Math.max(1, Math.ceil(2 * takes)));
}

const CAPACITY = 200;
const pace = fc.record({
  workers: fc.integer({ min: 1, max: 20 }),
  durationMs: fc.integer({ min: 1, max: 60_000 }),
  /** As many as all workers take at once, or more: fewer come at one instant or at the next. */
  share: fc.double({ min: 0.2, max: 1, noNaN: true }),
});

/** Fills the backlog, lets that many rounds of all workers pass, and fills it again. */
async function fillAndWork(virtual: Virtual, workers: number, durationMs: number, rounds: number): Promise<void> {
  const { pipeline, clock } = virtual;
  const fill = () =>
    pipeline.runtime.feed(
      Array.from({ length: CAPACITY - pipeline.runtime.core.scheduler.backlog }, () => 0),
      {},
    );
  await fill();
  await clock.advance(durationMs * rounds);
  while (pipeline.runtime.core.scheduler.backlog < CAPACITY) await fill();
  expect(pipeline.getStats().itemsInFlight).toBe(CAPACITY + workers);
}

describe('what a feed without room is told about when to come again', () => {
  it('is right within a factor of two, from the first ends on', async () => {
    await fc.assert(
      fc.asyncProperty(pace, fc.double({ min: 1.01, max: 30, noNaN: true }), async ({ workers, durationMs, share }, rounds) => {
        const virtual = timed(workers, durationMs, CAPACITY);
        await virtual.pipeline.start();
        await fillAndWork(virtual, workers, durationMs, rounds);
        const asked = Math.max(workers, Math.floor(CAPACITY * share));
        fc.pre((asked * durationMs) / workers < 3_000_000);
        expectFair(await ask(virtual, asked));
      }),
      { numRuns: 60 },
    );
  }, 60_000);

  it('is right after an hour without work, and after a pause', async () => {
    for (const idle of ['without work', 'paused']) {
      const virtual = timed(4, 2_000, CAPACITY);
      const { pipeline, clock } = virtual;
      await pipeline.start();
      await fillAndWork(virtual, 4, 2_000, 10);
      if (idle === 'paused') {
        await pipeline.pause();
        await clock.advance(3_600_000);
        await pipeline.resume();
      } else {
        await clock.advance(3_600_000);
        expect(pipeline.getStats().itemsInFlight).toBe(0);
        await fillAndWork(virtual, 4, 2_000, 0);
      }
      expectFair(await ask(virtual, 100));
    }
  });

  it('is right after the start of a pipeline that was fed an hour before', async () => {
    const virtual = timed(2, 1_000, CAPACITY);
    await virtual.pipeline.runtime.feed(named(CAPACITY), {});
    await virtual.clock.advance(3_600_000);
    await virtual.pipeline.start();
    await virtual.clock.advance(3_000);
    await virtual.pipeline.runtime.feed(named(6, 'more'), {});
    expectFair(await ask(virtual, 60));
  });

  it('follows a later stage that is slower, soon after it has filled up', async () => {
    const virtual = timed(10, 1, 1_000, { workers: 1, durationMs: 100 });
    const { pipeline, clock } = virtual;
    await pipeline.start();
    await pipeline.runtime.feed(named(1_000), {});
    await clock.advance(10_000);
    const room = 1_000 - pipeline.runtime.core.scheduler.backlog;
    await pipeline.runtime.feed(named(room, 'more'), {});
    expectFair(await ask(virtual, 200));
  });

  it('counts those who wait for room already', async () => {
    const { pipeline, clock } = timed(1, 1_000, 10);
    await pipeline.start();
    await occupy({ pipeline }, 10);
    await clock.advance(5_000);
    await pipeline.runtime.feed(named(5, 'more'), {});
    const waiting = pipeline.runtime.feed(named(8, 'wait'), { waitSeconds: 100 });
    await expect(pipeline.runtime.feed(named(2, 'x'), {})).rejects.toMatchObject({ code: 'queue-full', retryAfterSeconds: 10 });
    expect(await clock.finish(waiting)).toMatchObject({ accepted: 8 });
    expect(clock.seconds).toBe(13);
  });

  it('is an hour at most, and longer than a moment when nothing is handed out', async () => {
    const slow = timed(1, 3_000_000, 10);
    await slow.pipeline.start();
    await occupy(slow, 10);
    await slow.clock.advance(3_000_000);
    await slow.pipeline.runtime.feed(named(1, 'x'), {});
    await expect(slow.pipeline.runtime.feed(named(5, 'y'), {})).rejects.toMatchObject({ retryAfterSeconds: 3600 });
    const idle = timed(1, 1, 10);
    await idle.pipeline.runtime.feed(named(10), {});
    await expect(idle.pipeline.runtime.feed(named(1, 'x'), {})).rejects.toMatchObject({ retryAfterSeconds: 5 });
  });
});

describe('waiting for room', () => {
  it('ends when the time is up, and nothing is accepted then', async () => {
    const gate = createGate();
    const { pipeline, clock } = virtualPipeline([{ name: 'A', tasks: [gate.task] }], { backlogCapacity: 2 });
    await pipeline.start();
    await occupy({ pipeline }, 2);
    const waiting = pipeline.runtime.feed(named(2, 'w'), { waitSeconds: 5, feedId: 'w' });
    const refused = expect(waiting).rejects.toMatchObject({ code: 'queue-full', retryAfterSeconds: expect.any(Number) });
    gate.open('i0');
    await clock.advance(4_999);
    expect(pipeline.getStats().itemsFed).toBe(3);
    await clock.advance(1);
    await refused;
    gate.open('i1');
    await clock.settle();
    expect(pipeline.getStats().itemsFed).toBe(3);
    // It left no feed behind, nor a timer.
    await pipeline.runtime.feed(named(1, 'w'), { feedId: 'w' });
    await clock.settle();
    expect(clock.pending).toBe(0);
  });

  it('ends when the caller goes, before and while it waits', async () => {
    const { pipeline, clock } = virtualPipeline([{ name: 'A', tasks: [(value: unknown) => value] }], { backlogCapacity: 2 });
    await pipeline.runtime.feed(named(2), {});
    const caller = new AbortController();
    const waiting = pipeline.runtime.feed(named(1, 'w'), { waitSeconds: 50, signal: caller.signal });
    caller.abort();
    await expect(waiting).rejects.toMatchObject({ code: 'request-timeout' });
    await expect(pipeline.runtime.feed(named(1, 'v'), { waitSeconds: 50, signal: caller.signal })).rejects.toMatchObject({
      code: 'request-timeout',
    });
    await clock.settle();
    expect(clock.pending).toBe(0);
    await pipeline.start();
    await clock.settle();
    expect(pipeline.getStats().itemsFed).toBe(2);
  });

  it('serves the better priority first, and lets nobody slip past who waits', async () => {
    const gate = createGate();
    const { pipeline, clock } = virtualPipeline([{ name: 'A', tasks: [gate.task] }], { backlogCapacity: 4 });
    await pipeline.start();
    await occupy({ pipeline }, 4);
    const order: string[] = [];
    const wait = (feedId: string, count: number, priority?: number) =>
      pipeline.runtime
        .feed(named(count, feedId), { feedId, waitSeconds: 100, ...(priority === undefined ? {} : { priority }) })
        .then(() => void order.push(feedId));
    const all = [wait('big', 3), wait('small', 1), wait('urgent', 2, 1)];
    gate.open('i0');
    await clock.settle();
    gate.open('i1');
    await clock.settle();
    expect(order).toEqual(['urgent']);
    // There is room for one now, but three are waited for.
    gate.open('i2');
    await clock.settle();
    await expect(pipeline.runtime.feed(named(1, 'late'), {})).rejects.toMatchObject({ code: 'queue-full' });
    expect(await pipeline.runtime.feed(named(1, 'vip'), { priority: 0 })).toMatchObject({ accepted: 1 });
    await pipeline.runtime.cancelItem('vip0');
    gate.open('urgent0');
    await clock.settle();
    expect(order).toEqual(['urgent']);
    gate.open('urgent1');
    await clock.settle();
    expect(order).toEqual(['urgent', 'big']);
    gate.open('i3');
    await clock.settle();
    await Promise.all(all);
    expect(order).toEqual(['urgent', 'big', 'small']);
  });

  it('is refused at once when they can never fit', async () => {
    const { pipeline, clock } = virtualPipeline([{ name: 'A', tasks: [(value: unknown) => value] }], { backlogCapacity: 3 });
    await expect(pipeline.runtime.feed(named(4), { waitSeconds: 60 })).rejects.toMatchObject({
      code: 'queue-full',
      message: expect.stringMatching(/holds 3.*NDJSON/),
    });
    expect(clock.pending).toBe(0);
  });

  it('is told when the pipeline drains or stops', async () => {
    for (const [act, code] of [
      ['join', 'draining'],
      ['shutdown', 'shutting-down'],
    ] as const) {
      const gate = createGate();
      const { pipeline } = virtualPipeline([{ name: 'A', tasks: [gate.task] }], { backlogCapacity: 1 });
      await pipeline.start();
      await occupy({ pipeline }, 1);
      const refused = expect(pipeline.runtime.feed(named(1, 'w'), { waitSeconds: 60 })).rejects.toMatchObject({ code });
      void pipeline[act]().catch(() => undefined);
      await refused;
    }
  });

  it('keeps its promise although a task of the items stops the pipeline as they are accepted', async () => {
    const gate = createGate();
    const stop = (value: unknown) => {
      if (value === 'stop') void pipeline.shutdown('graceful');
      return value;
    };
    const { pipeline, clock } = virtualPipeline(
      [
        { name: 'A', tasks: [gate.task] },
        { name: 'B', workers: 2, tasks: [stop] },
      ],
      { backlogCapacity: 1 },
    );
    await pipeline.start();
    await occupy({ pipeline }, 1);
    const waiting = pipeline.runtime.feed([{ id: 'stop', value: 'stop' }], { waitSeconds: 60, targetStage: 'B' });
    gate.open('i0');
    await clock.settle();
    expect(pipeline.state).toBe('stopped');
    expect(await waiting).toMatchObject({ accepted: 1, ids: ['stop'] });
    expect(pipeline.getStats()).toMatchObject({ itemsFed: 3, itemsProcessed: 2 });
  });
});
