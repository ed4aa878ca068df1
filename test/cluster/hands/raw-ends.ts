/** Ends of a connection that do what the test says, and what is between them. */
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { onTestFinished } from 'vitest';
import { WebSocket, WebSocketServer } from 'ws';
import { HANDS_PATH, PROTOCOL, SUBPROTOCOL } from '../../../src/cluster/hands/protocol.ts';
import { VERSION } from './harness.ts';

/** The messages that come, one after the other. */
function readMessages(socket: WebSocket): {
  messages: Record<string, unknown>[];
  next(t: string, id?: string): Promise<Record<string, unknown>>;
} {
  const messages: Record<string, unknown>[] = [];
  const watchers = new Set<() => void>();
  socket.on('message', (data) => {
    messages.push(...(JSON.parse(String(data)) as Record<string, unknown>[]));
    for (const watch of [...watchers]) watch();
  });
  return {
    messages,
    next: (t, id) =>
      new Promise((resolve) => {
        const watch = (): void => {
          const at = messages.findIndex((message) => message.t === t && (id === undefined || message.id === id));
          if (at < 0) return;
          watchers.delete(watch);
          resolve(messages.splice(at, 1)[0] as Record<string, unknown>);
        };
        watchers.add(watch);
        watch();
      }),
  };
}

/** A hand that does what the test says, frame by frame. */
export async function rawHand(
  url: string,
  hello: object = {},
): Promise<{
  socket: WebSocket;
  messages: Record<string, unknown>[];
  next(t: string): Promise<Record<string, unknown>>;
  say(...messages: object[]): void;
}> {
  const socket = new WebSocket(url.replace('http', 'ws') + HANDS_PATH, SUBPROTOCOL);
  onTestFinished(() => socket.terminate());
  const { messages, next } = readMessages(socket);
  await once(socket, 'open');
  const say = (...said: object[]): void => socket.send(JSON.stringify(said));
  say({
    t: 'hello',
    protocol: PROTOCOL,
    name: 'raw',
    version: VERSION,
    instance: 'raw',
    capacity: 10,
    tasks: [{ name: 'echo', kind: 'task', hash: 'h' }],
    ...hello,
  });
  return {
    socket,
    messages,
    say,
    next,
  };
}

/** An owner that says what the test says. */
export async function rawOwner(): Promise<{
  url: string;
  hand: Promise<{ say(...messages: object[]): void; next(t: string, id?: string): Promise<object>; socket: WebSocket }>;
}> {
  const server = new WebSocketServer({ port: 0, host: '127.0.0.1' });
  onTestFinished(() => server.close());
  await once(server, 'listening');
  const hand = once(server, 'connection').then(([socket]: WebSocket[]) => {
    const { next } = readMessages(socket as WebSocket);
    const say = (...said: object[]): void => (socket as WebSocket).send(JSON.stringify(said));
    say({ t: 'welcome', protocol: PROTOCOL, version: VERSION, epoch: 1, beatMs: 10_000, maxValueBytes: 1000 });
    return { say, next, socket: socket as WebSocket };
  });
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, hand };
}

export const jobOf = (id: string, name: string, epoch = 1): object => ({
  t: 'job',
  id,
  epoch,
  use: { kind: 'task', name, hasSecrets: false },
  args: [null],
  context: {},
});

/** Passes bytes on until it is told to hold them. */
export async function createProxy(port: number): Promise<{ url: string; hold(): void; goOn(): void }> {
  const pairs = new Set<[Socket, Socket]>();
  let isHeld = false;
  const server = createServer({ pauseOnConnect: true }, (from) => {
    const to = connect(port, '127.0.0.1');
    pairs.add([from, to]);
    const set = (socket: Socket, other: Socket): void => {
      socket.on('data', (bytes) => other.write(bytes));
      socket.on('error', () => undefined);
      socket.on('close', () => isHeld || other.destroy());
      if (isHeld) socket.pause();
      else socket.resume();
    };
    set(from, to);
    set(to, from);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(() => {
    for (const [from, to] of pairs) {
      from.destroy();
      to.destroy();
    }
    server.close();
  });
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    hold() {
      isHeld = true;
      for (const pair of pairs) for (const socket of pair) socket.pause();
    },
    goOn() {
      isHeld = false;
      for (const pair of pairs)
        for (const [socket, other] of [pair, [...pair].reverse()] as [Socket, Socket][]) {
          if (other.destroyed) socket.destroy();
          else socket.resume();
        }
    },
  };
}
