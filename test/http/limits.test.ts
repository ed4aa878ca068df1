/** Each limit at its edge: up to it all passes, one more is refused with the problem that docs/configuration.md names. */
import { once } from 'node:events';
import { mkdtempSync } from 'node:fs';
import { type AddressInfo, connect as connectTo, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { describe, expect, it, onTestFinished } from 'vitest';
import { loadConfig, variables } from '../../src/config.ts';
import type { TaskDeclaration } from '../../src/engine/index.ts';
import { LIMITS } from '../../src/limits.ts';
import { openSqliteStore } from '../../src/stores/sqlite/index.ts';
import { type Guarded, keysOf, startGuarded } from './access-harness.ts';
import { feed, get, post, type Service, type ServiceOptions, startService } from './app-harness.ts';
import { connect, createManualClock, type StreamClient } from './sse-harness.ts';

type Limits = NonNullable<ServiceOptions['limits']>;

async function start(limits: Limits, more: ServiceOptions = {}): Promise<Service> {
  const service = await startService({ limits, ...more });
  onTestFinished(() => service[Symbol.asyncDispose]());
  await service.host.create({ id: 'p', stages: [{ name: 'S', tasks: ['echo'] }] });
  return service;
}

async function startWithKeys(limits: Limits, keys: string[], more: ServiceOptions = {}): Promise<Guarded> {
  const service = await startGuarded(keysOf(...keys), { limits, ...more });
  onTestFinished(async () => {
    service.app.server.closeAllConnections();
    await service[Symbol.asyncDispose]();
  });
  await service.host.create({ id: 'p', stages: [{ name: 'S', tasks: ['gated'] }] });
  return service;
}

const portOf = ({ app }: Service): number => (app.server.address() as AddressInfo).port;
const bearer = (name: string) => ({ authorization: `Bearer slc_${name}_0123456789abcdef` });
const range = (length: number): number[] => Array.from({ length }, (_, i) => i);

describe('the record of limits', () => {
  it('holds every variable that is called MAX, but for one that limits nothing that is sent', () => {
    const named = Object.keys(variables.shape).filter((name) => name.startsWith('MAX_') && name !== 'MAX_DELIVERIES');
    expect(Object.keys(LIMITS)).toEqual(expect.arrayContaining(named));
    const config = loadConfig({ MAX_STREAMS: '7', MAX_REQUESTS_PER_KEY: '100/60', BODY_LIMIT_BYTES: '2048' });
    expect(config).toMatchObject({ maxStreams: 7, maxRequestsPerKey: { requests: 100, perSeconds: 60 }, bodyLimitBytes: 2048 });
    expect(Object.values(LIMITS).filter(({ name }) => config[name] === undefined)).toEqual([]);
  });
});

describe('open streams', () => {
  const stream = (service: Service, path: string, key?: string): Promise<StreamClient> =>
    connect(portOf(service), path, key === undefined ? {} : { headers: bearer(key) });
  it('of a key are as many as MAX_STREAMS_PER_KEY, tickets among them, and others have their own', async () => {
    const service = await startWithKeys({ maxStreamsPerKey: 2 }, ['one:read', 'other:read']);
    const arrivals: Socket[] = [];
    service.app.server.on('connection', (socket) => arrivals.push(socket));
    const { body } = await service.as('one', 'POST', '/events/tickets');
    const [first] = [await stream(service, '/events', 'one'), await stream(service, `/events?ticket=${body.ticket}`)];
    const refused = await service.as('one', 'GET', '/pipelines/p/events');
    expect(refused).toMatchObject({
      status: 429,
      body: { code: 'too-many-streams', detail: expect.stringContaining('MAX_STREAMS_PER_KEY') },
    });
    expect(refused.headers.get('retry-after')).toBe('5');
    expect((await service.as('one', 'GET', '/pipelines')).status).toBe(200);
    await stream(service, '/events', 'other');
    const gone = once(arrivals[1] as Socket, 'close');
    first.destroy();
    await gone;
    // The end of the connection is told to its response in the same turn.
    await setImmediate();
    await stream(service, '/events', 'one');
  });

  it('in all are as many as MAX_STREAMS: events, runs that are streamed and results that are followed', async () => {
    const service = await startWithKeys({ maxStreams: 3 }, ['one:admin', 'other:admin']);
    const fed = await service.as('one', 'POST', '/pipelines/p/feed', { feedId: 'f', items: [1] });
    expect(fed.status).toBe(202);
    await stream(service, '/events', 'one');
    await stream(service, '/pipelines/p/feeds/f/results?follow=true', 'one');
    const run = fetch(`http://127.0.0.1:${portOf(service)}/pipelines/p/run`, {
      method: 'POST',
      headers: { ...bearer('one'), 'content-type': 'application/json', accept: 'application/x-ndjson' },
      body: '{"items":[{"id":"r"}]}',
    });
    await service.held(1);
    expect((await run).status).toBe(200);
    for (const path of ['/events', '/pipelines/p/events', '/pipelines/p/feeds/f/results?follow=true']) {
      const refused = await service.as('other', 'GET', path);
      expect(refused).toMatchObject({ status: 429, body: { code: 'too-many-streams', detail: expect.stringContaining('(MAX_STREAMS)') } });
    }
    const more = { items: [{ id: 'never' }] };
    const other = await service.as('other', 'POST', '/pipelines/p/run', more, { accept: 'text/event-stream' });
    expect(other).toMatchObject({ status: 429, body: { code: 'too-many-streams' } });
    // It was refused before anything of it was accepted.
    expect((await service.as('other', 'GET', '/pipelines/p/items/never')).status).toBe(404);
    service.gate.open();
  });
});

describe('a place for a stream', () => {
  it.each([
    ['GET', '/pipelines/p/events?after=nonsense', {}, undefined, 400],
    ['GET', '/pipelines/p/feeds/none/results?follow=true', {}, undefined, 404],
    ['POST', '/pipelines/p/run', { 'content-type': 'application/x-ndjson' }, 'not json', 400],
    ['POST', '/pipelines/p/run?targetStage=None', { 'content-type': 'application/json' }, '{"items":[1]}', 422],
    ['POST', '/pipelines/p/run', { 'content-type': 'application/json' }, '{"items":[1]}', 200],
  ] as const)('is free again after %s %s, which ended', async (method, url, headers, payload, status) => {
    const service = await start({ maxStreams: 1 });
    for (const _ of range(3)) {
      const asked = { method, url, headers: { ...headers, accept: 'application/x-ndjson' }, ...(payload !== undefined && { payload }) };
      expect((await service.app.inject(asked)).statusCode).toBe(status);
    }
  });
});

describe('the requests of a key', () => {
  it('are as many as MAX_REQUESTS_PER_KEY says, or its own field; every answer tells how many are left', async () => {
    const clock = createManualClock();
    const keys = keysOf('one:read', 'two:read;requests=3/60', 'other:read');
    const service = await start({ maxRequestsPerKey: { requests: 2, perSeconds: 10 } }, { apiKeys: keys, clock });
    const ask = (key: string, url = '/whoami', method: 'GET' | 'POST' = 'GET') => service.app.inject({ method, url, headers: bearer(key) });
    const told = async (key: string, url?: string) => {
      const { statusCode, headers } = await ask(key, url);
      return [statusCode, headers.ratelimit, headers['ratelimit-policy']];
    };
    expect(await told('one')).toEqual([200, '"default";r=1;t=10', '"default";q=2;w=10']);
    clock.advance(4000);
    expect(await told('one', '/nowhere')).toEqual([404, '"default";r=0;t=6', '"default";q=2;w=10']);
    const refused = await ask('one');
    expect(refused.statusCode).toBe(429);
    expect(refused.json()).toMatchObject({
      code: 'too-many-requests',
      detail: 'the key "one" has sent 2 requests in 10 s, as many as it may',
    });
    expect(refused.headers).toMatchObject({ 'retry-after': '6', ratelimit: '"default";r=0;t=6' });
    expect((await ask('one', '/shutdown', 'POST')).statusCode).toBe(429);

    for (const left of [2, 1, 0]) expect(await told('two')).toEqual([200, `"default";r=${left};t=60`, '"default";q=3;w=60']);
    expect((await ask('two')).statusCode).toBe(429);
    expect((await ask('other')).statusCode).toBe(200);
    for (const url of ['/livez', '/readyz', '/openapi.json', '/docs']) expect((await ask('one', url)).statusCode).toBeLessThan(400);

    clock.advance(6000);
    expect(await told('one')).toEqual([200, '"default";r=1;t=10', '"default";q=2;w=10']);
    expect((await ask('two')).statusCode).toBe(429);
  });

  it('are those of all keys of a name together, and of their tickets', async () => {
    const service = await startWithKeys({ maxRequestsPerKey: { requests: 2, perSeconds: 60 } }, ['one:read']);
    const { body } = await service.as('one', 'POST', '/events/tickets');
    expect((await service.as(null, 'GET', `/events?ticket=${body.ticket}`)).headers.get('ratelimit')).toMatch(/^"default";r=0;t=\d+$/);
    expect((await service.as('one', 'GET', '/whoami')).status).toBe(429);
    expect((await service.as(null, 'GET', '/whoami')).status).toBe(401);
  });

  it('are not limited without a setting, nor without keys', async () => {
    const keyless = await start({ maxRequestsPerKey: { requests: 1, perSeconds: 60 } });
    const free = await start({}, { apiKeys: keysOf('one:read') });
    for (const [service, headers] of [
      [keyless, {}],
      [free, bearer('one')],
    ] as const) {
      for (const _ of range(3)) {
        const answer = await service.app.inject({ url: '/whoami', headers });
        expect([answer.statusCode, answer.headers.ratelimit]).toEqual([200, undefined]);
      }
    }
  });
});

describe('connections', () => {
  it('are as many as MAX_CONNECTIONS: one more is closed, and the log says so once for many', async () => {
    const service = await start({ maxConnections: 2 });
    await service.app.listen({ host: '127.0.0.1', port: 0 });
    const open = async (): Promise<Socket> => {
      const socket = connectTo(portOf(service), '127.0.0.1');
      await once(socket, 'connect');
      return socket;
    };
    const answerOn = async (socket: Socket): Promise<string> => {
      socket.write('GET /livez HTTP/1.1\r\nhost: localhost\r\n\r\n');
      const [text] = await once(socket, 'data');
      return String(text).split('\r\n')[0] as string;
    };
    const [first, second] = [await open(), await open()];
    for (const socket of [first, second]) expect(await answerOn(socket)).toBe('HTTP/1.1 200 OK');
    for (const _ of range(3)) {
      const third = await open();
      third.resume();
      await once(third, 'close');
      expect(third.bytesRead).toBe(0);
    }
    expect(service.logs.filter(({ level, most }) => level === 40 && most === 2)).toHaveLength(1);
    const gone = once(second, 'close');
    second.end();
    await gone;
    const next = await open();
    expect(await answerOn(next)).toBe('HTTP/1.1 200 OK');
    for (const socket of [first, next]) socket.destroy();
  });
});

describe('a body', () => {
  it.each(['feed', 'run'])('of %s holds as many items as MAX_ITEMS_PER_REQUEST; one more and none is accepted', async (route) => {
    const service = await start({ maxItemsPerRequest: 3 });
    const send = (count: number) => post(service, `/pipelines/p/${route}`, { items: range(count) });
    expect((await send(3)).statusCode).toBeLessThan(300);
    const refused = await send(4);
    expect([refused.statusCode, refused.json().code]).toEqual([413, 'too-many-items']);
    expect(refused.json().detail).toContain('holds 4 items, more than the 3');
    const lines = await service.app.inject({
      method: 'POST',
      url: `/pipelines/p/${route}`,
      headers: { 'content-type': 'application/x-ndjson' },
      payload: '1\n2\n3\n4\n',
    });
    expect(lines.statusCode).toBeLessThan(300);
    expect((await get(service, '/pipelines/p/items')).json().items).toHaveLength(7);
  });
});

describe('an item', () => {
  it('has, with its metadata, as many bytes as MAX_VALUE_BYTES', async () => {
    const service = await start({}, { bounds: { maxValueBytes: 2000 } });
    const sized = (bytes: number, id: string) => {
      const bare = { id, value: 1, note: '' };
      return { ...bare, note: 'x'.repeat(bytes - JSON.stringify(bare).length) };
    };
    expect((await feed(service, 'p', [sized(2000, 'a')])).statusCode).toBe(202);
    expect((await feed(service, 'p', [sized(2001, 'b')])).json()).toMatchObject({ status: 413, code: 'value-too-large' });
  });
});

describe('a definition', () => {
  const sized = (bytes: number) => {
    const empty = { id: 'd', description: '', stages: [{ name: 'S', tasks: ['echo'] }] };
    const rest = bytes - Buffer.byteLength(JSON.stringify(empty));
    return { ...empty, description: 'ä'.repeat(Math.floor(rest / 2)) + 'x'.repeat(rest % 2) };
  };

  it('has as many bytes as MAX_DEFINITION_BYTES', async () => {
    const service = await start({ maxDefinitionBytes: 1500 });
    expect((await post(service, '/pipelines', sized(1501))).json()).toMatchObject({
      status: 422,
      code: 'invalid-pipeline',
      errors: [{ path: '', message: 'is larger than 1500 bytes as JSON (MAX_DEFINITION_BYTES)' }],
    });
    expect((await post(service, '/pipelines', sized(1500))).statusCode).toBe(201);
    const { id: _, ...larger } = sized(1501);
    expect((await service.app.inject({ method: 'PUT', url: '/pipelines/d', payload: larger })).statusCode).toBe(422);
  });
});

describe('a pipeline', () => {
  it('keeps as many feeds as MAX_FEEDS, and all that are not done', async () => {
    const service = await start({ maxFeeds: 3 });
    await service.host.create({ id: 'g', stages: [{ name: 'S', workers: 10, tasks: ['gated'] }] });
    for (const n of range(5)) await post(service, '/pipelines/p/run', { feedId: `f${n}`, items: [n] });
    const kept = async (id: string) =>
      (await get(service, `/pipelines/${id}/feeds`)).json().feeds.map(({ feedId }: { feedId: string }) => feedId);
    expect(await kept('p')).toEqual(['f2', 'f3', 'f4']);
    expect((await get(service, '/pipelines/p/feeds/f1')).json()).toMatchObject({ status: 404, code: 'feed-not-found' });
    for (const n of range(5)) await feed(service, 'g', [n], { feedId: `f${n}` });
    expect(await kept('g')).toEqual(['f0', 'f1', 'f2', 'f3', 'f4']);
    service.gate.open();
  });

  it.each(['memory', 'file'])(
    'keeps as many idempotency keys as MAX_IDEMPOTENCY_KEYS in a store of kind %s: the oldest is forgotten',
    async (kind) => {
      const folder = mkdtempSync(join(tmpdir(), 'sluice-limits-'));
      const store = kind === 'file' ? { store: await openSqliteStore({ file: join(folder, 'sluice.db'), inProcess: true }) } : {};
      const service = await start({ maxIdempotencyKeys: 2 }, store);
      const send = async (key: string) => {
        const headers = { 'idempotency-key': key };
        const { headers: told } = await service.app.inject({
          method: 'POST',
          url: '/pipelines/p/feed',
          headers,
          payload: { items: [key] },
        });
        return told['idempotency-replayed'] === 'true';
      };
      expect([await send('a'), await send('b'), await send('a'), await send('b')]).toEqual([false, false, true, true]);
      expect([await send('c'), await send('b'), await send('a')]).toEqual([false, true, false]);
    },
  );

  it.each(['memory', 'file'])('keeps as many characters of an error as MAX_ERROR_CHARACTERS, with a store of kind %s', async (kind) => {
    const folder = mkdtempSync(join(tmpdir(), 'sluice-limits-'));
    const store = kind === 'file' ? { store: await openSqliteStore({ file: join(folder, 'sluice.db'), inProcess: true }) } : {};
    const run = (length: unknown): never => {
      if (typeof length !== 'number') throw { reason: 'x'.repeat(length === 'object' ? 1580 : 1600) };
      throw Object.assign(new Error('x'.repeat(Math.abs(length))), {
        permanent: true,
        ...(length < 0 && { cause: new Error('the reason') }),
      });
    };
    const fails: TaskDeclaration = {
      name: 'fails',
      kind: 'task',
      description: 'Fails',
      paramsSchema: null,
      parseParams: () => undefined,
      run,
    };
    const service = await start({ maxErrorCharacters: 100 }, { ...store, tasks: [fails] });
    await service.host.create({ id: 'e', stages: [{ name: 'S', tasks: ['fails'], taskAttempts: 1 }] });
    const answer = await post(service, '/pipelines/e/run', { items: [99, 100, 101, 100_000, -100_000, 'object', 'larger'] });
    const texts = answer.json().results.map(({ error }: { error: { message: string } }) => error.message);
    expect(texts.map((text: string) => text.length)).toEqual([99, 100, 100, 100, 75 + ': the reason'.length, 100, 38]);
    expect(texts[4]).toBe(`${'x'.repeat(75)}: the reason`);
    expect(texts[6]).toBe('an object that is too large to display');
    const { items } = (await get(service, '/pipelines/e/items?status=failed')).json();
    expect(items.map(({ error }: { error: { message: string } }) => error.message).sort()).toEqual(texts.sort());
  });

  it('has a limiter that tells as many keys apart as MAX_LIMITER_KEYS; others share one', async () => {
    const service = await start({ maxLimiterKeys: 2 });
    service.host.limiters.define('each', { concurrency: 1, key: 'value' });
    await service.host.create({ id: 'l', stages: [{ name: 'S', workers: 10, tasks: [{ task: 'gated', limiter: 'each' }] }] });
    await feed(service, 'l', ['a', 'b', 'c', 'd']);
    await service.held(3);
    const { limiters } = (await get(service, '/limiters')).json();
    expect(limiters[0].keys.map(({ key }: { key: string }) => key).sort()).toEqual(['(others)', 'a', 'b']);
    expect(limiters[0]).toMatchObject({ inUse: 3, waiting: 1 });
    service.gate.open();
  });
});
