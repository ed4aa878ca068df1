import fc from 'fast-check';
import { expect } from 'vitest';
import type { ItemStatus } from '../../../src/schemas/item.ts';
import { ended, NEVER, named, reaches, type Suite, until } from '../world.ts';

/** Items that failed in two ways, wait, run and are parked. */
async function mixed({ world }: Suite) {
  const it = await world({
    tasks: {
      grumble: (value: unknown, ctx) => {
        throw ctx.permanent(`no stock of "${String(value)}", asked ${ctx.sequenceId} times`);
      },
    },
  });
  const p = await it.pipeline([
    { name: 'A', tasks: ['grumble'] },
    { name: 'B', tasks: ['refused'] },
    { name: 'Flaky', tasks: ['flaky'], taskWaitSeconds: NEVER },
    { name: 'Held', tasks: ['gated'] },
  ]);
  const customer = (id: string, name: string, tags: string[]) => ({ id, value: id, customer: name, tags });
  await p.feed([customer('a1', 'x', ['red']), customer('a2', 'y', ['red']), customer('a3', 'x', [])], { feedId: 'fa', targetStage: 'A' });
  await p.feed(named('b1', 'b2'), { feedId: 'fb', targetStage: 'B' });
  await ended(p, 5);
  await p.feed(named('f1'), { feedId: 'ff', targetStage: 'Flaky' });
  await reaches(p, 'f1', 'retrying');
  await p.feed([customer('h1', 'x', []), customer('h2', 'x', []), customer('h3', 'y', [])], { feedId: 'fh', targetStage: 'Held' });
  await it.held(1);
  await until(p, async () => (await p.stats()).queueSizes.Held === 2);
  return { ...it, p };
}

