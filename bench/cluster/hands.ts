import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { drainRate } from '../feeding.ts';
import { type BenchRow, median } from '../row.ts';
import { startServer } from '../servers/child.ts';
import { type Service, startService } from '../servers/service.ts';
import { ratios, spread } from '../turns.ts';
import { folderOfWork, startHand } from './setup.ts';

const ROUNDS = Number(process.env.ROUNDS ?? 7);
const JOBS_AN_ITEM = 3;
const NOOPS = 20_000;
const WAITS_A_HAND = 4000;
const BURNS = 200;
const WORKERS_A_HAND = 10;
const COUNTS = [1, 2, 4] as const;

const textsOf = (count: number): string[] => Array.from({ length: count }, (_, n) => JSON.stringify({ sku: 'A-4711', quantity: 3, n }));

/** A service that keeps nothing, with so many hands, which are processes of their own. */
async function withHands(work: Record<string, string>, count: number): Promise<{ owner: Service; end(): Promise<void> }> {
  const owner = await startService({ ...work, STORE_URL: 'memory:' });
  const hands = await Promise.all(
    Array.from({ length: count }, (_, n) => startHand(work, owner, `hand-${n}`, { HAND_CAPACITY: String(WORKERS_A_HAND) })),
  );
  await owner.logged('a hand has connected', count);
  const change = await fetch(`${owner.url}/pipelines/wait/stages/Wait`, {
    method: 'PATCH',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ workers: WORKERS_A_HAND * Math.max(1, count) }),
  });
  if (!change.ok) throw new Error(`answered ${change.status}: ${await change.text()}`);
  return { owner, end: async () => void (await Promise.all([owner, ...hands].map((each) => each.end('SIGKILL')))) };
}

async function cpuOf({ owner }: { owner: Service }): Promise<number> {
  const before = await owner.cpuMs();
  await drainRate(owner.port, textsOf(NOOPS));
  return (await owner.cpuMs()) - before;
}

/** What a job on a hand costs the owner, and what more hands give. One owner for each number of hands; they take turns. */
export async function handRows(): Promise<BenchRow[]> {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-bench-'));
  const work = folderOfWork(folder);
  const none = await withHands(work, 0);
  const [one, two, four] = await Promise.all(COUNTS.map((count) => withHands(work, count)));
  const burn = join(folder, 'tasks', 'burn.mjs');
  const bare = await Promise.all([0, 1].map(() => startServer('burn', [burn, String(BURNS / 2)])));
  const all = [none, one, two, four] as [typeof none, typeof none, typeof none, typeof none];
  try {
    const extraUs: number[] = [];
    const waits = COUNTS.map(() => [] as number[]);
    const burns = { alone: [] as number[], onTwo: [] as number[] };
    const gains: number[] = [];
    for (let round = 0; round <= ROUNDS; round++) {
      const [local, handed] = [await cpuOf(all[0]), await cpuOf(all[1])];
      const rates: number[] = [];
      for (const [i, count] of COUNTS.entries())
        rates.push(await drainRate((all[i + 1] as typeof none).owner.port, textsOf(WAITS_A_HAND * count), 'wait'));
      const alone = await drainRate(all[0].owner.port, textsOf(BURNS), 'burn');
      const onTwo = await drainRate(all[2].owner.port, textsOf(BURNS), 'burn');
      const before = performance.now();
      await Promise.all(bare.map((each) => each.tell('round')));
      const ofBoth = performance.now() - before;
      for (let half = 0; half < 2; half++) await bare[0]?.tell('round');
      const gain = (performance.now() - before - ofBoth) / ofBoth;
      process.stderr.write(
        `CPU ms of the owner: ${local.toFixed(0)}, with a hand ${handed.toFixed(0)}; waits/s ${rates.map(Math.round)}; burns/s ${alone.toFixed(1)}, on two hands ${onTwo.toFixed(1)}, two bare processes ${gain.toFixed(2)} of one\n`,
      );
      // The first round warms up.
      if (round === 0) continue;
      extraUs.push(((handed - local) * 1000) / (NOOPS * JOBS_AN_ITEM));
      for (const [i, rate] of rates.entries()) waits[i]?.push(rate);
      burns.alone.push(alone);
      burns.onTwo.push(onTwo);
      gains.push(gain);
    }
    const [ofOne = [], ofTwo = [], ofFour = []] = waits;
    const linear = [ofTwo, ofFour].map((rates, i) => ratios(rates, ofOne).map((ratio) => ratio / (COUNTS[i + 1] as number)));
    const least = Math.min(...linear.map(median));
    const burned = ratios(burns.onTwo, burns.alone);
    const ofBare = ratios(burned, gains);
    return [
      {
        claim: 'a job on a hand: CPU of the owner beyond that of the same no-op in its own loop',
        bar: '≤ 30 µs',
        figure: `${spread(extraUs, 1)} µs`,
        holds: median(extraUs) <= 30,
      },
      {
        claim: `tasks that wait 5 ms, ${WORKERS_A_HAND} workers for each hand: items a second on 2 and on 4 hands, of so many times those on 1`,
        bar: '≥ 0.85',
        figure: `${linear.map((each) => spread(each)).join(' and ')}; ${waits.map((rates) => Math.round(median(rates))).join(', ')} items/s`,
        holds: least >= 0.85,
      },
      {
        claim: 'tasks that compute: items a second on 2 hands, of those in the process of the service',
        bar: '≥ 1.6',
        figure: spread(burned),
        holds: median(burned) >= 1.6,
      },
      {
        claim: 'the same, of the gain that two bare processes have over one on this machine',
        bar: '≥ 0.85',
        figure: `${spread(ofBare)}, of ${spread(gains)}`,
        holds: median(ofBare) >= 0.85,
      },
    ];
  } finally {
    await Promise.all([...all.map((each) => each.end()), ...bare.map((each) => each.stop())]);
    rmSync(folder, { recursive: true, force: true });
  }
}
