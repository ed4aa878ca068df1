import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Start } from '../../src/http/guards/starting.ts';
import { create, definition, get, type Service, startService } from './app-harness.ts';
import { RawClient } from './raw-client.ts';
import { createManualClock, eventually, type ManualClock } from './sse-harness.ts';

const MIB = 1024 * 1024;

let service: Service;
let port: number;
/** Stands still, so that no bound in time is met unless a test moves it. */
let clock: ManualClock;

async function listen(options: Parameters<typeof startService>[0] = {}): Promise<void> {
  clock = createManualClock();
  service = await startService({ bodyLimitBytes: MIB, clock, ...options });
  await service.app.listen({ port: 0, host: '127.0.0.1' });
  ({ port } = service.app.server.address() as { port: number });
}

beforeEach(async () => {
  await listen();
  await create(service, definition('p'));
});
afterEach(() => service[Symbol.asyncDispose]());

async function restart(options: Parameters<typeof startService>[0]): Promise<void> {
  await service[Symbol.asyncDispose]();
  await listen(options);
}

const SIZE = 9 * MIB;
const NDJSON = 'application/x-ndjson';
const head = (target: string, type: string, framing = `content-length: ${SIZE}`): string =>
  `POST ${target} HTTP/1.1\r\nhost: localhost\r\ncontent-type: ${type}\r\n${framing}\r\n\r\n`;
const PIECE = Buffer.alloc(64 * 1024, 'x');
const LINES = Buffer.from('{"id":"a"}\n'.repeat(500));

/** Sends so many bytes, and reads nothing before they are sent; gives what was read then. */
async function sendThenRead(begin: string, bytes: number, piece: Buffer, end = ''): Promise<string> {
  const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
  const errors: Error[] = [];
  socket.on('error', (error) => errors.push(error));
  socket.pause();
  socket.write(begin);
  for (let sent = 0; sent < bytes && !socket.destroyed; sent += piece.length) {
    if (!socket.write(piece)) await Promise.race([once(socket, 'drain'), once(socket, 'close')]);
  }
  socket.end(end);
  const read: Buffer[] = [];
  socket.on('data', (chunk) => read.push(chunk)).resume();
  if (!socket.destroyed) await once(socket, 'close');
  expect(errors).toEqual([]);
  return Buffer.concat(read).toString();
}

/** Sends it and waits until the service has read it. */
async function sendOn(client: RawClient, serving: Socket, text: string): Promise<void> {
  const before = serving.bytesRead;
  client.send(text);
  await eventually(() => serving.bytesRead === before + text.length);
  await new Promise((resolve) => setImmediate(resolve));
}

/** Requests that are answered before their bodies have come, and their answers. */
const REFUSED: [what: string, head: string, status: number, code: string][] = [
  ['a JSON body that is too large', head('/pipelines/p/feed', 'application/json'), 413, 'body-too-large'],
  ['a body of a type that is not taken', head('/pipelines/p/feed', 'text/csv'), 415, 'unsupported-media-type'],
  ['a form', head('/pipelines/p/feed', 'application/x-www-form-urlencoded'), 415, 'unsupported-media-type'],
  [
    'an encoded body',
    head('/pipelines/p/feed', NDJSON, `content-encoding: gzip\r\ncontent-length: ${SIZE}`),
    415,
    'unsupported-media-type',
  ],
  ['a body for a pipeline that is not there', head('/pipelines/none/feed', NDJSON), 404, 'pipeline-not-found'],
  ['a body for a path that is not there', head('/nothing', NDJSON), 404, 'not-found'],
  ['a body for a path that cannot be read', head('/%zz', NDJSON), 400, 'bad-request'],
  ['a body for a method that is not there', head('/pipelines/p/stats', NDJSON), 405, 'method-not-allowed'],
  ['a body under a bad query', head('/pipelines/p/feed?priority=high', NDJSON), 400, 'invalid-input'],
  [
    'a body for a host that is not ours',
    head('/pipelines/p/feed', NDJSON).replace('localhost', 'evil.example'),
    421,
    'misdirected-request',
  ],
  ['a body with a bad first line', head('/pipelines/p/feed', NDJSON), 400, 'malformed-line'],
  ['a body of a run with a bad first line', head('/pipelines/p/run', NDJSON), 400, 'malformed-line'],
];

