import { expect } from 'vitest';
import type { ReturnWhen } from '../../../src/schemas/feed.ts';
import { NEVER, named, reaches, type Suite } from '../world.ts';

export function itemWaits({ test, world }: Suite): void {
  /** `a b c` held, of two feeds. */
  async function heldOnes() {
    const it = await world();
    const p = await it.pipeline([{ name: 'A', workers: 3, tasks: ['gated'], taskAttempts: 1 }]);
    await p.feed(named('a', 'b'), {});
    await p.feed(named('c'), {});
    await it.held(3);
    const wait = async (returnWhen: ReturnWhen, itemIds = ['c', 'a', 'b'], timeoutSeconds?: number) => {
      const { done, pending } = await p.waitForItems({ itemIds, returnWhen, timeoutSeconds });
      return { done: done.map(({ id, error }) => (error === null ? id : `${id}: ${error.type}`)), pending };
    };
    return { ...it, p, wait };
  }

  test('until all have ended, in the order in which they were asked for', async () => {
    const { gate, wait } = await heldOnes();
    const waited = wait('ALL_COMPLETED');
    gate.open('a');
    gate.fail('b', new RangeError('no'));
    gate.open('c');
    expect(await waited).toEqual({ done: ['c', 'a', 'b: RangeError'], pending: [] });
    expect(await wait('ALL_COMPLETED')).toEqual({ done: ['c', 'a', 'b: RangeError'], pending: [] });
  });

  test('knows only items of the maker that is asked for, if one is', async () => {
    const { pipeline } = await world();
    const p = await pipeline([{ name: 'A', tasks: ['pass'] }]);
    await p.run(named('mine'), { maker: 'ci' });
    await p.run(named('theirs'), { maker: 'cd' });
    await p.run(named('nobodys'), {});
    const wait = (maker: string | undefined, ...itemIds: string[]) => p.waitForItems({ maker, itemIds, returnWhen: 'ALL_COMPLETED' });
    expect((await wait('ci', 'mine')).done).toMatchObject([{ id: 'mine' }]);
    expect((await wait(undefined, 'mine', 'theirs', 'nobodys')).done).toHaveLength(3);
    await expect(wait('ci', 'mine', 'theirs', 'nobodys', 'missing')).rejects.toMatchObject({
      code: 'item-not-found',
      details: { ids: ['theirs', 'nobodys', 'missing'] },
    });
  });

  test('until the first has ended, also one that had before', async () => {
    const { gate, p, wait } = await heldOnes();
    const waited = wait('FIRST_COMPLETED');
    gate.open('b');
    expect(await waited).toEqual({ done: ['b'], pending: ['c', 'a'] });
    await reaches(p, 'b', 'completed');
    expect(await wait('FIRST_COMPLETED')).toEqual({ done: ['b'], pending: ['c', 'a'] });
  });

  test('until one has failed, or all have ended without; a cancelled one has not failed', async () => {
    const { gate, p, wait } = await heldOnes();
    const failing = wait('FIRST_EXCEPTION');
    const others = wait('FIRST_EXCEPTION', ['a', 'c']);
    gate.open('a');
    await p.cancelItem('c');
    expect(await others).toEqual({ done: ['a', 'c: Cancelled'], pending: [] });
    gate.fail('b', new RangeError('no'));
    expect(await failing).toEqual({ done: ['c: Cancelled', 'a', 'b: RangeError'], pending: [] });
    expect(await wait('FIRST_EXCEPTION', ['b'], NEVER)).toEqual({ done: ['b: RangeError'], pending: [] });
  });

  test('until the time is up', async () => {
    const { gate, p, wait } = await heldOnes();
    gate.open('a');
    await reaches(p, 'a', 'completed');
    expect(await wait('ALL_COMPLETED', ['c', 'a', 'c', 'b'], 0)).toEqual({ done: ['a'], pending: ['c', 'b'] });
  });

  test('refuses ids that it does not know, and names all of them', async () => {
    const { wait } = await heldOnes();
    await expect(wait('FIRST_COMPLETED', ['a', 'nobody', 'c', 'nothing'])).rejects.toMatchObject({
      code: 'item-not-found',
      details: { ids: ['nobody', 'nothing'] },
    });
  });

  test('stops when the caller goes, and is told when the pipeline is shut down', async () => {
    const { p } = await heldOnes();
    const caller = new AbortController();
    const query = { itemIds: ['a'], returnWhen: 'ALL_COMPLETED' } as const;
    const gone = p.waitForItems({ ...query, signal: caller.signal });
    const refused = expect(p.waitForItems(query)).rejects.toMatchObject({ code: 'invalid-state' });
    caller.abort();
    await expect(gone).rejects.toMatchObject({ code: 'request-timeout' });
    await p.shutdown('force', 10);
    await refused;
  });

  test('keeps what an item ended as, although it is retried while others are waited for', async () => {
    const { gate, p, held, wait } = await heldOnes();
    const waited = wait('ALL_COMPLETED', ['a', 'b']);
    gate.fail('a', new RangeError('no'));
    await reaches(p, 'a', 'failed');
    await p.retryItem('a');
    await held(3);
    gate.open('b');
    expect(await waited).toEqual({ done: ['a: RangeError', 'b'], pending: [] });
  });
}
