/**
 * A cluster of three nodes that is disturbed in many ways while clients feed it; all of it is drawn.
 *
 *     npm run chaos -- cluster              200 nemeses; NEMESES=12 makes it fewer, AWAY_SECONDS=3 has PostgreSQL stay away for 3 s instead of 30
 *     SEED=8 npm run chaos -- cluster       draws others
 */
import { expect, it } from 'vitest';
import { postgresBinaries } from '../../cluster/postgres-binaries.ts';
import { SEED } from '../../seed.ts';
import { playClusterRound } from './round.ts';

const { NEMESES = '2', AWAY_SECONDS = '3' } = process.env;
const canMount = process.getuid?.() === 0;
const canServe = postgresBinaries() !== undefined;
if (!canMount) process.stderr.write('SKIPPED: only root can mount the disk of a node that is filled\n');
if (!canServe) process.stderr.write('SKIPPED: without PostgreSQL no cluster is disturbed; install one\n');

it.runIf(canServe || process.env.CI === 'true')(
  'loses nothing that was acknowledged, and repeats nothing but what was disturbed',
  { timeout: 7_200_000 },
  async () => {
    const report = await playClusterRound(SEED, Number(NEMESES), { canMount, awayMs: Number(AWAY_SECONDS) * 1000 });
    process.stderr.write(`seed ${SEED}: ${JSON.stringify({ ...report, faults: report.faults.slice(0, 20) })}\n`);
    expect(report.faults.slice(0, 20), `SEED=${SEED}`).toEqual([]);
    expect(report.acknowledged).toBeGreaterThan(Number(NEMESES) * 20);
  },
);
