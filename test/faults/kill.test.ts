import { describe, expect, it } from 'vitest';
import { Random } from '../engine/simulation/random.ts';
import { SEED } from '../seed.ts';
import { killAgainAndAgain } from './kills.ts';

/** `npm run chaos` makes it more. */
const KILLS = Number(process.env.KILLS ?? 6);
/** The kills come at the same moments in every run; another seed finds others. */
const MINUTE = 60_000;

describe('kill -9 at any moment', () => {
  it(`loses nothing that was acknowledged and repeats nothing that was over, ${KILLS} kills`, {
    timeout: 4 * MINUTE + KILLS * 6000,
  }, async () => {
    const random = new Random(SEED);
    const report = await killAgainAndAgain(KILLS, 800, random.next);
    process.stderr.write(`kills of seed ${SEED}: ${JSON.stringify({ ...report, faults: report.faults.length })}\n`);
    expect(report.faults.slice(0, 20), `SEED=${SEED}`).toEqual([]);
    expect(report.acknowledged).toBeGreaterThan(KILLS * 10);
    expect(report.repeated).toBeGreaterThan(0);
  });
});
