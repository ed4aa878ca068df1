import { describe, expect, it } from 'vitest';
import { createGate, expectBooksToBalance, virtualPipeline } from './harness.ts';

const passOn = (value: unknown) => value;
const named = (...ids: (string | number)[]) => ids.map((id) => ({ id: `${id}` }));

describe('feeding', () => {
  it('names items by AntFlow’s rule', async () => {
    const { pipeline, clock } = virtualPipeline([{ name: 'A', tasks: [passOn] }]);
    const whole = { id: 'whole', colour: 'red' };
    const results = await clock.finish(
      pipeline.run([whole, { id: 7, value: 1, size: 2 }, { id: 'u', value: undefined }, 'plain', null, ['id'], { value: 3 }]),
    );
    expect(results.map(({ id, value, metadata }) => [id, value, metadata])).toEqual([
      ['whole', whole, { colour: 'red' }],
      ['7', 1, { size: 2 }],
      ['u', undefined, {}],
      [expect.stringMatching(/^id\w+-4$/), 'plain', {}],
      [expect.stringMatching(/-5$/), null, {}],
      [expect.stringMatching(/-6$/), ['id'], {}],
      [expect.stringMatching(/-7$/), { value: 3 }, {}],
    ]);
  });

  it('refuses ids that are no names, every fault at once, and accepts nothing', async () => {
    const { pipeline } = virtualPipeline([{ name: 'A', tasks: [passOn] }]);
    const bad = [{ id: '' }, { id: 'fine' }, { id: null }, { id: 'a\nb' }, { id: 'x'.repeat(513) }, { id: Number.NaN }, { id: {} }];
    for (const feed of [pipeline.feed(bad), pipeline.runtime.feed(bad, {}), pipeline.runtime.run(bad, {})]) {
      const error: { code: string; errors: { path: string }[] } = await feed.catch((thrown) => thrown);
      expect(error.code).toBe('invalid-input');
      expect(error.errors.map(({ path }) => path)).toEqual([0, 2, 3, 4, 5, 6].map((i) => `/items/${i}/id`));
    }
    expect(pipeline.getStats().itemsFed).toBe(0);
  });

  it('takes an id once, again only when asked, and never while it runs', async () => {
    const gate = createGate();
    const { pipeline, clock } = virtualPipeline([{ name: 'A', workers: 2, tasks: [gate.task] }]);
    await pipeline.start();
    expect(await pipeline.feed(named('x', 'x', 'y'))).toMatchObject({ accepted: 2, duplicates: 1 });
    expect(await pipeline.feed(named('x'), { onDuplicate: 'rerun' })).toMatchObject({ accepted: 0, duplicates: 1 });
    await expect(pipeline.feed(named('x', 'z', 'z'), { onDuplicate: 'reject' })).rejects.toMatchObject({
      code: 'duplicate-items',
      details: { ids: ['x', 'z'] },
    });
    gate.open();
    await clock.settle();
    expect(await pipeline.feed(named('x'))).toMatchObject({ accepted: 0, duplicates: 1 });
    expect(await pipeline.feed([{ id: 'x', value: 'new' }], { onDuplicate: 'rerun' })).toMatchObject({ accepted: 1, firstSequence: 3 });
    gate.open();
    await clock.settle();
    expect(pipeline.results.map(({ id, value, sequenceId }) => [id, value, sequenceId])).toEqual([
      ['y', { id: 'y' }, 2],
      ['x', 'new', 3],
    ]);
    expectBooksToBalance({ pipeline });
  });

  it('is all or nothing through the runtime, and says when to come again', async () => {
    const gate = createGate();
    const { pipeline } = virtualPipeline([{ name: 'A', tasks: [gate.task] }], { backlogCapacity: 3 });
    await pipeline.start();
    await pipeline.runtime.feed(named('runs', 1), {});
    await expect(pipeline.runtime.feed(named(2, 3, 4), {})).rejects.toMatchObject({ code: 'queue-full', retryAfterSeconds: 1 });
    expect(await pipeline.runtime.feed(named(1, 2, 3), {})).toMatchObject({ accepted: 2, duplicates: 1, ids: ['1', '2', '3'] });
    expect(pipeline.getStats()).toMatchObject({ itemsFed: 4, queueSizes: { A: 3 } });
  });

  it('refuses an unknown stage, a priority out of range, and a feed id twice', async () => {
    const { pipeline } = virtualPipeline([{ name: 'A', tasks: [passOn] }]);
    await expect(pipeline.feed([1], { targetStage: 'B' })).rejects.toMatchObject({ code: 'unknown-stage' });
    for (const priority of [-1, 1.5, 2_097_152, Number.NaN]) {
      await expect(pipeline.feed([1], { priority })).rejects.toMatchObject({ code: 'invalid-input' });
    }
    await pipeline.feed([1], { feedId: 'f' });
    await expect(pipeline.feed([1], { feedId: 'f' })).rejects.toMatchObject({ code: 'feed-exists' });
  });

  it('generates no feed id that a caller has used', async () => {
    const { pipeline } = virtualPipeline([{ name: 'A', tasks: [passOn] }]);
    const { feedId } = await pipeline.runtime.feed([1], {});
    const prefix = feedId.replace(/1$/, '');
    await pipeline.runtime.feed([1], { feedId: `${prefix}3` });
    expect((await pipeline.runtime.feed([1], {})).feedId).toBe(`${prefix}4`);
    for (const n of [1, 3, 4]) {
      expect(await pipeline.runtime.feedView(`${prefix}${n}`)).toMatchObject({ feedId: `${prefix}${n}`, total: 1 });
      await expect(pipeline.runtime.feed([1], { feedId: `${prefix}${n}` })).rejects.toMatchObject({ code: 'feed-exists' });
    }
    for (const id of [`${prefix}2`, `${prefix}04`, prefix]) {
      await expect(pipeline.runtime.feedView(id)).rejects.toMatchObject({ code: 'feed-not-found' });
    }
  });

  it('a refused feed leaves its id free', async () => {
    const { pipeline } = virtualPipeline([{ name: 'A', tasks: [passOn] }], { backlogCapacity: 1 });
    await expect(pipeline.runtime.feed([1, 2], { feedId: 'f' })).rejects.toMatchObject({ code: 'queue-full' });
    await pipeline.runtime.feed([1], { feedId: 'f' });
  });

  it('forgets the oldest finished feeds, though an older one is still open', async () => {
    const { pipeline, clock } = virtualPipeline([{ name: 'A', tasks: [passOn] }]);
    await pipeline.start();
    const open = await pipeline.runtime.openFeed({ feedId: 'open' });
    for (let i = 0; i < 10_100; i++) await pipeline.runtime.feed([i], { feedId: `f${i}` });
    await clock.settle();
    await pipeline.runtime.feed([1], { feedId: 'f0' });
    await expect(pipeline.runtime.feed([1], { feedId: 'open' })).rejects.toMatchObject({ code: 'feed-exists' });
    await open.push([1]);
    expect(await open.end()).toMatchObject({ feedId: 'open', accepted: 1 });
    // It is still the oldest in the list, which says how many are gone.
    const { rows, retired } = await pipeline.runtime.feeds({ after: 0, limit: 1 });
    expect([rows[0]?.feedId, retired]).toEqual(['open', 102]);
  });

  it('a stopped pipeline queues for the next start, and a full one of these says so', async () => {
    const { pipeline, clock } = virtualPipeline([{ name: 'A', tasks: [passOn] }], { backlogCapacity: 2 });
    await pipeline.feed([1, 2]);
    await expect(pipeline.feed([3])).rejects.toMatchObject({ code: 'queue-full' });
    const writer = await pipeline.runtime.openFeed({});
    let pushed = false;
    const pushing = writer.push([3, 4]).then(() => {
      pushed = true;
    });
    await clock.settle();
    expect(pushed).toBe(false);
    await pipeline.start();
    await pushing;
    await writer.end();
    await clock.finish(pipeline.join());
    expect(pipeline.results.map(({ value }) => value)).toEqual([1, 2, 3, 4]);
  });
});

