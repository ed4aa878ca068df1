import { expect } from 'vitest';
import { EVERYTHING, ended, named, type Suite } from '../world.ts';

/** One page after the other, by `next`. */
async function turnPages<T extends { sequenceId: number }>(
  limit: number,
  page: (after: number) => Promise<{ rows: T[]; next: number | null }>,
): Promise<T[][]> {
  const pages: T[][] = [];
  for (let after: number | null = 0; after !== null; ) {
    const { rows, next }: { rows: T[]; next: number | null } = await page(after);
    expect(rows.length).toBeLessThanOrEqual(limit);
    if (next !== null) expect(next).toBe(rows.at(-1)?.sequenceId);
    pages.push(rows);
    after = next;
  }
  return pages;
}

/** `c1 c2 c3` completed, `f1 f2` failed, `x` cancelled, `h` held, `q` queued; fed in mixed order in two feeds. */
async function mixture({ world }: Suite) {
  const it = await world();
  const p = await it.pipeline([
    { name: 'A', tasks: ['pass'] },
    { name: 'B', tasks: ['refused'] },
    { name: 'C', tasks: ['gated'] },
  ]);
  const last = { targetStage: 'C', feedId: 'last' };
  await p.feed(named('f1'), { targetStage: 'B', feedId: 'one' });
  const writer = await p.openFeed(last);
  await writer.push(named('c1', 'c2'));
  await p.feed(named('f2'), { targetStage: 'B', feedId: 'two' });
  await writer.push(named('c3', 'x', 'h', 'q'));
  await writer.end();
  for (const id of ['c1', 'c2', 'c3']) {
    await it.gate.arrived(id);
    it.gate.open(id);
  }
  await it.gate.arrived('x');
  await p.cancelItem('x');
  // It is in progress before its attempt is counted.
  await it.gate.arrived('h');
  await ended(p, 6);
  return p;
}

