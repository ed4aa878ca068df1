import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { EdgeFigures } from './edges-run.ts';
import { type BenchRow, report } from './row.ts';
import { serviceFlags } from './servers/child.ts';

/*
 * Where a store's memory ends, each case in a process of its own with a heap of 256 MiB: results of 300 kB from 64 workers and from many pipelines, small
 * results of a hundred pipelines, a stage that is removed over a backlog. A process that dies ends the benchmark. `EDGES_SECONDS=60` has results made
 * for so long in place of a number of them.
 */

const HEAP_MIB = 256;
const RUN = fileURLToPath(new URL('./edges-run.ts', import.meta.url));

async function run(...args: readonly (number | string)[]): Promise<EdgeFigures> {
  const child = spawn(process.execPath, [...serviceFlags(), `--max-old-space-size=${HEAP_MIB}`, RUN, ...args.map(String)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let out = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    out += text;
  });
  const code = await new Promise((resolve) => child.once('close', resolve));
  if (code !== 0) throw new Error(`${args.join(' ')} ended with ${code}`);
  return JSON.parse(out.trim().split('\n').at(-1) as string) as EdgeFigures;
}

const LOOP_MS = 50;
const SECONDS = Number(process.env.EDGES_SECONDS ?? 0);

function loop(what: string, { loopP99Ms, loopMaxMs, peakRssMib }: EdgeFigures): BenchRow[] {
  return [
    {
      claim: `${what}: event-loop delay, p99; at most ${peakRssMib} MiB in use`,
      ...{ bar: `< ${LOOP_MS} ms`, figure: `${loopP99Ms} ms (longest ${loopMaxMs} ms)`, holds: loopP99Ms < LOOP_MS },
    },
  ];
}

function rows(what: string, figures: EdgeFigures, durableMs: number): BenchRow[] {
  const { durableP50Ms, durableP99Ms } = figures;
  const figure = `${durableP99Ms} ms (p50 ${durableP50Ms} ms)`;
  return [
    { claim: `${what}: stored after an item's end, p99`, bar: `< ${durableMs} ms`, figure, holds: (durableP99Ms ?? 0) < durableMs },
    ...loop(what, figures),
  ];
}

report([
  ...rows('64 workers, results of 300 kB', await run('results', 6000, 1, 'large', SECONDS), 2000),
  ...rows('20 pipelines of 64 workers, results of 300 kB', await run('results', 3000, 20, 'large', SECONDS), 2000),
  ...rows('100 pipelines of 64 workers, small results', await run('results', 200_000, 100, 'small', SECONDS), 500),
  ...loop('1 000 000 retries of 1 kB wait, through a start, and come back', await run('parked', 1_000_000, 1, 300)),
  ...loop('a stage is removed over 1 000 000 items of 1 kB', await run('redefined', 1_000_000, 1, 'removed')),
  ...loop('stages change places over 1 000 000 items of 1 kB', await run('redefined', 1_000_000, 1, 'moved')),
]);
