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
  'POST /pipelines/p/run HTTP/1.1\r\nHost: h\r\nContent-Type: application/x-ndjson\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n';
const chunk = (text: string): string => `${text.length.toString(16)}\r\n${text}\r\n`;
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
