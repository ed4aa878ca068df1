import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { create, definition, feed, get, run, type Service, startService } from './app-harness.ts';
import { connect } from './sse-harness.ts';

let service: Service;
beforeEach(async () => {
  service = await startService();
  await create(service, definition('p'));
  await create(service, definition('q'));
});
afterEach(() => service[Symbol.asyncDispose]());

const JSON_TYPE = 'application/json';
const NDJSON_TYPE = 'application/x-ndjson';
const send = (payload: string | Buffer, type: string, headers: Record<string, string> = {}) =>
  service.app.inject({ method: 'POST', url: '/pipelines/p/feed', headers: { 'content-type': type, ...headers }, payload });

const nested = (depth: number): string => `${'['.repeat(depth)}${']'.repeat(depth)}`;

describe('what is sent', () => {
  const bad: [what: string, item: string][] = [
    ['nested 100 000 deep', nested(100_000)],
    ['nested 100 000 deep in objects', `${'{"a":'.repeat(100_000)}1${'}'.repeat(100_000)}`],
    ['with a member __proto__', '{"id":"x","__proto__":{"isAdmin":true}}'],
    ['with a member __proto__ further in', '{"value":[{"__proto__":{"isAdmin":true}}]}'],
    ['with a prototype of its constructor', '{"constructor":{"prototype":{"isAdmin":true}}}'],
    ['with a number that overflows', '{"n":1e999}'],
    ['with a number that underflows the other way', '[-1e400]'],
    ['with half of a surrogate pair', '{"name":"\\ud83d"}'],
    ['with half of a surrogate pair in a name', '{"\\udc00":1}'],
  ];
  it.each(bad)('%s is a 400 as JSON, and nothing is accepted', async (_what, item) => {
    const reply = await send(`{"items":[1,${item}]}`, JSON_TYPE);
    expect([reply.statusCode, reply.json().code]).toEqual([400, 'malformed-json']);
    expect((await get(service, '/pipelines/p/stats')).json().itemsFed).toBe(0);
    expect(({} as { isAdmin?: boolean }).isAdmin).toBeUndefined();
  });

  it.each(bad)('%s is a 400 as NDJSON, naming the line and what came before it', async (_what, item) => {
    const reply = await send(`1\n\n2\n${item}\n3\n`, NDJSON_TYPE);
    expect(reply.statusCode).toBe(400);
    expect(reply.json()).toMatchObject({
      code: 'malformed-line',
      detail: expect.stringMatching(/^Line 4\b.* 2 items before it were accepted/),
    });
    expect((await get(service, '/pipelines/p/stats')).json().itemsFed).toBe(2);
  });

  it('with a member constructor is data like any other', async () => {
    const item = { id: 'x', value: { constructor: 'Ada', prototype: { isAdmin: true } }, constructor: 'meta' };
    const { results } = (await run(service, 'p', [item])).json();
    expect(results).toMatchObject([{ id: 'x', value: item.value, metadata: { constructor: 'meta' } }]);
    expect(({} as { isAdmin?: boolean }).isAdmin).toBeUndefined();
  });

  it.each([
    ['compressed', JSON_TYPE, { 'content-encoding': 'gzip' }],
    ['compressed lines', NDJSON_TYPE, { 'content-encoding': 'br' }],
    ['text', 'text/plain', {}],
    ['a form', 'application/x-www-form-urlencoded', {}],
    ['XML', 'application/xml', {}],
  ])('as %s is a 415', async (_what, type, headers) => {
    const reply = await send('{"items":[1]}', type, headers);
    expect([reply.statusCode, reply.json().code]).toEqual([415, 'unsupported-media-type']);
  });
});

describe('an id', () => {
  it.each(['a%2Fb', 'a%00', 'x'.repeat(129), '%20', '__proto__', 'constructor', 'caf%C3%A9', 'a%0Ab'])(
    '%s is none of a pipeline',
    async (id) => {
      expect((await get(service, `/pipelines/${id}/stats`)).json()).toMatchObject({ status: 400, code: 'invalid-input' });
      expect((await create(service, definition(decodeURIComponent(id)))).json()).toMatchObject({ status: 400, code: 'invalid-input' });
    },
  );

  it.each(['%00', 'a%0Ab', 'x'.repeat(513), '%7F'])('%s is none of an item', async (id) => {
    expect((await get(service, `/pipelines/p/items/${id}`)).json()).toMatchObject({ status: 400, code: 'invalid-input' });
    expect((await feed(service, 'p', [{ id: decodeURIComponent(id) }])).json()).toMatchObject({ status: 400, code: 'invalid-input' });
  });

  it.each(['https://a.example/b?c=d#e', 'a/b', '__proto__', 'x'.repeat(512), 'é€😀', '...', '%'])(
    '%s is one of an item, by every route',
    async (id) => {
      await run(service, 'p', [{ id, value: 1 }]);
      const reply = await get(service, `/pipelines/p/items/${encodeURIComponent(id)}`);
      expect([reply.statusCode, reply.json().id]).toEqual([200, id]);
    },
  );
});

