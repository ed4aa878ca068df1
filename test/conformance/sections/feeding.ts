import { expect } from 'vitest';
import { EVERYTHING, ended, named, reaches, type Suite, seqOf, until } from '../world.ts';

const pass = [{ name: 'A', tasks: ['pass'] }];
const gated = [{ name: 'A', tasks: ['gated'] }];

export function feeding({ test, world }: Suite): void {
  test('answers with a receipt: feed, counts, sequence ids, one id an item', async () => {
    const p = await (await world()).pipeline(pass);
    const first = await p.feed([{ id: 'a' }, 'x', { id: 7 }], { feedId: 'batch' });
    expect(first).toMatchObject({ feedId: 'batch', accepted: 3, duplicates: 0, firstSequence: 1, lastSequence: 3 });
    expect(first.ids).toEqual(['a', expect.any(String), '7']);
    const second = await p.feed(['y'], {});
    expect(second).toMatchObject({ accepted: 1, firstSequence: 4, lastSequence: 4 });
    expect(new Set([...(first.ids ?? []), ...(second.ids ?? [])]).size).toBe(4);
    expect(second.feedId).not.toBe('batch');
    expect(await p.feed([], {})).toMatchObject({ accepted: 0, firstSequence: null, lastSequence: null, ids: [] });
  });

  test('reads items by the rule: id, value, the rest is metadata; anything else is a payload', async () => {
    const p = await (await world()).pipeline(pass);
    const whole = { id: 'whole', name: 'Ada' };
    const { results } = await p.run(
      [{ id: 'a', value: 1, tag: 'x' }, whole, { id: 3, value: null }, { name: 'no id' }, 'text', [1, 2]],
      {},
    );
    expect(results.map(({ id, value, metadata }) => ({ id, value, metadata }))).toEqual([
      { id: 'a', value: 1, metadata: { tag: 'x' } },
      { id: 'whole', value: whole, metadata: { name: 'Ada' } },
      { id: '3', value: null, metadata: {} },
      { id: expect.any(String), value: { name: 'no id' }, metadata: {} },
      { id: expect.any(String), value: 'text', metadata: {} },
      { id: expect.any(String), value: [1, 2], metadata: {} },
    ]);
  });

  test('refuses ids that are none, every fault at once, and accepts nothing', async () => {
    const p = await (await world()).pipeline(pass);
    const refused = p.feed([{ id: 'fine' }, { id: '' }, { id: null }, { id: true }, { id: 'a\nb' }, { id: 'x'.repeat(513) }], {});
    await expect(refused).rejects.toMatchObject({
      code: 'invalid-input',
      errors: [1, 2, 3, 4, 5].map((i) => ({ path: `/items/${i}/id` })),
    });
    expect((await p.stats()).itemsFed).toBe(0);
  });

  test('skips ids that it knows, within one feed too', async () => {
    const { pipeline, runs } = await world();
    const p = await pipeline(pass);
    expect(await p.feed(named('a', 'b', 'a'), {})).toMatchObject({ accepted: 2, duplicates: 1, ids: ['a', 'b', 'a'] });
    await ended(p, 2);
    expect(await p.feed(named('b', 'c'), { onDuplicate: 'skip' })).toMatchObject({ accepted: 1, duplicates: 1, firstSequence: 3 });
    await ended(p, 3);
    expect(runs.toSorted()).toEqual(['pass:a', 'pass:b', 'pass:c']);
  });

  test('rejects ids that it knows when told to, lists them, and accepts nothing', async () => {
    const p = await (await world()).pipeline(pass);
    await p.feed(named('a'), {});
    const options = { onDuplicate: 'reject', feedId: 'again' } as const;
    await expect(p.feed(named('a', 'b', 'b'), options)).rejects.toMatchObject({ code: 'duplicate-items', details: { ids: ['a', 'b'] } });
    expect((await p.stats()).itemsFed).toBe(1);
    expect(await p.feed(named('b'), options)).toMatchObject({ accepted: 1 });
  });

  test('runs a final item again when told to, the old result going with it, and never an unfinished one', async () => {
    const { pipeline, gate, held } = await world();
    const p = await pipeline([{ name: 'A', tasks: ['gated'] }]);
    await p.feed([{ id: 'x', value: 'old' }], {});
    await held(1);
    expect(await p.feed([{ id: 'x', value: 'too soon' }], { onDuplicate: 'rerun' })).toMatchObject({ accepted: 0, duplicates: 1 });
    gate.open('x');
    await ended(p, 1);
    expect(await p.feed([{ id: 'x', value: 'new' }], { onDuplicate: 'rerun' })).toMatchObject({ accepted: 1, firstSequence: 2 });
    await held(1);
    expect((await p.results({ ...EVERYTHING, status: 'all' })).rows).toEqual([]);
    gate.open('x');
    await ended(p, 2);
    expect((await p.results({ ...EVERYTHING, status: 'all' })).rows).toMatchObject([{ id: 'x', value: 'new', sequenceId: 2 }]);
    expect(await p.stats()).toMatchObject({ itemsFed: 2, itemsProcessed: 2 });
  });

  test('takes all or nothing, and says when to come again', async () => {
    const p = await (await world()).pipeline(pass, { backlogCapacity: 3, start: false });
    await p.feed([1, 2], {});
    const full = { code: 'queue-full', retryAfterSeconds: expect.any(Number) };
    const error: unknown = await p.feed([3, 4], {}).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject(full);
    expect((error as { retryAfterSeconds: number }).retryAfterSeconds).toBeGreaterThanOrEqual(1);
    expect((await p.stats()).itemsFed).toBe(2);
    expect(await p.feed([3], {})).toMatchObject({ accepted: 1 });
    await expect(p.feed([4], {})).rejects.toMatchObject(full);
    await p.start();
    await ended(p, 3);
    expect(await p.feed([4], {})).toMatchObject({ accepted: 1 });
  });

  test('goes to the stage that is named, and refuses one that is not there', async () => {
    const { pipeline, runs } = await world();
    const p = await pipeline([
      { name: 'A', tasks: ['pass'] },
      { name: 'B', tasks: ['double'] },
    ]);
    await p.feed([{ id: 'x', value: 2 }], { targetStage: 'B' });
    await ended(p, 1);
    expect(runs).toEqual(['double:x']);
    await expect(p.feed([1], { targetStage: 'C' })).rejects.toMatchObject({ code: 'unknown-stage' });
    expect((await p.stats()).itemsFed).toBe(1);
  });

  test('refuses a feed id that exists; one that accepted nothing leaves its id free', async () => {
    const p = await (await world()).pipeline(pass, { backlogCapacity: 2 });
    await expect(p.feed([{ id: '' }], { feedId: 'f' })).rejects.toMatchObject({ code: 'invalid-input' });
    await expect(p.feed([1, 2, 3], { feedId: 'f' })).rejects.toMatchObject({ code: 'queue-full' });
    await p.feed([1], { feedId: 'f' });
    await expect(p.feed([2], { feedId: 'f' })).rejects.toMatchObject({ code: 'feed-exists' });
    await expect(p.openFeed({ feedId: 'f' })).rejects.toMatchObject({ code: 'feed-exists' });
    expect((await p.stats()).itemsFed).toBe(1);
  });

  test('is refused while it drains', async () => {
    const { pipeline, gate, held } = await world();
    const p = await pipeline(gated);
    await p.feed(named('x'), {});
    await held(1);
    const joined = p.join();
    await expect(p.feed([1], {})).rejects.toMatchObject({ code: 'draining' });
    await expect(p.openFeed({})).rejects.toMatchObject({ code: 'draining' });
    gate.open();
    expect((await joined).stats.itemsFed).toBe(1);
  });

  test('keeps what a pipeline is fed before its start, and after it has stopped, for the next one', async () => {
    const { pipeline, runs } = await world();
    const p = await pipeline(pass, { start: false });
    await p.feed(named('early'), {});
    expect(await p.stats()).toMatchObject({ itemsInFlight: 1, queueSizes: { A: 1 } });
    await p.start();
    await ended(p, 1);
    await p.join();
    await p.feed(named('late'), {});
    expect((await p.item('late')).status).toBe('queued');
    expect(runs).toEqual(['pass:early']);
    await p.start();
    await ended(p, 2);
    expect(runs).toEqual(['pass:early', 'pass:late']);
  });
}

