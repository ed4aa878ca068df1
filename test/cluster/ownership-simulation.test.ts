import { describe, expect, it } from 'vitest';
import { simulate } from './ownership-simulation/simulate.ts';

/*
 * One to four nodes, and a log that loses acknowledgements, answers late, stalls and loses its tail; nodes that are stopped past the lease and woken, killed, cut off, that leave
 * or cannot make a host. In the end all is healed, and somebody has to serve soon, and stay.
 *
 *     SIM_SEED=123 npx vitest run test/cluster/ownership-simulation.test.ts     replays one seed
 *     SIM_SEEDS=20000 SIM_FROM=1 npx vitest run …                               runs so many seeds, from that one on
 */
const only = process.env.SIM_SEED;
const first = Number(process.env.SIM_FROM ?? 1);
const count = Number(process.env.SIM_SEEDS ?? 300);
const BLOCKS = 4;
const MS_PER_SEED = 250;

describe('nodes and a log under nemeses', () => {
  if (only !== undefined) {
    it(`keep the rules of ownership with seed ${only}`, async () => {
      const { steps, ...run } = await simulate(Number(only));
      process.stdout.write(`${steps.join('\n')}\n${JSON.stringify(run)}\n`);
    });
    return;
  }
  const size = Math.ceil(count / BLOCKS);
  for (let from = first; from < first + count; from += size) {
    const to = Math.min(first + count, from + size) - 1;
    it(`keep the rules of ownership with seeds ${from} to ${to}`, { timeout: Math.max(60_000, size * MS_PER_SEED) }, async () => {
      const broken: string[] = [];
      let [owners, writes, lost] = [0, 0, 0];
      for (let seed = from; seed <= to && broken.length < 5; seed++) {
        await simulate(seed).then(
          (run) => {
            owners += run.owners;
            writes += run.writes;
            lost += run.lost;
          },
          (error: Error) => broken.push(error.message),
        );
      }
      expect(broken.join('\n\n')).toBe('');
      // Otherwise nothing has been shown.
      expect(owners).toBeGreaterThan(to - from);
      expect(writes).toBeGreaterThan(to - from);
      if (to - from >= 30) expect(lost).toBeGreaterThan(0);
    });
  }
});
