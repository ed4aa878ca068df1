/**
 * A cluster of three nodes that is disturbed in many ways while clients feed it; all of it is drawn.
 *
 *     npm run chaos -- cluster              200 nemeses; NEMESES=12 makes it fewer, AWAY_SECONDS=3 has PostgreSQL stay away for 3 s instead of 30
 *     SEED=8 npm run chaos -- cluster       draws others; ONLY=logLosesTail,killOwner has no others than these
 */
import { expect, it } from 'vitest';
import { postgresBinaries } from '../../cluster/postgres-binaries.ts';
import { findPostgres } from '../../cluster/postgres-service.ts';
import { SEED } from '../../seed.ts';
import { canSeparate as canMakeNamespaces } from '../network.ts';
import { playClusterRound } from './round.ts';

const { NEMESES = '2', AWAY_SECONDS = '3', ONLY = '', CI } = process.env;
const awayMs = Number(AWAY_SECONDS) * 1000;
const only = ONLY.split(',').filter(Boolean);
/** A server that others use too can be disturbed in fewer ways. */
const PART_OF_SERVICE = 4;

const canMount = process.getuid?.() === 0;
const canSeparate = canMakeNamespaces();
const canServe = postgresBinaries() !== undefined;
const service = await findPostgres();
if (!canMount) process.stderr.write('SKIPPED: only root can mount the disk of a node that is filled\n');
if (!canSeparate)
  process.stderr.write('SKIPPED: without root and iproute2 no machine is cut off; only the way of a node to PostgreSQL is, by a proxy\n');
if (!canServe) process.stderr.write('SKIPPED: without PostgreSQL no cluster is disturbed; install one\n');

it.runIf(CI === 'true')('has all that it needs, in CI', () =>
  expect({ canMount, canSeparate, canServe }).toEqual({ canMount: true, canSeparate: true, canServe: true }),
);

async function play(count: number, place: { service: string | null }): Promise<void> {
  const report = await playClusterRound(SEED, count, { ...place, canMount, canSeparate, awayMs, only });
  process.stderr.write(`seed ${SEED}: ${JSON.stringify({ ...report, faults: report.faults.slice(0, 20) })}\n`);
  expect(report.faults.slice(0, 20), `SEED=${SEED}`).toEqual([]);
  expect(report.acknowledged).toBeGreaterThan(count * 20);
}

const TIMEOUT = { timeout: 7_200_000 };

it.runIf(canServe)('loses nothing that was acknowledged, and repeats nothing but what was disturbed', TIMEOUT, () =>
  play(Number(NEMESES), { service: null }),
);

it.skipIf(service === null || only.length > 0)('does so on a PostgreSQL that others use too', TIMEOUT, () =>
  play(Math.ceil(Number(NEMESES) / PART_OF_SERVICE), { service }),
);