describe('a task that changes the pipeline’s state while it is fed', () => {
  for (const act of ['join', 'shutdown', 'pause'] as const) {
    it(`by ${act}: the feeder is told or waits, and nothing is counted twice`, async () => {
      const task = (value: unknown) => {
        if (value === 'act') void pipeline[act]().catch(() => undefined);
        return value;
      };
      const { pipeline, clock } = virtualPipeline([{ name: 'A', tasks: [task] }], { backlogCapacity: 2 });
      await pipeline.start();
      let outcome: unknown = 'waits';
      const feeding = pipeline.feed([1, 'act', 2, 3, 4, 5, 6]).then(
        (receipt) => {
          outcome = receipt;
        },
        (error: unknown) => {
          outcome = error;
        },
      );
      await clock.settle();
      const { itemsFed } = pipeline.getStats();
      if (act === 'pause') {
        expect(outcome).toBe('waits');
        await pipeline.resume();
        await feeding;
        await clock.settle();
        expect(pipeline.getStats().itemsProcessed).toBe(7);
      } else {
        expect(outcome).toMatchObject({ code: act === 'join' ? 'draining' : expect.stringMatching('shutting-down|queue-full') });
        expect(itemsFed).toBeLessThan(7);
        await clock.settle();
        expect(pipeline.state).toBe('stopped');
      }
      expectBooksToBalance({ pipeline });
      if (pipeline.state !== 'stopped') return;
      await pipeline.start();
      expect(await pipeline.feed([7, 8, 9])).toMatchObject({ accepted: 3 });
      await clock.finish(pipeline.join());
      expect(pipeline.getStats().itemsProcessed).toBe(itemsFed + 3);
    });
  }
});

describe('joining', () => {
  it('finishes what a pipeline that never ran was fed', async () => {
    const { pipeline, clock } = virtualPipeline([{ name: 'A', tasks: [passOn] }]);
    await pipeline.feed([1, 2]);
    await clock.finish(pipeline.join());
    expect(pipeline.results.map(({ value }) => value)).toEqual([1, 2]);
    expect(pipeline.state).toBe('stopped');
  });

  it('is done at once when there is nothing to do, in any state', async () => {
    const { pipeline, clock } = virtualPipeline([{ name: 'A', tasks: [passOn] }]);
    await pipeline.join();
    expect(pipeline.state).toBe('created');
    await pipeline.start();
    await pipeline.pause();
    await pipeline.join();
    expect(pipeline.state).toBe('stopped');
    await Promise.all([pipeline.join(), pipeline.join()]);
    await clock.settle();
    expect(clock.pending).toBe(0);
  });
});
