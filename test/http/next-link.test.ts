import { afterEach, beforeEach, expect, it } from 'vitest';
import { create, definition, run, type Service, startService } from './app-harness.ts';

let service: Service;
beforeEach(async () => {
  service = await startService();
  await create(service, definition('p', 'picky'));
  await create(service, definition('q'));
  await create(service, definition('r'));
  for (const item of ['bad', 'b', 'c']) await run(service, 'p', [item]);
});
afterEach(() => service[Symbol.asyncDispose]());

it.each([
  ['/pipelines?limit=2', 'pipelines', 3],
  ['/tasks?limit=2', 'tasks', 6],
  ['/pipelines/p/items?limit=1&status=completed&status=failed', 'items', 3],
  ['/pipelines/p/results?status=all&limit=2', 'results', 3],
  ['/pipelines/p/feeds?limit=1', 'feeds', 3],
])('%s is read to its end by its links', async (first, plural, rows) => {
  let url: string | undefined = first;
  let count = 0;
  let pages = 0;
  while (url !== undefined) {
    const reply: { json: () => Record<string, unknown[]>; headers: Record<string, unknown> } = await service.app.inject(url);
    const { link } = reply.headers;
    expect(link === undefined).toBe(reply.json().nextCursor === null);
    count += (reply.json()[plural] as unknown[]).length;
    pages++;
    url = link === undefined ? undefined : (/^<([^>]+)>; rel="next"$/.exec(String(link))?.[1] ?? 'no link');
  }
  expect(count).toBe(rows);
  expect(pages).toBeGreaterThan(1);
});
