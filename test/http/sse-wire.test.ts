import { type EventEmitter, once } from 'node:events';
import { createServer, type ServerResponse } from 'node:http';
import { connect as connectHttp2, createServer as createHttp2Server } from 'node:http2';
import { type AddressInfo, connect as connectSocket } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { createFakeSource, createStillHub, EVERYTHING, eventually, type Harness, StreamParser, startHarness } from './sse-harness.ts';

let harness: Harness | undefined;
afterEach(async () => {
  await harness?.stop();
  harness = undefined;
});

async function exchange(port: number, request: string, until: (text: string) => boolean): Promise<string> {
  const socket = connectSocket({ port, host: '127.0.0.1' });
  let text = '';
  socket.on('data', (chunk: Buffer) => {
    text += chunk.toString();
    if (until(text)) socket.emit('enough');
  });
  socket.write(request);
  await Promise.race([once(socket, 'enough'), once(socket, 'close')]);
  return text;
}

describe('the connection', () => {
  it('frames a batch as one chunk over HTTP/1.1', async () => {
    const source = createFakeSource();
    source.pushMany(2);
    harness = await startHarness(source);
    const text = await exchange(harness.port, 'GET /?after=0 HTTP/1.1\r\nHost: test\r\n\r\n', (got) =>
      /id: e1-2\n[\s\S]*\n\n\r\n$/.test(got),
    );
    const [, size, body] = /\r\n\r\n[0-9a-f]+\r\nretry: 1000\n\nid: e1-0\n\n\r\n([0-9a-f]+)\r\n([\s\S]*)\r\n$/.exec(text) ?? [];
    expect(Number.parseInt(size ?? '', 16)).toBe(Buffer.byteLength(body ?? ''));
    expect(body?.match(/^id: /gm)).toHaveLength(2);
  });

  it('frames nothing over HTTP/1.0, and ends with the connection', async () => {
    const source = createFakeSource();
    source.pushMany(2);
    harness = await startHarness(source);
    const { hub } = harness;
    const got = exchange(harness.port, 'GET /?after=0 HTTP/1.0\r\n\r\n', () => false);
    await eventually(() => hub.size === 1);
    await hub.close();
    const [head, ...rest] = (await got).split('\r\n\r\n');
    expect(head).not.toMatch(/transfer-encoding/i);
    const parser = new StreamParser();
    parser.write(Buffer.from(rest.join('\r\n\r\n')));
    expect(parser.events.map(({ id, event }) => id ?? event)).toEqual(['e1-1', 'e1-2', 'bye']);
  });

  it('keeps its place behind the answer to an earlier, pipelined request', async () => {
    const source = createFakeSource();
    const hub = createStillHub();
    let earlier: ServerResponse | undefined;
    const server = createServer((_, response) => {
      if (earlier === undefined) earlier = response;
      else hub.attach({ response, events: source, filter: EVERYTHING, after: 0 });
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const request = 'GET / HTTP/1.1\r\nHost: test\r\n\r\n';
    const got = exchange((server.address() as AddressInfo).port, request + request, () => false);
    await eventually(() => hub.size === 1);
    source.pushMany(1);
    await eventually(() => source.reads > 0);
    earlier?.end('first');
    await hub.close();
    server.close();
    expect(await got).toMatch(/first[\s\S]*HTTP\/1\.1 200[\s\S]*id: e1-1[\s\S]*event: bye\ndata: \{\}\n\n\r\n0\r\n\r\n$/);
  });

  it('speaks HTTP/2', async () => {
    const source = createFakeSource();
    source.pushMany(2);
    const hub = createStillHub();
    const server = createHttp2Server((_, response) => {
      hub.attach({ response: response as unknown as ServerResponse, events: source, filter: EVERYTHING, after: 0 });
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const session = connectHttp2(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
    const stream = session.request({ ':path': '/' });
    const [headers] = await once(stream, 'response');
    expect(headers['content-type']).toBe('text/event-stream');
    const parser = new StreamParser();
    stream.on('data', (chunk: Buffer) => parser.write(chunk));
    await eventually(() => parser.lastEventId === 'e1-2');
    source.pushMany(1);
    await eventually(() => parser.lastEventId === 'e1-3');
    const ended = once(stream, 'end');
    await hub.close();
    await ended;
    expect(parser.events.map(({ id, event }) => id ?? event)).toEqual(['e1-1', 'e1-2', 'e1-3', 'bye']);
    session.close();
    server.close();
  });

  it('is left alone when the client went before the stream was opened', async () => {
    const source = createFakeSource();
    const hub = createStillHub();
    const server = createServer();
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const socket = connectSocket((server.address() as AddressInfo).port, '127.0.0.1');
    socket.write('GET / HTTP/1.1\r\nHost: test\r\n\r\n');
    const [, response] = (await once(server as EventEmitter, 'request')) as [unknown, ServerResponse];
    socket.destroy();
    await once(response, 'close');
    hub.attach({ response, events: source, filter: EVERYTHING, after: 0 });
    expect([hub.size, source.subscribers]).toEqual([0, 0]);
    server.close();
  });
});
