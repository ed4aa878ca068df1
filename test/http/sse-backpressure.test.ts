import { once } from 'node:events';
import { connect as connectSocket, type Socket } from 'node:net';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { afterEach, describe, expect, it } from 'vitest';
import {
  connect,
  createFakeSource,
  createManualClock,
  eventually,
  type FakeSource,
  type Harness,
  type StreamClient,
  startHarness,
} from './sse-harness.ts';

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

const MIB = 1024 * 1024;
/** A step writes up to 64 KiB and one batch of at most 240 KiB; the socket asked for a pause at 64 KiB. */
const HELD_MAX = 0.5 * MIB;

let harness: Harness | undefined;
const clients: Socket[] = [];
afterEach(async () => {
  for (const socket of clients.splice(0)) socket.destroy();
  await harness?.stop();
  harness = undefined;
});

/** A client that sends its request and reads nothing. */
async function connectStalled(port: number, path = '/'): Promise<Socket> {
  const socket = connectSocket({ port, host: '127.0.0.1' });
  socket.pause();
  clients.push(socket);
  await once(socket, 'connect');
  socket.write(`GET ${path} HTTP/1.1\r\nHost: test\r\n\r\n`);
  return socket;
}

/**
 * Pushes so many MiB in events of 1 KiB, as fast as a reader that reads takes them; it is made here unless one is given. The others are
 * offered the same at that pace.
 */
async function pushMebibytes(source: FakeSource, mebibytes: number, given?: StreamClient): Promise<void> {
  const { port, attachment } = harness as Harness;
  (harness as Harness).attachment = {};
  const reader = given ?? (await connect(port));
  (harness as Harness).attachment = attachment;
  const filler = 'x'.repeat(1024);
  for (let sent = 0; sent < mebibytes; sent++) {
    source.push(...Array.from({ length: 1024 }, () => ({ data: { filler } })));
    await reader.until(() => reader.lastEventId === `e1-${source.newest}`);
    reader.events.length = 0;
  }
  if (given !== undefined) return;
  const before = (harness as Harness).hub.size;
  reader.destroy();
  await eventually(() => harness?.hub.size === before - 1);
}

/** Once the connection is full; the pace-making reader must have left it behind. */
const isHeldBack = (socket: Socket | undefined): boolean => socket?.writableNeedDrain === true;

const inUse = async (): Promise<number> => {
  // What a collection frees can free more, outside of the heap, in the next one.
  for (let round = 0; round < 3; round++) {
    collectGarbage();
    await new Promise((resolve) => setImmediate(resolve));
  }
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
};

/** The raw bytes of a chunked response, its chunks put together. */
function dechunk(raw: Buffer): { head: string; body: string } {
  const headEnd = raw.indexOf('\r\n\r\n') + 4;
  let body = '';
  for (let at = headEnd; at < raw.length; ) {
    const lineEnd = raw.indexOf('\r\n', at);
    const size = Number.parseInt(raw.toString('latin1', at, lineEnd), 16);
    if (size === 0) break;
    const end = lineEnd + 2 + size;
    body += raw.toString('utf8', lineEnd + 2, end);
    expect(raw.toString('latin1', end, end + 2)).toBe('\r\n');
    at = end + 2;
  }
  return { head: raw.toString('latin1', 0, headEnd), body };
}

