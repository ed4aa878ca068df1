import fastq from 'fastq';
import PQueue from 'p-queue';
import type * as Engine from '../../src/engine/index.ts';
import { cpuMs } from '../row.ts';
import { ready } from './ready.ts';
import { load } from './sources.ts';

/*
 * Items through three no-op steps, ten at a time in each:
 *
 *   chain.ts sluice plain|async [ROOT]   the engine, this one or that of the checkout in ROOT
 *   chain.ts bare|fastq|p-queue plain|async
 *
 * The no-op is a plain function, or an async one, whose promises cost everybody something. Each `round` is answered with its milliseconds of CPU.
 */

const ITEMS = 200_000;
const WORKERS = 10;
const [contestant = 'sluice', kind = 'plain', root] = process.argv.slice(2);
const payloads = Array.from({ length: ITEMS }, (_, i) => i);
type Task = (value: number) => number | Promise<number>;
const noop: Task = kind === 'async' ? async (value) => value : (value) => value;

async function sluice(): Promise<() => Promise<void>> {
  const { Pipeline } = await load<typeof Engine>('src/engine/index.ts', root);
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

async function bareLoop(): Promise<void> {
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

async function fastqChain(): Promise<void> {
  const c = fastq.promise(async (value: number) => noop(value), WORKERS);
  const b = fastq.promise(async (value: number) => void c.push(await noop(value)), WORKERS);
  const a = fastq.promise(async (value: number) => void b.push(await noop(value)), WORKERS);
  for (const value of payloads) void a.push(value);
  await a.drained();
  await b.drained();
  await c.drained();
}

async function pQueueChain(): Promise<void> {
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

const others: Record<string, () => Promise<void>> = { bare: bareLoop, fastq: fastqChain, 'p-queue': pQueueChain };
const run = others[contestant] ?? (await sluice());
ready(0, async () => {
  globalThis.gc?.();
  const before = cpuMs();
  await run();
  return cpuMs() - before;
});
