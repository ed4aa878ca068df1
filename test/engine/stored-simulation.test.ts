/** The simulation of simulation.test.ts, with everything in a store and most of each queue beyond memory. `SIM_SEED` and the rest work as there. */
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { openSqliteStore } from '../../src/stores/sqlite/index.ts';
import { folderWith } from '../loader/folder.ts';
import { lastLog, simulate } from './simulation/simulate.ts';

const only = process.env.SIM_SEED;
const first = Number(process.env.SIM_FROM ?? 1);
const count = Number(process.env.SIM_STORED_SEEDS ?? 12);
const TOLD = 3;

describe('the engine on a store, under random moves', () => {
  it(`keeps its invariants with ${only ?? `seeds ${first} to ${first + count - 1}`}`, { timeout: 120_000 + count * 500 }, async () => {
    const store = await openSqliteStore({ file: join(folderWith(), 'sluice.db'), inProcess: true });
    onTestFinished(() => store.close());
    const found: string[] = [];
    const seeds = only === undefined ? Array.from({ length: count }, (_, i) => first + i) : [Number(only)];
    for (const seed of seeds) {
      await simulate(seed, { store }).catch((error: Error) => found.push(error.message));
      if (found.length === TOLD) break;
    }
    if (only !== undefined) process.stdout.write(`${lastLog.join('\n')}\n`);
    expect(found).toEqual([]);
  });
});
