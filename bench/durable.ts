import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { bullmqChain } from './bullmq-chain.ts';
import { CONNECTIONS, drainRate, feedRate } from './feeding.ts';
import { median, report } from './row.ts';
import { startServer } from './servers/child.ts';
import { sqliteAlone } from './sqlite-alone.ts';

/*
 * The durable store under load, over HTTP, against SQLite alone, against queues of BullMQ, and against the memory store. What is
 * compared takes turns.
 */

const LINES = 100_000;
const BULLMQ_LINES = 5000;
const ROUNDS = 5;
const REQUESTS = 12_800;
const texts = Array.from({ length: LINES }, (_, n) => JSON.stringify({ sku: 'A-4711', quantity: 3, note: 'as soon as possible', n }));

const text = texts[0] as string;

const folder = mkdtempSync(join(tmpdir(), 'sluice-durable-'));
const inProcess = process.argv.includes('in-process') ? ['in-process'] : [];
const file = join(folder, 'sluice.db');
const durable = await startServer('http', ['sluice', file, ...inProcess]);
const memory = await startServer('http', ['sluice']);

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
  const ours = await drainRate(durable.port, texts);
  const delay = (await durable.tell('delay')) as Delay;
  const inMemory = await drainRate(memory.port, texts);
  const singly = await feedRate(durable.port, text, REQUESTS);
  const singlyInMemory = await feedRate(memory.port, text, REQUESTS);
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
const payload = Buffer.byteLength(text);
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
