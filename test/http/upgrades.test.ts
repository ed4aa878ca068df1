/** Requests that ask for another protocol: for hands over a WebSocket, and for all else as if they had not asked. */
import { once } from 'node:events';
import { connect } from 'node:net';
import { describe, expect, it, onTestFinished } from 'vitest';
import { WebSocket } from 'ws';
import { HandDoor } from '../../src/cluster/hands/door.ts';
import { HANDS_PATH, PROTOCOL, SUBPROTOCOL } from '../../src/cluster/hands/protocol.ts';
import type { ApiKey } from '../../src/schemas/api-key.ts';
import { type createLog, startPool, VERSION } from '../cluster/hands/harness.ts';
import { type Guarded, keysOf, secretOf, startGuarded } from './access-harness.ts';

async function serviceWithHands(
  keys: ApiKey[] = [],
  beatMs = 10_000,
): Promise<{ service: Guarded; port: number; log: ReturnType<typeof createLog> }> {
  const { pool, log, shared } = startPool({ tasks: ['echo'], beatMs });
  const door = new HandDoor({ ...shared, pool, version: VERSION, maxValueBytes: 1000 });
  const hands = {
    measure: () => null,
    view: () => pool.view(),
    accept: door.accept.bind(door),
    close: () => door.close(),
  };
  const service = await startGuarded(keys, { hands });
  onTestFinished(() => service[Symbol.asyncDispose]());
  const address = service.app.server.address();
  if (address === null || typeof address === 'string') throw new Error('it does not listen');
  return { service, port: address.port, log };
}

/** Writes bytes to a connection and gives all that comes back until it ends. */
async function exchange(port: number, bytes: string): Promise<string> {
  const socket = connect(port, '127.0.0.1');
  let text = '';
  socket.setEncoding('utf8').on('data', (part: string) => {
    text += part;
  });
  socket.write(bytes);
  await once(socket, 'close');
  return text;
}

const statuses = (text: string): string[] => [...text.matchAll(/HTTP\/1.1 (\d+)/g)].map(([, status]) => String(status));

interface Tried {
  status: number;
  socket: WebSocket;
}

/** Tries to open a WebSocket; 101 is a success. */
function open(port: number, path: string, headers: Record<string, string> = {}): Promise<Tried> {
  const socket = new WebSocket(`ws://127.0.0.1:${port}${path}`, SUBPROTOCOL, { headers });
  onTestFinished(() => socket.terminate());
  return new Promise((resolve) => {
    socket.on('error', () => undefined);
    socket.once('open', () => resolve({ status: 101, socket }));
    socket.once('unexpected-response', (_request, response) => {
      response.resume();
      resolve({ status: response.statusCode ?? 0, socket });
    });
  });
}

const key = (name: string): Record<string, string> => ({ authorization: `Bearer ${secretOf(name)}` });
const hello = JSON.stringify({
  ...{ t: 'hello', protocol: PROTOCOL, name: 'h', version: VERSION, instance: 'i', capacity: 1 },
  tasks: [{ name: 'echo', kind: 'task', hash: 'h' }],
});

