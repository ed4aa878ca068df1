/**
 * Random moves on a stored pipeline under a virtual clock, crashes, stops and a disk that fails among them, in its writes, its reads or both, for
 * a while or once at any call: what was acknowledged is never
 * lost, what any answer has told is never taken back, and the books balance after every start.
 *
 *     CRASH_SEED=7 npx vitest run test/stores/crash-simulation.test.ts      replays one seed
 *     CRASH_SEEDS=2000 npx vitest run …                                     runs so many
 *
 * test/cluster/crash-simulation.test.ts has the same on the replicated store.
 */
import { afterEach, describe, expect, it, vi } from 'vitest';
import { AnswerGate } from '../../src/engine/local/answer-gate.ts';
import type { Reads } from '../../src/engine/local/reads.ts';
import { simulate } from './crash-simulation/simulate.ts';

const only = process.env.CRASH_SEED;
const seeds = only === undefined ? Array.from({ length: Number(process.env.CRASH_SEEDS ?? 6) }, (_, i) => i + 1) : [Number(only)];

afterEach(() => vi.restoreAllMocks());

describe('a stored pipeline under random moves and crashes', () => {
  it.each(seeds)('keeps what it promised with seed %i', { timeout: 30_000 }, (seed) => simulate(seed));

  it.skipIf(only !== undefined)('notices when answers tell what is in memory', { timeout: 60_000 }, async () => {
    vi.spyOn(AnswerGate.prototype, 'read').mockImplementation(async function (this: { live: Reads }, ask: (reads: Reads) => unknown) {
      return ask(this.live);
    } as AnswerGate['read']);
    const found: string[] = [];
    for (let seed = 1; seed <= 20 && found.length === 0; seed++) await simulate(seed).catch((error: Error) => found.push(error.message));
    expect(found).toEqual([expect.stringMatching(/^seed \d+, after /)]);
  });
});
