import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { startOwnPostgres } from '../../test/cluster/postgres-binaries.ts';
import { type BenchRow, median } from '../row.ts';
import { type Service, startService } from '../servers/service.ts';
import { spread } from '../turns.ts';
import { folderOfWork, LEASE_SECONDS, nodeEnv, ON_DISK } from './setup.ts';

const QUEUED = Number(process.env.QUEUED ?? 100_000);
const ROUNDS = Number(process.env.ROUNDS ?? 5);
/** Between two questions while nobody serves. */
const AGAIN_MS = 5;

/**
 * How long nobody takes an item when the owner is killed, and when it is asked to end, while 100 000 items are queued and two run. From the signal until the
 * first feed that the other node answers with a 202.
 */
export async function takeoverRows(): Promise<BenchRow[]> {
  const folder = mkdtempSync(join(ON_DISK, 'sluice-bench-'));
  const work = folderOfWork(folder);
  const postgres = await startOwnPostgres({}, ON_DISK);
  // Answers at once when nobody serves, so that the instant at which somebody does is seen.
  const start = (name: string): Promise<Service> =>
    startService({ ...work, ...nodeEnv(postgres.url, folder, name), TAKEOVER_WAIT_SECONDS: '0.01' });
  let owner = await start('node-0');
  try {
    await owner.logged('the pipelines go on here');
    await feed(owner, 'queue', QUEUED);
    const gaps = { SIGKILL: [] as number[], SIGTERM: [] as number[] };
    for (let round = 1; round <= 2 * ROUNDS; round++) {
      const signal = round % 2 === 0 ? 'SIGTERM' : 'SIGKILL';
      const next = await start(`node-${round}`);
      await caughtUp(next);
      const before = performance.now();
      const ended = owner.end(signal);
      // What comes before the process has heard of the signal would be answered by it.
      if (signal === 'SIGKILL') await ended;
      else await owner.logged('shutting down');
      await served(next);
      const seconds = (performance.now() - before) / 1000;
      gaps[signal].push(seconds);
      await ended;
      const queued = await queuedAt(next);
      process.stderr.write(`${signal}: ${seconds.toFixed(3)} s, ${queued} items queued\n`);
      if (queued < 0.9 * QUEUED) throw new Error(`only ${queued} items were queued`);
      owner = next;
    }
    const [killed, asked] = [median(gaps.SIGKILL), median(gaps.SIGTERM)];
    return [
      {
        claim: `${QUEUED} items queued, the owner is killed: until another node has accepted an item, with a lease of ${LEASE_SECONDS} s`,
        bar: `≤ ${LEASE_SECONDS + 1} s`,
        figure: `${spread(gaps.SIGKILL)} s`,
        holds: killed <= LEASE_SECONDS + 1,
      },
      {
        claim: 'the same when the owner is asked to end',
        bar: '≤ 0.5 s',
        figure: `${spread(gaps.SIGTERM)} s`,
        holds: asked <= 0.5,
      },
    ];
  } finally {
    await owner.end('SIGKILL');
    await postgres.dispose();
    rmSync(folder, { recursive: true, force: true });
  }
}

async function feed({ url }: Service, pipeline: string, count: number): Promise<void> {
  const body = Array.from({ length: count }, (_, n) => `${JSON.stringify({ sku: 'A-4711', quantity: 3, n })}\n`).join('');
  const answer = await fetch(`${url}/pipelines/${pipeline}/feed`, {
    method: 'POST',
    headers: { 'content-type': 'application/x-ndjson' },
    body,
  });
  if (answer.status !== 202) throw new Error(`answered ${answer.status}: ${await answer.text()}`);
  await answer.text();
}

/** Resolves when this node has accepted an item. */
async function served({ url }: Service): Promise<void> {
  for (;;) {
    const init = { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{"items":[1]}' };
    const answer = await fetch(`${url}/pipelines/p/feed`, init);
    await answer.text();
    if (answer.status === 202) return;
    if (answer.status !== 502 && answer.status !== 503) throw new Error(`answered ${answer.status}`);
    await new Promise((resolve) => setTimeout(resolve, AGAIN_MS));
  }
}

/** Resolves when a node that follows has all that the log has. */
async function caughtUp({ url }: Service): Promise<void> {
  for (;;) {
    const text = await (await fetch(`${url}/metrics`)).text();
    if (/^sluice_cluster_lag_seconds 0$/m.test(text)) return;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
}

async function queuedAt({ url }: Service): Promise<number> {
  const stats = (await (await fetch(`${url}/pipelines/queue/stats`)).json()) as { itemsInFlight: number };
  return stats.itemsInFlight;
}
