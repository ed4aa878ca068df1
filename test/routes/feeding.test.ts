import { request } from 'node:http';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { create, definition, feed, get, run, type Service, startService } from '../http/app-harness.ts';

let service: Service;
beforeEach(async () => {
  service = await startService({ bodyLimitBytes: 4096, backlogCapacity: 5 });
  await create(service, definition('p'));
});
afterEach(() => service[Symbol.asyncDispose]());

const sendLines = (url: string, payload: string, type = 'application/x-ndjson') =>
  service.app.inject({ method: 'POST', url, payload, headers: { 'content-type': type } });

describe('the rejects of a pipeline', () => {
  it('as NDJSON are what one feeds again, there and elsewhere', async () => {
    await create(service, definition('strict', 'fail', { taskAttempts: 1 }));
    await run(service, 'strict', [
      { id: 'a', value: { n: [1, null] }, customer: 7 },
      { id: 'b', text: 'whole' },
    ]);
    const rejects = await service.app.inject({
      url: '/pipelines/strict/results?status=failed',
      headers: { accept: 'application/x-ndjson' },
    });
    expect((await sendLines('/pipelines/p/run', rejects.body)).json().results).toMatchObject([
      { id: 'a', value: { n: [1, null] }, metadata: { customer: 7 }, error: null },
      { id: 'b', value: { id: 'b', text: 'whole' }, metadata: { text: 'whole' }, error: null },
    ]);
    expect((await sendLines('/pipelines/strict/feed?onDuplicate=rerun', rejects.body)).json()).toMatchObject({ accepted: 2 });
    const items = await get(service, '/pipelines/strict/items?status=failed,queued,in_progress&include=input&limit=1');
    expect(items.json().items).toMatchObject([{ id: 'a', input: { n: [1, null] } }]);
    expect((await get(service, '/pipelines/strict/items?include=value')).statusCode).toBe(400);
  });
});

describe('POST feed, JSON', () => {
  it('accepts items and says which ids they have', async () => {
    const response = await feed(service, 'p', [{ id: 'a', value: 1 }, { id: 7 }, 'plain'], { feedId: 'batch' });
    expect(response.statusCode).toBe(202);
    expect(response.headers.location).toBe('/pipelines/p/feeds/batch');
    expect(response.json()).toEqual({
      feedId: 'batch',
      accepted: 3,
      duplicates: 0,
      firstSequence: 1,
      lastSequence: 3,
      ids: ['a', '7', expect.any(String)],
    });
  });

  it('counts ids that are known, and lists them on request', async () => {
    await feed(service, 'p', [{ id: 'a' }]);
    expect((await feed(service, 'p', [{ id: 'a' }, { id: 'b' }])).json()).toMatchObject({ accepted: 1, duplicates: 1 });
    const refused = await feed(service, 'p', [{ id: 'a' }], { onDuplicate: 'reject' });
    expect(refused.statusCode).toBe(409);
    expect(refused.json()).toMatchObject({ code: 'duplicate-items', ids: ['a'] });
  });

  it('takes all or nothing, with Retry-After', async () => {
    await create(service, { ...definition('idle'), start: false });
    const response = await feed(service, 'idle', [1, 2, 3, 4, 5, 6]);
    expect([response.statusCode, response.json().code]).toEqual([429, 'queue-full']);
    expect(Number(response.headers['retry-after'])).toBeGreaterThanOrEqual(1);
    expect((await get(service, '/pipelines/idle/stats')).json().itemsFed).toBe(0);
  });

  it('refuses a stage, a pipeline or an item id that cannot be', async () => {
    expect((await feed(service, 'p', [1], { targetStage: 'Other' })).json()).toMatchObject({ status: 422, code: 'unknown-stage' });
    expect((await feed(service, 'nope', [1])).json()).toMatchObject({ status: 404, code: 'pipeline-not-found' });
    const bad = await feed(service, 'p', [{ id: 'fine' }, { id: '' }]);
    expect(bad.json()).toMatchObject({ status: 400, code: 'invalid-input', errors: [{ path: '/items/1/id' }] });
    expect((await get(service, '/pipelines/p/items/fine')).statusCode).toBe(404);
  });

  it('asks for a body', async () => {
    const response = await service.app.inject({ method: 'POST', url: '/pipelines/p/feed' });
    expect(response.json()).toMatchObject({ status: 400, code: 'invalid-input', errors: [{ path: '', message: 'is required' }] });
  });
});

