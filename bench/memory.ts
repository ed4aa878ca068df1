import { Pipeline } from '../src/engine/index.ts';
import { cpuMs, median, report } from './row.ts';

/* What a queued item costs, and that draining many costs no more per item than draining few. */

const MANY = 1_000_000;
const FEW = 10_000;
const ROUNDS = 3;

function build(): Pipeline {
  return new Pipeline({
    backlogCapacity: MANY,
    stages: ['A', 'B', 'C'].map((name) => ({ name, workers: 10, tasks: [(value: number) => value] })),
  });
}

/** In batches, as a stream of lines comes in. */
async function fill(pipeline: Pipeline, count: number, priorities: number): Promise<void> {
  const batch = 1000;
  for (let i = 0; i < count; i += batch) {
    const items = Array.from({ length: batch }, (_, k) => i + k);
    await pipeline.feed(items, { priority: (i / batch) % priorities });
  }
}

function heapBytes(): number {
  globalThis.gc?.();
  return process.memoryUsage().heapUsed + process.memoryUsage().arrayBuffers;
}

async function bytesPerItem(): Promise<number> {
  const pipeline = build();
  const before = heapBytes();
  await fill(pipeline, MANY, 1);
  const bytes = (heapBytes() - before) / MANY;
  await pipeline.shutdown('force');
  return bytes;
}

/** Items per CPU millisecond. */
async function drainRate(count: number, repeat: number, priorities: number): Promise<number> {
  let spent = 0;
  const pipeline = build();
  for (let i = 0; i < repeat; i++) {
    await fill(pipeline, count, priorities);
    globalThis.gc?.();
    const before = cpuMs();
    await pipeline.start();
    await pipeline.join();
    spent += cpuMs() - before;
  }
  return (count * repeat) / spent;
}

const bytes = await bytesPerItem();
await drainRate(FEW, 50, 1);
const ratios = { one: [] as number[], thousand: [] as number[] };
for (let round = 0; round < ROUNDS; round++) {
  const few = await drainRate(FEW, 30, 1);
  ratios.one.push((await drainRate(MANY, 1, 1)) / few);
  const fewMixed = await drainRate(FEW, 30, 1000);
  ratios.thousand.push((await drainRate(MANY, 1, 1000)) / fewMixed);
}
const one = median(ratios.one);
const thousand = median(ratios.thousand);
report([
  { claim: 'a million queued items: bytes an item above its payload', bar: '≤ 400', figure: bytes.toFixed(0), holds: bytes <= 400 },
  { claim: 'draining a million items: rate, of draining 10 000', bar: '≥ 0.8', figure: one.toFixed(2), holds: one >= 0.8 },
  {
    claim: 'the same with 1 000 distinct priorities (10 for the 10 000)',
    bar: '≥ 0.8',
    figure: thousand.toFixed(2),
    holds: thousand >= 0.8,
  },
]);