describe('a request for HTTP/2, which this service does not speak', () => {
  const H2C = 'Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQCAAAAAAIAAAAA\r\n';

  it('is answered over HTTP/1.1, with its body, and so is the next one', async () => {
    const { port, service } = await serviceWithHands();
    const body = JSON.stringify({ id: 'a', stages: [{ name: 'S', tasks: ['echo'] }] });
    const post = `POST /pipelines HTTP/1.1\r\nHost: localhost\r\n${H2C}Content-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
    const again = `GET /pipelines/a HTTP/1.1\r\nHost: localhost\r\n${H2C}\r\n`;
    const last = 'GET /livez HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n';
    const text = await exchange(port, post + again + last);
    expect(statuses(text)).toEqual(['201', '200', '200']);
    expect(service.logs.filter(({ level }) => Number(level) >= 50)).toEqual([]);
  });

  it('keeps its other headers, in their order and as they are', async () => {
    const { port } = await serviceWithHands();
    const text = await exchange(
      port,
      `GET /livez HTTP/1.1\r\nHost: localhost\r\nHost: other\r\n${H2C}\r\n`.replace('Upgrade,', 'close, Upgrade,'),
    );
    // Two of them are still two.
    expect(statuses(text)).toEqual(['400']);
    expect(text).toContain('more than one Host header');
  });

  it('may have a chunked body that comes later', async () => {
    const { port } = await serviceWithHands();
    const socket = connect(port, '127.0.0.1');
    socket.write(
      `POST /pipelines HTTP/1.1\r\nHost: localhost\r\n${H2C}Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n`,
    );
    await once(socket, 'ready');
    const body = JSON.stringify({ id: 'b', stages: [{ name: 'S', tasks: ['echo'] }] });
    socket.write(`${body.length.toString(16)}\r\n${body}\r\n0\r\n\r\n`);
    const [answer] = await once(socket, 'data');
    expect(statuses(String(answer))).toEqual(['201']);
    socket.destroy();
  });
});

describe('a request for a WebSocket', () => {
  it('where there is none is answered as without', async () => {
    const { port } = await serviceWithHands();
    expect([(await open(port, '/pipelines')).status, (await open(port, '/nowhere')).status, (await open(port, '/hands')).status]).toEqual([
      200, 404, 200,
    ]);
  });

  it('passes the guards: key, scope, host and page', async () => {
    const { port } = await serviceWithHands(keysOf('reader:read', 'worker:work', 'limited:work;pipelines=a', 'admin:admin'));
    const found: number[] = [];
    for (const headers of [
      {},
      key('reader'),
      key('limited'),
      key('unknown'),
      { ...key('worker'), origin: 'http://127.0.0.1' },
      key('worker'),
      key('admin'),
    ]) {
      found.push((await open(port, HANDS_PATH, headers)).status);
    }
    expect(found).toEqual([401, 403, 403, 401, 403, 101, 101]);
    const { port: free } = await serviceWithHands();
    expect((await open(free, HANDS_PATH, { host: 'evil.example' })).status).toBe(421);
    expect((await open(free, `${HANDS_PATH}?a=1`)).status).toBe(400);
    const raw = (...headers: string[]): Promise<string> =>
      exchange(
        free,
        [`GET ${HANDS_PATH} HTTP/1.1`, 'Host: localhost', 'Connection: Upgrade', 'Upgrade: websocket', ...headers, '', ''].join('\r\n'),
      );
    expect(statuses(await raw('Sec-WebSocket-Version: 13'))).toEqual(['400']);
    expect(statuses(await raw('Sec-WebSocket-Version: 7', 'Sec-WebSocket-Key: MDEyMzQ1Njc4OWFiY2RlZg=='))).toEqual(['426']);
  });

  it('has one line in the log, and is counted', async () => {
    const { port, service } = await serviceWithHands();
    await open(port, HANDS_PATH);
    expect(service.logs.filter(({ path }) => path === HANDS_PATH)).toMatchObject([{ method: 'GET', statusCode: 101, msg: 'request' }]);
    const { body } = await service.as(null, 'GET', '/metrics');
    expect(body).toMatch(/sluice_http_request_duration_seconds_count\{[^}]*route="\/hands\/connect"[^}]*status="101"[^}]*\} 1/);
  });

  it('is ended when its key is revoked, or has expired', async () => {
    const keys = keysOf('worker:work', 'admin:admin');
    const { port, service, log } = await serviceWithHands(keys, 20);
    const { socket } = await open(port, HANDS_PATH, key('worker'));
    socket.send(hello);
    await log.seen('a hand has connected');
    service.keys.replace(keys.filter(({ name }) => name !== 'worker'));
    const [code] = await once(socket, 'close');
    expect(code).toBe(4403);
    const [line] = await log.seen('a hand has gone');
    expect(line?.why).toBe('its key no longer admits it');
  });

  it('keeps the service from closing no longer than it takes to say so', async () => {
    const { port, service } = await serviceWithHands();
    const { socket } = await open(port, HANDS_PATH);
    const closed = once(socket, 'close');
    await service.app.close();
    expect((await closed)[0]).toBe(1001);
  });

  it('is refused where the service takes no hands', async () => {
    const service = await startGuarded([]);
    onTestFinished(() => service[Symbol.asyncDispose]());
    const { port } = service.app.server.address() as { port: number };
    expect((await open(port, HANDS_PATH)).status).toBe(501);
  });
});