describe('POST feed, NDJSON', () => {
  it.each(['application/x-ndjson', 'application/jsonl', 'application/x-ndjson; charset=utf-8'])(
    'takes %s, options in the query',
    async (type) => {
      const response = await sendLines('/pipelines/p/feed?feedId=f&priority=7', '{"id":"a"}\r\n\n{"id":"b"}', type);
      expect(response.statusCode).toBe(202);
      expect(response.headers.location).toBe('/pipelines/p/feeds/f');
      expect(response.json()).toEqual({ feedId: 'f', accepted: 2, duplicates: 0, firstSequence: 1, lastSequence: 2 });
      expect((await get(service, '/pipelines/p/items/a')).json()).toMatchObject({ priority: 7, feedId: 'f' });
    },
  );

  it('names the line that is no JSON and how many items before it were accepted', async () => {
    const response = await sendLines('/pipelines/p/feed', '{"id":"a"}\n{"id":"b"}\n{"id":\n{"id":"d"}\n');
    expect(response.statusCode).toBe(400);
    expect(response.json()).toMatchObject({ code: 'malformed-line', line: 3, accepted: 2 });
    expect(response.json().detail).toMatch(/Line 3 .*2 items/);
    expect((await get(service, '/pipelines/p/items/b')).statusCode).toBe(200);
    expect((await get(service, '/pipelines/p/items/d')).statusCode).toBe(404);
  });

  it('names the line of an item id that cannot be, and accepts what is before it', async () => {
    const response = await sendLines('/pipelines/p/feed', '{"id":"a"}\n{"id":"b"}\n{"id":""}\n{"id":"d"}\n');
    expect(response.json()).toMatchObject({ status: 400, code: 'malformed-line', line: 3, accepted: 2 });
    expect((await get(service, '/pipelines/p/items/b')).statusCode).toBe(200);
    expect((await get(service, '/pipelines/p/items/d')).statusCode).toBe(404);
  });

  it('refuses a line over the limit, not a body over it', async () => {
    const long = `${JSON.stringify('x'.repeat(5000))}\n`;
    expect((await sendLines('/pipelines/p/feed', `1\n${long}`)).json()).toMatchObject({
      status: 400,
      code: 'line-too-large',
      line: 2,
      accepted: 1,
    });
    const many = `${JSON.stringify('x'.repeat(1000))}\n`.repeat(50);
    expect((await sendLines('/pipelines/p/feed', many)).json().accepted).toBe(50);
  });

  it.each(['priority=-1', 'priority=x', 'onDuplicate=maybe', 'feedId=a%20b', 'prio=1'])('refuses ?%s', async (query) => {
    expect((await sendLines(`/pipelines/p/feed?${query}`, '1\n')).json()).toMatchObject({ status: 400, code: 'invalid-input' });
  });

  it('is taken by feed and run alone', async () => {
    expect((await sendLines('/pipelines', '{}\n')).statusCode).toBe(415);
  });

  it('waits for room, and leaves what was accepted when the client goes away', async () => {
    await create(service, definition('slow', 'hold'));
    const address = new URL(await service.app.listen({ host: '127.0.0.1', port: 0 }));
    const client = request({
      host: address.hostname,
      port: address.port,
      method: 'POST',
      path: '/pipelines/slow/feed',
      headers: { 'content-type': 'application/x-ndjson' },
    });
    client.on('error', () => undefined);
    const runtime = service.host.get('slow');
    const accepted = new Promise<void>((resolve) => {
      const unsubscribe = runtime.events.subscribe(async () => {
        // One runs, five wait: that is all the room there is.
        if ((await runtime.stats()).itemsFed < 6) return;
        unsubscribe();
        resolve();
      });
    });
    client.write('1\n2\n3\n4\n5\n6\n7\n8\n');
    await accepted;
    const closed = new Promise((resolve) => client.once('close', resolve));
    client.destroy();
    await closed;
    expect((await runtime.stats()).itemsFed).toBe(6);
  });
});

describe('POST run', () => {
  it('answers with every item in feed order, the failed ones with their error', async () => {
    await create(service, definition('q', 'picky'));
    const response = await run(service, 'q', [{ id: 'a', value: 'x', tag: 1 }, { id: 'b', value: 'bad' }, null]);
    expect(response.statusCode).toBe(200);
    expect(response.json()).toMatchObject({
      results: [
        { id: 'a', value: 'x', metadata: { tag: 1 }, error: null, sequenceId: 1 },
        { id: 'b', error: { type: 'PermanentError', message: 'it is bad', stage: 'Only', attempts: 1 } },
        { value: null, error: null },
      ],
      errorSummary: { totalFailed: 1, errorsByStage: { Only: 1 } },
    });
  });

  it('takes NDJSON too', async () => {
    const response = await sendLines('/pipelines/p/run', '{"id":"a","value":1}\n2\n');
    expect(response.json().results.map((row: { value: unknown }) => row.value)).toEqual([1, 2]);
    expect((await sendLines('/pipelines/p/run', '1\n{\n')).json()).toMatchObject({ status: 400, code: 'malformed-line', line: 2 });
  });
});

describe('while the service shuts down', () => {
  it('refuses work with 503 and Retry-After, fails readyz, keeps livez, and closes connections', async () => {
    await service.host.shutdown('force', 1);
    for (const response of [
      await feed(service, 'p', [1]),
      await run(service, 'p', [1]),
      await create(service, definition('z')),
      await get(service, '/readyz'),
    ]) {
      expect(response.json()).toMatchObject({ status: 503, code: 'shutting-down' });
      expect(Number(response.headers['retry-after'])).toBeGreaterThanOrEqual(1);
      expect(response.headers.connection).toBe('close');
    }
    expect((await get(service, '/livez')).statusCode).toBe(200);
  });
});
