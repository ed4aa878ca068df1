import type { AddressInfo } from 'node:net';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { create, definition, feed, type Service, startService } from './app-harness.ts';
import { type RawAnswer, RawClient } from './raw-client.ts';
import { createManualClock, eventually, type ManualClock } from './sse-harness.ts';

/*
 * Bodies that stall, end too soon or break, on every route of the OpenAPI document, before and after the answer.
 */

interface Route {
  method: string;
  path: string;
  readsBody: boolean;
  readsNdjson: boolean;
}

interface Started {
  service: Service;
  clock: ManualClock;
  port: number;
}

async function start(options: Parameters<typeof startService>[0] = {}): Promise<Started> {
  const clock = createManualClock();
  const service = await startService({ ...options, clock });
  await service.app.listen({ port: 0, host: '127.0.0.1' });
  return { service, clock, port: (service.app.server.address() as AddressInfo).port };
}

const connections = (service: Service): Promise<number> =>
  new Promise((resolve, reject) => service.app.server.getConnections((error, count) => (error ? reject(error) : resolve(count))));

/** What the machine may take to hand bytes over, while the clock of the service runs through its hours. */
const HANDOVER_MS = 30_000;

/** Moves the clock on, a second each turn of the event loop, until it holds; gives how many seconds that took. */
async function passing(clock: ManualClock, holds: () => boolean, what: string): Promise<number> {
  const from = clock.now();
  const began = performance.now();
  while (!holds()) {
    await new Promise((resolve) => setImmediate(resolve));
    if (clock.now() - from > 3_600_000 && performance.now() - began > HANDOVER_MS)
      throw new Error(`nothing happened within an hour: ${what}`);
    clock.advance(1000);
  }
  return (clock.now() - from) / 1000;
}

let started: Started;
let routes: Route[];
/** What would have ended the process. */
const fatal: unknown[] = [];
const onFatal = (error: unknown): void => void fatal.push(error);

beforeAll(async () => {
  process.on('uncaughtException', onFatal);
  process.on('unhandledRejection', onFatal);
  started = await start();
  started.service.host.limiters.define('api', { concurrency: 1 });
  const { paths } = (await started.service.app.inject('/openapi.json')).json() as {
    paths: Record<string, Record<string, { requestBody?: { content: Record<string, unknown> } }>>;
  };
  const documented = Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, { requestBody }]) => ({
      method: method.toUpperCase(),
      path: fill(path),
      readsBody: requestBody !== undefined,
      readsNdjson: requestBody?.content['application/x-ndjson'] !== undefined,
    })),
  );
  const unread = { readsBody: false, readsNdjson: false };
  const gets = documented.filter(({ method }) => method === 'GET');
  routes = [
    ...documented,
    ...gets.map(({ path }) => ({ method: 'HEAD', path, ...unread })),
    ...['OPTIONS', 'PATCH', 'PUT', 'TRACE', 'PROPFIND'].map((method) => ({ method, path: '/pipelines/p/stats', ...unread })),
    ...['GET', 'POST', 'DELETE', 'OPTIONS'].map((method) => ({ method, path: '/no/such/route', ...unread })),
    ...[
      '/openapi.json',
      '/docs',
      '/docs/',
      '/docs/static/index.html',
      '/docs/nothing',
      '/%zz',
      '/pipelines/p/feeds/f/results?follow=true',
    ].map((path) => ({ method: 'GET', path, ...unread })),
  ];
  expect(documented.length).toBeGreaterThan(35);
});
afterEach(() => {
  expect(fatal).toEqual([]);
});
afterAll(async () => {
  await started.service[Symbol.asyncDispose]();
  expect(fatal).toEqual([]);
  process.off('uncaughtException', onFatal);
  process.off('unhandledRejection', onFatal);
});

const VALUES: Record<string, string> = { id: 'p', stage: 'Only', itemId: 'x', feedId: 'f', name: 'api' };
const fill = (path: string): string => path.replace(/\{(\w+)\}/g, (_, name: string) => VALUES[name] ?? 'x');

type Framing = 'content-length' | 'chunked';
type Fault = 'stalled' | 'truncated' | 'reset';

function head(route: Route, framing: Framing, type: string, more: string[] = []): string {
  const length = framing === 'chunked' ? 'Transfer-Encoding: chunked' : 'Content-Length: 100';
  return [`${route.method} ${route.path} HTTP/1.1`, 'Host: 127.0.0.1', `Content-Type: ${type}`, length, ...more, '', ''].join('\r\n');
}

