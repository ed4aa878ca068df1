import { once } from 'node:events';
import { request as httpRequest, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { type Guarded, keysOf, secretOf, startGuarded } from '../http/access-harness.ts';
import { createManualClock } from '../http/sse-harness.ts';

let service: Guarded;
afterEach(() => service[Symbol.asyncDispose]());
const KEYS = ['admin:admin', 'reader:read', 'some:read;pipelines=p', 'temp:feed;expires=2099-01-31'];

describe('GET /info', () => {
  it('says what runs here and by which limits, to any key that may read, and names no path', async () => {
    service = await startGuarded(keysOf(...KEYS));
    for (const key of ['reader', 'some']) {
      const { status, body } = await service.as(key, 'GET', '/info');
      expect([status, body]).toEqual([
        200,
        {
          version: expect.stringMatching(/^\d+\.\d+\.\d+/),
          node: process.versions.node,
          startedAt: expect.stringMatching(/^\d{4}-.*Z$/),
          uptimeSeconds: expect.any(Number),
          role: 'single',
          store: { kind: 'memory', isDurable: false },
          limits: expect.objectContaining({ bodyLimitBytes: 1_048_576, uploadIdleSeconds: 15, maxStreams: 10_000, maxFeeds: 10_000 }),
        },
      ]);
    }
    expect((await service.as('temp', 'GET', '/info')).status).toBe(403);
  });
});

describe('GET /whoami', () => {
  it('says when the key expires', async () => {
    service = await startGuarded(keysOf(...KEYS));
    expect((await service.as('temp', 'GET', '/whoami')).body).toEqual({
      name: 'temp',
      scopes: ['feed'],
      pipelines: null,
      expiresAt: '2099-01-31T00:00:00.000Z',
    });
    expect((await service.as('some', 'GET', '/whoami')).body).toEqual({
      name: 'some',
      scopes: ['read'],
      pipelines: ['p'],
      expiresAt: null,
    });
  });
});

describe('the level of the log', () => {
  const debugged = (): boolean => {
    const before = service.logs.length;
    service.app.log.debug('seen?');
    return service.logs.length > before;
  };

  it('changes live, by an admin alone, and the change is told of at either level', async () => {
    service = await startGuarded(keysOf(...KEYS));
    expect((await service.as('admin', 'GET', '/log-level')).body).toEqual({ level: 'debug', until: null });
    for (const method of ['GET', 'PUT'])
      expect((await service.as('reader', method, '/log-level', method === 'PUT' ? { level: 'info' } : undefined)).status).toBe(403);
    const from = service.logs.length;
    expect((await service.as('admin', 'PUT', '/log-level', { level: 'error' })).body).toEqual({ level: 'error', until: null });
    expect(debugged()).toBe(false);
    await service.as('reader', 'GET', '/nothing');
    expect((await service.as('admin', 'PUT', '/log-level', { level: 'trace' })).body).toEqual({ level: 'trace', until: null });
    expect(debugged()).toBe(true);
    const audits = service.logs.slice(from).filter(({ audit }) => audit === true);
    expect(audits).toMatchObject([
      { by: 'admin', change: 'log-level-changed', before: { level: 'debug' }, after: { level: 'error' } },
      { by: 'admin', change: 'log-level-changed', before: { level: 'error' }, after: { level: 'trace' } },
    ]);
    expect(service.logs.slice(from).some(({ code }) => code === 'not-found')).toBe(false);
  });

  it.each([[{ level: 'loud' }], [{}], [{ level: 'INFO' }], [{ level: 'info', forSeconds: 0 }], [{ level: 'info', more: 1 }], ['info']])(
    'is not changed by %j',
    async (body) => {
      service = await startGuarded(keysOf(...KEYS));
      const answer = await service.as('admin', 'PUT', '/log-level', body, { 'content-type': 'application/json' });
      expect(answer.status).toBe(400);
      expect(service.app.log.level).toBe('debug');
    },
  );

  it('goes back after the time that was asked for, unless it was changed again', async () => {
    const clock = createManualClock();
    service = await startGuarded(keysOf(...KEYS), { clock });
    const { body } = await service.as('admin', 'PUT', '/log-level', { level: 'warn', forSeconds: 60 });
    expect(body).toEqual({ level: 'warn', until: new Date(clock.now() + 60_000).toISOString() });
    clock.advance(59_000);
    expect(service.app.log.level).toBe('warn');
    clock.advance(1000);
    expect([service.app.log.level, (await service.as('admin', 'GET', '/log-level')).body.until]).toEqual(['debug', null]);
    await service.as('admin', 'PUT', '/log-level', { level: 'warn', forSeconds: 60 });
    await service.as('admin', 'PUT', '/log-level', { level: 'error' });
    clock.advance(60_000);
    expect(service.app.log.level).toBe('error');
  });
});

describe('a key that is revoked', () => {
  it('is a 401 at once, and what it has open is cut two seconds later; others go on', async () => {
    const clock = createManualClock();
    const before = keysOf('gone:admin', 'stays:admin');
    service = await startGuarded(before, { clock });
    await service.as('stays', 'POST', '/pipelines', { id: 'p', stages: [{ name: 'S', tasks: ['hold'] }] });
    const open = await Promise.all([stream('gone', '/events'), stream('gone', '/pipelines/p/run', '[1]'), stream('stays', '/events')]);
    const [events, run, others] = open as [IncomingMessage, IncomingMessage, IncomingMessage];
    const cut = Promise.all([events, run].map((response) => new Promise((resolve) => response.once('close', resolve))));
    expect(service.keys.replace(before.filter(({ name }) => name === 'stays'))).toEqual({ added: [], changed: [], removed: ['gone'] });
    expect((await service.as('gone', 'GET', '/pipelines')).status).toBe(401);
    clock.advance(1999);
    expect([events.destroyed, run.destroyed]).toEqual([false, false]);
    clock.advance(1);
    await cut;
    expect(others.destroyed).toBe(false);
    expect((await service.as('stays', 'GET', '/pipelines')).status).toBe(200);
    expect(service.logs.find(({ connections }) => connections !== undefined)).toMatchObject({ keys: ['gone'], connections: 2 });
    others.destroy();
  });

  it('that comes back with other rights has to ask again; one of two of a name leaves the other alone', async () => {
    const clock = createManualClock();
    const [old, fresh] = [keysOf('ci:read'), keysOf('ci:read').map((key) => ({ ...key, sha256Hex: 'f'.repeat(64) }))];
    service = await startGuarded([...old, ...fresh], { clock });
    const events = (await stream('ci', '/events')) as IncomingMessage;
    expect(service.keys.replace(old)).toEqual({ added: [], changed: ['ci'], removed: [] });
    clock.advance(5000);
    expect(events.destroyed).toBe(false);
    const closed = new Promise((resolve) => events.once('close', resolve));
    service.keys.replace(keysOf('ci:read;pipelines=p'));
    clock.advance(2000);
    await closed;
    expect(() => service.keys.replace([])).toThrow(RangeError);
    expect((await service.as('ci', 'GET', '/pipelines')).body.pipelines).toEqual([]);
  });

  /** A request whose answer has begun and goes on. */
  async function stream(key: string, path: string, body?: string): Promise<IncomingMessage> {
    const { port } = service.app.server.address() as AddressInfo;
    const asked = httpRequest({
      host: '127.0.0.1',
      port,
      path,
      agent: false,
      method: body === undefined ? 'GET' : 'POST',
      headers: {
        authorization: `Bearer ${secretOf(key)}`,
        ...(body === undefined ? {} : { 'content-type': 'application/x-ndjson', accept: 'application/x-ndjson' }),
      },
    });
    asked.on('error', () => undefined);
    asked.end(body);
    const [response] = (await once(asked, 'response')) as [IncomingMessage];
    response.on('error', () => undefined);
    response.resume();
    return response;
  }
});
