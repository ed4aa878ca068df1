import type { IncomingMessage } from 'node:http';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { create, definition, feed, get, post, type Service, startService } from '../http/app-harness.ts';
import { Duplex } from '../http/duplex.ts';
import { createManualClock, type ManualClock } from '../http/sse-harness.ts';

let service: Service;
let address: string;
/** The time of the pipelines stands still until a test lets it be up. */
let clock: ManualClock;
beforeEach(async () => {
  clock = createManualClock();
  service = await startService({ backlogCapacity: 50, bodyLimitBytes: 4096, sseHeartbeatSeconds: 0.1, engineClock: clock });
  address = await service.app.listen({ host: '127.0.0.1', port: 0 });
  await create(service, definition('p', 'gated', { workers: 3, taskAttempts: 1 }));
});
afterEach(() => service[Symbol.asyncDispose]());

const line = (...ids: string[]) => ids.map((id) => `${JSON.stringify({ id, value: id })}\n`).join('');
const open = (query = '', { accept = 'application/x-ndjson', type = 'application/x-ndjson', id = 'p' } = {}) =>
  new Duplex(`${address}/pipelines/${id}/run${query}`, { headers: { 'content-type': type, accept } });
/** Lets a minute pass again and again until the answer has come whole: when its wait begins cannot be seen from here. */
async function timeIsUp(run: Duplex): Promise<IncomingMessage> {
  for (; !run.ended; clock.advance(60_000)) await new Promise((resolve) => setImmediate(resolve));
  return run.whole();
}
const SSE = { accept: 'text/event-stream' };
const JSON_BODY = { type: 'application/json' };
const asJson = (...ids: string[]) => JSON.stringify({ items: ids.map((id) => ({ id, value: id })) });
const viewOf = async (feedId: string) => (await get(service, `/pipelines/p/feeds/${feedId}`)).json();

