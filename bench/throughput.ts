import { type BenchRow, median, report } from './row.ts';
import { serviceFlags } from './servers/child.ts';
import { type Entry, inProcesses, ratios, spread } from './turns.ts';

/*
 * Three stages of one no-op task, ten workers each. What the others do is less: they track nothing, keep no result,
 * know no retry and no priority. Ratios are of CPU time within one round.
 *
 * `AGAINST=../before npm run bench -- throughput` compares with the engine of another checkout, with its flags, in place of the others.
 */

const SETS = 3;
const ROUNDS = 3;
const { AGAINST } = process.env;

const row = (what: string, than: string, bar: number, values: readonly number[]): BenchRow => ({
  claim: `three stages of ${what}, ten workers each, everything tracked: rate, of ${than}`,
  bar: `≥ ${bar}`,
  figure: spread(values, 3),
  holds: median(values) >= bar,
});

async function compare(what: string, kind: 'plain' | 'async'): Promise<BenchRow[]> {
  const entry = (contestant: string): Entry => ({ file: 'chain', args: [contestant, kind] });
  const entries = { bare: entry('bare'), sluice: entry('sluice'), fastq: entry('fastq'), pQueue: entry('p-queue') };
  const { bare, sluice, fastq, pQueue } = await inProcesses(entries, { sets: SETS, rounds: ROUNDS });
  return [
    row(what, 'a bare loop of three awaits', 0.12, ratios(bare, sluice)),
    row(what, 'three fastq.promise queues', 1.2, ratios(fastq, sluice)),
    row(what, 'three p-queues', 4, ratios(pQueue, sluice)),
  ];
}

/** The engine of another checkout and this one, and what both are of the bare loop. */
async function compareWith(root: string, what: string, kind: 'plain' | 'async'): Promise<BenchRow[]> {
  const entries = {
    bare: { file: 'chain', args: ['bare', kind] },
    sluice: { file: 'chain', args: ['sluice', kind] },
    other: { file: 'chain', args: ['sluice', kind, root], flags: serviceFlags(root) },
  };
  const { bare, sluice, other } = await inProcesses(entries, { sets: 2 * SETS, rounds: ROUNDS });
  return [
    row(what, 'a bare loop of three awaits', 0, ratios(bare, sluice)),
    row(what, `a bare loop, by ${root}`, 0, ratios(bare, other)),
    row(what, root, 0.97, ratios(other, sluice)),
  ];
}

const kinds = [
  ['a no-op', 'plain'],
  ['an async no-op', 'async'],
] as const;
const rows: BenchRow[] = [];
for (const [what, kind] of kinds)
  rows.push(...(AGAINST === undefined ? await compare(what, kind) : await compareWith(AGAINST, what, kind)));
report(rows);
