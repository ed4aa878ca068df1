/** A TCP proxy before PostgreSQL that cuts, stalls, swallows, and tells what passes. */
import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';

const NOTIFICATION = 'A'.charCodeAt(0);

/** Sees what a client sends, and decides. */
export type OnRequest = (bytes: Buffer, connection: ProxiedConnection) => 'pass' | 'cut';

export class ProxiedConnection {
  readonly client: Socket;
  readonly server: Socket;
  /** Answers are kept back; nothing says so. */
  isMute = false;
  /** The connection ends where the next answer would go out. */
  isCutAtAnswer = false;
  /** Bytes of it were lost, so it is worth nothing any more. */
  isLost = false;
  private rest = Buffer.alloc(0);

  constructor(client: Socket, port: number) {
    this.client = client;
    this.server = connect(port, '127.0.0.1');
  }

  cut(): void {
    this.client.destroy();
    this.server.destroy();
  }

  /** Leaves out the messages that tell of an append. Each message is a letter and a length that includes itself. */
  withoutNotifications(bytes: Buffer): Buffer {
    let rest = Buffer.concat([this.rest, bytes]);
    const kept: Buffer[] = [];
    while (rest.length >= 5 && rest.length >= 1 + rest.readUInt32BE(1)) {
      const length = 1 + rest.readUInt32BE(1);
      if (rest[0] !== NOTIFICATION) kept.push(rest.subarray(0, length));
      rest = rest.subarray(length);
    }
    this.rest = rest;
    return Buffer.concat(kept);
  }
}

export class PostgresProxy {
  readonly connections = new Set<ProxiedConnection>();
  onRequest: OnRequest = () => 'pass';
  swallowsNotifications = false;
  /** No bytes pass, in either direction, and no connection is answered; nobody is told. */
  isCutOff = false;
  accepted = 0;
  readonly url: string;
  private readonly server: Server;

  private constructor(server: Server, url: string) {
    this.server = server;
    this.url = url;
  }

  /** `host`: where it listens. */
  static async before(url: string, host = '127.0.0.1'): Promise<PostgresProxy> {
    const place = new URL(url);
    const port = Number(place.port === '' ? 5432 : place.port);
    const server = createServer();
    server.listen(0, host);
    await once(server, 'listening');
    place.hostname = host;
    place.port = String((server.address() as { port: number }).port);
    const proxy = new PostgresProxy(server, place.href);
    server.on('connection', (client) => proxy.accept(new ProxiedConnection(client, port)));
    return proxy;
  }

  cutAll(): void {
    for (const connection of this.connections) connection.cut();
  }

  async close(): Promise<void> {
    this.cutAll();
    this.server.close();
    await once(this.server, 'close');
  }

  private accept(connection: ProxiedConnection): void {
    this.accepted++;
    this.connections.add(connection);
    const { client, server } = connection;
    client.on('data', (bytes) => {
      if (this.isCutOff) connection.isLost = true;
      else if (connection.isLost) connection.cut();
      else if (this.onRequest(bytes, connection) === 'cut') connection.cut();
      else server.write(bytes);
    });
    server.on('data', (bytes) => {
      if (this.isCutOff) connection.isLost = true;
      else if (connection.isLost || connection.isCutAtAnswer) connection.cut();
      else if (!connection.isMute) client.write(this.swallowsNotifications ? connection.withoutNotifications(bytes) : bytes);
    });
    for (const [socket, other] of [
      [client, server],
      [server, client],
    ] as const) {
      socket.on('error', () => undefined);
      socket.on('close', () => {
        other.destroy();
        this.connections.delete(connection);
      });
    }
  }
}