describe('POST run, NDJSON in and out over one connection', () => {
  it('sends the first result before the last item is fed, each when it is ready', async () => {
    const run = open('?feedId=f&priority=3');
    run.send(line('a', 'b'));
    const { statusCode, headers } = await run.response;
    expect([statusCode, headers['content-type'], headers.location]).toEqual([200, 'application/x-ndjson', '/pipelines/p/feeds/f']);
    await service.held(2);
    service.gate.open('b');
    await run.until(() => run.lines.length === 1);
    expect(run.lines[0]).toEqual({ id: 'b', value: 'b', sequenceId: 2, metadata: {}, error: null, feedId: 'f' });
    expect(await viewOf('f')).toMatchObject({ total: 2, done: false });
    run.send(line('c'));
    await service.held(2);
    service.gate.fail('c', new Error('no c'));
    await run.until(() => run.lines.length === 2);
    run.finish();
    service.gate.open('a');
    await run.whole();
    expect(run.lines.map(({ id, error }) => [id, error?.message ?? null])).toEqual([
      ['b', null],
      ['c', 'no c'],
      ['a', null],
    ]);
    expect((await get(service, '/pipelines/p/items/a')).json()).toMatchObject({ priority: 3 });
  });

  it('has the results of known ids, too, and ends with their number', async () => {
    await feed(service, 'p', [{ id: 'a', value: 1 }], { feedId: 'f' });
    await service.held(1);
    const run = open('?feedId=g');
    run.send(line('a', 'b', 'a'));
    run.finish();
    await service.held(2);
    service.gate.open('b');
    await run.until(() => run.lines.length === 1);
    service.gate.open('a');
    await run.whole();
    expect(run.lines.slice(0, 2).map(({ id, feedId }) => [id, feedId])).toEqual([
      ['b', 'g'],
      ['a', 'f'],
    ]);
    expect(run.lines[2]).toMatchObject({ summary: { feedId: 'g', duplicates: 2, errorSummary: { totalFailed: 0 } } });
    const sse = open('', { ...SSE, ...JSON_BODY });
    sse.finish(asJson('a', 'b'));
    await sse.whole();
    expect(sse.events).toMatchObject([
      ['result', { id: 'a' }],
      ['result', { id: 'b' }],
      ['summary', { duplicates: 2 }],
    ]);
    const whole = await post(service, '/pipelines/p/run', { items: [{ id: 'b' }, { id: 'a' }] });
    expect(whole.json()).toMatchObject({
      duplicates: 2,
      results: [
        { id: 'b', value: 'b' },
        { id: 'a', value: 1 },
      ],
    });
  });

  it('takes a body of any length through a small backlog', async () => {
    await create(service, { ...definition('fast'), backlogCapacity: 10 });
    const run = open('', { id: 'fast' });
    for (let i = 0; i < 50; i++) run.send('1\n'.repeat(100));
    run.finish();
    await run.whole();
    expect(run.lines).toHaveLength(5_000);
    expect(new Set(run.lines.map(({ id }) => id)).size).toBe(5_000);
  });

  it('does not read on while its results are not read', async () => {
    await create(service, { ...definition('fast'), backlogCapacity: 10 });
    const run = open('', { id: 'fast' });
    const big = `${JSON.stringify('x'.repeat(4000))}\n`;
    run.send(big);
    (await run.response).pause();
    // 16 MB: far more than sockets and buffers hold.
    const lines = 4_000;
    for (let i = 1; i < lines; i++) run.send(big);
    run.finish();
    const runtime = service.host.get('fast');
    // It stands still when a hundred requests of others see no more items come.
    for (let fed = -1; fed !== (await runtime.stats()).itemsFed; ) {
      fed = (await runtime.stats()).itemsFed;
      for (let i = 0; i < 100; i++) await fetch(`${address}/livez`);
    }
    expect((await runtime.stats()).itemsFed).toBeLessThan(lines - 500);
    (await run.response).resume();
    await run.whole();
    expect(run.text.match(/\n/g)).toHaveLength(lines);
  });

  it('is refused with a status as long as nothing was accepted', async () => {
    await feed(service, 'p', ['x'], { feedId: 'taken' });
    for (const [body, query, expected] of [
      ['{"id":\n', '', { status: 400, code: 'malformed-line', line: 1 }],
      ['{"id":""}\n', '', { status: 400, code: 'malformed-line', line: 1 }],
      [line('a'), '?feedId=taken', { status: 409, code: 'feed-exists' }],
      [line('a'), '?targetStage=Z', { status: 422, code: 'unknown-stage' }],
      [line('a'), '?timeoutSeconds=x', { status: 400, code: 'invalid-input' }],
    ] as const) {
      const run = open(query);
      run.finish(body);
      const message = await run.whole();
      expect(message.headers['content-type']).toMatch(/^application\/problem\+json/);
      expect(JSON.parse(run.text)).toMatchObject(expected);
    }
    expect((await get(service, '/pipelines/p/stats')).json().itemsFed).toBe(1);
  });

  it('tells of a bad line in its last line, after the results of all items before it', async () => {
    const run = open();
    run.send(line('a'));
    expect((await run.response).statusCode).toBe(200);
    run.send(`${line('b')}{"id":\n${line('c')}`);
    await service.held(2);
    service.gate.open('b');
    await run.until(() => run.lines.length === 1);
    service.gate.open('a');
    await run.whole();
    expect(run.lines).toMatchObject([
      { id: 'b' },
      { id: 'a' },
      { problem: { status: 400, code: 'malformed-line', line: 3, accepted: 2, instance: '/pipelines/p/run' } },
    ]);
    expect((await get(service, '/pipelines/p/items/c')).statusCode).toBe(404);
  });

  it('tells in its last line that the pipeline was stopped, also while the body is still sent', async () => {
    const run = open();
    run.send(line('a'));
    await service.held(1);
    await post(service, '/pipelines/p/shutdown', { mode: 'force' });
    await run.whole();
    expect(run.lines).toMatchObject([{ problem: { status: 409, code: 'invalid-state' } }]);
  });

  it('ends with the feed when the time is up', async () => {
    const run = open('?timeoutSeconds=60&feedId=f');
    run.finish(line('a', 'b'));
    await service.held(2);
    service.gate.open('b');
    await run.until(() => run.lines.length === 1);
    await timeIsUp(run);
    expect(run.lines).toMatchObject([{ id: 'b' }, { pending: { feedId: 'f', completed: 1, inProgress: 1, done: false } }]);
    service.gate.open('a');
    expect((await post(service, '/pipelines/p/feeds/f/wait')).json()).toMatchObject({ completed: 2 });
  });

  it('leaves its items alone when the client hangs up, or cancels them if asked to', async () => {
    for (const cancel of [false, true]) {
      const feedId = `f-${cancel}`;
      const run = open(`?feedId=${feedId}&cancelOnDisconnect=${cancel}`);
      run.send(line(`${feedId}1`, `${feedId}2`));
      await service.held(2);
      const { core } = service.host.get('p');
      expect(core.followers.size).toBe(1);
      run.hangUp();
      if (!cancel) {
        service.gate.open();
        // Its feed is closed as soon as the server has noticed.
        const done = await post(service, `/pipelines/p/feeds/${feedId}/wait`);
        expect(done.json()).toMatchObject({ total: 2, completed: 2, done: true });
      } else {
        const done = await post(service, `/pipelines/p/feeds/${feedId}/wait`);
        expect(done.json()).toMatchObject({ total: 2, cancelled: 2, done: true });
      }
      expect(core.followers.size).toBe(0);
    }
    expect(service.logs.filter(({ level }) => Number(level) >= 50)).toEqual([]);
  });
});

