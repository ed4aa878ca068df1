import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { create, definition, feed, get, post, run, type Service, startService } from '../http/app-harness.ts';
import { Duplex } from '../http/duplex.ts';

let service: Service;
beforeEach(async () => {
  service = await startService({ backlogCapacity: 50 });
  await create(service, definition('p', 'gated', { workers: 2, taskAttempts: 1 }));
  await create(service, definition('fast'));
});
afterEach(() => service[Symbol.asyncDispose]());

const named = (...ids: string[]) => ids.map((id) => ({ id, value: id }));
const remove = (url: string) => service.app.inject({ method: 'DELETE', url });
const NDJSON = { accept: 'application/x-ndjson' };

/** `a` completed, `b` failed, `c` and `d` held, `e` queued. */
async function halfway(): Promise<void> {
  await feed(service, 'p', named('a', 'b', 'c', 'd', 'e'), { feedId: 'f' });
  await service.held(2);
  service.gate.open('a');
  service.gate.fail('b', new Error('no b'));
  await service.held(2);
}

describe('GET feeds', () => {
  it('lists them in the order of their creation, in pages and as NDJSON', async () => {
    for (const feedId of ['z', 'a', 'm']) await feed(service, 'fast', [1], { feedId });
    const first = await get(service, '/pipelines/fast/feeds?limit=2');
    expect(first.json()).toEqual({
      feeds: [expect.objectContaining({ feedId: 'z', total: 1 }), expect.objectContaining({ feedId: 'a' })],
      nextCursor: expect.any(String),
      retired: 0,
    });
    const { nextCursor } = first.json();
    const second = await get(service, `/pipelines/fast/feeds?limit=2&cursor=${nextCursor}`);
    expect(second.json()).toMatchObject({ feeds: [{ feedId: 'm' }], nextCursor: null });
    const lines = await service.app.inject({ method: 'GET', url: '/pipelines/fast/feeds', headers: NDJSON });
    expect(lines.headers['content-type']).toMatch(/^application\/x-ndjson/);
    expect(
      lines.body
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line).feedId),
    ).toEqual(['z', 'a', 'm']);
    expect((await get(service, `/pipelines/p/feeds?cursor=${nextCursor}`)).json()).toMatchObject({ status: 400, code: 'invalid-cursor' });
  });

  it('shows one with its counts', async () => {
    await halfway();
    const response = await get(service, '/pipelines/p/feeds/f');
    expect(response.statusCode).toBe(200);
    expect(response.json()).toEqual({
      feedId: 'f',
      createdAt: expect.stringMatching(/^\d{4}-.*Z$/),
      total: 5,
      queued: 1,
      inProgress: 2,
      completed: 1,
      failed: 1,
      cancelled: 0,
      duplicates: 0,
      uploadComplete: true,
      sending: false,
      done: false,
      throughputPerSecond: expect.any(Number),
      etaSeconds: expect.any(Number),
    });
  });

  it('is there at the Location that feeding answered with, although nothing was fed', async () => {
    const { headers } = await feed(service, 'fast', []);
    expect((await get(service, String(headers.location))).json()).toMatchObject({ total: 0, done: true, etaSeconds: 0 });
  });

  it.each([
    ['GET', ''],
    ['GET', '/results'],
    ['GET', '/results?follow=true'],
    ['POST', '/wait'],
    ['POST', '/retry'],
    ['DELETE', ''],
  ] as const)('%s of an unknown feed%s is a 404', async (method, path) => {
    for (const headers of [{}, NDJSON]) {
      const response = await service.app.inject({ method, url: `/pipelines/p/feeds/nobody${path}`, headers });
      expect(response.json()).toMatchObject({ status: 404, code: 'feed-not-found', detail: expect.stringContaining('nobody') });
    }
    const bad = await service.app.inject({ method, url: `/pipelines/p/feeds/a%20b${path}` });
    expect(bad.json()).toMatchObject({ status: 400, code: 'invalid-input' });
  });
});

