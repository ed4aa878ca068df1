import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { create, definition, feed, get, post, type Service, startService } from '../http/app-harness.ts';

let service: Service;
beforeEach(async () => {
  service = await startService();
  await create(service, definition('p', 'fail'));
  await feed(service, 'p', [
    { id: 'a', value: 1, customer: 'x' },
    { id: 'b', value: 2, customer: 'y' },
    { id: 'c', value: 'z', customer: 'x' },
  ]);
  await service.host.get('p').waitForItems({ itemIds: ['a', 'b', 'c'], returnWhen: 'ALL_COMPLETED' });
});
afterEach(() => service[Symbol.asyncDispose]());

describe('GET /pipelines/:id/errors/groups', () => {
  it('has one group for messages that differ in numbers, and its items can be listed and retried', async () => {
    const { groups, otherCount } = (await get(service, '/pipelines/p/errors/groups')).json();
    expect(otherCount).toBe(0);
    expect(groups).toMatchObject([
      { type: 'PermanentError', stage: 'Only', sample: 'no 2', count: 2, itemIds: ['b', 'a'] },
      { type: 'PermanentError', stage: 'Only', sample: 'no "z"', count: 1, itemIds: ['c'] },
    ]);
    const list = (await get(service, `/pipelines/p/items?group=${groups[0].group}&order=desc`)).json();
    expect(list.items.map(({ id }: { id: string }) => id)).toEqual(['b', 'a']);
    await post(service, '/pipelines/p/pause');
    expect((await post(service, '/pipelines/p/retry', { group: groups[0].group, dryRun: true })).json()).toEqual({ retried: 2 });
    expect((await post(service, '/pipelines/p/retry', { group: groups[0].group })).json()).toEqual({ retried: 2 });
    expect((await get(service, '/pipelines/p/errors/groups')).json().groups).toMatchObject([{ sample: 'no "z"' }]);
  });

  it('tells the newest of those that are left when all that it had told are retried', async () => {
    const ids = Array.from({ length: 60 }, (_, n) => `n${n}`);
    await post(service, '/pipelines/p/run', { items: ids.map((id, n) => ({ id, value: n })) });
    const largest = async () => (await get(service, '/pipelines/p/errors/groups')).json().groups[0];
    const all = await largest();
    await post(service, '/pipelines/p/pause');
    const left: string[] = (await get(service, `/pipelines/p/items?group=${all.group}&order=desc&limit=100`))
      .json()
      .items.map(({ id }: { id: string }) => id);
    // The group is there since this one failed, also when it has gone.
    await post(service, '/pipelines/p/retry', { itemIds: left.splice(-1) });
    while (left.length > 8) {
      await post(service, '/pipelines/p/retry', { itemIds: left.splice(0, 7) });
      const updated = (await get(service, `/pipelines/p/items/${left[0]}`)).json().updatedAt;
      expect(await largest()).toMatchObject({ count: left.length, itemIds: left.slice(0, 5), lastAt: updated, firstAt: all.firstAt });
    }
  });
});

describe('POST /pipelines/:id/cancel', () => {
  it('cancels what the filter selects', async () => {
    await post(service, '/pipelines/p/pause');
    await post(service, '/pipelines/p/retry');
    expect((await post(service, '/pipelines/p/cancel', { metadata: { customer: 'x' }, dryRun: true })).json()).toEqual({ cancelled: 2 });
    expect((await post(service, '/pipelines/p/cancel', { metadata: { customer: 'x' } })).json()).toEqual({ cancelled: 2 });
    expect((await post(service, '/pipelines/p/cancel', { all: true })).json()).toEqual({ cancelled: 1 });
  });

  it.each([[{}], [{ dryRun: true }], [{ all: false }], [{ metadata: 'x' }], [undefined]])('refuses %j', async (body) => {
    const response = await post(service, '/pipelines/p/cancel', body);
    expect([response.statusCode, response.json().code]).toEqual([400, 'invalid-input']);
  });

  it('says how to cancel everything', async () => {
    expect((await post(service, '/pipelines/p/cancel', {})).json().detail).toContain('"all": true');
    for (const way of ['cancel', 'retry'])
      for (const more of [{}, { dryRun: true }, { stage: 'S' }])
        expect((await post(service, `/pipelines/p/${way}`, { metadata: {}, ...more })).json()).toMatchObject({
          code: 'invalid-input',
          errors: [{ path: '/metadata', message: 'must have a member; without any, every item would fit' }],
        });
    // A list of none fits none.
    for (const none of [{ status: [] }, { itemIds: [] }])
      expect((await post(service, '/pipelines/p/cancel', { ...none, dryRun: true })).json()).toEqual({ cancelled: 0 });
  });
});

describe('GET /pipelines/:id/items', () => {
  const pages = async (query: string): Promise<string[]> => {
    const ids: string[] = [];
    for (let cursor: string | null = ''; cursor !== null; ) {
      const page: { items: { id: string }[]; nextCursor: string | null } = (
        await get(service, `/pipelines/p/items?${query}${cursor && `&cursor=${cursor}`}`)
      ).json();
      ids.push(...page.items.map(({ id }) => id));
      cursor = page.nextCursor;
    }
    return ids;
  };

  it('goes from the newest to the oldest, by its cursor', async () => {
    expect(await pages('order=desc&limit=1')).toEqual(['c', 'b', 'a']);
    expect(await pages('order=desc&after=3')).toEqual(['b', 'a']);
    const { nextCursor } = (await get(service, '/pipelines/p/items?order=desc&limit=1')).json();
    expect((await get(service, `/pipelines/p/items?limit=1&cursor=${nextCursor}`)).json().code).toBe('invalid-cursor');
  });

  it('finds a text in ids and messages, and items by their attempts', async () => {
    expect(await pages('q=NO')).toEqual(['a', 'b', 'c']);
    expect(await pages('q=%22z')).toEqual(['c']);
    expect(await pages('minAttempts=2')).toEqual([]);
    expect((await get(service, '/pipelines/p/items?q=')).statusCode).toBe(400);
    const lines = (
      await service.app.inject({ url: '/pipelines/p/items?q=no&order=desc', headers: { accept: 'application/x-ndjson' } })
    ).body.split('\n');
    expect(lines.filter(Boolean).map((line) => JSON.parse(line).id)).toEqual(['c', 'b', 'a']);
  });
});
