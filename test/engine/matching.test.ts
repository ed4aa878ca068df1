import { expect, it } from 'vitest';
import type { ItemsQuery } from '../../src/engine/index.ts';
import { pageMatching } from '../../src/engine/local/matching.ts';

const errors = (count: number, statusOf: (i: number) => number) =>
  Array.from({ length: count }, (_, i) => ({
    id: `item-${i + 1}`,
    totalAttempts: 1,
    sequenceId: i + 1,
    error: { type: 'HttpStatus', message: '', status: statusOf(i + 1), stage: 'A', attempts: 1 },
  }));

it('a page of failures that match looks at a bounded number of items, and the list goes on behind them', () => {
  const all = errors(10_000, (i) => (i % 3000 === 0 ? 429 : 500));
  let looked = 0;
  const found: number[] = [];
  const read = (query: ItemsQuery) => {
    const rows = all.filter(({ sequenceId }) => sequenceId > query.after).slice(0, query.limit);
    looked += rows.length;
    const last = rows.at(-1)?.sequenceId ?? 0;
    return { rows, next: last < all.length ? last : null, retired: 7 };
  };
  let pages = 0;
  for (let after: number | null = 0; after !== null; ) {
    const before = looked;
    const { rows, next, retired }: ReturnType<typeof read> = pageMatching({ after, limit: 10, errorStatus: 429 }, read);
    found.push(...rows.map(({ sequenceId }) => sequenceId));
    expect(retired).toBe(7);
    expect(looked - before).toBeLessThanOrEqual(1000);
    expect(++pages).toBeLessThan(15);
    after = next;
  }
  expect(found).toEqual([3000, 6000, 9000]);
  expect(looked).toBe(10_000);
});
