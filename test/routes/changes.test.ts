import { afterEach, beforeEach, expect, it } from 'vitest';
import { create, definition, feed, get, post, type Service, startService } from '../http/app-harness.ts';

let service: Service;
beforeEach(async () => {
  service = await startService();
  await create(service, definition('p', 'fail'));
});
afterEach(() => service[Symbol.asyncDispose]());

interface ChangePage {
  changes: { action: string; stage?: string }[];
  nextCursor: string | null;
}

async function all(limit: number): Promise<{ pages: ChangePage[]; actions: string[] }> {
  const pages: ChangePage[] = [];
  for (let cursor: string | null = ''; cursor !== null; ) {
    const page: ChangePage = (await get(service, `/pipelines/p/audit?limit=${limit}${cursor && `&cursor=${cursor}`}`)).json();
    pages.push(page);
    cursor = page.nextCursor;
  }
  return { pages, actions: pages.flatMap(({ changes }) => changes.map(({ action }) => action)) };
}

it('changes by operators are listed, the newest first, with what was before and after', async () => {
  await post(service, '/pipelines/p/pause');
  await post(service, '/pipelines/p/stages/Only/pause');
  const { changes, nextCursor } = (await get(service, '/pipelines/p/audit')).json();
  expect(nextCursor).toBeNull();
  expect(changes).toMatchObject([
    { by: null, action: 'stage-paused', stage: 'Only', details: { before: { paused: false }, after: { paused: true } } },
    { action: 'paused', details: { before: { state: 'running' }, after: { state: 'paused' } } },
    { action: 'created', details: { before: null } },
  ]);
  expect(changes[1]).not.toHaveProperty('stage');
});

it('each is on one page, however long the pages are and whatever lies between them', async () => {
  const items = Array.from({ length: 400 }, (_, i) => i);
  for (let round = 0; round < 3; round++) {
    await feed(service, 'p', items, { feedId: `f${round}` });
    await service.host.get('p').waitForFeed(`f${round}`, {});
    await post(service, '/pipelines/p/pause');
    await post(service, '/pipelines/p/resume');
  }
  const expected = ['resumed', 'paused', 'resumed', 'paused', 'resumed', 'paused', 'created'];
  for (const limit of [1, 2, 3, 7, 100]) {
    const { actions, pages } = await all(limit);
    expect(actions).toEqual(expected);
    expect(pages.every(({ changes }) => changes.length <= limit)).toBe(true);
  }
  expect((await get(service, '/pipelines/p/audit?cursor=x')).json().code).toBe('invalid-cursor');
});
