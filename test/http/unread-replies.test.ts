import type { AddressInfo, Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { create, definition, run, type Service, startService } from './app-harness.ts';
import { RawClient } from './raw-client.ts';
import { createManualClock, eventually, type ManualClock } from './sse-harness.ts';

const MIB = 1024 * 1024;

let service: Service;
let clock: ManualClock;
let port: number;
/** The server's side of each connection, in order. */
let sockets: Socket[];
const clients: RawClient[] = [];

beforeEach(async () => {
  clock = createManualClock();
  service = await startService({ clock, bodyLimitBytes: 4 * MIB, bounds: { pageCharacters: 64 * MIB } });
  sockets = [];
  service.app.server.on('connection', (socket) => void sockets.push(socket));
  await create(service, definition('p'));
  await service.app.listen({ port: 0, host: '127.0.0.1' });
  ({ port } = service.app.server.address() as AddressInfo);
});
afterEach(async () => {
  for (const client of clients.splice(0)) client.reset();
  await eventually(() => sockets.every(({ destroyed }) => destroyed));
  await eventually(() => clock.timers === 0);
  await service[Symbol.asyncDispose]();
});

/** Results of a megabyte each: more than the sockets of both sides take by themselves. */
async function withResults(count: number): Promise<void> {
  for (let i = 0; i < count; i++) {
    expect((await run(service, 'p', [{ id: `i${i}`, value: 'x'.repeat(MIB) }])).statusCode).toBe(200);
  }
}

async function ask(...requests: string[]): Promise<{ client: RawClient; socket: Socket }> {
  const client = await RawClient.open(port, []);
  clients.push(client);
  client.socket.pause();
  client.send(requests.join(''));
  await eventually(() => sockets.length === clients.length);
  return { client, socket: sockets.at(-1) as Socket };
}

const request = (path: string, ...headers: string[]): string =>
  [`GET ${path} HTTP/1.1`, 'Host: localhost', ...headers, '', ''].join('\r\n');

/** Until the operating system takes no more, and nothing moves. */
async function standing(socket: Socket): Promise<void> {
  let before = '';
  for (let same = 0; same < 50; ) {
    await new Promise((resolve) => setImmediate(resolve));
    const now = `${socket.bytesWritten} ${socket.writableLength} ${(socket as unknown as { _handle: { writeQueueSize: number } })._handle?.writeQueueSize}`;
    same = socket.writableLength > 0 && now === before ? same + 1 : 0;
    before = now;
  }
}

const LISTS: [string, () => string[]][] = [
  ['one JSON document', () => [request('/pipelines/p/results?limit=1000')]],
  ['a list, a row a line', () => [request('/pipelines/p/results', 'Accept: application/x-ndjson')]],
  ['the results of a feed as they come', () => [request('/pipelines/p/feeds/big/results?follow=true')]],
  ['many small documents', () => Array.from({ length: 400 }, () => request('/openapi.json'))],
  ['files of the documentation', () => Array.from({ length: 30 }, () => request('/docs/static/swagger-ui-bundle.js'))],
];

describe('a reply that nobody reads', () => {
  it.each(LISTS)(
    'is cut after 30 s: %s',
    async (_, requests) => {
      await withResults(16);
      const payload = `${JSON.stringify('x'.repeat(MIB))}\n`.repeat(16);
      const headers = { 'content-type': 'application/x-ndjson' };
      expect((await service.app.inject({ method: 'POST', url: '/pipelines/p/run?feedId=big', payload, headers })).statusCode).toBe(200);
      const { socket } = await ask(...requests());
      await standing(socket);
      // It is looked at every 5 s.
      clock.advance(5000);
      clock.advance(29_000);
      expect(socket.destroyed).toBe(false);
      clock.advance(6000);
      expect(socket.destroyed).toBe(true);
      await eventually(() => service.logs.some(({ msg }) => msg === 'a reply that nobody read was cut'));
    },
    30_000,
  );

  it('is cut as a stream of results too, whose items go on', async () => {
    const lines = `${JSON.stringify({ value: 'x'.repeat(1000) })}\n`.repeat(1000);
    const head = [
      'POST /pipelines/p/run HTTP/1.1',
      'Host: localhost',
      'Accept: application/x-ndjson',
      'Content-Type: application/x-ndjson',
    ];
    const { client, socket } = await ask([...head, 'Transfer-Encoding: chunked', '', ''].join('\r\n'));
    for (let i = 0; i < 30; i++) client.send(`${lines.length.toString(16)}\r\n${lines}\r\n`);
    await standing(socket);
    for (let seconds = 0; seconds < 40; seconds += 5) clock.advance(5000);
    expect(socket.destroyed).toBe(true);
    await eventually(() => service.logs.some(({ msg }) => msg === 'a reply that nobody read was cut'));
  }, 30_000);

  it('is not cut while it moves, however slowly', async () => {
    await withResults(24);
    const { client, socket } = await ask(request('/pipelines/p/results?limit=1000', 'Connection: close'));
    await standing(socket);
    const left = (): number => (socket as unknown as { _handle: { writeQueueSize: number } })._handle?.writeQueueSize ?? 0;
    let seconds = 0;
    for (; left() > 0; seconds += 20) {
      const before = left();
      client.socket.resume();
      await eventually(() => left() < before);
      client.socket.pause();
      if (left() === 0) break;
      for (let passed = 0; passed < 20; passed += 5) clock.advance(5000);
      expect(socket.destroyed, `after ${seconds} s`).toBe(false);
    }
    expect(seconds).toBeGreaterThanOrEqual(60);
    client.socket.resume();
    const [answer] = await client.answered();
    expect(JSON.parse(String(answer?.body)).results).toHaveLength(24);
  }, 30_000);

  it('is not what a client gets that waits for its answer', async () => {
    await create(service, definition('held', 'hold'));
    const body = JSON.stringify({ items: [1] });
    const client = await RawClient.open(port, ['POST']);
    clients.push(client);
    client.send(
      `POST /pipelines/held/run HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
    );
    await eventually(() => service.host.get('held').events.newest > 2);
    for (let seconds = 0; seconds < 600; seconds += 5) clock.advance(5000);
    service.release();
    expect((await client.answered())[0]?.status).toBe(200);
  });
});

describe('a list, a row a line', () => {
  it.each(['results', 'items', 'feeds', 'results?status=all'])('%s: is not read at all for a HEAD', async (list) => {
    await withResults(1);
    const runtime = service.host.get('p');
    const reads = [vi.spyOn(runtime, 'results'), vi.spyOn(runtime, 'items'), vi.spyOn(runtime, 'feeds')];
    const answer = await service.app.inject({ method: 'HEAD', url: `/pipelines/p/${list}`, headers: { accept: 'application/x-ndjson' } });
    expect([answer.statusCode, answer.headers['content-type']]).toEqual([200, 'application/x-ndjson']);
    for (const read of reads) expect(read).not.toHaveBeenCalled();
    const missing = await service.app.inject({
      method: 'HEAD',
      url: '/pipelines/nix/results',
      headers: { accept: 'application/x-ndjson' },
    });
    expect(missing.statusCode).toBe(404);
  });

  it('is read no further once the client has gone, also where nothing is found to send', async () => {
    const runtime = service.host.get('p');
    let reads = 0;
    let client: RawClient | undefined;
    const gone = Promise.withResolvers<void>();
    vi.spyOn(runtime, 'results').mockImplementation(async ({ after }) => {
      reads++;
      if (reads === 3) {
        client?.reset();
        await gone.promise;
      }
      return { rows: [], next: after + 1, retired: 0 };
    });
    const asked = await ask(request('/pipelines/p/results', 'Accept: application/x-ndjson'));
    client = asked.client;
    asked.socket.once('close', () => setImmediate(gone.resolve));
    await eventually(() => reads === 3 && asked.socket.destroyed);
    await gone.promise;
    for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve));
    expect(reads).toBe(3);
  });
});