export function openFeeding({ test, world }: Suite): void {
  test('takes items in order, push after push, and sums them up', async () => {
    const p = await (await world()).pipeline(pass);
    const writer = await p.openFeed({ feedId: 'stream' });
    await writer.push(named('a', 'b'));
    await writer.push([]);
    await writer.push(named('b', 'c'));
    const receipt = await writer.end();
    expect(receipt).toMatchObject({ feedId: 'stream', accepted: 3, duplicates: 1, firstSequence: 1, lastSequence: 3 });
    expect(await writer.end()).toEqual(receipt);
    await ended(p, 3);
    expect((await p.results({ ...EVERYTHING, status: 'completed' })).rows.map(({ id }) => id)).toEqual(['a', 'b', 'c']);
  });

  test('waits for room', async () => {
    const { pipeline, gate, held } = await world();
    const p = await pipeline(gated, { backlogCapacity: 2 });
    const writer = await p.openFeed({});
    await writer.push(named('a'));
    await held(1);
    await writer.push(named('b', 'c'));
    let isPushed = false;
    const pushed = writer.push(named('d')).then(() => {
      isPushed = true;
    });
    expect(await p.stats()).toMatchObject({ itemsFed: 3, itemsInFlight: 3 });
    expect(isPushed).toBe(false);
    gate.open('a');
    await pushed;
    expect(await writer.end()).toMatchObject({ accepted: 4 });
    expect(seqOf(p, 'd', 'queued')).toBeGreaterThan(seqOf(p, 'a', 'completed'));
  });

  test('passes any number of items through a small backlog', async () => {
    const p = await (await world()).pipeline(pass, { backlogCapacity: 3 });
    const writer = await p.openFeed({});
    await writer.push(Array.from({ length: 50 }, (_, i) => i));
    await writer.end();
    await ended(p, 50);
    expect((await p.results({ ...EVERYTHING, status: 'completed' })).rows.map(({ value }) => value)).toEqual(
      Array.from({ length: 50 }, (_, i) => i),
    );
  });

  test('keeps what was pushed when a later push is refused', async () => {
    const p = await (await world()).pipeline(pass);
    const writer = await p.openFeed({});
    await writer.push(named('a'));
    await expect(writer.push([{ id: 'b' }, { id: '' }])).rejects.toMatchObject({ code: 'invalid-input' });
    await writer.push(named('c'));
    expect(await writer.end()).toMatchObject({ accepted: 2 });
    await ended(p, 2);
    expect((await p.items(EVERYTHING)).rows.map(({ id }) => id)).toEqual(['a', 'c']);
  });

  test('tells a push that waits for room how many were accepted when the pipeline drains', async () => {
    const { pipeline, gate, held } = await world();
    const p = await pipeline(gated, { backlogCapacity: 1 });
    const writer = await p.openFeed({});
    await writer.push(named('a'));
    await held(1);
    const refused = expect(writer.push(named('b', 'c'))).rejects.toMatchObject({ code: 'draining', details: { accepted: 2 } });
    await until(p, async () => (await p.stats()).itemsFed === 2);
    const joined = p.join();
    await refused;
    await expect(writer.push(named('d'))).rejects.toMatchObject({ code: 'draining', details: { accepted: 2 } });
    expect(await writer.end()).toMatchObject({ accepted: 2 });
    gate.open('a');
    await held(1);
    gate.open('b');
    expect((await joined).stats).toMatchObject({ itemsFed: 2, itemsProcessed: 2 });
  });

  test('tells a push that waits for room so when the pipeline is shut down', async () => {
    const { pipeline, gate, held } = await world();
    const p = await pipeline(gated, { backlogCapacity: 1 });
    const writer = await p.openFeed({});
    await writer.push(named('a'));
    await held(1);
    const refused = expect(writer.push(named('b', 'c'))).rejects.toMatchObject({ code: 'queue-full', details: { accepted: 2 } });
    await until(p, async () => (await p.stats()).itemsFed === 2);
    const ending = p.shutdown('graceful', 10);
    await refused;
    gate.open('a');
    expect(await ending).toMatchObject({ mode: 'graceful', finished: 1, leftQueued: 1 });
    await writer.end();
    expect((await p.item('b')).status).toBe('queued');
  });

  test('waits for the start of a pipeline that is fed beyond its room before', async () => {
    const p = await (await world()).pipeline(pass, { backlogCapacity: 2, start: false });
    const writer = await p.openFeed({});
    const pushed = writer.push(named('a', 'b', 'c'));
    await until(p, async () => (await p.stats()).itemsFed === 2);
    await p.start();
    await pushed;
    await writer.end();
    await reaches(p, 'c', 'completed');
  });
}
