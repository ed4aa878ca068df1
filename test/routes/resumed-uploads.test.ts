/** Bodies in NDJSON that did not come to their end, and are sent again under their `Idempotency-Key`. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { inTime } from '../conformance/world.ts';
import { create, definition, get, type Service, startService } from '../http/app-harness.ts';
import { Duplex } from '../http/duplex.ts';

const NDJSON = 'application/x-ndjson';
const headers = { 'content-type': NDJSON, 'idempotency-key': 'k-1' };

let service: Service;
let address: string;
beforeEach(async () => {
  service = await startService();
  await create(service, definition('fast'));
  address = await service.app.listen({ host: '127.0.0.1', port: 0 });
});
afterEach(() => service[Symbol.asyncDispose]());

const fed = async (): Promise<number> => (await get(service, '/pipelines/fast/stats')).json().itemsFed;

const send = (path: string, payload: string, more = {}) =>
  service.app.inject({ method: 'POST', url: `/pipelines/fast/${path}`, payload, headers: { ...headers, ...more } });

/** Begins a body, and hangs up when so many items of it are accepted. */
async function hangUpAfter(path: string, lines: string, items: number, more = {}): Promise<void> {
  const cut = new Duplex(`${address}/pipelines/fast/${path}`, { headers: { ...headers, ...more } });
  cut.send(lines);
  await inTime(async () => (await fed()) === items);
  cut.hangUp();
}

describe('a feed that is continued', () => {
  it('after its client hung up, with the same lines again', async () => {
    const lines = '{"id":"a"}\n{"id":"b"}\n{"id":"c"}\n';
    const cut = new Duplex(`${address}/pipelines/fast/feed?feedId=f`, { headers: { 'content-type': NDJSON } });
    cut.send(lines.slice(0, 24));
    await inTime(async () => (await fed()) === 2);
    const view = async () => (await get(service, '/pipelines/fast/feeds/f')).json();
    expect(await view()).toMatchObject({ uploadComplete: false, done: false });
    cut.hangUp();
    await inTime(async () => (await view()).done);
    expect(await view()).toMatchObject({ total: 2, uploadComplete: false });
    const append = (payload: string, query = 'feedId=f&append=true') =>
      service.app.inject({ method: 'POST', url: `/pipelines/fast/feed?${query}`, payload, headers: { 'content-type': NDJSON } });
    const reply = await append(lines);
    expect([reply.statusCode, reply.json()]).toMatchObject([202, { feedId: 'f', accepted: 1, duplicates: 2 }]);
    expect(await view()).toMatchObject({ total: 3, duplicates: 2, uploadComplete: true });
    expect((await append(lines, 'append=true')).json()).toMatchObject({ code: 'invalid-input', errors: [{ path: '/append' }] });
    expect((await append(lines, 'feedId=f')).json()).toMatchObject({ code: 'feed-exists' });
  });
});

describe('feed', () => {
  it('goes on where the client hung up, and counts everything', async () => {
    await hangUpAfter('feed', '1\n2\n{"id":"a"}\n{"half', 3);
    const reply = await send('feed', '1\n2\n{"id":"a"}\n{"half":true}\n5');
    expect([reply.statusCode, reply.headers['idempotency-replayed']]).toEqual([202, undefined]);
    expect(reply.json()).toMatchObject({ accepted: 5, duplicates: 0, firstSequence: 1, lastSequence: 5 });
    const again = await send('feed', '1\n2\n{"id":"a"}\n{"half":true}\n5');
    expect([again.body, again.headers['idempotency-replayed']]).toEqual([reply.body, 'true']);
    expect(await fed()).toBe(5);
  });

  it('goes on behind a line that was refused, and says the same of it as long as it is sent', async () => {
    for (let i = 0; i < 3; i++) {
      const refused = await send('feed', '1\n2\n{\n4\n');
      expect(refused.json()).toMatchObject({ status: 400, code: 'malformed-line', line: 3, accepted: 2 });
    }
    expect((await send('feed', '1\n2\n{}\n4\n')).json()).toMatchObject({ accepted: 4 });
    expect(await fed()).toBe(4);
  });

  it('names the right line when an item is refused behind what was accepted before', async () => {
    await hangUpAfter('feed', '1\n2\n', 2);
    const refused = await send('feed', '1\n2\n3\n{"id":""}\n5\n');
    expect(refused.json()).toMatchObject({ status: 400, code: 'malformed-line', line: 4, accepted: 3 });
    expect(await fed()).toBe(3);
  });

  it('refuses another body than the one that was begun', async () => {
    await hangUpAfter('feed', '1\n2\n', 2);
    for (const body of ['1\n3\n', '1\n', '']) {
      expect((await send('feed', body)).json()).toMatchObject({ status: 422, code: 'idempotency-key-reused' });
    }
    expect((await send('feed', '1\n2\n')).json()).toMatchObject({ accepted: 2 });
  });
});

describe.each([NDJSON, 'text/event-stream'])('run, answered with %s', (accept) => {
  it('goes on where the client hung up, and answers with the results of all items', async () => {
    await hangUpAfter('run', '{"id":"a","value":1}\n{"id":"b","value":2}\n', 2, { accept });
    const lines = '{"id":"a","value":1}\n{"id":"b","value":2}\n{"id":"c","value":3}\n';
    const reply = await send('run', lines, { accept });
    expect([reply.statusCode, reply.headers['idempotency-replayed']]).toEqual([200, undefined]);
    expect([...reply.body.matchAll(/"id":"(\w)"/g)].map(([, id]) => id)).toEqual(['a', 'b', 'c']);
    const again = await send('run', lines, { accept });
    expect([again.body, again.headers['idempotency-replayed']]).toEqual([reply.body, 'true']);
    expect(await fed()).toBe(3);
  });

  it('answers with a problem when the repeat has a bad line, or another beginning', async () => {
    await hangUpAfter('run', '1\n', 1, { accept });
    expect((await send('run', '1\n2\n{\n', { accept })).json()).toMatchObject({
      status: 400,
      code: 'malformed-line',
      line: 3,
      accepted: 2,
    });
    expect((await send('run', '2\n', { accept })).json()).toMatchObject({ status: 422, code: 'idempotency-key-reused' });
    expect((await send('run', '1\n2\n', { accept })).statusCode).toBe(200);
    expect(await fed()).toBe(2);
  });
});