/** The beginning of a body, of which the rest never comes. */
const beginning = (framing: Framing, text: string): string => (framing === 'chunked' ? `${text.length.toString(16)}\r\n${text}\r\n` : text);

function expectWellFormed(answer: RawAnswer, what: string): void {
  expect(answer.status, what).toBeLessThan(500);
  if (answer.status < 400 || answer.body.length === 0) return;
  expect(answer.headers.get('content-type'), what).toMatch(/^application\/problem\+json/);
  expect(JSON.parse(answer.body.toString()), what).toMatchObject({ status: answer.status });
}

/** What is there to be asked for: some of it may have been deleted. */
async function ensure({ service }: Started): Promise<void> {
  if ((await create(service, definition('p'))).statusCode === 201) await feed(service, 'p', [{ id: 'x' }], { feedId: 'f' });
}

/** One request with a body that is never complete. */
async function ask(started: Started, route: Route, framing: Framing, fault: Fault, when: 'before' | 'after', type: string): Promise<void> {
  const { service, clock, port } = started;
  const what = `${route.method} ${route.path} ${type} ${framing} ${fault} ${when}`;
  await ensure(started);
  const isRead = type === 'application/json' ? route.readsBody : type === 'application/x-ndjson' && route.readsNdjson;
  const client = await RawClient.open(port, [route.method]);
  const arrived = new Promise((resolve) => service.app.server.once('request', resolve));
  client.send(head(route, framing, type) + beginning(framing, type === 'application/json' ? '{"it' : '1\n2'));
  await arrived;
  // The head is enough: a stream of events has no end.
  const isAnswered = (): boolean => client.answers.length > 0 || client.closed;
  const wait = async (): Promise<RawAnswer | undefined> => {
    const seconds = await passing(clock, isAnswered, what);
    const [answer] = client.answers;
    if (answer === undefined) return undefined;
    expectWellFormed(answer, what);
    if (isRead) {
      expect(answer.status, what).toBe(408);
      expect(JSON.parse(answer.body.toString()).code, what).toBe('request-timeout');
      expect(seconds, what).toBeGreaterThanOrEqual(route.readsNdjson && type !== 'application/json' ? 15 : 60);
    } else {
      expect(answer.status, what).not.toBe(408);
    }
    return answer;
  };
  if (when === 'after' || fault === 'stalled') expect(await wait(), what).toBeDefined();
  if (fault === 'truncated') client.halfClose();
  if (fault === 'reset') client.reset();
  // Every deadline that could still be there passes.
  const isStream = client.answers[0]?.complete === false && !client.closed;
  if (isStream && fault === 'stalled') client.reset();
  await passing(clock, () => client.closed, `${what}: ${client.bytes}`);
  for (const answer of client.answers) expectWellFormed(answer, what);
  clock.advance(3_600_000);
}

describe('a body that never comes whole', () => {
  for (const framing of ['content-length', 'chunked'] as const) {
    for (const fault of ['stalled', 'truncated', 'reset'] as const) {
      for (const when of ['before', 'after'] as const) {
        it(`${framing}, ${fault} ${when} the answer: 408 where it is read, else the answer, and nothing is left over`, async () => {
          for (const route of routes) {
            await ask(started, route, framing, fault, when, 'application/json');
            if (route.readsNdjson) await ask(started, route, framing, fault, when, 'application/x-ndjson');
          }
          for (const type of ['application/x-ndjson', 'text/plain', 'nonsense']) {
            for (const route of routes.slice(0, 12)) if (!route.readsNdjson) await ask(started, route, framing, fault, when, type);
          }
          await eventually(() => started.clock.timers === 0);
          while ((await connections(started.service)) > 0) await new Promise((resolve) => setImmediate(resolve));
          expect((await started.service.app.inject('/livez')).statusCode).toBe(200);
        }, 60_000);
      }
    }
  }
});

const toPost = { method: 'POST', path: '/pipelines', readsBody: true, readsNdjson: false };
const toGet = { method: 'GET', path: '/livez', readsBody: false, readsNdjson: false };

/** The whole of a connection on which this was sent and nothing else, after every deadline has passed. */
async function conversation({ clock, port }: Started, methods: string[], sent: string): Promise<RawAnswer[]> {
  const client = await RawClient.open(port, methods);
  client.send(sent);
  await passing(clock, () => client.closed, sent);
  return client.answers;
}