describe('a reader that stops reading', () => {
  it('costs a bounded amount of memory, and neither the others nor the source wait for it', async () => {
    const source = createFakeSource({ kept: 2048 });
    harness = await startHarness(source);
    const stalled = 5;
    for (let count = 1; count <= stalled; count++) {
      await connectStalled(harness.port);
      await eventually(() => harness?.hub.size === count);
    }
    const reader = await connect(harness.port);
    await pushMebibytes(source, 2, reader);
    const before = await inUse();
    // Told of no gap, or the id would not be the next one: it got all while the others were held back.
    let next = source.newest + 1;
    let inOrder = 0;
    const check = (): boolean => {
      for (const { id } of reader.events.splice(0)) if (id === `e1-${next++}`) inOrder++;
      return reader.lastEventId === `e1-${source.newest}`;
    };
    const filler = 'x'.repeat(1024);
    for (let sent = 0; sent < 32; sent++) {
      source.push(...Array.from({ length: 1024 }, () => ({ data: { filler } })));
      await reader.until(check);
    }
    expect(inOrder).toBe(32 * 1024);
    for (const socket of harness.sockets.slice(0, stalled)) {
      expect(isHeldBack(socket)).toBe(true);
      expect(socket.writableLength).toBeLessThan(HELD_MAX);
    }
    expect((await inUse()) - before).toBeLessThan(16 * MIB);
  }, 60_000);

  it('goes on after a gap when it reads again, with one head, and no event twice', async () => {
    const source = createFakeSource({ kept: 1024 });
    harness = await startHarness(source);
    const socket = await connectStalled(harness.port);
    await eventually(() => harness?.hub.size === 1);
    await pushMebibytes(source, 24);
    expect(isHeldBack(harness.sockets[0])).toBe(true);
    await pushMebibytes(source, 4);
    const received: Buffer[] = [];
    socket.on('data', (chunk) => received.push(chunk));
    socket.resume();
    const lastFrame = `id: e1-${source.newest}\n`;
    await eventually(() => Buffer.concat(received.slice(-3)).includes(lastFrame));
    void harness.hub.close();
    await once(socket, 'end');
    const raw = Buffer.concat(received);
    expect(raw.toString('latin1').match(/HTTP\/1\.1 200/g)).toHaveLength(1);
    const { body } = dechunk(raw);
    const steps = body.match(/^(id: e1-\d+\nevent|event: gap\ndata: .*)/gm) ?? [];
    let next = 1;
    let gaps = 0;
    for (const step of steps) {
      const gap = /data: (.*)/.exec(step)?.[1];
      if (gap !== undefined) {
        gaps++;
        const { missed, oldest } = JSON.parse(gap);
        expect(missed).toBe(Number(oldest.split('-')[1]) - next);
        next += missed;
      } else {
        expect(step).toBe(`id: e1-${next}\nevent`);
        next++;
      }
    }
    expect(gaps).toBeGreaterThan(0);
    expect(harness.hub.counts).toMatchObject({ gaps, evictions: 0 });
    expect(next).toBe(source.newest + 1);
    expect(body.endsWith('event: bye\ndata: {}\n\n')).toBe(true);
  }, 60_000);

  it('is forgotten when its connection closes meanwhile', async () => {
    const source = createFakeSource({ kept: 1024 });
    harness = await startHarness(source);
    const { hub, sockets } = harness;
    const socket = await connectStalled(harness.port);
    await eventually(() => hub.size === 1);
    await pushMebibytes(source, 16);
    expect(isHeldBack(sockets[0])).toBe(true);
    socket.destroy();
    await eventually(() => hub.size === 0);
    expect(source.subscribers).toBe(0);
    await hub.close();
  });

  it('is not taken for one that has gone: it is cut off after 30 s, not before', async () => {
    const clock = createManualClock();
    const source = createFakeSource({ kept: 1024 });
    harness = await startHarness(source, { clock });
    const { hub, sockets } = harness;
    await connectStalled(harness.port);
    const reader = await connect(harness.port);
    await eventually(() => hub.size === 2);
    await pushMebibytes(source, 24, reader);
    expect(isHeldBack(sockets[0])).toBe(true);
    clock.advance(29_999);
    expect(hub.size).toBe(2);
    clock.advance(1);
    await eventually(() => hub.size === 1);
    expect(hub.counts).toEqual({ opened: 2, gaps: 0, evictions: 1 });
    source.pushMany(1);
    await reader.until(() => reader.lastEventId === `e1-${source.newest}`);
  });

  it('is sent no snapshot and no heartbeat while it is held back', async () => {
    const clock = createManualClock();
    const source = createFakeSource({ kept: 1024 });
    harness = await startHarness(source, { clock });
    let made = 0;
    harness.attachment = { snapshots: { view: { subject: {}, read: async () => [{ made: ++made }] }, seconds: 1 } };
    const { hub, sockets } = harness;
    await connectStalled(harness.port);
    await eventually(() => hub.size === 1);
    await pushMebibytes(source, 16);
    expect(isHeldBack(sockets[0])).toBe(true);
    const held = sockets[0]?.writableLength;
    clock.advance(15_000);
    await new Promise((resolve) => setImmediate(resolve));
    expect([made, sockets[0]?.writableLength]).toEqual([0, held]);
  });

  it('does not keep the hub from closing: what it does not take in 2 s is cut off', async () => {
    const clock = createManualClock();
    const source = createFakeSource({ kept: 1024 });
    harness = await startHarness(source, { clock });
    const { hub, sockets } = harness;
    await connectStalled(harness.port);
    await eventually(() => hub.size === 1);
    await pushMebibytes(source, 16);
    expect(isHeldBack(sockets[0])).toBe(true);
    const closed = hub.close();
    clock.advance(1999);
    expect(hub.size).toBe(1);
    clock.advance(1);
    await closed;
    expect([hub.size, clock.timers]).toEqual([0, 0]);
  });

  it('gets its events, then bye, when it reads again before the end', async () => {
    const source = createFakeSource({ kept: 20_480 });
    harness = await startHarness(source);
    const { hub, sockets } = harness;
    const reader = await connect(harness.port);
    reader.pause();
    await pushMebibytes(source, 16);
    expect(isHeldBack(sockets[0])).toBe(true);
    const closed = hub.close();
    reader.resume();
    await closed;
    await reader.until(() => reader.ended);
    expect(reader.ids.length).toBe(16 * 1024);
    expect(reader.events.at(-1)?.event).toBe('bye');
  });
});
