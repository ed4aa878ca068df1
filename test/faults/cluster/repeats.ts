/** Executions beyond the first, and what explains them. */
import type { Execution } from '../executions.ts';

/** A time in which something happened to the cluster, in microseconds of the clock of {@link Execution.us}. */
export interface Disturbance {
  what: string;
  from: number;
  to: number;
  /** What ended meanwhile, or right before, may not be stored. */
  isLoss: boolean;
}

/** What has ended is stored within that time while nothing is wrong. */
const WRITTEN_US = 1_000_000;

export interface Repeats {
  /** How many executions began although an earlier one of the item in the stage had not failed. */
  count: number;
  faults: string[];
}

/** The microseconds of the clock that executions are noted by. */
export const nowUs = (): number => Number(process.hrtime.bigint() / 1000n);

export function repeatsOf(text: string, disturbances: readonly Disturbance[]): Repeats {
  const last = new Map<string, Execution>();
  const faults: string[] = [];
  let count = 0;
  for (const line of text.split('\n')) {
    if (line === '') continue;
    const execution = JSON.parse(line) as Execution;
    // A stage that comes and goes is another one each time.
    if (execution.stage === 'Extra') continue;
    const key = `${execution.id} in ${execution.stage}`;
    const before = last.get(key);
    // What a deposed owner still runs may end after what runs again has begun.
    if (execution.what === 'begin' || before === undefined) last.set(key, execution);
    else if (before.life === execution.life) last.set(key, execution);
    if (execution.what !== 'begin' || before === undefined || before.what === 'fail') continue;
    count++;
    const isExplained = disturbances.some(
      ({ from, to, isLoss }) => isWithin(execution.us, from, to) || (isLoss && isWithin(before.us, from - WRITTEN_US, to)),
    );
    if (!isExplained) faults.push(`${key} ran again for no reason: ${JSON.stringify(before)}, then ${JSON.stringify(execution)}`);
  }
  return { count, faults };
}

const isWithin = (us: number, from: number, to: number): boolean => from <= us && us <= to;
