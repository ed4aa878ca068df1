import { monitorEventLoopDelay } from 'node:perf_hooks';
import { Pipeline } from '../src/engine/index.ts';
import { median, report } from './row.ts';

/* Ten thousand parked retries, and ten thousand running attempts with a timeout each: what the event loop feels of them. */

const COUNT = 10_000;
const WATCH_MS = 3000;
const ROUNDS = 5;

/** p99 of the event loop's delay, in milliseconds, above the resolution of the watch. */
async function delayWhile(): Promise<number> {
  const watch = monitorEventLoopDelay({ resolution: 1 });
  watch.enable();
  await new Promise((resolve) => setTimeout(resolve, WATCH_MS));
  watch.disable();
  return watch.percentile(99) / 1e6;
}

async function settled(pipeline: Pipeline, isReady: () => boolean): Promise<void> {
  while (!isReady()) await new Promise((resolve) => setImmediate(resolve));
  globalThis.gc?.();
  await new Promise((resolve) => setTimeout(resolve, 200));
  if (pipeline.getStats().itemsInFlight !== COUNT) throw new Error('the items are not where they should be');
}

async function retries(): Promise<number> {
  const pipeline = new Pipeline({
    stages: [
      {
        name: 'Retry',
        workers: 100,
        taskAttempts: 1000,
        taskWaitSeconds: 2,
        jitter: 0.9,
        tasks: [() => Promise.reject(new Error('again'))],
      },
    ],
  });
  await pipeline.start();
  await pipeline.feed(Array.from({ length: COUNT }, (_, i) => i));
  await settled(pipeline, () => pipeline.getStats().statusCounts.retrying === COUNT);
  const delay = await delayWhile();
  await pipeline.shutdown('force');
  return delay;
}

async function timeouts(): Promise<number> {
  const pipeline = new Pipeline({
    stages: [{ name: 'Wait', workers: COUNT, taskTimeoutSeconds: 60, tasks: [() => new Promise(() => undefined)] }],
  });
  await pipeline.start();
  await pipeline.feed(Array.from({ length: COUNT }, (_, i) => i));
  await settled(pipeline, () => pipeline.getStats().statusCounts.in_progress === COUNT);
  const delay = await delayWhile();
  await pipeline.shutdown('force');
  return delay;
}

const added = { retries: [] as number[], timeouts: [] as number[] };
for (let round = 0; round < ROUNDS; round++) {
  const quiet = await delayWhile();
  added.retries.push((await retries()) - quiet);
  added.timeouts.push((await timeouts()) - quiet);
}
const byRetries = median(added.retries);
const byTimeouts = median(added.timeouts);
report([
  {
    claim: '10 000 waiting retries (about 5 000 of them due a second): event-loop delay added at p99',
    bar: '≤ 1 ms',
    figure: `${byRetries.toFixed(2)} ms`,
    holds: byRetries <= 1,
  },
  {
    claim: '10 000 running attempts with a timeout: event-loop delay added at p99',
    bar: '≤ 1 ms',
    figure: `${byTimeouts.toFixed(2)} ms`,
    holds: byTimeouts <= 1,
  },
]);