describe('a list', () => {
  it.each(['0', '-1', '1001', '1.5', 'many', ''])('with limit=%s is a 400', async (limit) => {
    for (const list of ['/pipelines', '/tasks', '/limiters', '/pipelines/p/items', '/pipelines/p/results', '/pipelines/p/feeds']) {
      const reply = await get(service, `${list}?limit=${limit}`);
      expect([list, reply.statusCode, reply.json().code]).toEqual([list, 400, 'invalid-input']);
    }
  });

  it('refuses the cursors of every other list, and those that are none', async () => {
    for (const pipeline of ['p', 'q']) for (const id of ['1', '2']) await run(service, pipeline, [{ id }]);
    await create(service, definition('r'));
    const lists = [
      '/pipelines?limit=1',
      '/tasks?limit=1',
      '/pipelines/p/items?limit=1',
      '/pipelines/q/items?limit=1',
      '/pipelines/p/items?limit=1&status=completed',
      '/pipelines/p/results?limit=1',
      '/pipelines/p/results?limit=1&status=all',
      '/pipelines/p/feeds?limit=1',
    ];
    const cursors = await Promise.all(lists.map(async (list) => (await get(service, list)).json().nextCursor as string));
    expect(cursors.every((cursor) => typeof cursor === 'string')).toBe(true);
    for (const [i, list] of lists.entries()) {
      for (const [k, cursor] of [...cursors, 'x', 'e30', '%00', `${cursors[i]}x`, Buffer.from('null').toString('base64url')].entries()) {
        const reply = await get(service, `${list}&cursor=${encodeURIComponent(cursor)}`);
        if (i === k) expect(reply.statusCode).toBe(200);
        else expect([list, k, reply.statusCode, reply.json().code]).toEqual([list, k, 400, 'invalid-cursor']);
      }
    }
  });
});

describe('Last-Event-ID', () => {
  const openAt = async (id: string) => {
    await service.app.listen({ port: 0, host: '127.0.0.1' });
    const { port } = service.app.server.address() as AddressInfo;
    return connect(port, '/pipelines/p/events', { headers: { 'last-event-id': id } });
  };

  it('of another pipeline is a gap that nobody can count, and then all that is kept', async () => {
    for (const pipeline of ['p', 'q']) await run(service, pipeline, [{ id: 'x' }]);
    const { asOf } = (await get(service, '/pipelines/q/stats')).json();
    const client = await openAt(asOf);
    await client.until(() => client.events.some(({ data }) => data.includes('"final":true')));
    expect(client.named('gap')).toMatchObject([{ missed: null, oldest: expect.stringMatching(/-1$/) }]);
  });

  it('that is too old is a gap that says how many are missing', async () => {
    const { asOf } = (await get(service, '/pipelines/p/stats')).json();
    for (let i = 0; i < 4; i++) {
      await run(
        service,
        'p',
        Array.from({ length: 1000 }, (_, n) => n),
      );
    }
    const client = await openAt(asOf);
    await client.until(() => client.named('gap').length === 1);
    const [{ missed, oldest }] = client.named('gap') as [{ missed: number; oldest: string }];
    expect(missed).toBe(Number(oldest.split('-').at(-1)) - 1 - Number(asOf.split('-').at(-1)));
    expect(missed).toBeGreaterThan(0);
  });

  it.each(['x', '1', '-1', 'e1-', 'e1-1.5', 'e1-99999999999999999999', `${'e'.repeat(65)}-1`, 'e1-01', 'é-1'])(
    '%s is a 400',
    async (id) => {
      for (const url of ['/pipelines/p/events', '/events']) {
        const reply = await service.app.inject({ url: `${url}?after=${encodeURIComponent(id)}` });
        expect([reply.statusCode, reply.json().code]).toEqual([400, 'invalid-event-id']);
      }
    },
  );

  it('that is yet to come is told by a gap', async () => {
    const { asOf } = (await get(service, '/pipelines/p/stats')).json();
    const [epoch, seq] = asOf.split('-');
    const client = await openAt(`${epoch}-${Number(seq) + 1}`);
    await client.until(() => client.named('gap').length === 1);
    expect(client.named('gap')).toMatchObject([{ missed: null }]);
  });
});