export function selecting(suite: Suite): void {
  const { test } = suite;

  test('group failures by what their messages have in common', async () => {
    const { p } = await mixed(suite);
    const { groups, otherCount } = await p.errorGroups({ limit: 10 });
    expect(otherCount).toBe(0);
    expect(groups).toMatchObject([
      { stage: 'A', type: 'PermanentError', count: 3, itemIds: ['a3', 'a2', 'a1'], sample: 'no stock of "a3", asked 3 times' },
      { stage: 'B', type: 'PermanentError', count: 2, itemIds: ['b2', 'b1'], sample: 'useless' },
    ]);
    expect(await p.errorGroups({ limit: 1 })).toMatchObject({ groups: [{ stage: 'A' }], otherCount: 2 });
    expect((await p.errorGroups({ limit: 10, feedId: 'fb' })).groups).toMatchObject([{ stage: 'B', count: 2 }]);
    expect((await p.errorGroups({ limit: 10, stage: 'B' })).groups).toMatchObject([{ stage: 'B', count: 2 }]);
    expect((await p.errorGroups({ limit: 10, feedId: 'none' })).groups).toEqual([]);
  });

  test('keep the groups up to date as items are retried, fail again and are fed anew', async () => {
    const { p } = await mixed(suite);
    const counts = async () => Object.fromEntries((await p.errorGroups({ limit: 10 })).groups.map(({ stage, count }) => [stage, count]));
    expect(await counts()).toEqual({ A: 3, B: 2 });
    await p.pauseStage('A');
    await p.retryItem('a1');
    expect(await counts()).toEqual({ A: 2, B: 2 });
    await p.resumeStage('A');
    await ended(p, 5);
    expect(await counts()).toEqual({ A: 3, B: 2 });
    await p.pauseStage('B');
    await p.feed(named('b1'), { onDuplicate: 'rerun', targetStage: 'B' });
    expect(await counts()).toEqual({ A: 3, B: 1 });
    await p.cancelItem('b1');
    expect(await counts()).toEqual({ A: 3, B: 1 });
  });

  test('leave out of the groups what is no longer kept', async () => {
    const it = await suite.world();
    const p = await it.pipeline([{ name: 'B', tasks: ['refused'] }], { retention: { maxItems: 3 } });
    await p.feed(named('b1', 'b2', 'b3'), {});
    await ended(p, 3);
    expect((await p.errorGroups({ limit: 10 })).groups).toMatchObject([{ count: 3 }]);
    await p.feed(named('b4', 'b5'), {});
    await ended(p, 5);
    expect((await p.items({ after: 0, limit: 10 })).rows.map(({ id }) => id)).toEqual(['b3', 'b4', 'b5']);
    expect((await p.errorGroups({ limit: 10 })).groups).toMatchObject([{ count: 3, itemIds: ['b5', 'b4', 'b3'] }]);
  });

  test('retry by every filter, and say before how many it would be', async () => {
    const { p } = await mixed(suite);
    const { groups } = await p.errorGroups({ limit: 10 });
    const dry = (query: Parameters<typeof p.retryFailed>[0]) => p.retryFailed({ ...query, dryRun: true });
    expect(await dry({})).toBe(5);
    expect(await dry({ group: groups[0]?.group ?? '' })).toBe(3);
    expect(await dry({ group: 'none' })).toBe(0);
    expect(await dry({ itemIds: ['a1', 'b1', 'b1', 'h1', 'nobody'] })).toBe(2);
    expect(await dry({ metadata: { customer: 'x' } })).toBe(2);
    expect(await dry({ metadata: { tags: ['red'], customer: 'y' } })).toBe(1);
    expect(await dry({ metadata: { tags: ['red', 'blue'] } })).toBe(0);
    expect(await dry({ metadata: { constructor: 'x' } })).toBe(0);
    expect(await dry({ status: ['cancelled'] })).toBe(0);
    expect(await dry({ feedId: 'fb', status: ['failed', 'queued'] })).toBe(2);
    await expect(dry({ stage: 'None' })).rejects.toMatchObject({ code: 'unknown-stage' });
    expect((await p.stats()).itemsFailed).toBe(5);
    await p.pauseStage('A');
    expect(await p.retryFailed({ metadata: { customer: 'x' } })).toBe(2);
    expect((await p.items({ status: ['queued'], stage: 'A', after: 0, limit: 10 })).rows.map(({ id }) => id)).toEqual(['a1', 'a3']);
  });

  test('cancel by every filter, those that wait first', async () => {
    const { p, runs } = await mixed(suite);
    const dry = (query: Parameters<typeof p.cancelItems>[0]) => p.cancelItems({ ...query, dryRun: true });
    expect(await dry({})).toBe(4);
    expect(await dry({ status: ['queued'] })).toBe(2);
    expect(await dry({ status: ['in_progress', 'retrying'] })).toBe(2);
    expect(await dry({ errorType: 'RangeError' })).toBe(1);
    expect(await dry({ itemIds: ['f1', 'a1', 'h3'] })).toBe(2);
    await expect(dry({ stage: 'None' })).rejects.toMatchObject({ code: 'unknown-stage' });
    expect(await p.cancelItems({ metadata: { customer: 'x' } })).toBe(2);
    expect((await p.item('h3')).status).toBe('in_progress');
    expect(await p.cancelItems({})).toBe(2);
    expect((await p.stats()).itemsInFlight).toBe(0);
    expect((await p.stats()).itemsCancelled).toBe(4);
    // A hand may not have been given h3 yet when that is cancelled; h2 was cancelled before the worker was free.
    expect(runs).not.toContain('gated:h2');
  });

  test('does what a dry run has said, whatever the filter', async () => {
    const statuses = fc.subarray<ItemStatus>(['queued', 'in_progress', 'retrying', 'failed', 'cancelled'], { minLength: 1 });
    const filter = fc.record(
      {
        status: statuses,
        stage: fc.constantFrom('A', 'B', 'Flaky', 'Held'),
        feedId: fc.constantFrom('fa', 'fb', 'ff', 'fh', 'none'),
        errorType: fc.constantFrom('PermanentError', 'RangeError'),
        itemIds: fc.subarray(['a1', 'a2', 'b1', 'f1', 'h1', 'h2', 'h3', 'nobody']),
        metadata: fc.record({ customer: fc.constantFrom('x', 'y') }),
      },
      { requiredKeys: [] },
    );
    const { p } = await mixed(suite);
    await p.pause();
    await fc.assert(
      fc.asyncProperty(filter, fc.boolean(), async (query, cancels) => {
        const act = (dryRun: boolean) => (cancels ? p.cancelItems({ ...query, dryRun }) : p.retryFailed({ ...query, dryRun }));
        const before = await p.stats();
        const told = await act(true);
        expect((await p.stats()).statusCounts).toEqual(before.statusCounts);
        expect(await act(false)).toBe(told);
      }),
      { numRuns: 25 },
    );
  });

  test('list the newest first, page by page, while items come', async () => {
    const { p } = await mixed(suite);
    const seen: string[] = [];
    for (let after: number | null = Number.MAX_SAFE_INTEGER; after !== null; ) {
      const page: Awaited<ReturnType<typeof p.items>> = await p.items({ order: 'desc', after, limit: 2 });
      seen.push(...page.rows.map(({ id }) => id));
      after = page.next;
      await p.feed([{ id: `late ${seen.length}` }], { targetStage: 'Held' });
    }
    expect(seen).toEqual(['h3', 'h2', 'h1', 'f1', 'b2', 'b1', 'a3', 'a2', 'a1']);
    const ids = async (query: object) =>
      (await p.items({ after: Number.MAX_SAFE_INTEGER, limit: 10, order: 'desc', ...query })).rows.map(({ id }) => id);
    expect(await ids({ status: ['failed', 'retrying'] })).toEqual(['f1', 'b2', 'b1', 'a3', 'a2', 'a1']);
    expect(await ids({ feedId: 'fa' })).toEqual(['a3', 'a2', 'a1']);
    expect(await ids({ feedId: 'fa', after: 3 })).toEqual(['a2', 'a1']);
    expect(await ids({ stage: 'B', status: ['failed'] })).toEqual(['b2', 'b1']);
  });

  test('list those whose id or message contains a text, that were tried so often, or that are of a group', async () => {
    const { p } = await mixed(suite);
    const ids = async (query: object) => (await p.items({ after: 0, limit: 10, ...query })).rows.map(({ id }) => id);
    expect(await ids({ text: 'STOCK OF "A' })).toEqual(['a1', 'a2', 'a3']);
    expect(await ids({ text: 'h' })).toEqual(['h1', 'h2', 'h3']);
    expect(await ids({ text: 'h', status: ['queued'] })).toEqual(['h2', 'h3']);
    expect(await ids({ text: 'nothing has this' })).toEqual([]);
    expect(await ids({ minAttempts: 1, feedId: 'fh' })).toEqual(['h1']);
    const { groups } = await p.errorGroups({ limit: 10 });
    expect(await ids({ group: groups[1]?.group })).toEqual(['b1', 'b2']);
    expect(await ids({ group: groups[1]?.group, limit: 1 })).toEqual(['b1']);
    expect(await ids({ group: groups[0]?.group, order: 'desc', after: Number.MAX_SAFE_INTEGER })).toEqual(['a3', 'a2', 'a1']);
  });
}
