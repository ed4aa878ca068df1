import { createHash } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { parseApiKeys } from '../../src/schemas/api-key.ts';
import { create, definition, feed, get, type Service, startService } from '../http/app-harness.ts';
import { Duplex } from '../http/duplex.ts';

let service: Service;
beforeEach(async () => {
  service = await startService({ backlogCapacity: 5 });
  await create(service, definition('p', 'gated', { workers: 4, taskAttempts: 1 }));
  await create(service, definition('fast'));
});
afterEach(() => service[Symbol.asyncDispose]());

interface Sending {
  key?: string;
  body?: unknown;
  lines?: string;
  accept?: string;
  query?: string;
}

/** Sends it as JSON, or as NDJSON when `lines` are given. */
const send = (path: string, { key = 'k-1', body, lines, accept, query = '' }: Sending) =>
  service.app.inject({
    method: 'POST',
    url: `/pipelines/${path}${query}`,
    payload: lines ?? JSON.stringify(body),
    headers: {
      'content-type': lines === undefined ? 'application/json' : 'application/x-ndjson',
      'idempotency-key': key,
      ...(accept === undefined ? {} : { accept }),
    },
  });

const fedTo = async (id: string): Promise<number> => (await get(service, `/pipelines/${id}/stats`)).json().itemsFed;

describe('feed under an Idempotency-Key', () => {
  const body = { items: ['x', { id: 'a', value: 1 }], feedId: 'f' };

  it('gives the first answer again: status, body, Location, and says so', async () => {
    const first = await send('fast/feed', { body });
    expect([first.statusCode, first.headers['idempotency-replayed']]).toEqual([202, undefined]);
    const second = await send('fast/feed', { body });
    expect(second.headers['idempotency-replayed']).toBe('true');
    expect([second.statusCode, second.body, second.headers.location, second.headers['content-type']]).toEqual([
      202,
      first.body,
      '/pipelines/fast/feeds/f',
      first.headers['content-type'],
    ]);
    expect(await fedTo('fast')).toBe(2);
  });

  it('takes the same JSON for the same body, however it is written', async () => {
    await send('fast/feed', { body });
    const payload = JSON.stringify(body, null, 2);
    const headers = { 'content-type': 'application/json', 'idempotency-key': 'k-1' };
    const spaced = await service.app.inject({ method: 'POST', url: '/pipelines/fast/feed', payload, headers });
    expect([spaced.statusCode, spaced.headers['idempotency-replayed']]).toEqual([202, 'true']);
  });

  it('refuses another body, query, form or route under the same key', async () => {
    await send('fast/feed', { body, query: '?wait=1&priority=5' });
    const same = await send('fast/feed', { body, query: '?priority=5&wait=1' });
    expect(same.headers['idempotency-replayed']).toBe('true');
    for (const other of [
      await send('fast/feed', { body: { items: ['y'] }, query: '?wait=1&priority=5' }),
      await send('fast/feed', { body, query: '?wait=1&priority=6' }),
      await send('fast/feed', { body }),
      await send('fast/feed', { lines: '"x"\n', query: '?wait=1&priority=5' }),
      await send('fast/run', { body, query: '?wait=1&priority=5' }),
      await send('fast/run', { body, query: '?wait=1&priority=5', accept: 'application/x-ndjson' }),
    ]) {
      expect(other.json()).toMatchObject({ status: 422, code: 'idempotency-key-reused' });
    }
    expect(await fedTo('fast')).toBe(2);
    // Keys are each pipeline's own.
    expect((await send('p/feed', { body, query: '?wait=1&priority=5' })).statusCode).toBe(202);
  });

  it('compares NDJSON as it is read, and feeds nothing of a repeat', async () => {
    const lines = '{"id":"a"}\n"x"\n';
    const first = await send('fast/feed', { lines });
    const second = await send('fast/feed', { lines });
    expect([second.statusCode, second.body, second.headers['idempotency-replayed']]).toEqual([202, first.body, 'true']);
    expect(second.json()).toMatchObject({ accepted: 2 });
    expect((await send('fast/feed', { lines: `${lines}"y"\n` })).json()).toMatchObject({ status: 422, code: 'idempotency-key-reused' });
    expect(await fedTo('fast')).toBe(2);
  });

  it('keeps no refusal: the request may be sent again under its key', async () => {
    const full = await send('p/feed', { body: { items: [1, 2, 3, 4, 5, 6] } });
    expect(full.statusCode).toBe(429);
    expect((await send('p/feed', { body: { items: [1] } })).statusCode).toBe(202);
    expect((await send('fast/feed', { lines: '1\n{\n' })).statusCode).toBe(400);
    const again = await send('fast/feed', { lines: '1\n2\n' });
    expect([again.statusCode, again.headers['idempotency-replayed']]).toEqual([202, undefined]);
  });

  it.each([
    ['nothing', ''],
    ['a space in it', 'a b'],
    ['256 characters', 'k'.repeat(256)],
    ['what is no ASCII', 'schlüssel'],
  ])('refuses a key with %s', async (_name, key) => {
    expect((await send('fast/feed', { key, body })).json()).toMatchObject({
      status: 400,
      code: 'invalid-input',
      errors: [{ path: '/idempotency-key' }],
    });
  });

  it('takes a key of 255 visible characters', async () => {
    expect((await send('fast/feed', { key: '!~'.repeat(127).concat('k'), body })).statusCode).toBe(202);
  });
});

