/** Ids as they were fed: all their digits, and from the member that the caller names. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { create, definition, get, type Service, startService } from '../http/app-harness.ts';

const IDS = [
  '1050118621198921728',
  '1050118621198921729',
  '1050118621198921730',
  '-1050118621198921731',
  '12345678901234567890123456789012345678901',
];

let service: Service;
beforeEach(async () => {
  service = await startService();
  await create(service, definition('p'));
});
afterEach(() => service[Symbol.asyncDispose]());

const send = (url: string, payload: string, type: string) =>
  service.app.inject({ method: 'POST', url, payload, headers: { 'content-type': type } });
const lines = (url: string, payload: string) => send(url, payload, 'application/x-ndjson');
const json = (url: string, payload: string) => send(url, payload, 'application/json');

describe('a number as an id keeps its digits', () => {
  const bodies: [name: string, ask: (path: string) => ReturnType<typeof send>][] = [
    ['NDJSON', (path) => lines(`/pipelines/p/${path}`, IDS.map((id) => `{"id":${id},"n":1}`).join('\n'))],
    ['JSON', (path) => json(`/pipelines/p/${path}`, `{"items":[${IDS.map((id) => `{ "id" : ${id} , "n" : 1 }`).join()}]}`)],
  ];
  it.each(bodies)('in %s', async (_name, ask) => {
    const { results } = (await ask('run')).json();
    expect(results.map(({ id }: { id: string }) => id)).toEqual(IDS);
    // Without a value of its own, an item's payload is all of it; its id is the text that it is everywhere.
    expect(results[0].value).toEqual({ id: IDS[0], n: 1 });
    expect((await ask('feed')).json()).toMatchObject({ accepted: 0, duplicates: IDS.length });
    for (const id of IDS) expect((await get(service, `/pipelines/p/items/${id}`)).json()).toMatchObject({ id, status: 'completed' });
    expect((await get(service, '/pipelines/p/items/1050118621198921732')).statusCode).toBe(404);
    const waited = await json('/pipelines/p/wait', `{"itemIds":[${IDS.join(', ')}]}`);
    expect(waited.json().done.map(({ id }: { id: string }) => id)).toEqual(IDS);
  });

  it('also when its neighbours have none, or the rest of its digits is no matter', async () => {
    const body = [
      '{"id":1050118621198921729}',
      '{"id":"1050118621198921729 "}',
      '{"id":7}',
      '{"id":1.5}',
      '"text"',
      '{"x":1}',
      '{"id":1e3}',
    ];
    const { results } = (await lines('/pipelines/p/run', body.join('\n'))).json();
    expect(results.map(({ id }: { id: string }) => id)).toMatchObject(
      ['1050118621198921729', '1050118621198921729 ', '7', '1.5', {}, {}, '1000'].map((id) =>
        typeof id === 'string' ? id : expect.any(String),
      ),
    );
  });
});

describe('an integer in a payload that a number cannot hold', () => {
  const items = ['{"id":"a","n":1}', '{"id":"b","value":{"n":[1050118621198921729]}}', '{"id":"c","id2":1050118621198921728}'];

  it('is a 400 that names it and its line; what stood before stays accepted', async () => {
    const reply = await lines('/pipelines/p/feed', items.join('\n'));
    expect(reply.json()).toMatchObject({ status: 400, code: 'malformed-line', line: 2, accepted: 1 });
    expect(reply.json().detail).toMatch(/^Line 2 holds the integer 1050118621198921729, .* bigNumbers=lossy/);
    expect((await lines('/pipelines/p/run', items[2] as string)).json()).toMatchObject({ status: 400, line: 1 });
  });

  it('is a 400 of the whole in a JSON body, wherever it stands', async () => {
    const reply = await json('/pipelines/p/feed', `{"items":[${items.join()}]}`);
    expect(reply.json()).toMatchObject({ status: 400, code: 'malformed-json' });
    expect(reply.json().detail).toContain('1050118621198921729');
    expect((await json('/pipelines/p/feed', '{"items":[1050118621198921729]}')).statusCode).toBe(400);
    expect((await json('/pipelines/p/feed', '{"items":[],"priority":1050118621198921729}')).statusCode).toBe(400);
    expect(
      (await json('/pipelines', '{"id":"q","stages":[{"name":"S","tasks":["echo"],"workers":9007199254740993}]}')).json(),
    ).toMatchObject({
      status: 400,
      code: 'malformed-json',
    });
    expect((await get(service, '/pipelines/p/stats')).json().itemsFed).toBe(0);
  });

  it('is the nearest number on request, and ids keep their digits all the same', async () => {
    const body = [...items, '{"id":1050118621198921730,"n":1050118621198921730}'];
    const expected = [
      { id: 'a', value: { n: 1 } },
      { id: 'b', value: { n: [1050118621198921700] } },
      { id: 'c', value: { id2: 1050118621198921700 } },
      { id: '1050118621198921730', value: { id: '1050118621198921730', n: 1050118621198921700 } },
    ];
    expect((await lines('/pipelines/p/run?bigNumbers=lossy', body.join('\n'))).json().results).toMatchObject(expected);
    expect((await json('/pipelines/p/run?bigNumbers=lossy', `{"items":[${body.join()}]}`)).json().results).toMatchObject(expected);
    expect((await json('/pipelines/p/run?bigNumbers=exact', '{"items":[]}')).statusCode).toBe(400);
  });

  it('is none when a number is written so, as JSON.stringify does', async () => {
    for (const n of [2 ** 53, 2 ** 60, 1e20, 1e21, -(2 ** 63), 1732646400123456]) {
      expect((await json('/pipelines/p/run', JSON.stringify({ items: [{ value: n, id: `n${n}` }] }))).json().results).toMatchObject([
        { value: n },
      ]);
      expect((await lines('/pipelines/p/run', JSON.stringify(n))).json().results).toMatchObject([{ value: n }]);
    }
  });
});

describe('idField', () => {
  const batch = [
    { custom_id: 'r-1', method: 'POST', body: { model: 'm' } },
    { custom_id: 'r-2', id: 'other', value: 5, tag: 'x' },
  ];
  const expected = [
    { id: 'r-1', value: batch[0], metadata: { method: 'POST', body: { model: 'm' } } },
    { id: 'r-2', value: 5, metadata: { tag: 'x' } },
  ];

  it('names the member that is the id', async () => {
    const body = batch.map((line) => JSON.stringify(line)).join('\n');
    expect((await lines('/pipelines/p/run?idField=custom_id', body)).json().results).toMatchObject(expected);
    expect((await json('/pipelines/p/feed?idField=custom_id', JSON.stringify({ items: batch }))).json()).toMatchObject({ duplicates: 2 });
    expect((await json('/pipelines/p/run?idField=custom_id', JSON.stringify({ items: batch }))).json().results).toMatchObject(expected);
  });

  it('keeps the digits of that member', async () => {
    const body = '{"custom_id":1050118621198921729,"value":1}';
    expect((await lines('/pipelines/p/run?idField=custom_id', body)).json().results).toMatchObject([
      { id: '1050118621198921729', value: 1 },
    ]);
    expect((await json('/pipelines/p/run?idField=custom_id', `{"items":[${body}]}`)).json().results).toMatchObject([
      { id: '1050118621198921729' },
    ]);
    // Then the member "id" is a part of the payload like any other.
    expect((await lines('/pipelines/p/run?idField=custom_id', '{"custom_id":"x","id":1050118621198921729}')).statusCode).toBe(400);
  });

  it('is a member of each item, or the item is refused', async () => {
    for (const odd of ['{"id":"a"}', '5', 'null', '[1]', '"text"']) {
      const reply = await lines('/pipelines/p/feed?idField=custom_id', `{"custom_id":"ok-${odd.length}"}\n${odd}`);
      expect(reply.json()).toMatchObject({ status: 400, code: 'malformed-line', line: 2, accepted: 1 });
      expect(reply.json().detail).toContain('has no member "custom_id"');
    }
    const reply = await json('/pipelines/p/feed?idField=custom_id', '{"items":[{"custom_id":"a"},{"id":"b"},3]}');
    expect(reply.json()).toMatchObject({ status: 400, code: 'invalid-input', errors: [{ path: '/items/1' }, { path: '/items/2' }] });
    const unusable = await lines('/pipelines/p/feed?idField=custom_id', '{"custom_id":{"a":1}}');
    expect(unusable.json()).toMatchObject({ status: 400, code: 'malformed-line', line: 1 });
  });
});
