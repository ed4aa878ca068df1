/** The rest of a body whose request was answered before it had come: what becomes of it. */
import { once } from 'node:events';
import { connect } from 'node:net';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { create, definition, type Service, startService } from './app-harness.ts';

let service: Service;
let port: number;
beforeEach(async () => {
  service = await startService({});
  await service.app.listen({ port: 0, host: '127.0.0.1' });
  ({ port } = service.app.server.address() as { port: number });
  await create(service, definition('p'));
});
afterEach(() => service[Symbol.asyncDispose]());

const refused = (): unknown[] => service.logs.filter(({ msg }) => msg === 'refused').map(({ method, path, code }) => [method, path, code]);
const head = (line: string, framing: string): string =>
  `${line} HTTP/1.1\r\nhost: localhost\r\ncontent-type: text/csv\r\n${framing}\r\n\r\n`;
const CHUNKED = 'transfer-encoding: chunked';

/** A client that writes bytes, and reads until a text has come, or the connection has ended. */
async function client() {
  const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
  let text = '';
  const closed = once(socket, 'close');
  socket.setEncoding('utf8').on('error', () => undefined);
  socket.on('data', (more: string) => {
    text += more;
  });
  socket.on('end', () => socket.end());
  await once(socket, 'connect');
  return {
    closed,
    text: () => text,
    send: (bytes: string) => socket.write(bytes),
    end: (bytes: string) => socket.end(bytes),
    async read(expected: string): Promise<void> {
      while (!text.includes(expected)) await once(socket, 'data');
    },
  };
}

describe('the rest of a body after an early answer', () => {
  it.each([
    ['breaks off', 'POST /no/route', CHUNKED, '5\r\nab', 404, 'not-found'],
    ['breaks off before its first byte', 'POST /no/route', 'content-length: 1000', '', 404, 'not-found'],
    ['is no chunk', 'POST /no/route', CHUNKED, 'zz\r\n', 404, 'not-found'],
    ['is no chunk, of a type that is not taken', 'POST /pipelines/p/feed', CHUNKED, 'zz\r\n', 415, 'unsupported-media-type'],
    ['breaks off, of a method that is not allowed', 'POST /pipelines/p', CHUNKED, '5\r\nab', 405, 'method-not-allowed'],
  ])('%s: only the request itself was refused', async (_, line, framing, rest, status, code) => {
    const { send, read, end, closed, text } = await client();
    send(head(line, framing));
    await read(`"code":"${code}"`);
    expect(text()).toMatch(new RegExp(`^HTTP/1.1 ${status} `));
    end(rest);
    await closed;
    expect(text().match(/HTTP\/1.1/g)).toHaveLength(1);
    const [method, path] = line.split(' ');
    expect(refused()).toEqual([[method, path, code]]);
  });

  it('that was complete is no excuse for what comes next', async () => {
    const { send, read, closed } = await client();
    send('GET /livez HTTP/1.1\r\nhost: localhost\r\n\r\n');
    await read('"ok"');
    send('this is no request\r\n\r\n');
    await closed;
    expect(refused()).toEqual([[null, null, 'bad-request']]);
  });
});