describe('run under an Idempotency-Key', () => {
  const items = ['a', 'b'].map((id) => ({ id, value: id }));

  it('lets the second wait for the first, and gives both the same answer', async () => {
    const first = send('p/run', { body: { items } });
    await service.held(2);
    const second = send('p/run', { body: { items } });
    const other = await send('p/run', { body: { items: ['c'] } });
    expect(other.json()).toMatchObject({ status: 422, code: 'idempotency-key-reused' });
    service.gate.fail('b', new Error('no b'));
    service.gate.open('a');
    const [answer, repeated] = [await first, await second];
    expect(answer.json()).toMatchObject({
      results: [
        { id: 'a', error: null },
        { id: 'b', error: { message: 'no b' } },
      ],
    });
    expect([repeated.statusCode, repeated.body]).toEqual([200, answer.body]);
    expect([answer.headers['idempotency-replayed'], repeated.headers['idempotency-replayed']]).toEqual([undefined, 'true']);
    expect(await fedTo('p')).toBe(2);
  });

  it('gives the 202 again when the time was up', async () => {
    const sending = { body: { items }, query: '?timeoutSeconds=0' };
    const first = await send('p/run', sending);
    service.gate.open();
    const second = await send('p/run', sending);
    expect([second.statusCode, second.body, second.headers.location]).toEqual([202, first.body, first.headers.location]);
  });

  it('gives a stream again, line by line or event by event', async () => {
    for (const accept of ['application/x-ndjson', 'text/event-stream']) {
      const sending = { lines: '{"id":"a","value":1}\n2\n', accept, key: accept };
      const first = await send('fast/run', sending);
      const second = await send('fast/run', sending);
      expect([second.statusCode, second.body, second.headers['content-type'], second.headers.location]).toEqual([
        200,
        first.body,
        first.headers['content-type'],
        first.headers.location,
      ]);
      expect([first.headers['idempotency-replayed'], second.headers['idempotency-replayed']]).toEqual([undefined, 'true']);
      const other = await send('fast/run', { ...sending, lines: '3\n' });
      expect(other.json()).toMatchObject({ status: 422, code: 'idempotency-key-reused' });
    }
    expect(await fedTo('fast')).toBe(3);
  });

  it('gives the answer to who was cut off and sends the request again', async () => {
    const address = await service.app.listen({ host: '127.0.0.1', port: 0 });
    const open = () =>
      new Duplex(`${address}/pipelines/p/run`, { headers: { 'content-type': 'application/json', 'idempotency-key': 'cut' } });
    const cut = open();
    cut.finish(JSON.stringify({ items }));
    await service.held(2);
    cut.hangUp();
    await expect(cut.response).rejects.toThrow('without an answer');
    const again = open();
    again.finish(JSON.stringify({ items }));
    service.gate.open();
    const message = await again.whole();
    expect([message.statusCode, message.headers['idempotency-replayed']]).toEqual([200, 'true']);
    expect(JSON.parse(again.text)).toMatchObject({
      results: [
        { id: 'a', value: 'a' },
        { id: 'b', value: 'b' },
      ],
    });
    expect(await fedTo('p')).toBe(2);
  });
});

describe('two callers with API keys of their own', () => {
  it('do not meet under the same Idempotency-Key', async () => {
    const secret = (name: string): string => `slc_${name}_0123456789abcdef`;
    const line = (name: string): string => `${name}:feed:${createHash('sha256').update(secret(name)).digest('hex')}`;
    const guarded = await startService({ apiKeys: parseApiKeys([line('one'), line('two')].join()).keys });
    onTestFinished(() => guarded[Symbol.asyncDispose]());
    await guarded.host.create(definition('fast'));
    const sendAs = (name: string) =>
      guarded.app.inject({
        method: 'POST',
        url: '/pipelines/fast/feed',
        payload: { items: ['x'] },
        headers: { 'idempotency-key': '1', authorization: `Bearer ${secret(name)}` },
      });
    const replies = [await sendAs('one'), await sendAs('two'), await sendAs('one')];
    expect(replies.map(({ headers }) => headers['idempotency-replayed'])).toEqual([undefined, undefined, 'true']);
    expect(new Set(replies.map((reply) => reply.json().feedId)).size).toBe(2);
  });
});

describe('without a key', () => {
  it('every request is a new one', async () => {
    for (const accepted of [1, 1]) expect((await feed(service, 'fast', ['x'])).json()).toMatchObject({ accepted });
    expect(await fedTo('fast')).toBe(2);
  });
});
