/** A key with `feed` alone: it follows what it fed, and sees nothing of others. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseApiKeys } from '../../src/schemas/api-key.ts';
import { type Guarded, keyLine, secretOf, startGuarded } from './access-harness.ts';

const SECRET = 'the value of somebody else';
const NEXT = 'fedcba9876543210';
const NDJSON = { accept: 'application/x-ndjson' };

let service: Guarded;
beforeAll(async () => {
  const { keys } = parseApiKeys(
    [
      keyLine('ci:feed'),
      keyLine('ci:feed', NEXT),
      keyLine('cd:feed'),
      keyLine('both:read+feed'),
      keyLine('ops:operate'),
      keyLine('me:admin'),
    ].join(),
  );
  service = await startGuarded(keys);
  await service.host.create({ id: 'p', stages: [{ name: 'S', workers: 10, tasks: ['picky'] }] });
  await service.host.create({ id: 'held', stages: [{ name: 'S', tasks: ['hold'] }] });
  await service.as('cd', 'POST', '/pipelines/p/run?feedId=theirs', { items: [{ id: 'their-item', value: SECRET }] });
});
afterAll(() => service[Symbol.asyncDispose]());

const feed = (key: string, feedId: string, items: unknown[], id = 'p') =>
  service.as(key, 'POST', `/pipelines/${id}/feed`, { feedId, items });

describe('the Location that a key with feed was given', () => {
  it.each([
    ['feed', '/pipelines/p/feed', { items: [1, 2] }, {}, 202],
    ['feed of lines', '/pipelines/p/feed', '1\n2\n', {}, 202],
    ['run that takes longer', '/pipelines/held/run?timeoutSeconds=0', { items: [1] }, {}, 202],
    ['run of lines', '/pipelines/p/run', '1\n2\n', {}, undefined],
    ['run as a stream', '/pipelines/p/run', { items: [1] }, NDJSON, 200],
    ['run as events', '/pipelines/p/run', '1\n', { accept: 'text/event-stream' }, 200],
  ])('of a %s is answered 200', async (_what, path, body, headers, status) => {
    const reply = await service.as('ci', 'POST', path, body, headers);
    if (status !== undefined) expect(reply.status).toBe(status);
    const location = reply.headers.get('location') ?? `/pipelines/p/feeds/${reply.body.feedId}`;
    expect(await service.as('ci', 'GET', location)).toMatchObject({ status: 200, body: { feedId: location.split('/').at(-1) } });
    expect((await service.as('ci', 'HEAD', location)).status).toBe(200);
    expect((await service.as('cd', 'GET', location)).status).toBe(404);
  });

  it('goes on with another key of the same name', async () => {
    await feed('ci', 'rotated', [1]);
    const next = { authorization: `Bearer ${secretOf('ci', NEXT)}` };
    expect((await service.as(null, 'GET', '/pipelines/p/feeds/rotated', undefined, next)).status).toBe(200);
    expect((await service.as(null, 'GET', '/pipelines/p/feeds/theirs', undefined, next)).status).toBe(404);
  });

  it('goes on for a body that had a bad line', async () => {
    const reply = await service.as('ci', 'POST', '/pipelines/p/feed?feedId=broken', '1\nnonsense\n');
    expect(reply).toMatchObject({ status: 400, body: { accepted: 1, feedId: 'broken' } });
    expect((await service.as('ci', 'GET', '/pipelines/p/feeds/broken')).body).toMatchObject({ total: 1 });
    expect((await service.as('cd', 'GET', '/pipelines/p/feeds/broken')).status).toBe(404);
  });

  it('is there for a repeat under an Idempotency-Key, and another key of that text is another request', async () => {
    const send = (key: string) => service.as(key, 'POST', '/pipelines/p/feed', { items: ['once'] }, { 'idempotency-key': 'k' });
    const [first, again, other] = [await send('ci'), await send('ci'), await send('cd')];
    expect(again.body).toEqual(first.body);
    expect(other.body.feedId).not.toBe(first.body.feedId);
    expect((await service.as('ci', 'GET', String(again.headers.get('location')))).status).toBe(200);
    expect((await service.as('ci', 'GET', String(other.headers.get('location')))).status).toBe(404);
  });
});

describe('its own feed', () => {
  it('can be waited for, and its results read in every form', async () => {
    await feed('ci', 'mine', [
      { id: 'a', value: 1 },
      { id: 'b', value: 'bad' },
    ]);
    expect(await service.as('ci', 'POST', '/pipelines/p/feeds/mine/wait')).toMatchObject({ status: 200, body: { done: true, failed: 1 } });
    const at = '/pipelines/p/feeds/mine/results';
    expect((await service.as('ci', 'GET', at)).body.results).toMatchObject([
      { id: 'a', value: 1 },
      { id: 'b', error: { stage: 'S' } },
    ]);
    for (const url of [`${at}?follow=true`, at]) {
      const { status, body } = await service.as('ci', 'GET', url, undefined, NDJSON);
      expect([status, body.trim().split('\n').length]).toEqual([200, 2]);
    }
  });

  it('can be cancelled, and by who may operate', async () => {
    for (const [key, feedId] of [
      ['ci', 'first'],
      ['ops', 'second'],
    ] as const) {
      await feed('ci', feedId, [1, 2], 'held');
      expect(await service.as('cd', 'DELETE', `/pipelines/held/feeds/${feedId}`)).toMatchObject({ status: 404 });
      expect(await service.as(key, 'DELETE', `/pipelines/held/feeds/${feedId}`)).toMatchObject({ status: 200, body: { cancelled: 2 } });
    }
  });

  it('is run again only by who may operate', async () => {
    await feed('ci', 'failed', ['bad']);
    await service.host.get('p').waitForFeed('failed', {});
    expect((await service.as('ci', 'POST', '/pipelines/p/feeds/failed/retry')).status).toBe(403);
    expect((await service.as('ops', 'POST', '/pipelines/p/feeds/failed/retry')).body).toEqual({ retried: 1 });
  });

  it('is in its list, page by page, and others are not', async () => {
    await feed('ci', 'l1', [1]);
    await feed('cd', 'l2', [1]);
    await feed('ci', 'l3', [1]);
    const seen: string[] = [];
    for (let url: string | null = '/pipelines/p/feeds?limit=1'; url !== null; ) {
      const { body } = await service.as('ci', 'GET', url);
      seen.push(...body.feeds.map(({ feedId }: { feedId: string }) => feedId));
      url = body.nextCursor === null ? null : `/pipelines/p/feeds?limit=1&cursor=${body.nextCursor}`;
    }
    expect(seen.slice(-2)).toEqual(['l1', 'l3']);
    expect(seen).not.toContain('theirs');
    expect((await service.as('ci', 'GET', '/pipelines/p/feeds', undefined, NDJSON)).body).not.toMatch(/"l2"|"theirs"/);
    expect((await service.as('both', 'GET', '/pipelines/p/feeds')).body.feeds.map(({ feedId }: { feedId: string }) => feedId)).toContain(
      'theirs',
    );
  });
});

describe('what others fed', () => {
  const addresses = ['theirs', 'nothing'].map((feedId) => [
    ['GET', `/pipelines/p/feeds/${feedId}`],
    ['HEAD', `/pipelines/p/feeds/${feedId}`],
    ['GET', `/pipelines/p/feeds/${feedId}/results`],
    ['GET', `/pipelines/p/feeds/${feedId}/results?follow=true`],
    ['POST', `/pipelines/p/feeds/${feedId}/wait?timeoutSeconds=0`],
    ['DELETE', `/pipelines/p/feeds/${feedId}`],
  ]);

  it('is to a key with feed as what is not there', async () => {
    const [theirs = [], nothing = []] = await Promise.all(
      addresses.map((list) => Promise.all(list.map(([method, path]) => service.as('ci', String(method), String(path))))),
    );
    for (const [i, reply] of theirs.entries()) {
      expect(reply.status).toBe(404);
      expect(JSON.stringify(reply.body).replaceAll('theirs', '*')).toBe(JSON.stringify(nothing[i]?.body).replaceAll('nothing', '*'));
    }
  });

  it('is read, and not cancelled, by one that may read', async () => {
    expect((await service.as('both', 'GET', '/pipelines/p/feeds/theirs')).status).toBe(200);
    expect(await service.as('both', 'DELETE', '/pipelines/p/feeds/theirs')).toMatchObject({ status: 403, body: { code: 'forbidden' } });
    expect((await service.as('both', 'DELETE', '/pipelines/p/feeds/nothing')).status).toBe(404);
  });

  it('is unknown to a wait for items', async () => {
    await feed('ci', 'waited', [{ id: 'my-item', value: 7 }]);
    const wait = (key: string, itemIds: string[]) => service.as(key, 'POST', '/pipelines/p/wait', { itemIds });
    expect((await wait('ci', ['my-item'])).body).toMatchObject({ done: [{ id: 'my-item', value: 7 }], pending: [] });
    for (const ids of [['their-item'], ['my-item', 'their-item']]) {
      const reply = await wait('ci', ids);
      expect(reply).toMatchObject({ status: 404, body: { code: 'item-not-found', ids: ['their-item'] } });
      const missing = await wait(
        'ci',
        ids.map((id) => (id === 'their-item' ? 'no-item' : id)),
      );
      expect(JSON.stringify(missing.body).replaceAll('no-item', '*')).toBe(JSON.stringify(reply.body).replaceAll('their-item', '*'));
    }
    expect((await wait('both', ['my-item', 'their-item'])).status).toBe(200);
  });

  it('is shown by no answer to who feeds its id again', async () => {
    const item = { id: 'their-item', value: 'mine' };
    for (const headers of [{}, NDJSON, { accept: 'text/event-stream' }]) {
      for (const onDuplicate of ['skip', 'reject']) {
        for (const route of ['feed', 'run']) {
          const { body } = await service.as('ci', 'POST', `/pipelines/p/${route}?onDuplicate=${onDuplicate}`, { items: [item] }, headers);
          expect(JSON.stringify(body)).not.toContain(SECRET);
        }
      }
    }
    const run = (key: string) => service.as(key, 'POST', '/pipelines/p/run', { items: [item] });
    expect((await run('ci')).body).toMatchObject({ duplicates: 1, results: [] });
    expect((await run('both')).body).toMatchObject({ duplicates: 1, results: [{ id: 'their-item' }] });
    const { feedId } = (await service.as('ci', 'POST', '/pipelines/p/feed', { items: [item] })).body;
    expect((await service.as('ci', 'GET', `/pipelines/p/feeds/${feedId}/results`)).body.results).toEqual([]);
    expect((await service.as('ci', 'POST', '/pipelines/p/wait', { itemIds: ['their-item'] })).status).toBe(404);
  });

  it('keeps the id of its feed', async () => {
    expect(await feed('ci', 'theirs', [1])).toMatchObject({ status: 409, body: { code: 'feed-exists' } });
    expect((await service.as('cd', 'GET', '/pipelines/p/feeds/theirs')).status).toBe(200);
  });

  it('without a key, from before there were any, is nobody’s', async () => {
    await service.host.get('p').feed([1], { feedId: 'old' });
    expect((await service.as('ci', 'GET', '/pipelines/p/feeds/old')).status).toBe(404);
    expect((await service.as('both', 'GET', '/pipelines/p/feeds/old')).status).toBe(200);
  });
});