export function pages(suite: Suite): void {
  const { test, world } = suite;
  const ids = (rows: readonly { id: string }[]): string[] => rows.map(({ id }) => id);

  test('results are in feed order, by status', async () => {
    const p = await mixture(suite);
    const of = async (status: 'completed' | 'failed' | 'cancelled' | 'all') => ids((await p.results({ ...EVERYTHING, status })).rows);
    expect(await of('completed')).toEqual(['c1', 'c2', 'c3']);
    expect(await of('failed')).toEqual(['f1', 'f2']);
    expect(await of('cancelled')).toEqual(['x']);
    expect(await of('all')).toEqual(['f1', 'c1', 'c2', 'f2', 'c3', 'x']);
  });

  test('results have the whole of each end', async () => {
    const p = await mixture(suite);
    const { rows } = await p.results({ ...EVERYTHING, status: 'all' });
    expect(rows[0]).toEqual({
      id: 'f1',
      value: null,
      sequenceId: 1,
      metadata: {},
      error: { type: 'PermanentError', message: 'useless', stage: 'B', attempts: 1 },
      feedId: 'one',
      input: 'f1',
    });
    expect(rows[1]).toEqual({ id: 'c1', value: 'c1', sequenceId: 2, metadata: {}, error: null, feedId: 'last' });
    expect(rows[5]).toMatchObject({ id: 'x', value: null, error: { type: 'Cancelled', stage: 'C' }, input: 'x' });
  });

  test('results of one feed are its own', async () => {
    const p = await mixture(suite);
    expect(ids((await p.results({ ...EVERYTHING, status: 'all', feedId: 'two' })).rows)).toEqual(['f2']);
    expect(ids((await p.results({ ...EVERYTHING, status: 'completed', feedId: 'last' })).rows)).toEqual(['c1', 'c2', 'c3']);
    expect((await p.results({ ...EVERYTHING, status: 'all', feedId: 'nobody' })).rows).toEqual([]);
  });

  for (const limit of [1, 2, 3, 6, 7]) {
    test(`pages of ${limit} give every row once, and end`, async () => {
      const p = await mixture(suite);
      const results = await turnPages(limit, (after) => p.results({ status: 'all', after, limit }));
      expect(ids(results.flat())).toEqual(['f1', 'c1', 'c2', 'f2', 'c3', 'x']);
      expect(results.at(-1)).not.toEqual([]);
      const items = await turnPages(limit, (after) => p.items({ after, limit }));
      expect(ids(items.flat())).toEqual(['f1', 'c1', 'c2', 'f2', 'c3', 'x', 'h', 'q']);
      const waiting = await turnPages(limit, (after) => p.items({ status: ['queued', 'in_progress'], after, limit }));
      expect(ids(waiting.flat())).toEqual(['h', 'q']);
    });
  }

  test('items are found by status, stage and feed, all at once', async () => {
    const p = await mixture(suite);
    const of = async (query: object) => ids((await p.items({ ...EVERYTHING, ...query })).rows);
    expect(await of({ status: ['queued'] })).toEqual(['q']);
    expect(await of({ status: ['failed', 'in_progress'] })).toEqual(['f1', 'f2', 'h']);
    expect(await of({ stage: 'B' })).toEqual(['f1', 'f2']);
    expect(await of({ feedId: 'last' })).toEqual(['c1', 'c2', 'c3', 'x', 'h', 'q']);
    expect(await of({ feedId: 'last', stage: 'C', status: ['completed'] })).toEqual(['c1', 'c2', 'c3']);
    expect(await of({ stage: 'A' })).toEqual([]);
    expect(await of({ status: [] })).toEqual([]);
  });

  test('an item’s summary says where it is', async () => {
    const p = await mixture(suite);
    const { rows } = await p.items({ ...EVERYTHING, status: ['in_progress', 'queued'] });
    const instant = expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/);
    const common = { feedId: 'last', stage: 'C', priority: 100, updatedAt: instant, error: null };
    expect(rows).toEqual([
      { id: 'h', sequenceId: 7, status: 'in_progress', worker: 'C-W0', attempts: 1, totalAttempts: 1, lastError: null, ...common },
      { id: 'q', sequenceId: 8, status: 'queued', worker: null, attempts: 0, totalAttempts: 0, lastError: null, ...common },
    ]);
  });

  test('pages are not disturbed by what ends between two of them', async () => {
    const p = await (await world()).pipeline([{ name: 'A', tasks: ['pass'] }], { start: false });
    await p.feed(named('a', 'b', 'c', 'd'), {});
    const first = await p.items({ after: 0, limit: 2 });
    expect([ids(first.rows), first.next]).toEqual([['a', 'b'], 2]);
    await p.start();
    await ended(p, 4);
    expect(ids((await p.items({ after: first.next ?? 0, limit: 2 })).rows)).toEqual(['c', 'd']);
  });

  test('completed values are kept only when results are collected; failures always are', async () => {
    const p = await (await world()).pipeline(
      [
        { name: 'A', tasks: ['pass'] },
        { name: 'B', tasks: ['refused'] },
      ],
      { collectResults: false },
    );
    await p.feed(named('bad'), {});
    await p.feed(named('worse'), { targetStage: 'B' });
    await ended(p, 2);
    expect((await p.results({ ...EVERYTHING, status: 'completed' })).rows).toEqual([]);
    expect(ids((await p.results({ ...EVERYTHING, status: 'failed' })).rows)).toEqual(['bad', 'worse']);
  });

  test('no more finished items are kept than the definition says; the rest is counted', async () => {
    const p = await (await world()).pipeline([{ name: 'A', tasks: ['pass'] }], { retention: { maxItems: 2 } });
    await p.run(named('a', 'b', 'c', 'd', 'e'), {});
    const { rows, retired } = await p.results({ ...EVERYTHING, status: 'completed' });
    expect([ids(rows), retired]).toEqual([['d', 'e'], 3]);
    await expect(p.item('a')).rejects.toMatchObject({ code: 'item-not-found' });
    expect(await p.stats()).toMatchObject({ itemsFed: 5, itemsProcessed: 5, itemsInFlight: 0 });
  });
}
