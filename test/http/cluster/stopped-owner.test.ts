import { createServer, type Socket } from 'node:net';
import { describe, expect, it, onTestFinished } from 'vitest';
import { eventually } from '../sse-harness.ts';
import { type Member, startCluster } from './cluster-harness.ts';

/** Three nodes, for which an owner that takes connections and never answers owns first. `onRequest` is called when something has come on a connection, for the first time. */
async function stopped(takeoverWaitSeconds: number, onRequest: (socket: Socket) => void = () => undefined) {
  const all = await startCluster(3, { takeoverWaitSeconds });
  let requests = 0;
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined);
    socket.once('close', () => sockets.delete(socket));
    socket.once('data', () => {
      requests++;
      onRequest(socket);
    });
  });
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  const { port } = server.address() as { port: number };
  const b = all.members.b as Member;
  b.node.learn({ owner: { node: 'x', url: `http://127.0.0.1:${port}`, epoch: 0 } });
  return { ...all, b, sockets, requests: () => requests };
}

describe('a read that an owner has had, and not answered, for longer than a request waits', () => {
  it.each(['b', 'c'])('goes to the next one: %s', async (next) => {
    // An ownership is given up a second after the next one is known.
    const { cluster, ask, requests } = await stopped(0.5);
    const read = ask('b', 'GET', '/pipelines');
    await eventually(() => requests() === 1);
    await cluster.elect(next);
    expect((await read).status).toBe(200);
  });

  it('waits as long as any when nobody owns then', async () => {
    const { b, ask, requests, sockets } = await stopped(0.05);
    const read = ask('b', 'GET', '/pipelines');
    await eventually(() => requests() === 1);
    b.node.learn({ owner: null });
    for (const socket of sockets) socket.destroy();
    expect(await read).toMatchObject({ status: 503, body: { code: 'no-owner' } });
  });
});

describe('an owner that breaks off each time', () => {
  it('is asked for a read until the time is up, and once for a change', async () => {
    const { ask, requests } = await stopped(1, (socket) => void socket.destroy());
    expect(await ask('b', 'GET', '/pipelines')).toMatchObject({ status: 503, body: { code: 'no-owner' } });
    const reads = requests();
    expect(reads).toBeGreaterThan(1);
    expect((await ask('b', 'POST', '/pipelines/p/pause')).status).toBe(502);
    expect(requests()).toBe(reads + 1);
  });
});

describe('a body of which the owner had a part before it refused the request', () => {
  const ENDS = 'HTTP/1.1 503 Service Unavailable\r\nsluice-not-here: ends\r\ncontent-length: 5\r\nconnection: close\r\n\r\nended';
  const MIB = 1024 * 1024;

  /** An owner that ends, and says so once it has had so many bytes more than the first ones. */
  const refusing = (bytes: number) =>
    stopped(0.05, (socket) => {
      let got = 0;
      const refuse = (): void => void (got >= bytes && !socket.writableEnded && socket.end(ENDS));
      socket.on('data', (chunk: Buffer) => {
        got += chunk.length;
        refuse();
      });
      refuse();
    });

  it('is kept for the next one up to a mebibyte', async () => {
    const { ask, requests } = await refusing(MIB - 70_000);
    const { status, body } = await ask('b', 'POST', '/pipelines/p/feed', 'x'.repeat(MIB));
    expect([status, body.code, body.detail]).toEqual([
      ...[503, 'no-owner', 'no node serves: the owner x ends: it finishes what runs there, and takes nothing more'],
    ]);
    expect(requests()).toBe(1);
  });

  it('is not kept beyond that: the client has the refusal', async () => {
    const { ask, requests } = await refusing(MIB + 1);
    const { status, body, headers } = await ask('b', 'POST', '/pipelines/p/feed', 'x'.repeat(2 * MIB));
    expect([status, body, headers.get('sluice-not-here'), requests()]).toEqual([503, 'ended', null, 1]);
  });
});

describe('a node that has just come', () => {
  it('is not ready, and does not say that an owner is silent, until it knows who owns', async () => {
    const { cluster, ask, b } = await stopped(0.05);
    b.node.learn({ owner: null, isInformed: false });
    const ready = await ask('b', 'GET', '/readyz');
    const metric = async () => /^sluice_ready (.)$/m.exec((await ask('b', 'GET', '/metrics')).body)?.[1];
    expect(await metric()).toBe('0');
    expect([ready.status, ready.body.code, ready.body.detail]).toEqual([
      ...[503, 'no-owner', 'this node has not caught up with the log yet, and does not know who owns'],
    ]);
    const read = await ask('b', 'GET', '/pipelines');
    expect([read.status, read.body.code, read.body.detail, read.headers.get('retry-after')]).toEqual([
      ...[503, 'no-owner', 'this node has not caught up with the log yet, and does not know who owns', '2'],
    ]);
    expect((await ask('b', 'GET', '/livez')).status).toBe(200);
    await cluster.elect('c');
    b.node.learn({ isInformed: true });
    expect((await ask('b', 'GET', '/readyz')).body).toEqual({ status: 'ok', role: 'follower' });
    expect(await metric()).toBe('1');
    // The owner is lost later: it takes part in the takeover.
    b.node.learn({ owner: null });
    expect((await ask('b', 'GET', '/readyz')).status).toBe(200);
  });
});
