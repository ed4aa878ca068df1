import { type AddressInfo, createServer, type Socket } from 'node:net';
import { onTestFinished } from 'vitest';

export interface RawServer {
  origin: string;
  port: number;
  connections: () => number;
}

/** A server on loopback that says what it is told to, HTTP or not, once a request has come: `answer` has the socket. It ends with its test. */
export async function serveRaw(answer: (socket: Socket) => void): Promise<RawServer> {
  const sockets = new Set<Socket>();
  let connections = 0;
  const server = createServer((socket) => {
    connections++;
    sockets.add(socket);
    // The other side gives up when it likes.
    socket.on('error', () => undefined);
    socket.on('data', () => answer(socket));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(async () => {
    const closed = new Promise<void>((resolve) => server.close(() => resolve()));
    for (const socket of sockets) socket.destroy();
    await closed;
  });
  const { port } = server.address() as AddressInfo;
  return { origin: `http://127.0.0.1:${port}`, port, connections: () => connections };
}

/** An answer as it goes over the wire; the length is told unless the headers do. */
export function wire(headers: readonly string[], body: string | Buffer = '', status = '200 OK'): Buffer {
  const told = headers.some((header) => /^(?:content-length|transfer-encoding):/i.test(header));
  const head = [`HTTP/1.1 ${status}`, ...headers, ...(told ? [] : [`content-length: ${Buffer.byteLength(body)}`]), '', ''].join('\r\n');
  return Buffer.concat([Buffer.from(head, 'latin1'), Buffer.from(body)]);
}