describe('GET results of a feed', () => {
  it('are its own, in feed order, failed ones too, by page, by status and as NDJSON', async () => {
    await halfway();
    await feed(service, 'p', named('x'), { feedId: 'other' });
    service.gate.open('d');
    await service.held(2);
    const ids = async (query: string) => {
      const { results, nextCursor } = (await get(service, `/pipelines/p/feeds/f/results${query}`)).json();
      return [results.map(({ id }: { id: string }) => id), nextCursor];
    };
    expect(await ids('')).toEqual([['a', 'b', 'd'], null]);
    expect(await ids('?status=completed')).toEqual([['a', 'd'], null]);
    const [page, cursor] = await ids('?limit=2');
    expect(page).toEqual(['a', 'b']);
    expect(await ids(`?limit=2&cursor=${cursor}`)).toEqual([['d'], null]);
    expect((await get(service, `/pipelines/p/feeds/other/results?cursor=${cursor}`)).json()).toMatchObject({ code: 'invalid-cursor' });
    const lines = await service.app.inject({ method: 'GET', url: '/pipelines/p/feeds/f/results?limit=2', headers: NDJSON });
    expect(
      lines.body
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line)),
    ).toMatchObject([
      { id: 'a', value: 'a', error: null, feedId: 'f' },
      { id: 'b', value: null, error: { message: 'no b' } },
    ]);
  });

  it('has no HEAD, of which a followed feed would have no end', async () => {
    const response = await service.app.inject({ method: 'HEAD', url: '/pipelines/p/feeds/f/results?follow=true' });
    expect(response.statusCode).toBe(405);
  });
});

describe('GET results of a feed, followed', () => {
  const open = async (query = '') => {
    await service.app.listen({ host: '127.0.0.1', port: 0 });
    const address = service.app.server.address() as { port: number };
    const follow = new Duplex(`http://127.0.0.1:${address.port}/pipelines/p/feeds/f/results?follow=true${query}`, { method: 'GET' });
    follow.finish();
    return follow;
  };

  it('sends each as soon as it and all before it are final, and ends when the feed is done', async () => {
    await halfway();
    const follow = await open();
    const { headers, statusCode } = await follow.response;
    expect([statusCode, headers['content-type'], headers['cache-control']]).toEqual([
      200,
      'application/x-ndjson',
      'no-store, no-transform',
    ]);
    await follow.until(() => follow.lines.length === 2);
    service.gate.open('d');
    await service.held(2);
    // Another request goes there and back: had the result of `d` been sent, it would have come.
    await get(service, '/pipelines/p/stats');
    expect(follow.lines.map(({ id }) => id)).toEqual(['a', 'b']);
    service.gate.open('c');
    await follow.until(() => follow.lines.length === 4);
    expect(follow.ended).toBe(false);
    service.gate.open('e');
    await follow.whole();
    expect(follow.lines.map(({ id }) => id)).toEqual(['a', 'b', 'c', 'd', 'e']);
    expect(follow.lines[1]).toMatchObject({ error: { message: 'no b' } });
  });

  it('sends the head before the first result, and stops at the limit', async () => {
    await feed(service, 'p', named('a', 'b', 'c'), { feedId: 'f' });
    await service.held(2);
    const follow = await open('&limit=2');
    expect((await follow.response).statusCode).toBe(200);
    expect(follow.text).toBe('');
    service.gate.open();
    await follow.whole();
    expect(follow.lines.map(({ id }) => id)).toEqual(['a', 'b']);
  });

  it('says in its last line that the pipeline was stopped', async () => {
    await halfway();
    const follow = await open();
    await follow.until(() => follow.lines.length === 2);
    await post(service, '/pipelines/p/shutdown', { mode: 'force' });
    await follow.whole();
    expect(follow.lines.at(-1)).toEqual({
      problem: expect.objectContaining({ status: 409, code: 'invalid-state', instance: '/pipelines/p/feeds/f/results' }),
    });
  });

  it('leaves nothing behind when the client hangs up', async () => {
    await halfway();
    const follow = await open();
    await follow.until(() => follow.lines.length === 2);
    const { followers } = service.host.get('p').core;
    expect(followers.size).toBe(1);
    const isLeft = new Promise<void>((resolve) => {
      const leave = followers.delete.bind(followers);
      followers.delete = (follower) => {
        resolve();
        return leave(follower);
      };
    });
    follow.hangUp();
    await isLeft;
    expect(followers.size).toBe(0);
    expect(service.logs.filter(({ level }) => Number(level) >= 50)).toEqual([]);
  });
});