describe('a body that is refused while it comes', () => {
  it.each(REFUSED)('does not cost its sender the answer, who reads it when all is sent: %s', async (_, begin, status, code) => {
    // In lines from the second one on, so that the first one is not too long but wrong.
    const piece = code === 'malformed-line' ? Buffer.from('x\n'.repeat(32 * 1024)) : PIECE;
    for (let round = 0; round < 3; round++) {
      const answer = await sendThenRead(begin, SIZE, piece);
      expect(answer).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `));
      expect(answer.toLowerCase()).toContain('\r\nconnection: close\r\n');
      expect(JSON.parse(answer.slice(answer.indexOf('\r\n\r\n')))).toMatchObject({ status, code });
    }
  });

  it.each([
    ['feed', 'application/json', 413],
    ['feed', NDJSON, 400],
    ['run', NDJSON, 400],
  ])('does not in chunks either: %s of %s', async (route, type, status) => {
    const bytes = type === NDJSON ? Buffer.concat([LINES, Buffer.from('{"id": oops}\n'), LINES]) : PIECE;
    const piece = Buffer.concat([Buffer.from(`${bytes.length.toString(16)}\r\n`), bytes, Buffer.from('\r\n')]);
    const begin = head(`/pipelines/p/${route}`, type, 'transfer-encoding: chunked');
    const answer = await sendThenRead(begin, SIZE, piece, '0\r\n\r\n');
    expect(answer).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `));
    if (type === NDJSON) expect(answer).toContain('Line 501 is not valid JSON');
  });

  it('does not without a key', async () => {
    await restart({ apiKeys: [{ name: 'someone', scopes: new Set(['read']), sha256Hex: '0'.repeat(64) }] });
    expect(await sendThenRead(head('/pipelines/p/feed', NDJSON), SIZE, PIECE)).toMatch(/^HTTP\/1\.1 401 /);
  });

  it('does not while the service cannot start', async () => {
    const start = new Start();
    start.trouble = 'the disk is full';
    await restart({ start });
    const answer = await sendThenRead(head('/pipelines/p/feed', NDJSON), SIZE, PIECE);
    expect(answer).toMatch(/^HTTP\/1\.1 503 /);
    expect(answer).toContain('"code":"starting"');
  });

  it('does not while the service shuts down, up to its last reply', async () => {
    await service.host.shutdown('force', 1);
    const sending = sendThenRead(head('/pipelines/p/feed', NDJSON), SIZE, PIECE);
    await once(service.app.server, 'request');
    const closed = service.app.close();
    const answer = await sending;
    expect(answer).toMatch(/^HTTP\/1\.1 503 /);
    expect(answer).toContain('"code":"shutting-down"');
    await closed;
  });

  it('is read to its end, and nothing behind it is a request', async () => {
    const behind = JSON.stringify(definition('behind'));
    const more = `POST /pipelines HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: ${behind.length}\r\n\r\n${behind}`;
    let requests = 0;
    service.app.server.on('request', () => requests++);
    const answer = await sendThenRead(head('/pipelines/none/feed', NDJSON), SIZE, PIECE, more);
    expect(answer.match(/HTTP\/1\.1 \d+/g)).toEqual(['HTTP/1.1 404']);
    // It comes, and one that comes later has been served.
    await eventually(() => requests === 2);
    await create(service, definition('later'));
    expect((await get(service, '/pipelines/behind')).statusCode).toBe(404);
  });
});

describe('a body that goes on after its answer', () => {
  /** A client that has its answer and goes on; the server's side of its connection. */
  async function answered(): Promise<{ client: RawClient; serving: Socket }> {
    const arrived = once(service.app.server, 'connection') as Promise<[Socket]>;
    const client = await RawClient.open(port, ['POST']);
    client.socket.removeAllListeners('end');
    client.send(head('/pipelines/p/feed', 'text/csv'));
    const [serving] = await arrived;
    const [answer] = await client.answered();
    expect(answer?.status).toBe(415);
    await eventually(() => serving.writableEnded);
    return { client, serving };
  }

  it('is cut after five seconds without a byte', async () => {
    const { client, serving } = await answered();
    clock.advance(3900);
    await sendOn(client, serving, 'x');
    // It is seen at the next look, at 4 s.
    clock.advance(5099);
    expect(serving.destroyed).toBe(false);
    clock.advance(1);
    expect(serving.destroyed).toBe(true);
    client.reset();
  });

  it('is cut after half a minute, however slowly it comes', async () => {
    const { client, serving } = await answered();
    for (let seconds = 0; seconds < 28; seconds += 4) {
      await sendOn(client, serving, 'x');
      clock.advance(4000);
    }
    await sendOn(client, serving, 'x');
    clock.advance(1999);
    expect(serving.destroyed).toBe(false);
    clock.advance(1);
    expect(serving.destroyed).toBe(true);
    client.reset();
  });

  it('is cut when it is too much, and leaves no timer', async () => {
    await restart({ linger: { seconds: 30, idleSeconds: 5, bytes: 2 * MIB } });
    const { client, serving } = await answered();
    const from = serving.bytesRead;
    client.send(Buffer.alloc(2 * MIB));
    await eventually(() => serving.bytesRead === from + 2 * MIB);
    clock.advance(100);
    expect(serving.destroyed).toBe(false);
    await sendOn(client, serving, 'x');
    clock.advance(100);
    expect(serving.destroyed).toBe(true);
    client.reset();
    await eventually(() => clock.timers === 0);
  });
});

describe('an upload that pauses', () => {
  it('is given up after UPLOAD_IDLE_SECONDS, and what was sent stays', async () => {
    await restart({ uploadIdleSeconds: 300 });
    await create(service, definition('p'));
    const arrived = once(service.app.server, 'connection') as Promise<[Socket]>;
    const client = await RawClient.open(port, ['POST']);
    const [serving] = await arrived;
    client.send(head('/pipelines/p/feed', NDJSON));
    // Beside the one for replies that nobody reads.
    await eventually(() => clock.timers === 2);
    await sendOn(client, serving, '1\n2\n');
    await eventually(() => clock.timers === 2);
    clock.advance(299_999);
    expect(client.answers).toEqual([]);
    clock.advance(1);
    const [answer] = await client.answered();
    expect(answer?.status).toBe(408);
    expect(JSON.parse(String(answer?.body)).detail).toContain('No data of the body arrived for 300 s (UPLOAD_IDLE_SECONDS)');
    client.reset();
    expect((await get(service, '/pipelines/p/results')).json().results).toHaveLength(2);
  });
});
