import { Pipeline } from '../src/engine/index.ts';
import { cpuMs, median, report } from './row.ts';

/* One item at a time through three idle stages; and what a hundred idle workers cost. */

const noop = async (value: number): Promise<number> => value;
const SAMPLES = 5000;
const IDLE_MS = 5000;

const pipeline = new Pipeline({ stages: ['A', 'B', 'C'].map((name) => ({ name, workers: 1, tasks: [noop] })) });
await pipeline.start();
const micros: number[] = [];
for (let i = 0; i < SAMPLES; i++) {
  const before = performance.now();
  await pipeline.run([i]);
  micros.push((performance.now() - before) * 1000);
}
await pipeline.shutdown();
const typical = median(micros.slice(SAMPLES / 5));

const idle = new Pipeline({ stages: ['A', 'B'].map((name) => ({ name, workers: 50, tasks: [noop] })) });
await idle.start();
await idle.run(Array.from({ length: 1000 }, (_, i) => i));
globalThis.gc?.();
await new Promise((resolve) => setTimeout(resolve, 500));
const before = cpuMs();
await new Promise((resolve) => setTimeout(resolve, IDLE_MS));
const share = ((cpuMs() - before) / IDLE_MS) * 100;
await idle.shutdown();

report([
  { claim: 'one item through three no-op stages: median', bar: '< 50 µs', figure: `${typical.toFixed(1)} µs`, holds: typical < 50 },
  { claim: 'a hundred idle workers: share of one core', bar: '< 0.5 %', figure: `${share.toFixed(2)} %`, holds: share < 0.5 },
]);