describe('POST run, JSON in and a stream out', () => {
  it('refuses with a status what feed refuses, all or nothing', async () => {
    const run = open('', JSON_BODY);
    run.finish(JSON.stringify({ items: Array.from({ length: 60 }, () => 1) }));
    const message = await run.whole();
    expect([message.statusCode, Number(message.headers['retry-after'])]).toEqual([429, expect.any(Number)]);
    expect(JSON.parse(run.text)).toMatchObject({ code: 'queue-full' });
  });

  it('sends results as they are ready', async () => {
    const run = open('', JSON_BODY);
    run.finish(asJson('a', 'b'));
    await service.held(2);
    service.gate.open('b');
    await run.until(() => run.lines.length === 1);
    service.gate.open('a');
    await run.whole();
    expect(run.lines.map(({ id }) => id)).toEqual(['b', 'a']);
  });
});

describe('POST run as an event stream', () => {
  it('sends an event a result and ends with a summary', async () => {
    const run = open('?feedId=f', SSE);
    run.send(line('a'));
    const { headers } = await run.response;
    expect(headers).toMatchObject({
      'content-type': 'text/event-stream',
      'cache-control': 'no-store, no-transform',
      location: '/pipelines/p/feeds/f',
    });
    await service.held(1);
    service.gate.open('a');
    await run.until(() => run.events.length === 1);
    run.finish(line('b'));
    await service.held(1);
    service.gate.fail('b', new Error('no b'));
    await run.whole();
    expect(run.events).toMatchObject([
      ['result', { id: 'a', value: 'a', error: null }],
      ['result', { id: 'b', error: { message: 'no b' } }],
      ['summary', { feedId: 'f', errorSummary: { totalFailed: 1, errorsByType: { Error: 1 }, failedItems: [{ itemId: 'b' }] } }],
    ]);
    // Not an id in it: nothing of it can be resumed.
    expect(run.text).not.toMatch(/^id:/m);
  });

  it('tells of a fault and of the end of its time by an event', async () => {
    const bad = open('', SSE);
    bad.send(line('a'));
    await bad.response;
    bad.send('{\n');
    await service.held(1);
    service.gate.open('a');
    await bad.whole();
    expect(bad.events).toMatchObject([
      ['result', { id: 'a' }],
      ['problem', { code: 'malformed-line', line: 2, accepted: 1 }],
    ]);
    const late = open('?timeoutSeconds=60', { ...SSE, ...JSON_BODY });
    late.finish(asJson('b'));
    await service.held(1);
    await timeIsUp(late);
    expect(late.events).toMatchObject([['pending', { total: 1, inProgress: 1 }]]);
  });

  it('keeps a silent connection alive with comments', async () => {
    const run = open('', { ...SSE, ...JSON_BODY });
    run.finish(asJson('a'));
    await service.held(1);
    await run.until(() => run.text.startsWith(':\n\n'));
    service.gate.open('a');
    await run.whole();
    expect(run.events.map(([name]) => name)).toEqual(['result', 'summary']);
  });
});

describe('POST run, answered with one document', () => {
  it('is 202 with the feed and its Location when the time is up', async () => {
    const run = open('?timeoutSeconds=60', { ...JSON_BODY, accept: 'application/json' });
    run.finish(asJson('a'));
    await service.held(1);
    const message = await timeIsUp(run);
    const view = JSON.parse(run.text);
    expect([message.statusCode, message.headers.location]).toEqual([202, `/pipelines/p/feeds/${view.feedId}`]);
    expect(view).toMatchObject({ total: 1, inProgress: 1, done: false });
    service.gate.open('a');
    expect((await post(service, `${message.headers.location}/wait`)).json()).toMatchObject({ completed: 1, done: true });
  });

  it('leaves its items alone when the client hangs up, or cancels them if asked to', async () => {
    for (const cancel of [false, true]) {
      const feedId = `f-${cancel}`;
      const run = open(`?cancelOnDisconnect=${cancel}&feedId=${feedId}`, { ...JSON_BODY, accept: 'application/json' });
      run.finish(asJson(`${feedId}1`, `${feedId}2`));
      await service.held(2);
      run.hangUp();
      if (!cancel) service.gate.open();
      const done = await post(service, `/pipelines/p/feeds/${feedId}/wait`);
      expect(done.json()).toMatchObject(cancel ? { cancelled: 2, completed: 0 } : { cancelled: 0, completed: 2 });
    }
  });

  it('waits for room with ?wait=', async () => {
    await create(service, { ...definition('small', 'gated'), backlogCapacity: 1 });
    await feed(service, 'small', [{ id: 's1' }]);
    await feed(service, 'small', [{ id: 's2' }]);
    const run = open('?wait=60', { ...JSON_BODY, accept: 'application/json', id: 'small' });
    run.finish(asJson('s3'));
    for (const id of ['s1', 's2', 's3']) {
      await service.held(1);
      service.gate.open(id);
    }
    await run.whole();
    expect(JSON.parse(run.text)).toMatchObject({ results: [{ id: 's3', value: 's3' }] });
  });
});
