import { once } from 'node:events';
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { bullmqChain } from './bullmq-chain.ts';
import { median, report } from './row.ts';
import { type BenchServer, startServer } from './servers/child.ts';
import { sqliteAlone } from './sqlite-alone.ts';

/*
 * The durable store under load, over HTTP, against SQLite alone, against queues of BullMQ, and against the memory store. What is
 * compared takes turns.
 */

const LINES = 100_000;
const BULLMQ_LINES = 5000;
const ROUNDS = 5;
const CONNECTIONS = 64;
const REQUESTS = 12_800;
const texts = Array.from({ length: LINES }, (_, n) => JSON.stringify({ sku: 'A-4711', quantity: 3, note: 'as soon as possible', n }));

const folder = mkdtempSync(join(tmpdir(), 'sluice-durable-'));
const inProcess = process.argv.includes('in-process') ? ['in-process'] : [];
const file = join(folder, 'sluice.db');
const durable = await startServer('http', ['sluice', file, ...inProcess]);
const memory = await startServer('http', ['sluice']);

async function post(server: BenchServer, path: string, type: string, body: string | Buffer): Promise<Response> {
  const response = await fetch(`http://127.0.0.1:${server.port}${path}`, { method: 'POST', headers: { 'content-type': type }, body });
  if (!response.ok) throw new Error(`answered ${response.status}: ${await response.text()}`);
  return response;
}

const body = Buffer.from(texts.map((text) => `${text}\n`).join(''));

/** Items a second, from the first byte of the upload to the last result on disk. */
async function drain(server: BenchServer): Promise<number> {
  const before = performance.now();
  const fed = await post(server, '/pipelines/p/feed', 'application/x-ndjson', body);
  const { feedId } = (await fed.json()) as { feedId: string };
  const waited = await post(server, `/pipelines/p/feeds/${feedId}/wait?timeoutSeconds=120`, 'application/json', '');
  const { completed } = (await waited.json()) as { completed: number };
  if (completed !== LINES) throw new Error(`${completed} of ${LINES} have completed`);
  return LINES / ((performance.now() - before) / 1000);
}

const one = Buffer.from(JSON.stringify({ items: [JSON.parse(texts[0] as string)] }));
const request = Buffer.concat([
  Buffer.from(
    `POST /pipelines/p/feed HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: ${one.length}\r\n\r\n`,
  ),
  one,
]);

async function ask(socket: Socket, count: number): Promise<void> {
  for (let i = 0; i < count; i++) {
    socket.write(request);
    const [chunk] = (await once(socket, 'data')) as [Buffer];
    if (chunk.subarray(9, 12).toString() !== '202') throw new Error(`answered ${chunk.toString()}`);
  }
}

/** Requests a second, one item each. */
async function feedSingly(server: BenchServer): Promise<number> {
  const sockets = await Promise.all(
    Array.from({ length: CONNECTIONS }, async () => {
      const socket = connect(server.port, '127.0.0.1');
      socket.setNoDelay(true);
      await once(socket, 'connect');
      return socket;
    }),
  );
  const before = performance.now();
  await Promise.all(sockets.map((socket) => ask(socket, REQUESTS / CONNECTIONS)));
  const seconds = (performance.now() - before) / 1000;
  for (const socket of sockets) socket.destroy();
  return REQUESTS / seconds;
}

interface Delay {
  p50: number;
  p99: number;
  max: number;
}

const ratios = { alone: [] as number[], feed: [] as number[], memory: [] as number[] };
const rates = { ours: [] as number[], bullmq: [] as number[] };
const delays: Delay[] = [];
const bytesBefore = statSync(file).size;
for (let round = 0; round <= ROUNDS; round++) {
  const alone = sqliteAlone(texts);
  await durable.tell('watch');
  const ours = await drain(durable);
  const delay = (await durable.tell('delay')) as Delay;
  const inMemory = await drain(memory);
  const singly = await feedSingly(durable);
  const singlyInMemory = await feedSingly(memory);
  process.stderr.write(
    `alone ${Math.round(alone)}/s, durable ${Math.round(ours)}/s, memory ${Math.round(inMemory)}/s; feeds ${Math.round(singly)}/s of ${Math.round(singlyInMemory)}/s; delay p50 ${delay.p50.toFixed(1)} p99 ${delay.p99.toFixed(1)} max ${delay.max.toFixed(1)} ms\n`,
  );
  if (round === 0) continue;
  ratios.alone.push(ours / alone);
  ratios.memory.push(ours / inMemory);
  ratios.feed.push(singly / singlyInMemory);
  rates.ours.push(ours);
  delays.push(delay);
}
const usage = { bytes: statSync(file).size - bytesBefore, items: (ROUNDS + 1) * (LINES + REQUESTS) };
const payload = Buffer.byteLength(texts[0] as string);
const bytesEach = usage.bytes / usage.items - payload;
await durable.stop();
await memory.stop();
rates.bullmq.push(await bullmqChain(texts.slice(0, BULLMQ_LINES)));
rmSync(folder, { recursive: true, force: true });

const ofBullmq = median(rates.ours) / median(rates.bullmq);
const p99 = median(delays.map((delay) => delay.p99));
report([
  {
    claim:
      'three durable no-op stages, fed as NDJSON until the last result is on disk: items a second, of better-sqlite3 alone inserting and updating the same rows',
    bar: '≥ 0.5',
    figure: median(ratios.alone).toFixed(2),
    holds: median(ratios.alone) >= 0.5,
  },
  {
    claim: 'the same, of three BullMQ queues on a local Redis (AOF everysec)',
    bar: '≥ 10',
    figure: ofBullmq.toFixed(1),
    holds: ofBullmq >= 10,
  },
  {
    claim: 'the same, of the memory store',
    bar: '',
    figure: median(ratios.memory).toFixed(2),
    holds: true,
  },
  {
    claim: `durable POST feed of one item, ${CONNECTIONS} connections: requests a second, of the memory store`,
    bar: '≥ 0.6',
    figure: median(ratios.feed).toFixed(2),
    holds: median(ratios.feed) >= 0.6,
  },
  {
    claim: 'the delay of the event loop while that NDJSON is worked off, p99',
    bar: '< 20 ms',
    figure: `${p99.toFixed(1)} ms`,
    holds: p99 < 20,
  },
  {
    claim: 'bytes on disk a finished item, beyond its payload',
    bar: '< 400',
    figure: String(Math.round(bytesEach)),
    holds: bytesEach < 400,
  },
]);
process.exit(0);
