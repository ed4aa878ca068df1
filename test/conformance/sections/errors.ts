import { expect } from 'vitest';
import { ended, named, SOON, type Suite } from '../world.ts';

export function errors({ test, world }: Suite): void {
  test('the error summary counts by type and stage, and lists the failures in their order', async () => {
    const p = await (await world()).pipeline([
      { name: 'A', tasks: ['refused'] },
      { name: 'B', tasks: ['broken'], taskAttempts: 2, taskWaitSeconds: SOON },
    ]);
    expect(await p.errors()).toEqual({ totalFailed: 0, errorsByType: {}, errorsByStage: {}, failedItems: [] });
    await p.run(named('a1', 'a2'), {});
    await p.run(named('b'), { targetStage: 'B' });
    const { failedItems, ...counts } = await p.errors();
    expect(counts).toEqual({
      totalFailed: 3,
      errorsByType: { PermanentError: 2, RangeError: 1 },
      errorsByStage: { A: 2, B: 1 },
    });
    const timestamp = expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/);
    const permanent = { error: 'useless', errorType: 'PermanentError', stage: 'A', attempts: 1, timestamp };
    expect(failedItems).toEqual([
      { itemId: 'a1', ...permanent },
      { itemId: 'a2', ...permanent },
      { itemId: 'b', error: 'broken', errorType: 'RangeError', stage: 'B', attempts: 2, timestamp },
    ]);
  });

  test('a cancelled item is no error', async () => {
    const p = await (await world()).pipeline([{ name: 'A', tasks: ['pass'] }], { start: false });
    await p.feed(named('x'), {});
    await p.cancelItem('x');
    expect((await p.errors()).totalFailed).toBe(0);
    expect(await p.stats()).toMatchObject({ itemsFailed: 0, itemsCancelled: 1 });
  });

  test('an item’s detail tells its whole way', async () => {
    const p = await (await world()).pipeline([
      { name: 'A', tasks: ['double'] },
      { name: 'B', tasks: ['broken'], taskAttempts: 2, taskWaitSeconds: SOON },
    ]);
    await p.feed([{ id: 'x', value: 4, tag: 'blue' }], { feedId: 'f', priority: 7 });
    await ended(p, 1);
    const { history, ...item } = await p.item('x');
    expect(item).toMatchObject({
      id: 'x',
      sequenceId: 1,
      feedId: 'f',
      status: 'failed',
      stage: 'B',
      worker: null,
      priority: 7,
      attempts: 2,
      error: { type: 'RangeError', message: 'broken', stage: 'B', attempts: 2 },
      value: 8,
      metadata: { tag: 'blue' },
      waitingFor: null,
      historyTruncated: false,
    });
    expect(history.map(({ stage, status, worker, final }) => [stage, status, worker, final])).toEqual([
      ['A', 'queued', null, false],
      ['A', 'in_progress', 'A-W0', false],
      ['A', 'completed', 'A-W0', false],
      ['B', 'queued', null, false],
      ['B', 'in_progress', 'B-W0', false],
      ['B', 'retrying', 'B-W0', false],
      ['B', 'queued', null, false],
      ['B', 'in_progress', 'B-W0', false],
      ['B', 'failed', 'B-W0', true],
    ]);
    expect(history.every(({ itemId, feedId }) => itemId === 'x' && feedId === 'f')).toBe(true);
    expect(history.at(-1)?.metadata).toMatchObject({ error: 'broken', errorType: 'RangeError', attempts: 2 });
    const instants = [item.acceptedAt, ...history.map(({ timestamp }) => timestamp), item.updatedAt].map(Date.parse);
    expect(instants).toEqual(instants.toSorted((a, b) => a - b));
  });

  test('an item that is not there is not found', async () => {
    const p = await (await world()).pipeline([{ name: 'A', tasks: ['pass'] }]);
    for (const id of ['nobody', '', '__proto__', '0']) await expect(p.item(id)).rejects.toMatchObject({ code: 'item-not-found' });
  });
}
