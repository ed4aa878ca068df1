import type { AddressInfo } from 'node:net';
import Fastify, { type FastifyInstance } from 'fastify';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import eventRoutes from '../../routes/events.ts';
import { type PipelineHost, SluiceError } from '../../src/engine/index.ts';
import { ANYBODY } from '../../src/http/guards/caller.ts';
import { createStreamRoom } from '../../src/http/guards/stream-room.ts';
import { sendProblem } from '../../src/http/problems/problem.ts';
import type { RouteDeps } from '../../src/http/routing/route-deps.ts';
import { serializerCompiler, validatorCompiler } from '../../src/http/schemas/schema-compiler.ts';
import type { SseHub } from '../../src/http/sse/hub.ts';
import { connect, createFakeSource, createManualClock, createStillHub, type FakeSource, type ManualClock } from './sse-harness.ts';

let app: FastifyInstance;
let hub: SseHub;
let clock: ManualClock;
let source: FakeSource;
let port: number;

/** In each snapshot. */
let failures: object[];
beforeEach(async () => {
  source = createFakeSource({ kept: 10 });
  failures = [];
  clock = createManualClock();
  hub = createStillHub({ clock });
  const host = {
    get(id: string) {
      if (id !== 'p') throw new SluiceError('pipeline-not-found');
      return { events: source, snapshot: async () => ({ asOf: `e1-${source.newest}`, errorSummary: { failedItems: failures } }) };
    },
  } as unknown as PipelineHost;
  app = Fastify();
  app.setValidatorCompiler(validatorCompiler);
  app.setSerializerCompiler(serializerCompiler);
  app.setErrorHandler(sendProblem);
  app.decorateRequest('problemCode', null);
  app.addHook('preClose', () => hub.close());
  app.addHook('onRequest', async (request, reply) => void reply.header('x-request-id', request.id));
  app.decorateRequest('caller', null as never);
  app.addHook('onRequest', async (request) => void Object.assign(request, { caller: ANYBODY }));
  const streams = createStreamRoom({ maxStreams: 100, maxStreamsPerKey: 100 });
  await app.register(eventRoutes, { host, hub, streams } as RouteDeps);
  await app.listen({ port: 0, host: '127.0.0.1' });
  port = (app.server.address() as AddressInfo).port;
});
afterEach(() => app.close());

const query = async (path: string, headers: Record<string, string> = {}) => {
  const reply = await app.inject({ url: `/pipelines/p/events${path}`, headers });
  return { status: reply.statusCode, code: reply.json().code, errors: reply.json().errors };
};