describe('POST wait of a feed', () => {
  it('answers 200 when it is done, 202 when the time is up', async () => {
    await halfway();
    const late = await post(service, '/pipelines/p/feeds/f/wait?timeoutSeconds=0.01');
    expect([late.statusCode, late.json()]).toMatchObject([202, { feedId: 'f', done: false, inProgress: 2 }]);
    const waiting = post(service, '/pipelines/p/feeds/f/wait');
    for (const id of ['c', 'd', 'e']) {
      await service.held(1);
      service.gate.open(id);
    }
    const done = await waiting;
    expect([done.statusCode, done.json()]).toMatchObject([200, { done: true, completed: 4, failed: 1, etaSeconds: 0 }]);
    for (const query of ['timeoutSeconds=-1', 'timeoutSeconds=x', 'timeout=1', 'timeoutSeconds=86401']) {
      expect((await post(service, `/pipelines/p/feeds/f/wait?${query}`)).json()).toMatchObject({ status: 400, code: 'invalid-input' });
    }
  });
});

describe('POST retry and DELETE of a feed', () => {
  it('runs the failed ones again, and cancels what is not finished', async () => {
    await halfway();
    const retried = await post(service, '/pipelines/p/feeds/f/retry');
    expect([retried.statusCode, retried.json()]).toEqual([200, { retried: 1 }]);
    const cancelled = await remove('/pipelines/p/feeds/f');
    expect([cancelled.statusCode, cancelled.json()]).toEqual([200, { cancelled: 4 }]);
    expect((await get(service, '/pipelines/p/feeds/f')).json()).toMatchObject({ completed: 1, failed: 0, cancelled: 4, done: true });
    expect((await remove('/pipelines/p/feeds/f')).json()).toEqual({ cancelled: 0 });
  });
});

describe('POST wait over items', () => {
  const wait = (body: object) => post(service, '/pipelines/p/wait', body);

  it('answers with those that have ended and the others', async () => {
    await halfway();
    const response = await wait({ itemIds: ['e', 'b', 'a'], timeoutSeconds: 0.01 });
    expect(response.statusCode).toBe(200);
    expect(response.json()).toEqual({
      done: [
        {
          id: 'b',
          value: null,
          sequenceId: 2,
          metadata: {},
          error: expect.objectContaining({ message: 'no b', stage: 'Only' }),
          feedId: 'f',
          input: 'b',
        },
        expect.objectContaining({ id: 'a', value: 'a' }),
      ],
      pending: ['e'],
    });
    expect((await wait({ itemIds: ['c', 'b'], returnWhen: 'FIRST_EXCEPTION' })).json()).toMatchObject({
      done: [{ id: 'b' }],
      pending: ['c'],
    });
    const first = wait({ itemIds: ['c', 'd'], returnWhen: 'FIRST_COMPLETED' });
    service.gate.open('d');
    expect((await first).json()).toMatchObject({ done: [{ id: 'd' }], pending: ['c'] });
  });

  it('takes numbers for ids, as feeding does', async () => {
    await feed(service, 'fast', [{ id: 7 }]);
    expect((await post(service, '/pipelines/fast/wait', { itemIds: [7] })).json()).toMatchObject({ done: [{ id: '7' }], pending: [] });
  });

  it('names the ids that it does not know', async () => {
    await halfway();
    const response = await wait({ itemIds: ['a', 'nobody'] });
    expect(response.json()).toMatchObject({
      status: 404,
      code: 'item-not-found',
      ids: ['nobody'],
      detail: expect.stringContaining('nobody'),
    });
  });

  it.each([
    [{ itemIds: [] }, '/itemIds'],
    [{ itemIds: [''] }, '/itemIds/0'],
    [{ itemIds: ['a'], returnWhen: 'SOMETIMES' }, '/returnWhen'],
    [{ itemIds: ['a'], timeoutSeconds: -1 }, '/timeoutSeconds'],
    [{ itemIds: ['a'], until: 1 }, '/until'],
    [{}, '/itemIds'],
  ])('refuses %j', async (body, path) => {
    expect((await wait(body)).json()).toMatchObject({ status: 400, code: 'invalid-input', errors: [{ path }] });
  });
});

