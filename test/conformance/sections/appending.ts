import fc from 'fast-check';
import { expect } from 'vitest';
import type { FeedRequest, PipelineRuntime } from '../../../src/engine/index.ts';
import { SEED as seed } from '../../seed.ts';
import { EVERYTHING, ended, named, type Suite } from '../world.ts';

async function sent(p: PipelineRuntime, request: FeedRequest, items: unknown[], breaksOff = false) {
  const writer = await p.openFeed(request);
  await writer.push(items);
  return breaksOff ? writer.abort() : writer.end();
}

/** A feed for which nothing has come is not there. */
function absent(error: unknown): { total: number; duplicates: number } {
  expect(error).toMatchObject({ code: 'feed-not-found' });
  return { total: 0, duplicates: 0 };
}

/** Feeds whose upload broke off, and that other requests continue. */
export function appending({ test, world }: Suite): void {
  const pass = [{ name: 'A', tasks: ['pass'] }];
  const append = { feedId: 'f', append: true } as const;

  test('a feed says whether its upload is complete: not while it is sent, nor after it broke off', async () => {
    const p = await (await world()).pipeline(pass);
    const writer = await p.openFeed({ feedId: 'f' });
    await writer.push(named('a'));
    expect(await p.feedView('f')).toMatchObject({ uploadComplete: false, sending: true, done: false });
    await writer.abort();
    await ended(p, 1);
    expect(await p.feedView('f')).toMatchObject({ uploadComplete: false, sending: false, done: true, total: 1 });
    await sent(p, { feedId: 'g' }, named('b'));
    await p.feed(named('c'), { feedId: 'h' });
    const { rows } = await p.feeds({ after: 0, limit: 10 });
    expect(rows.map(({ feedId, uploadComplete }) => [feedId, uploadComplete])).toEqual([
      ['f', false],
      ['g', true],
      ['h', true],
    ]);
  });

  test('all of it is sent again: what the feed has is not fed again, and its results are whole', async () => {
    const p = await (await world()).pipeline(pass);
    await p.run(named('other'), {});
    await sent(p, { feedId: 'f' }, named('a', 'b'), true);
    const receipt = await sent(p, append, named('a', 'b', 'other', 'c', 'd'));
    expect(receipt).toEqual({ feedId: 'f', accepted: 2, duplicates: 3, firstSequence: 4, lastSequence: 5 });
    await ended(p, 5);
    expect(await p.feedView('f')).toMatchObject({ total: 4, duplicates: 3, uploadComplete: true, done: true });
    const { rows } = await p.feedResults('f', { ...EVERYTHING, status: 'all' });
    expect(rows.map(({ id }) => id)).toEqual(['a', 'b', 'c', 'd']);
    expect((await p.stats()).itemsFed).toBe(5);
  });

  test('of items without ids the rest is sent, from the place that the feed tells, break by break', async () => {
    const p = await (await world()).pipeline(pass);
    const items = ['v', 'w', 'x', 'y', 'z'];
    await sent(p, append, items.slice(0, 2), true);
    for (let to = 3; to <= 5; to++) {
      const { total, duplicates } = await p.feedView('f');
      await sent(p, append, items.slice(total + duplicates, to), to < 5);
    }
    await ended(p, 5);
    expect(await p.feedView('f')).toMatchObject({ total: 5, uploadComplete: true });
    const { rows } = await p.feedResults('f', { ...EVERYTHING, status: 'all' });
    expect(rows.map(({ value }) => value)).toEqual(items);
  });

  test('ids that come again in what is sent count, so that the place is right after any number of breaks', async () => {
    const p = await (await world()).pipeline(pass);
    await p.run(named('other'), {});
    const item = fc.oneof(fc.constantFrom(...named('a', 'b', 'other')), fc.constantFrom('v', 'w'));
    const drawn = fc.tuple(fc.array(item, { maxLength: 12 }), fc.array(fc.tuple(fc.nat(4), fc.boolean()), { minLength: 6, maxLength: 6 }));
    let run = 0;
    await fc.assert(
      fc.asyncProperty(drawn, async ([items, breaks]) => {
        const feedId = `f${run++}`;
        // Ids of this feed alone, beside one that another has.
        const fresh = items.map((one) => (typeof one === 'string' || one.id === 'other' ? one : { id: `${feedId}-${one.id}` }));
        let at = 0;
        for (const [most, breaksOff] of breaks) {
          await sent(p, { feedId, append: true }, fresh.slice(at, at + most), breaksOff);
          at = Math.min(fresh.length, at + most);
          const feed = await p.feedView(feedId).catch(absent);
          expect(feed.total + feed.duplicates).toBe(at);
        }
        const sentItems = fresh.slice(0, at);
        const ids = new Set(sentItems.flatMap((one) => (typeof one === 'string' || one.id === 'other' ? [] : [one.id])));
        const texts = sentItems.filter((one) => typeof one === 'string');
        const { total } = await p.feedView(feedId).catch(absent);
        expect(total).toBe(ids.size + texts.length);
      }),
      { seed, numRuns: 30 },
    );
  });

  test('items that are given whole are appended, too, and a refused request leaves the feed as it was', async () => {
    const p = await (await world()).pipeline(pass, { start: false, backlogCapacity: 3 });
    await p.feed(named('a'), append);
    expect(await p.feed(named('a', 'b'), append)).toMatchObject({ accepted: 1, duplicates: 1, ids: ['a', 'b'], firstSequence: 2 });
    await expect(p.feed(named('c', 'd', 'e'), append)).rejects.toMatchObject({ code: 'queue-full' });
    expect(await p.feedView('f')).toMatchObject({ total: 2, uploadComplete: true });
    expect(await p.feed(named('a'), append)).toMatchObject({ accepted: 0, duplicates: 1, firstSequence: null, lastSequence: null });
  });

  test('one that is still being sent, is cancelled or is not its own cannot be continued', async () => {
    const p = await (await world()).pipeline(pass, { start: false });
    const writer = await p.openFeed({ feedId: 'f', maker: 'me' });
    await expect(p.openFeed(append)).rejects.toMatchObject({ code: 'feed-exists', message: expect.stringContaining('still being sent') });
    await writer.push(named('a'));
    await writer.abort();
    await expect(p.feed(['x'], { ...append, maker: 'you', isOwnOnly: true })).rejects.toMatchObject({ code: 'feed-exists' });
    expect(await p.feed(named('b'), { ...append, maker: 'me', isOwnOnly: true })).toMatchObject({ accepted: 1 });
    await p.cancelFeed('f');
    await expect(p.feed(named('c'), append)).rejects.toMatchObject({ code: 'feed-cancelled' });
    expect(await p.feedView('f')).toMatchObject({ total: 2 });
  });

  test('it needs an id, takes no key, and stays in its stage', async () => {
    const p = await (await world()).pipeline([...pass, { name: 'B', tasks: ['pass'] }]);
    await p.feed(named('a'), { feedId: 'f', targetStage: 'B' });
    const at = (path: string) => ({ code: 'invalid-input', errors: [{ path }] });
    await expect(p.feed(['x'], { append: true })).rejects.toMatchObject(at('/append'));
    const key = { key: 'k', request: 'r', body: 'b' };
    await expect(p.feed(['x'], { ...append, idempotency: key })).rejects.toMatchObject(at('/append'));
    await expect(p.openFeed({ ...append, idempotency: key })).rejects.toMatchObject(at('/append'));
    await expect(p.feed(['x'], { ...append, targetStage: 'A' })).rejects.toMatchObject(at('/targetStage'));
    await p.feed(named('b'), { ...append, targetStage: 'B' });
    await ended(p, 2);
    expect((await p.items(EVERYTHING)).rows.map(({ stage }) => stage)).toEqual(['B', 'B']);
    expect(await p.feed(['x'], { idempotency: key })).toMatchObject({ accepted: 1 });
  });
}