describe('GET /pipelines/:id/events', () => {
  it('streams status and pipeline events, and the others on request', async () => {
    const plain = await connect(port, '/pipelines/p/events');
    const all = await connect(port, '/pipelines/p/events?types=status,task&types=result');
    source.push({ type: 'task' }, { type: 'result' }, {}, { type: 'pipeline' }, {});
    await plain.until(() => plain.ids.length === 3);
    await all.until(() => all.ids.length === 4);
    expect([plain.ids, all.ids]).toEqual([
      [3, 4, 5],
      [1, 2, 3, 5],
    ]);
    expect(plain.headers).toMatchObject({ 'content-type': 'text/event-stream', 'x-request-id': 'req-1' });
  });

  it('filters by item, feed, stage and status, repeated or with commas', async () => {
    const client = await connect(
      port,
      '/pipelines/p/events?itemId=https%3A%2F%2Fa%2Fb%2Cc&itemId=x,y&stage=A&status=queued,failed&feedId=f',
    );
    source.push(
      { data: { itemId: 'https://a/b,c' } },
      { data: { itemId: 'z' } },
      { data: { itemId: 'y' } },
      { data: { itemId: 'x', stage: 'B' } },
    );
    await client.until(() => client.ids.length === 2);
    expect(client.ids).toEqual([1, 3]);
  });

  it('resumes after Last-Event-ID, which goes before ?after=', async () => {
    source.pushMany(5);
    const client = await connect(port, '/pipelines/p/events?after=e1-1', { headers: { 'last-event-id': 'e1-3' } });
    await client.until(() => client.ids.length === 2);
    expect(client.ids).toEqual([4, 5]);
    const other = await connect(port, '/pipelines/p/events?after=e1-1');
    await other.until(() => other.ids.length === 4);
  });

  it('sends a gap first when the id is too old, not known, or ahead of the newest', async () => {
    source.pushMany(25);
    for (const [id, missed] of [
      ['e1-5', 10],
      ['old-5', null],
      ['e1-26', null],
      ['e1-9007199254740991', null],
    ]) {
      const client = await connect(port, `/pipelines/p/events?after=${id}`);
      await client.until(() => client.ids.length === 10);
      expect(client.events[0]).toMatchObject({ event: 'gap', data: JSON.stringify({ missed, oldest: 'e1-16' }), id: undefined });
    }
  });

  it('adds snapshots on request, the first one at once', async () => {
    const client = await connect(port, '/pipelines/p/events?snapshotSeconds=60');
    clock.advance(0);
    await client.until(() => client.named('snapshot').length === 1);
    expect(client.named('snapshot')).toEqual([{ asOf: 'e1-0', errorSummary: { failedItems: [] } }]);
  });

  it('lists the newest hundred failures in a snapshot', async () => {
    failures = Array.from({ length: 1000 }, (_, i) => ({ itemId: `i${i}` }));
    const client = await connect(port, '/pipelines/p/events?snapshotSeconds=60');
    clock.advance(0);
    await client.until(() => client.named('snapshot').length === 1);
    const [snapshot] = client.named('snapshot') as { errorSummary: { failedItems: unknown[] } }[];
    expect(snapshot?.errorSummary.failedItems).toEqual(failures.slice(900));
  });

  it('goes on after the gap of an id that is ahead, where nothing has happened yet', async () => {
    const client = await connect(port, '/pipelines/p/events', { headers: { 'last-event-id': 'e1-7' } });
    await client.until(() => client.named('gap').length === 1);
    source.pushMany(3);
    await client.until(() => client.ids.length === 3);
    expect(client.ids).toEqual([1, 2, 3]);
  });

  it('answers a malformed id with 400 invalid-event-id', async () => {
    for (const id of ['x', 'e1-01', 'e1']) {
      expect(await query(`?after=${id}`)).toMatchObject({ status: 400, code: 'invalid-event-id' });
      expect(await query('', { 'last-event-id': id })).toMatchObject({ status: 400, code: 'invalid-event-id' });
    }
  });

  it('answers unknown types, statuses, parameters and intervals with 400 invalid-input', async () => {
    for (const path of [
      '?types=nope',
      '?status=done',
      '?snapshotSeconds=0.01',
      '?snapshotSeconds=x',
      '?statsSeconds=0.01',
      '?statsSeconds=x',
      '?type=task',
      '?after=a&after=b',
      '?stage=__proto__',
    ]) {
      expect(await query(path), path).toMatchObject({
        status: 400,
        code: 'invalid-input',
        errors: [{ path: expect.stringMatching(/^\//) }],
      });
    }
  });

  it('answers 404 for an unknown pipeline, and has no HEAD', async () => {
    expect((await app.inject('/pipelines/q/events')).json()).toMatchObject({ code: 'pipeline-not-found' });
    expect((await app.inject({ method: 'HEAD', url: '/pipelines/p/events' })).statusCode).toBe(404);
  });

  it('ends with bye when the app closes, which does not wait for the client, and answers 503 from then on', async () => {
    const client = await connect(port, '/pipelines/p/events');
    const closed = app.close();
    await client.until(() => client.ended);
    await closed;
    expect(client.named('bye')).toEqual([{}]);
    await expect(hub.close()).resolves.toBeUndefined();
  });

  it('answers 503 once the hub is closed', async () => {
    await hub.close();
    expect(await query('')).toMatchObject({ status: 503, code: 'shutting-down' });
  });

  it('streams through inject too', async () => {
    source.pushMany(3);
    const reply = await app.inject({ url: '/pipelines/p/events?after=e1-1', payloadAsStream: true });
    const text = reply.stream().toArray();
    await hub.close();
    const received = (await text).join('');
    expect(received.match(/^id: e1-\d$/gm)).toEqual(['id: e1-1', 'id: e1-2', 'id: e1-3']);
    expect(received).toMatch(/event: bye\ndata: \{\}\n\n$/);
  });
});
