import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { FeedView } from '../../src/schemas/feed.ts';
import { createGate, expectBooksToBalance, type Virtual, virtualPipeline } from './harness.ts';

const numbers = (count: number) => Array.from({ length: count }, (_, i) => i);

/** Stages that take so long for each item. */
function timed(...stages: { workers: number; durationMs: number }[]): Virtual {
  const sleep = (ms: number) => (value: unknown) => new Promise((resolve) => void virtual.clock.setTimer(() => resolve(value), ms));
  const virtual: Virtual = virtualPipeline(
    stages.map(({ workers, durationMs }, i) => ({ name: `S${i}`, workers, tasks: [sleep(durationMs)] })),
    { retention: { maxItems: 50 } },
  );
  return virtual;
}

function expectNear(value: number | null, truth: number, factor: number): void {
  expect(value).not.toBeNull();
  expect(value as number).toBeGreaterThanOrEqual(truth / factor);
  expect(value as number).toBeLessThanOrEqual(truth * factor);
}

async function viewOf({ pipeline }: Virtual, feedId: string): Promise<FeedView> {
  const view = await pipeline.runtime.feedView(feedId);
  expect(view.queued + view.inProgress + view.completed + view.failed + view.cancelled).toBe(view.total);
  return view;
}

describe('the rate of a feed and the time that it has left', () => {
  it('are right within a half while it runs, whatever its speed, and exact when it is done', async () => {
    const setting = fc.record({ workers: fc.integer({ min: 1, max: 12 }), durationMs: fc.integer({ min: 1, max: 120_000 }) });
    await fc.assert(
      fc.asyncProperty(setting, fc.integer({ min: 4, max: 40 }), async (stage, rounds) => {
        const virtual = timed(stage);
        const { pipeline, clock } = virtual;
        await pipeline.start();
        const perSecond = (stage.workers * 1000) / stage.durationMs;
        await pipeline.runtime.feed(numbers(stage.workers * rounds), { feedId: 'f' });
        expect(await viewOf(virtual, 'f')).toMatchObject({ throughputPerSecond: 0, etaSeconds: null, inProgress: stage.workers });
        for (let round = 1; round < rounds; round++) {
          await clock.advance(stage.durationMs * 1.001);
          const view = await viewOf(virtual, 'f');
          expectNear(view.throughputPerSecond, perSecond, 1.1);
          expectNear(view.etaSeconds, ((rounds - round) * stage.durationMs) / 1000, 1.5);
        }
        await clock.advance(stage.durationMs * 10);
        const done = await viewOf(virtual, 'f');
        expect(done).toMatchObject({ done: true, etaSeconds: 0 });
        expectNear(done.throughputPerSecond, perSecond, 1.01);
        await clock.advance(3_600_000);
        expect((await viewOf(virtual, 'f')).throughputPerSecond).toBe(done.throughputPerSecond);
      }),
      { numRuns: 40 },
    );
  }, 60_000);

  it('do not count the time in which it waited behind another feed', async () => {
    const virtual = timed({ workers: 2, durationMs: 1_000 });
    const { pipeline, clock } = virtual;
    await pipeline.start();
    await pipeline.runtime.feed(numbers(2_000), { feedId: 'before' });
    await pipeline.runtime.feed(numbers(100), { feedId: 'f' });
    await clock.advance(500_000);
    const waiting = await viewOf(virtual, 'f');
    expect(waiting).toMatchObject({ queued: 100, throughputPerSecond: 0 });
    expectNear(waiting.etaSeconds, 550, 1.05);
    await clock.advance(510_000);
    const view = await viewOf(virtual, 'f');
    expect(view.completed).toBeGreaterThan(10);
    expectNear(view.throughputPerSecond, 2, 1.1);
    expectNear(view.etaSeconds, (100 - view.completed) / 2, 1.1);
  });

  it('follow the slowest stage, and a change of speed', async () => {
    const virtual = timed({ workers: 8, durationMs: 100 }, { workers: 1, durationMs: 1_000 });
    const { pipeline, clock } = virtual;
    await pipeline.start();
    await pipeline.runtime.feed(numbers(300), { feedId: 'f' });
    await clock.advance(20_000);
    expectNear((await viewOf(virtual, 'f')).throughputPerSecond, 1, 1.2);
    await pipeline.tune('S1', { workers: 4 });
    await clock.advance(20_000);
    const view = await viewOf(virtual, 'f');
    expectNear(view.throughputPerSecond, 4, 1.5);
    expectNear(view.etaSeconds, (view.total - view.completed) / 4, 1.5);
  });

  it('fall while nothing ends', async () => {
    const gate = createGate();
    const { pipeline, clock } = virtualPipeline([{ name: 'A', tasks: [gate.task] }]);
    await pipeline.start();
    await pipeline.runtime.feed(
      numbers(100).map((n) => ({ id: `${n}` })),
      { feedId: 'f' },
    );
    for (let n = 0; n < 10; n++) {
      await clock.advance(1_000);
      gate.open(`${n}`);
      await clock.settle();
    }
    const before = await pipeline.runtime.feedView('f');
    await clock.advance(600_000);
    const after = await pipeline.runtime.feedView('f');
    expect(after.throughputPerSecond).toBeLessThan(before.throughputPerSecond / 10);
    expect(after.etaSeconds).toBeGreaterThan(10 * (before.etaSeconds as number));
  });

  it('stay what they were when failed items of a done feed are retried, and run again', async () => {
    const gate = createGate();
    const { pipeline, clock } = virtualPipeline([{ name: 'A', tasks: [gate.task], taskAttempts: 1 }]);
    await pipeline.start();
    await pipeline.runtime.feed([{ id: 'x' }], { feedId: 'f' });
    await clock.advance(1_000);
    gate.fail('x', new Error('no'));
    await clock.advance(1_000_000);
    expect(await pipeline.runtime.feedView('f')).toMatchObject({ done: true, failed: 1, throughputPerSecond: 1 });
    await pipeline.runtime.retryFeed('f');
    await clock.advance(500);
    gate.open('x');
    await clock.settle();
    expect(await pipeline.runtime.feedView('f')).toMatchObject({ done: true, completed: 1, throughputPerSecond: 1 });
  });
});

