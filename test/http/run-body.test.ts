import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { create, definition, type Service, startService } from './app-harness.ts';
import { RawClient } from './raw-client.ts';

const MIB = 1024 * 1024;

let service: Service;
let port: number;
const fatal: unknown[] = [];
const onFatal = (error: unknown): void => void fatal.push(error);

beforeEach(async () => {
  process.on('uncaughtException', onFatal);
  process.on('unhandledRejection', onFatal);
  service = await startService();
  await create(service, definition('p'));
  await service.app.listen({ port: 0, host: '127.0.0.1' });
  ({ port } = service.app.server.address() as AddressInfo);
});
afterEach(async () => {
  await service[Symbol.asyncDispose]();
  process.off('uncaughtException', onFatal);
  process.off('unhandledRejection', onFatal);
  expect(fatal).toEqual([]);
});

const HEAD =
  'POST /pipelines/p/run HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-ndjson\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n';
const chunk = (text: string): string => `${text.length.toString(16)}\r\n${text}\r\n`;
/** Sends so much of the same line, as fast as it is taken, and gives the answer and how much of it was read. */
async function flood(line: string, bytes: number, { path = '/pipelines/p/run', query = '', headers = [] as string[] } = {}) {
  const arrived = new Promise<{ bytesRead: number }>((resolve) => service.app.server.once('connection', resolve));
  const client = await RawClient.open(port, ['POST']);
  const serving = await arrived;
  client.send(HEAD.replace('/pipelines/p/run', path + query).replace('Host', [...headers, 'Host'].join('\r\n')));
  const piece = chunk(line.repeat(Math.ceil(64_000 / line.length)));
  for (let sent = 0; sent < bytes && client.answers.length === 0 && !client.closed; sent += piece.length) {
    if (!client.socket.write(piece))
      await Promise.race([once(client.socket, 'drain').catch(() => undefined), client.until(() => client.bytes.length > 0)]);
  }
  if (client.answers.length === 0) client.send('0\r\n\r\n');
  const [answer] = await client.answered();
  const { bytesRead } = serving;
  client.reset();
  return { status: answer?.status, body: JSON.parse(String(answer?.body)), bytesRead };
}

/** A line that is as long as a line may be. */
const LONG = `"${'x'.repeat(MIB - 2)}"\n`;

describe('an NDJSON body of a run', () => {
  it.each([100, 20_000, 60_000, 120_000])(
    'that goes on over its limit after a bad line %i bytes before it is refused once',
    async (before) => {
      const client = await RawClient.open(port, ['POST']);
      client.send(HEAD);
      for (let i = 0; i < 63; i++) client.send(chunk(LONG));
      client.send(chunk(`"${'x'.repeat(MIB - before)}"\n`));
      client.send(chunk('{"id": oops}\n'));
      for (let i = 0; i < 100; i++) client.send(chunk(`"${'y'.repeat(4000)}"\n`));
      client.send('0\r\n\r\n');
      const [answer] = await client.answered();
      expect(answer?.status).toBe(400);
      expect(JSON.parse(String(answer?.body))).toMatchObject({ code: 'malformed-line', line: 65 });
      await client.ended();
    },
    30_000,
  );

  it('that is over its limit is a 413', async () => {
    const client = await RawClient.open(port, ['POST']);
    client.send(HEAD);
    for (let i = 0; i < 65; i++) client.send(chunk(LONG));
    const [answer] = await client.answered();
    expect(answer?.status).toBe(413);
    expect(JSON.parse(String(answer?.body))).toMatchObject({ code: 'body-too-large' });
    await client.ended();
  }, 30_000);
});

describe('a run of more items than there is room for', () => {
  it.each([
    ['{}\n', {}],
    ['1\n', {}],
    ['{"id":"", "x":1}\n', {}],
    ['[]\r\n', { query: '?wait=1' }],
    ['{}\n', { headers: ['Idempotency-Key: once'] }],
    ['{}\n', { query: '?priority=0&onDuplicate=reject' }],
  ])(
    'is refused as soon as they have come: %j %j',
    async (line, options) => {
      const { status, body, bytesRead } = await flood(line, 60_000_000, options);
      expect([status, body.code]).toEqual([429, 'queue-full']);
      expect(body.detail).toContain('10000');
      // The backlog holds 10 000.
      expect(bytesRead).toBeLessThan(10_000 * line.length + 2_000_000);
    },
    30_000,
  );

  it('is refused for ids that cannot be used when there is room for them', async () => {
    const { status, body } = await flood('{"id":""}\n', 60_000);
    expect([status, body.code, body.errors.length]).toEqual([400, 'invalid-input', 100]);
  });

  it('is refused when the room is taken by others', async () => {
    await create(service, definition('held', 'hold'));
    const items = Array.from({ length: 9000 }, () => 1);
    await service.app.inject({ method: 'POST', url: '/pipelines/held/feed', payload: { items } });
    const { status, bytesRead } = await flood('{}\n', 60_000_000, { path: '/pipelines/held/run' });
    expect([status, bytesRead < 1_000_000]).toEqual([429, true]);
  }, 30_000);

  it('goes on as long as what comes is known already, up to a million', async () => {
    await service.app.inject({ method: 'POST', url: '/pipelines/p/run', payload: { items: [{ id: 'a' }] } });
    const known = await flood('{"id":"a"}\n', 300_000);
    expect([known.status, known.body.results]).toMatchObject([200, [{ id: 'a' }]]);
    expect(known.body.duplicates).toBeGreaterThan(20_000);
    const { status, body } = await flood('{"id":"a"}\n', 60_000_000);
    expect([status, body.code]).toEqual([413, 'body-too-large']);
  }, 30_000);

  it('is not one when its lines are blank', async () => {
    const { status, body } = await flood('\n', 20_000_000);
    expect([status, body.results]).toEqual([200, []]);
  }, 30_000);
});

describe('many items without a usable id', () => {
  it('are counted, and the first hundred described', async () => {
    const payload = { items: Array.from({ length: 5000 }, () => ({ id: '' })) };
    for (const url of ['/pipelines/p/run', '/pipelines/p/feed']) {
      const answer = (await service.app.inject({ method: 'POST', url, payload })).json();
      expect(answer.code).toBe('invalid-input');
      expect(answer.detail).toContain('5000');
      expect(answer.errors).toHaveLength(100);
    }
  });
});
