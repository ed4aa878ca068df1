import { describe, expect, it } from 'vitest';
import { SABOTAGE } from './simulation/sabotage.ts';
import { lastLog, simulate } from './simulation/simulate.ts';
import { Violation } from './simulation/violation.ts';

/*
 * Random pipelines under a virtual clock, and random moves upon them: feeds, retries, resizes, pauses, cancels, shutdowns.
 * After each of them invariants 1, 3, 4, 5, 6, 8, 9 and 10 are checked (and 7, 11 and 12 where it costs nothing).
 *
 *     SIM_SEED=123 npx vitest run test/engine/simulation.test.ts    replays one seed, and tells its steps
 *     SIM_SEEDS=50000 SIM_FROM=1 npx vitest run …                   runs so many seeds, from that one on
 */
const only = process.env.SIM_SEED;
const first = Number(process.env.SIM_FROM ?? 1);
const count = Number(process.env.SIM_SEEDS ?? 150);
const BLOCKS = 4;
/** Seeds of a block that are told; the first shows most, more would be noise. */
const TOLD = 5;
const MS_PER_SEED = 250;

describe('the engine under random moves', () => {
  if (only !== undefined) {
    it(`keeps its invariants with seed ${only}`, { timeout: 600_000 }, async () => {
      try {
        await simulate(Number(only));
      } finally {
        process.stdout.write(`${lastLog.join('\n')}\n`);
      }
    });
    return;
  }
  const size = Math.ceil(count / BLOCKS);
  for (let block = 0; block < BLOCKS; block++) {
    const from = first + block * size;
    const to = Math.min(first + count, from + size) - 1;
    it(`keeps its invariants with seeds ${from} to ${to}`, { timeout: Math.max(60_000, size * MS_PER_SEED) }, async () => {
      expect(await violations(from, to)).toEqual([]);
    });
  }
});

describe.skipIf(only !== undefined)('the simulation', () => {
  it('makes the same events again from the same seed (invariant 12)', async () => {
    for (const seed of [1, 2, 3, 4, 5]) {
      const events = (await simulate(seed, { trace: true })).ledger.trace;
      expect(events?.length).toBeGreaterThan(0);
      expect((await simulate(seed, { trace: true })).ledger.trace).toEqual(events);
    }
  });

  for (const [what, { invariant, commit }] of Object.entries(SABOTAGE)) {
    it(`notices when ${what} (invariant ${invariant})`, { timeout: 60_000 }, async () => {
      for (let seed = 1; seed <= 300; seed++) {
        const broken = await simulate(seed, { sabotage: commit }).then(
          () => undefined,
          (error: unknown) => error,
        );
        if (!(broken instanceof Violation) || broken.invariant !== invariant) continue;
        expect(broken.message).toContain(`invariant ${invariant} `);
        expect(broken.message).toContain(`in seed ${seed} at step`);
        expect(broken.message).toContain(`SIM_SEED=${seed} npx vitest run test/engine/simulation.test.ts`);
        return;
      }
      expect.fail('300 seeds, and none of them noticed');
    });
  }
});

async function violations(from: number, to: number): Promise<string[]> {
  const found: string[] = [];
  for (let seed = from; seed <= to && found.length < TOLD; seed++) {
    try {
      await simulate(seed);
    } catch (error) {
      found.push(error instanceof Violation ? error.message : `seed ${seed}: ${error instanceof Error ? error.stack : String(error)}`);
    }
  }
  return found;
}
