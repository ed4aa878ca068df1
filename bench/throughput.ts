import fastq from 'fastq';
import PQueue from 'p-queue';
import { Pipeline } from '../src/engine/index.ts';
import { type BenchRow, cpuMs, median, report } from './row.ts';

/*
 * Three stages of one no-op task, ten workers each. What the others do is less: they track nothing, keep no result,
 * know no retry and no priority. Rounds are interleaved, and the ratios are of CPU time within one round. The no-op is
 * measured as a plain function, and as an async one, whose promises cost everybody something.
 */

const ITEMS = 200_000;
const WORKERS = 10;
const ROUNDS = 7;
type Task = (value: number) => number | Promise<number>;
const payloads = Array.from({ length: ITEMS }, (_, i) => i);

function sluice(noop: Task): () => Promise<void> {
  const pipeline = new Pipeline({
    backlogCapacity: ITEMS,
    stages: ['A', 'B', 'C'].map((name) => ({ name, workers: WORKERS, tasks: [noop] })),
  });
  return async () => {
    await pipeline.start();
    await pipeline.feed(payloads);
    await pipeline.join();
  };
}

async function bareLoop(noop: Task): Promise<void> {
  let next = 0;
  const loop = async (): Promise<void> => {
    while (next < ITEMS) {
      const value = payloads[next++] as number;
      const first = await noop(value);
      const second = await noop(first);
      await noop(second);
    }
  };
  await Promise.all(Array.from({ length: WORKERS }, loop));
}

async function fastqChain(noop: Task): Promise<void> {
  const c = fastq.promise(async (value: number) => noop(value), WORKERS);
  const b = fastq.promise(async (value: number) => void c.push(await noop(value)), WORKERS);
  const a = fastq.promise(async (value: number) => void b.push(await noop(value)), WORKERS);
  for (const value of payloads) void a.push(value);
  await a.drained();
  await b.drained();
  await c.drained();
}

async function pQueueChain(noop: Task): Promise<void> {
  const [a, b, c] = [1, 2, 3].map(() => new PQueue({ concurrency: WORKERS })) as [PQueue, PQueue, PQueue];
  for (const value of payloads) {
    void a.add(async () => {
      const first = await noop(value);
      void b.add(async () => {
        const second = await noop(first);
        void c.add(async () => noop(second));
      });
    });
  }
  await a.onIdle();
  await b.onIdle();
  await c.onIdle();
}

async function cost(run: () => Promise<void>): Promise<number> {
  globalThis.gc?.();
  const before = cpuMs();
  await run();
  return cpuMs() - before;
}

async function compare(what: string, noop: Task): Promise<BenchRow[]> {
  const ratios = { bare: [] as number[], fastq: [] as number[], pQueue: [] as number[] };
  const rates: number[] = [];
  const own = sluice(noop);
  for (let round = 0; round <= ROUNDS; round++) {
    const bare = await cost(() => bareLoop(noop));
    const ours = await cost(own);
    const viaFastq = await cost(() => fastqChain(noop));
    const viaPQueue = await cost(() => pQueueChain(noop));
    // The first round warms all of them up.
    if (round === 0) continue;
    ratios.bare.push(bare / ours);
    ratios.fastq.push(viaFastq / ours);
    ratios.pQueue.push(viaPQueue / ours);
    rates.push(ITEMS / ours);
  }
  process.stderr.write(`${what}: ${Math.round(median(rates))} items per CPU millisecond\n`);
  const row = (than: string, bar: number, values: readonly number[]): BenchRow => ({
    claim: `three stages of ${what}, ten workers each, everything tracked: rate, of ${than}`,
    bar: `≥ ${bar}`,
    figure: median(values).toFixed(3),
    holds: median(values) >= bar,
  });
  return [
    row('a bare loop of three awaits', 0.12, ratios.bare),
    row('three fastq.promise queues', 1.2, ratios.fastq),
    row('three p-queues', 4, ratios.pQueue),
  ];
}

report([...(await compare('a no-op', (value) => value)), ...(await compare('an async no-op', async (value) => value))]);
