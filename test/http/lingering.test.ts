import { once } from 'node:events';
import { connect } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { create, definition, type Service, startService } from './app-harness.ts';

const MIB = 1024 * 1024;

let service: Service;
let port: number;

beforeEach(async () => {
  service = await startService({ bodyLimitBytes: MIB });
  await create(service, definition('p'));
  await service.app.listen({ port: 0, host: '127.0.0.1' });
  ({ port } = service.app.server.address() as { port: number });
});
afterEach(() => service[Symbol.asyncDispose]());

const HEAD = 'HTTP/1.1\r\nhost: localhost\r\n';
/** Requests that are answered before their bodies have come, and their answers. */
const REFUSED: [what: string, head: string, status: number][] = [
  [
    'a JSON body that is too large',
    `POST /pipelines/p/feed ${HEAD}content-type: application/json\r\ncontent-length: ${9 * MIB}\r\n\r\n`,
    413,
  ],
  ['a body of a type that is not taken', `POST /pipelines/p/feed ${HEAD}content-type: text/csv\r\ncontent-length: ${9 * MIB}\r\n\r\n`, 415],
  [
    'a body for a pipeline that is not there',
    `POST /pipelines/none/feed ${HEAD}content-type: application/x-ndjson\r\ncontent-length: ${9 * MIB}\r\n\r\n`,
    404,
  ],
  ['a body for a path that is not there', `POST /nothing ${HEAD}content-length: ${9 * MIB}\r\n\r\n`, 404],
];

describe('a body that is refused while it comes', () => {
  it.each(REFUSED)('does not cost its sender the answer, who reads it when all is sent: %s', async (_, head, status) => {
    for (let round = 0; round < 5; round++) {
      const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
      const errors: Error[] = [];
      socket.on('error', (error) => errors.push(error));
      socket.pause();
      socket.write(head);
      const piece = Buffer.alloc(64 * 1024, 'x');
      for (let sent = 0; sent < 9 * MIB && !socket.destroyed; sent += piece.length) {
        if (!socket.write(piece)) await Promise.race([once(socket, 'drain'), once(socket, 'close')]);
      }
      socket.end();
      const read: Buffer[] = [];
      socket.on('data', (chunk) => read.push(chunk)).resume();
      if (!socket.destroyed) await once(socket, 'close');
      expect(errors).toEqual([]);
      expect(Buffer.concat(read).toString()).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `));
    }
  });

  it('is cut when it goes on without end', async () => {
    const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
    socket.on('error', () => undefined);
    const answered = new Promise((resolve) => socket.once('data', resolve));
    socket.write(`POST /pipelines/p/feed ${HEAD}content-type: text/csv\r\ntransfer-encoding: chunked\r\n\r\n`);
    const piece = `10000\r\n${'x'.repeat(65_536)}\r\n`;
    const send = (): void => {
      while (!socket.destroyed && socket.write(piece));
    };
    socket.on('drain', send);
    const closed = new Promise((resolve) => socket.once('close', resolve));
    send();
    expect(String(await answered)).toMatch(/^HTTP\/1\.1 415 /);
    await closed;
  });
});