describe('a body that is refused for what its request is', () => {
  it('is not waited for: not without a key, on any route', async () => {
    const sha256Hex = '0'.repeat(64);
    const keyed = await start({ apiKeys: [{ name: 'someone', scopes: new Set(['read']), sha256Hex }] });
    const { service, port } = keyed;
    for (const route of routes) {
      const client = await RawClient.open(port, [route.method]);
      client.send(head(route, 'chunked', 'application/json') + beginning('chunked', '{"it'));
      await client.ended();
      const [answer] = client.answers;
      expect(answer?.complete, route.path).toBe(true);
      if (answer?.status !== 401) expect(route.path).toMatch(/^\/(livez|readyz|docs.*|openapi\.json|%zz)$/);
    }
    await eventually(() => keyed.clock.timers === 0);
    await service[Symbol.asyncDispose]();
  });

  it.each([
    ['an encoding', 415, head(toPost, 'content-length', 'application/json', ['Content-Encoding: gzip'])],
    ['a type', 415, head(toPost, 'chunked', 'text/plain')],
    ['no type', 415, 'POST /pipelines HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n\r\n'],
    ['its length', 413, head(toPost, 'content-length', 'application/json').replace('100', '99999999')],
    ['its origin', 403, head(toPost, 'chunked', 'application/json', ['Origin: http://elsewhere.example'])],
    ['its address', 404, head({ ...toPost, path: '/nowhere' }, 'chunked', 'application/json')],
    ['its method', 405, head({ ...toPost, path: '/livez' }, 'content-length', 'application/json')],
  ])('is not waited for: %s', async (_, status, sent) => {
    const from = started.clock.now();
    const client = await RawClient.open(started.port, ['POST']);
    client.send(sent);
    await client.ended();
    expect(client.answers).toMatchObject([{ status, complete: true }]);
    expect(client.answers[0]?.headers.get('connection')).toBe('close');
    expect(started.clock.now()).toBe(from);
  });
});

describe('a body that nobody reads', () => {
  it('ends its connection with the answer, so that nothing behind it is taken for a request', async () => {
    const behind = 'GET /readyz HTTP/1.1\r\nHost: localhost\r\n\r\n';
    for (const framing of ['content-length', 'chunked'] as const) {
      const answers = await conversation(started, ['GET', 'GET'], head(toGet, framing, 'application/json') + behind);
      // In chunks it is no HTTP, and that may be found out first.
      expect(answers).toHaveLength(1);
      expect(answers[0]?.status).toBe(framing === 'chunked' ? 400 : 200);
    }
  });

  it('leaves the connection as it was when it has come whole', async () => {
    const client = await RawClient.open(started.port, ['GET', 'GET', 'GET']);
    for (let count = 1; count <= 3; count++) {
      client.send(`${head(toGet, 'content-length', 'application/json').replace('100', '10')}0123456789`);
      const answers = await client.answered(count);
      expect(answers.map(({ status }) => status)).toEqual(Array(count).fill(200));
      expect(answers.at(-1)?.headers.get('connection')).toBe('keep-alive');
    }
    client.reset();
  });

  it('does not hide that the client has gone', async () => {
    const client = await RawClient.open(started.port, ['GET']);
    const closed = new Promise((resolve) => started.service.app.server.once('request', (request) => request.socket.once('close', resolve)));
    await ensure(started);
    client.send(head({ ...toGet, path: '/pipelines/p/events' }, 'content-length', 'application/json').replace('100', '9999999'));
    await client.until(() => client.answers.length > 0);
    // More than Node keeps of a body that is not read.
    client.send('x'.repeat(1_000_000));
    client.reset();
    await closed;
  });
});

describe('a client that waits to be told to go on', () => {
  it('is told, and what it then does not send is given up as any other', async () => {
    const wants = ['Expect: 100-continue'];
    const answers = await conversation(started, ['POST'], head(toPost, 'content-length', 'application/json', wants));
    expect(answers.map(({ status }) => status)).toEqual([408]);
    const looking = await conversation(started, ['GET'], head(toGet, 'content-length', 'application/json', wants));
    expect(looking.map(({ status }) => status)).toEqual([200]);
  });

  it('is answered all the same when it expects something that nobody knows', async () => {
    const client = await RawClient.open(started.port, ['GET']);
    client.send('GET /livez HTTP/1.1\r\nHost: localhost\r\nExpect: miracles\r\n\r\n');
    expect(await client.answered()).toMatchObject([{ status: 200 }]);
    client.reset();
  });
});

describe('what is no HTTP', () => {
  it('is answered and its connection ended, also when the client keeps its side open', async () => {
    const client = await RawClient.open(started.port, ['GET']);
    client.socket.removeAllListeners('end');
    client.send('nonsense\r\n\r\n');
    await client.answered();
    while ((await connections(started.service)) > 0) await new Promise((resolve) => setImmediate(resolve));
    client.reset();
  });
});
