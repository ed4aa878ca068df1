import { buildApp } from '../src/app.ts';
import { noopHost } from './noop-host.ts';
import { cpuMs, median, report } from './row.ts';
import { spread } from './turns.ts';

/*
 * `GET /metrics`: what a reading of 20 pipelines of 5 stages costs, and what it costs the engine that somebody reads while it works. Here that is
 * read every hundred milliseconds, far more often than anybody does, so that the difference can be seen; the rate is then that with one reading in ten seconds.
 */

const ITEMS = 20_000;
const ROUNDS = 13;
const READINGS = 60;
const EVERY_MS = 100;
const USUAL_MS = 10_000;

const host = noopHost(ITEMS);
const app = await buildApp({ bodyLimitBytes: 1024, uploadIdleSeconds: 15, shutdownTimeoutSeconds: 1, sseHeartbeatSeconds: 15 }, { host });
const items = Array.from({ length: ITEMS }, (_, i) => i);
const stages = Array.from({ length: 5 }, (_, i) => ({ name: `Stage ${i}`, workers: 10, tasks: ['noop', 'other'] }));
for (let i = 0; i < 20; i++) {
  await host.create({ id: `p${i}`, stages });
  await host.get(`p${i}`).run(items.slice(0, 1000), {});
}

async function read(): Promise<number> {
  const before = cpuMs();
  const { statusCode, body } = await app.inject({ method: 'GET', url: '/metrics' });
  if (statusCode !== 200 || !body.includes('sluice_task_duration_seconds_bucket{pipeline="p19",stage="Stage 4"')) throw new Error(body);
  return cpuMs() - before;
}

const readings: number[] = [];
for (let i = 0; i < 2 * READINGS; i++) {
  const cost = await read();
  if (i >= READINGS) readings.push(cost);
}

/** Processor time of so many items through five stages, and how often it was read meanwhile. */
async function work(isRead: boolean): Promise<{ cost: number; count: number }> {
  globalThis.gc?.();
  let count = 0;
  let reading: Promise<unknown> = Promise.resolve();
  const timer = setInterval(() => {
    if (!isRead) return;
    count++;
    reading = reading.then(read);
  }, EVERY_MS);
  const before = cpuMs();
  const { feedId } = await host.get('p0').feed(items, {});
  await host.get('p0').waitForFeed(feedId, {});
  clearInterval(timer);
  await reading;
  return { cost: cpuMs() - before, count };
}

const extra: number[] = [];
for (let round = 0; round < ROUNDS; round++) {
  const order = round % 2 === 0 ? [false, true] : [true, false];
  const costs = { quiet: 0, watched: 0 };
  let readings = 0;
  for (const isRead of order) {
    const { cost, count } = await work(isRead);
    costs[isRead ? 'watched' : 'quiet'] = cost;
    if (isRead) readings = count;
  }
  // The first rounds warm up.
  if (round >= 3 && readings > 0) extra.push((costs.watched - costs.quiet) / readings);
}
const usual = extra.map((ms) => 1 / (1 + Math.max(0, ms) / USUAL_MS));

report([
  {
    claim: 'GET /metrics over 20 pipelines of 5 stages with 2 tasks each: processor time in ms',
    bar: '< 20',
    figure: spread(readings, 1),
    holds: median(readings) < 20,
  },
  {
    claim: `five stages of two no-ops while it is read every ${USUAL_MS / 1000} s: rate, of that without`,
    bar: '≥ 0.99',
    figure: spread(usual, 4),
    holds: extra.length > 0 && median(usual) >= 0.99,
  },
]);
process.exit(0);
