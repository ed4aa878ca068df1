/**
 * The random moves of test/stores/crash-simulation.test.ts on the replicated store: each start is on another node, and the log fails in its own ways. Appends are lost, or their
 * answers are, or either is late; the log stalls, loses its end, and is written by another node while the owner still believes in itself.
 *
 *     CRASH_SEED=7 npx vitest run test/cluster/crash-simulation.test.ts                    replays one seed
 *     REPLICATED_SEEDS=1000 REPLICATED_FROM=1 npx vitest run …                             runs so many, from that one on
 */
import { describe, it } from 'vitest';
import { simulate } from '../stores/crash-simulation/simulate.ts';
import { replicatedLives } from './replicated-lives.ts';

const LONG_STEPS = 60;
/** Most are short, since what goes wrong mostly needs few moves and then gets many more tries; each tenth is as long as on one file. */
const stepsOf = (seed: number): number => (seed % 10 === 0 ? LONG_STEPS : 4 + ((seed * 7) % 13));

const only = process.env.CRASH_SEED;
const first = Number(process.env.REPLICATED_FROM ?? 1);
const seeds = only === undefined ? Array.from({ length: Number(process.env.REPLICATED_SEEDS ?? 6) }, (_, i) => first + i) : [Number(only)];

describe('a pipeline on the replicated store under random moves and crashes', () => {
  it.each(seeds)('keeps what it promised with seed %i', { timeout: 30_000 }, (seed) => simulate(seed, replicatedLives, stepsOf(seed)));
});