describe('a feed of many items', () => {
  const COUNT = 20_000;

  it('is cancelled in steps, between which others have their turn, and none of its items is begun', async () => {
    const gate = createGate();
    const { pipeline, clock } = virtualPipeline([{ name: 'A', workers: 3, tasks: [gate.task] }]);
    await pipeline.start();
    await pipeline.runtime.feed([{ id: 'mine' }], {});
    await pipeline.runtime.feed(numbers(COUNT), { feedId: 'f' });
    let cancelled: number | undefined;
    const work = pipeline.runtime.cancelFeed('f').then((count) => {
      cancelled = count;
    });
    // What others see between two steps: their turn of the event loop comes again and again.
    const seen: number[] = [];
    const look = (): void => {
      seen.push(pipeline.getStats().itemsCancelled);
      if (cancelled === undefined) clock.defer(look);
    };
    clock.defer(look);
    await clock.settle();
    await work;
    expect(cancelled).toBe(COUNT);
    expect(new Set(seen).size).toBeGreaterThan(10);
    expect(gate.begun).toBe(3);
    expect(gate.inside).toEqual(['mine']);
    expectBooksToBalance({ pipeline });
  });

  it('is followed past the items of other feeds between its own', async () => {
    const { pipeline, clock } = virtualPipeline([{ name: 'A', workers: 4, tasks: [(value: unknown) => value] }]);
    await pipeline.start();
    const writer = await pipeline.runtime.openFeed({ feedId: 'f' });
    for (let i = 0; i < 10; i++) {
      await writer.push([{ id: `f${i}` }]);
      await pipeline.runtime.feed(numbers(1_500), {});
    }
    await writer.end();
    await clock.settle();
    const rows: string[] = [];
    const follow = (async () => {
      for await (const batch of pipeline.runtime.followFeed('f', { status: 'all', after: 0 })) rows.push(...batch.map(({ id }) => id));
    })();
    await clock.finish(follow);
    expect(rows).toEqual(Array.from({ length: 10 }, (_, i) => `f${i}`));
    const page = await pipeline.runtime.feedResults('f', { status: 'all', after: 0, limit: 10 });
    expect([page.rows.length, page.next]).toEqual([10, null]);
  });

  it('leaves no watcher, no follower and no timer behind', async () => {
    const gate = createGate();
    const { pipeline, clock } = virtualPipeline([{ name: 'A', tasks: [gate.task] }]);
    const { runtime } = pipeline;
    await pipeline.start();
    await runtime.feed([{ id: 'x' }], { feedId: 'f' });
    const caller = new AbortController();
    const { signal } = caller;
    const follower = runtime.followFeed('f', { status: 'all', after: 0, signal })[Symbol.asyncIterator]();
    const waits: Promise<unknown>[] = [
      runtime.waitForFeed('f', { timeoutSeconds: 60, signal }),
      runtime.waitForItems({ itemIds: ['x'], returnWhen: 'ALL_COMPLETED', timeoutSeconds: 60, signal }),
      runtime.run(['y'], { timeoutSeconds: 60, signal }),
      follower.next(),
    ];
    const run = await runtime.openRun({ timeoutSeconds: 60, signal }, ['z']);
    waits.push(run.read());
    const settled = Promise.allSettled(waits);
    const { core } = runtime;
    await clock.settle();
    expect(core.followers.size).toBe(5);
    caller.abort();
    expect((await settled).map(({ status }) => status)).toEqual(Array.from({ length: 5 }, () => 'rejected'));
    await clock.settle();
    expect([core.followers.size, core.dues.size, clock.pending]).toEqual([0, 0, 0]);
    expect([...core.feeds.after(0)].map((feed) => feed.watchers)).toEqual([null, null, null]);
  });
});