describe('POST feed with ?wait=', () => {
  it('waits for room for all of them, and says when to come again when the time is up', async () => {
    await create(service, { ...definition('small', 'gated'), backlogCapacity: 2 });
    await feed(service, 'small', named('a'));
    await feed(service, 'small', named('b', 'c'));
    const send = (ids: string[], query: string) =>
      service.app.inject({ method: 'POST', url: `/pipelines/small/feed${query}`, payload: { items: named(...ids) } });
    const refused = await send(['d', 'e'], '?wait=0.01');
    expect(refused.json()).toMatchObject({ status: 429, code: 'queue-full' });
    expect(Number(refused.headers['retry-after'])).toBeGreaterThanOrEqual(1);
    const waiting = send(['d', 'e'], '?wait=60');
    service.gate.open('a');
    await service.held(1);
    service.gate.open('b');
    const accepted = await waiting;
    expect([accepted.statusCode, accepted.json()]).toMatchObject([202, { accepted: 2, ids: ['d', 'e'] }]);
  });

  it('says so at once when they can never fit, and what to do', async () => {
    await create(service, { ...definition('small', 'gated'), backlogCapacity: 2 });
    const response = await service.app.inject({ method: 'POST', url: '/pipelines/small/feed?wait=60', payload: { items: [1, 2, 3] } });
    expect(response.json()).toMatchObject({
      status: 429,
      code: 'queue-full',
      detail: expect.stringMatching(/backlog holds 2.*NDJSON/),
      fix: expect.stringContaining('NDJSON'),
    });
  });

  it.each(['wait=-1', 'wait=soon', 'wait=86401'])('refuses ?%s', async (query) => {
    const response = await service.app.inject({ method: 'POST', url: `/pipelines/fast/feed?${query}`, payload: { items: [] } });
    expect(response.json()).toMatchObject({ status: 400, code: 'invalid-input', errors: [{ path: '/wait' }] });
  });
});

describe('while the service shuts down', () => {
  it('waits, retries and followed feeds are refused; looking and cancelling go on', async () => {
    await run(service, 'fast', [1]);
    const { feeds } = (await get(service, '/pipelines/fast/feeds')).json();
    const address = `/pipelines/fast/feeds/${feeds[0].feedId}`;
    await service.host.shutdown('force', 1);
    for (const response of [
      await post(service, `${address}/wait`),
      await post(service, `${address}/retry`),
      await get(service, `${address}/results?follow=true`),
      await post(service, '/pipelines/fast/wait', { itemIds: ['x'] }),
    ]) {
      expect(response.json()).toMatchObject({ status: 503, code: 'shutting-down' });
    }
    expect((await get(service, `${address}/results`)).json().results).toHaveLength(1);
    expect((await remove(address)).json()).toEqual({ cancelled: 0 });
  });
});
