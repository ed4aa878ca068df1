/** A TCP proxy before a service that breaks connections: after so many bytes of a request, of an answer, or when it is told to. */
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { onTestFinished } from 'vitest';

export interface Cut {
  /** The connection breaks when so many bytes have gone to the service, or have come from it. */
  up?: number;
  down?: number;
}

export interface CuttingProxy {
  readonly url: string;
  /** Each breaks one connection, in this order: the first that comes as far as it says. */
  readonly cuts: Cut[];
  /** Connections that were accepted. */
  readonly accepted: number;
  cutAll(): void;
  /** Nothing comes from the service any more on the connections that are there, and nobody is told. */
  muteAll(): void;
}

export async function cuttingProxy(to: string, cuts: Cut[] = []): Promise<CuttingProxy> {
  const { port } = new URL(to);
  const pairs = new Set<{ client: Socket; service: Socket; isMute: boolean }>();
  let accepted = 0;
  const server = createServer((client) => {
    accepted++;
    const service = connect(Number(port), '127.0.0.1');
    const pair = { client, service, isMute: false };
    pairs.add(pair);
    const passed = { up: 0, down: 0 };
    let isCut = false;
    const pass = (direction: 'up' | 'down', bytes: Buffer, target: Socket): void => {
      if (isCut) return;
      passed[direction] += bytes.length;
      const limit = cuts[0]?.[direction];
      if (limit !== undefined && passed[direction] > limit) {
        cuts.shift();
        isCut = true;
        const rest = bytes.length - (passed[direction] - limit);
        if (rest > 0) target.write(bytes.subarray(0, rest));
        // What was passed on still arrives.
        target.end();
        client.destroy();
      } else if (direction === 'up' || !pair.isMute) target.write(bytes);
    };
    client.on('data', (bytes) => pass('up', bytes, service));
    service.on('data', (bytes) => pass('down', bytes, client));
    for (const [socket, other] of [
      [client, service],
      [service, client],
    ] as const) {
      socket.on('error', () => undefined);
      socket.on('close', () => {
        other.end();
        pairs.delete(pair);
      });
    }
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const cutAll = (): void => {
    for (const { client, service } of pairs) {
      client.destroy();
      service.destroy();
    }
  };
  onTestFinished(() => {
    cutAll();
    server.close();
  });
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    cuts,
    get accepted() {
      return accepted;
    },
    cutAll,
    muteAll() {
      for (const pair of pairs) pair.isMute = true;
    },
  };
}
