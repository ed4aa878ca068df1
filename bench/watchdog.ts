import { silentLogger } from '../src/engine/ports.ts';
import { SharedLoopNotes } from '../src/process/loop-notes.ts';
import { startWatchdog } from '../src/process/watchdog.ts';
import { noopHost } from './noop-host.ts';
import { cpuMs, median, report } from './row.ts';

/*
 * What it costs that the loop is watched: three stages of a no-op, ten workers each, with the calls noted and without. The thread runs
 * throughout. Rounds are short, the two take turns, and the ratio is of CPU time within one round.
 */

const ITEMS = 50_000;
const ROUNDS = 41;
const notes = new SharedLoopNotes();
await startWatchdog({
  notes,
  workNow: () => null,
  stallSeconds: 30,
  shutdownSeconds: 30,
  secrets: {},
  isSilent: false,
  blamePath: null,
  logger: silentLogger,
});

const stages = ['A', 'B', 'C'].map((name) => ({ name, workers: 10, tasks: ['noop'] }));
const [plain, noted] = [noopHost(ITEMS), noopHost(ITEMS, { notes })];
for (const host of [plain, noted]) await host.create({ id: 'p', stages });
const items = Array.from({ length: ITEMS }, (_, i) => i);

async function cost(host: typeof plain): Promise<number> {
  globalThis.gc?.();
  const pipeline = host.get('p');
  const before = cpuMs();
  await pipeline.feed(items, {});
  await pipeline.join();
  return cpuMs() - before;
}

const ratios: number[] = [];
for (let round = 0; round < ROUNDS; round++) {
  const [first, second] = round % 2 === 0 ? [plain, noted] : [noted, plain];
  const costs = new Map([[first, await cost(first)]]);
  costs.set(second, await cost(second));
  // The first rounds warm up.
  if (round > 4) ratios.push((costs.get(plain) as number) / (costs.get(noted) as number));
}

report([
  {
    claim: 'three stages of a no-op, ten workers each, while the event loop is watched: rate, of that without',
    bar: '≥ 0.99',
    figure: median(ratios).toFixed(3),
    holds: median(ratios) >= 0.99,
  },
]);
process.exit(0);
