import { expect } from 'vitest';
import type { PipelineRuntime } from '../../../src/engine/index.ts';
import { ended, named, type Suite } from '../world.ts';

const MOST = 20;

/** How many items are kept, and what is said of the others. */
async function kept(p: PipelineRuntime): Promise<{ kept: number; retired: number }> {
  const { rows, retired } = await p.results({ status: 'all', after: 0, limit: 10_000 });
  return { kept: rows.length, retired };
}

const numbered = (count: number, prefix = 'i') => named(...Array.from({ length: count }, (_, i) => `${prefix}${i}`));

export function retention({ test, world }: Suite): void {
  const pass = [{ name: 'A', tasks: ['pass'] }];
  const bounded = { retention: { maxItems: MOST } };

  test('the newest finished items are kept, as many as the bound says', async () => {
    const p = await (await world()).pipeline(pass, bounded);
    await p.run(numbered(3 * MOST), {});
    expect(await kept(p)).toEqual({ kept: MOST, retired: 2 * MOST });
  });

  test('items that were run again under their ids count once, and the bound is what it was', async () => {
    const p = await (await world()).pipeline(pass, bounded);
    for (let round = 0; round < 10; round++) await p.run(numbered(MOST), { onDuplicate: 'rerun' });
    expect(await kept(p)).toEqual({ kept: MOST, retired: 0 });
    await p.run(numbered(3 * MOST, 'other'), {});
    expect(await kept(p)).toEqual({ kept: MOST, retired: 3 * MOST });
  });

  test('an item that was run again many times takes no place of others', async () => {
    const p = await (await world()).pipeline(pass, bounded);
    await p.run(numbered(MOST - 1), {});
    for (let round = 0; round < 3 * MOST; round++) await p.run(named('again'), { onDuplicate: 'rerun' });
    expect(await kept(p)).toEqual({ kept: MOST, retired: 0 });
    expect((await p.item('i0')).status).toBe('completed');
    await p.run(numbered(2 * MOST, 'other'), {});
    expect(await kept(p)).toEqual({ kept: MOST, retired: 2 * MOST });
  });

  test('failed items that were retried, and fail again, count once', async () => {
    const p = await (await world()).pipeline([{ name: 'A', tasks: ['broken'], taskAttempts: 1 }], bounded);
    await p.run(numbered(MOST), {});
    for (let round = 1; round <= 5; round++) {
      await p.retryFailed({});
      await p.run(named(`round${round}`), {});
      await ended(p, MOST + round);
    }
    expect((await kept(p)).kept).toBe(MOST);
    await p.run(numbered(3 * MOST, 'other'), {});
    expect((await kept(p)).kept).toBe(MOST);
  });

  test('cancelled items that are fed again count once', async () => {
    const p = await (await world()).pipeline(pass, { ...bounded, start: false });
    for (let round = 0; round < 5; round++) {
      await p.feed(numbered(MOST), { feedId: `f${round}`, onDuplicate: 'rerun' });
      await p.cancelFeed(`f${round}`);
    }
    expect(await kept(p)).toEqual({ kept: MOST, retired: 0 });
    await p.run(numbered(2 * MOST, 'other'), {});
    expect(await kept(p)).toEqual({ kept: MOST, retired: 2 * MOST });
  });
}
