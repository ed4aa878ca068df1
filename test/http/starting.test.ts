/** What requests meet that arrive between the moment when the service listens and the moment when it is ready. */
import { once } from 'node:events';
import { type IncomingMessage, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, expect, it, onTestFinished } from 'vitest';
import { Start } from '../../src/http/guards/starting.ts';
import { turn, VirtualClock } from '../engine/virtual-clock.ts';
import { keysOf, startGuarded } from './access-harness.ts';
import { create, definition, get, post, type Service, startService } from './app-harness.ts';
import { requestOf } from './every-route.ts';
import { eventually } from './sse-harness.ts';

interface Starting {
  service: Service;
  start: Start;
  clock: VirtualClock;
}

async function starting(): Promise<Starting> {
  const start = new Start();
  const clock = new VirtualClock();
  const service = await startService({ start, clock });
  onTestFinished(() => service[Symbol.asyncDispose]());
  return { service, start, clock };
}

/** Resolves when so many requests are held. */
const held = ({ clock }: Starting, count: number): Promise<void> => eventually(() => clock.pending === count);

describe('while the service starts', () => {
  it('it is alive, not ready, and says so', async () => {
    const { service } = await starting();
    expect((await get(service, '/livez')).statusCode).toBe(200);
    const ready = await get(service, '/readyz');
    expect(ready.statusCode).toBe(503);
    expect(ready.headers['retry-after']).toBe('1');
    expect(ready.json()).toMatchObject({ code: 'starting', detail: 'the service is starting' });
  });

  it('requests wait until it is ready, and are answered as if they came then', async () => {
    const all = await starting();
    const { service, start } = all;
    const created = create(service, definition('p'));
    const listed = get(service, '/pipelines');
    await held(all, 2);
    start.finish();
    expect((await created).statusCode).toBe(201);
    expect((await listed).statusCode).toBe(200);
    expect((await get(service, '/readyz')).statusCode).toBe(200);
    expect(all.clock.pending).toBe(0);
  });

  it('they wait for five seconds at most, and nothing of them is done', async () => {
    const all = await starting();
    const { service, clock, start } = all;
    const created = create(service, definition('p'));
    await held(all, 1);
    await clock.advance(4999);
    expect(clock.pending).toBe(1);
    await clock.advance(1);
    const refused = await created;
    expect(refused.statusCode).toBe(503);
    expect(refused.headers['retry-after']).toBe('1');
    expect(refused.json()).toMatchObject({ code: 'starting' });
    start.finish();
    expect((await get(service, '/pipelines')).json()).toMatchObject({ pipelines: [] });
  });

  it('they are refused at once while the store cannot be opened, with the reason', async () => {
    const { service, start } = await starting();
    start.trouble = 'the disk is full';
    const refused = await create(service, definition('p'));
    expect(refused.statusCode).toBe(503);
    expect(refused.headers['retry-after']).toBe('5');
    expect(refused.json()).toMatchObject({
      code: 'starting',
      detail: 'the service is starting; the store is not writable: the disk is full',
    });
    const ready = await get(service, '/readyz');
    expect(ready.json()).toMatchObject({ status: 503, code: 'store-unavailable', detail: 'the store is not writable: the disk is full' });
    expect((await get(service, '/livez')).statusCode).toBe(200);
    start.trouble = null;
    start.finish();
    expect((await create(service, definition('p'))).statusCode).toBe(201);
    expect(service.logs.filter(({ level }) => level === 50)).toEqual([]);
  });

  it('they are refused when it is asked to stop, or comes to nothing', async () => {
    const all = await starting();
    const { service, start } = all;
    const waiting = create(service, definition('p'));
    await held(all, 1);
    service.host.shuttingDown = true;
    start.cutShort();
    expect((await waiting).json()).toMatchObject({ status: 503, code: 'starting' });
    expect((await create(service, definition('p'))).json()).toMatchObject({ status: 503, code: 'starting' });
    expect((await get(service, '/readyz')).json()).toMatchObject({ code: 'shutting-down' });
  });

  it('it can be asked to stop over HTTP', async () => {
    const { service } = await starting();
    expect((await post(service, '/shutdown', {})).json()).toEqual({ mode: 'graceful', timeoutSeconds: 30, pipelines: 0, itemsInFlight: 0 });
    expect(service.shutdowns).toEqual([{ mode: 'graceful', timeoutSeconds: 30 }]);
  });

  it('what needs no readiness is said at once: no such route, no key', async () => {
    const { service } = await starting();
    expect((await get(service, '/nowhere')).statusCode).toBe(404);
    const guarded = await startGuarded(keysOf('admin:admin'), { start: new Start(), clock: new VirtualClock() });
    onTestFinished(() => guarded[Symbol.asyncDispose]());
    expect((await guarded.as(null, 'GET', '/pipelines')).status).toBe(401);
  });

  it('a client that has gone meanwhile has done nothing', async () => {
    const { service, start, clock } = await starting();
    await service.app.listen({ host: '127.0.0.1', port: 0 });
    const { port } = service.app.server.address() as AddressInfo;
    const closed = new Promise((resolve) => service.app.server.once('connection', (socket) => socket.once('close', resolve)));
    const body = JSON.stringify(definition('p'));
    const headers = { 'content-type': 'application/json', 'content-length': body.length };
    const sending = request({ host: '127.0.0.1', port, path: '/pipelines', method: 'POST', agent: false, headers });
    sending.on('error', () => undefined);
    const asked = once(service.app.server, 'request');
    sending.end(body);
    await asked;
    sending.destroy();
    await closed;
    start.finish();
    await turn();
    // Nobody waits for the rest of its body either.
    expect(clock.pending).toBe(0);
    expect((await get(service, '/pipelines')).json()).toMatchObject({ pipelines: [] });
  });

  it('the body of a request that waits is read when its turn comes', async () => {
    const { service, start } = await starting();
    await service.app.listen({ host: '127.0.0.1', port: 0 });
    const { port } = service.app.server.address() as AddressInfo;
    await service.host.create(definition('p'));
    const headers = { 'content-type': 'application/x-ndjson' };
    const sending = request({ host: '127.0.0.1', port, path: '/pipelines/p/feed', method: 'POST', agent: false, headers });
    const asked = once(service.app.server, 'request');
    sending.write('1\n2\n');
    await asked;
    start.finish();
    sending.end('3\n');
    const [answer] = (await once(sending, 'response')) as [IncomingMessage];
    let text = '';
    for await (const part of answer) text += part;
    expect(JSON.parse(text)).toMatchObject({ accepted: 3 });
  });
});

describe('the OpenAPI document', () => {
  it('declares that every route but those of health and shutdown may say that the service is starting', async () => {
    const { service, start } = await starting();
    start.trouble = 'the disk is full';
    const { paths } = service.app.swagger() as unknown as { paths: Record<string, Record<string, { responses: object }>> };
    const routes = Object.entries(paths).flatMap(([url, methods]) => Object.entries(methods).map(([method, of]) => ({ url, method, of })));
    for (const { url, method, of } of routes) {
      const name = `${method.toUpperCase()} ${url.replaceAll(/\{(\w+)\}/g, ':$1')}`;
      const isDeclared = JSON.stringify((of.responses as Record<string, unknown>)['503'] ?? '').includes('problem:starting');
      const [address, payload] = requestOf(name);
      const reply =
        name === 'POST /shutdown'
          ? null
          : await service.app.inject({
              method: method.toUpperCase() as 'GET',
              url: address,
              ...(payload === undefined ? {} : { payload: payload as object }),
            });
      const isAnswered = reply?.statusCode === 503 && reply.json().code === 'starting';
      expect([name, isDeclared], name).toEqual([name, isAnswered || name === 'GET /readyz']);
    }
  });
});
