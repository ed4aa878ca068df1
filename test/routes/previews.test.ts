import { afterEach, beforeEach, expect, it } from 'vitest';
import { create, definition, feed, get, run, type Service, startService } from '../http/app-harness.ts';

let service: Service;
beforeEach(async () => {
  service = await startService();
  await create(service, definition('p', 'picky'));
});
afterEach(() => service[Symbol.asyncDispose]());

it('an item is shown with the beginning of its value, and how long all of it is', async () => {
  await run(service, 'p', [{ id: 'a', value: { text: 'äöü', more: [1, 2] } }]);
  const { value: _, ...whole } = (await get(service, '/pipelines/p/items/a')).json();
  const short = (await get(service, '/pipelines/p/items/a?preview=12')).json();
  expect(short).toEqual({ ...whole, valuePreview: { text: '{"text":"äöü', bytes: 30, complete: false } });
  expect((await get(service, '/pipelines/p/items/a?preview=1000')).json().valuePreview).toEqual({
    text: '{"text":"äöü","more":[1,2]}',
    bytes: 30,
    complete: true,
  });
});

it('no character is cut in half', async () => {
  await run(service, 'p', [{ id: 'a', value: '👍👍' }]);
  expect((await get(service, '/pipelines/p/items/a?preview=4')).json().valuePreview).toEqual({ text: '"👍', bytes: 10, complete: false });
});

it('results are shown so too, the input of those that failed as well, as lines and as a page', async () => {
  await run(service, 'p', [
    { id: 'a', value: [1, 2, 3] },
    { id: 'b', value: 'bad' },
  ]);
  const url = '/pipelines/p/results?status=all&preview=3';
  const expected = [
    { id: 'a', valuePreview: { text: '[1,', bytes: 7, complete: false } },
    { id: 'b', valuePreview: { text: 'nul', bytes: 4, complete: false }, inputPreview: { text: '"ba', bytes: 5, complete: false } },
  ];
  const { results, nextCursor } = (await get(service, url)).json();
  expect([results, nextCursor]).toMatchObject([expected, null]);
  expect(results.some((row: object) => 'value' in row || 'input' in row)).toBe(false);
  const { body } = await service.app.inject({ url, headers: { accept: 'application/x-ndjson' } });
  expect(
    body
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line)),
  ).toEqual(results);
});

it.each(['0', '100001', 'x', '1.5'])('refuses a preview of %s characters', async (preview) => {
  expect((await get(service, `/pipelines/p/results?preview=${preview}`)).json().code).toBe('invalid-input');
});

it('the value alone is its text, and a file if asked for', async () => {
  const large = { numbers: Array.from({ length: 50_000 }, (_, i) => i * 1.5) };
  await run(service, 'p', [
    { id: 'a/1', value: large },
    { id: 'none', value: null },
  ]);
  const response = await get(service, '/pipelines/p/items/a%2F1/value');
  expect([response.statusCode, response.headers['content-type'], response.headers['content-disposition']]).toEqual([
    200,
    expect.stringMatching(/^application\/json/),
    undefined,
  ]);
  expect(response.body).toBe(JSON.stringify(large));
  const file = await get(service, '/pipelines/p/items/a%2F1/value?download=true');
  expect(file.headers['content-disposition']).toBe('attachment; filename="a_1.json"');
  expect((await get(service, '/pipelines/p/items/none/value')).body).toBe('null');
  expect((await get(service, '/pipelines/p/items/nobody/value')).json().code).toBe('item-not-found');
});

it('feeds are listed from the newest to the oldest, page by page', async () => {
  for (const feedId of ['f1', 'f2', 'f3']) await feed(service, 'p', [feedId], { feedId });
  const first = (await get(service, '/pipelines/p/feeds?order=desc&limit=2')).json();
  await feed(service, 'p', ['f4'], { feedId: 'f4' });
  const second = (await get(service, `/pipelines/p/feeds?order=desc&limit=2&cursor=${first.nextCursor}`)).json();
  expect([...first.feeds, ...second.feeds].map(({ feedId }) => feedId)).toEqual(['f3', 'f2', 'f1']);
  expect(second.nextCursor).toBeNull();
  expect((await get(service, `/pipelines/p/feeds?cursor=${first.nextCursor}`)).json().code).toBe('invalid-cursor');
});
