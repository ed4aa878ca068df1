/**
 * Rounds of a service that dies in many ways while clients feed it and operators work with it; all of it is drawn.
 *
 *     npm run chaos                 20 rounds; ROUNDS=300 makes it more
 *     ROUND=7 npm run chaos         the seventh alone; SEED=8 draws others
 */
import { describe, expect, it } from 'vitest';
import { SEED } from '../seed.ts';
import { playRound, type RoundReport } from './round.ts';

const { ROUND, ROUNDS = '1' } = process.env;
const rounds = ROUND === undefined ? Array.from({ length: Number(ROUNDS) }, (_, i) => i + 1) : [Number(ROUND)];
/** Some of them kill more than one process. */
const DEATHS = 3;
/** Rounds wait more than they compute. */
const LANES = 2;

const canMount = process.getuid?.() === 0;
if (!canMount) process.stderr.write('SKIPPED: only root can mount the disks that some rounds fill\n');

const played: Promise<RoundReport>[] = [];

/** When its lane is free. */
async function play(number: number, before: Promise<unknown> | undefined): Promise<RoundReport> {
  await before?.catch(() => undefined);
  return playRound(SEED + number, DEATHS, canMount);
}

describe.concurrent('dying in any way, at any moment', () => {
  it.each(rounds)(
    'loses nothing that was acknowledged and repeats nothing that was over, round %i',
    { timeout: 900_000 },
    async (number) => {
      expect(canMount || process.env.CI !== 'true', 'disks can be filled in CI').toBe(true);
      const turn = play(number, played.at(-LANES));
      played.push(turn);
      const report = await turn;
      // At once: who cuts a long run short is told of what it found.
      process.stderr.write(`round ${number} of seed ${SEED}: ${JSON.stringify({ ...report, faults: report.faults.slice(0, 20) })}\n`);
      expect(report.faults.slice(0, 20), `SEED=${SEED} ROUND=${number}`).toEqual([]);
      expect(report.acknowledged).toBeGreaterThan(DEATHS * 5);
    },
  );
});
