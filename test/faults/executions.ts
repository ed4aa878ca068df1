/** What the file of executions tells: which item ran again although nothing asked for it. */

/** A line of that file. `life` is the number of kills before the process that wrote it. */
export interface Execution {
  what: 'begin' | 'end' | 'fail';
  pipeline: string;
  id: string;
  stage: string;
  worker: string;
  life: number;
  /** When it was written, in microseconds of a clock that all processes of the machine share. */
  us: number;
}

interface Noted extends Execution {
  /** Its line. */
  at: number;
}

/**
 * Executions beyond what the stage's retries ask for and the kills excuse. A kill is an interval, not an instant, and nobody knows at which
 * moment of it the process stopped: so no clock is asked, only what came before what.
 *
 * - Within one life, nothing that has ended runs again.
 * - What a kill met running runs again.
 * - What had ended, but not yet on disk, runs again too. Everything of a pipeline that changed until a flush goes to disk together: when an item of it
 *   that ended later in the same life is on disk, everything that its worker had handed over before (the worker took the next item) has to be there
 *   too. Of another pipeline that says nothing: when there is much to write, each is written in its turn.
 * - What a client was told does not run again in a later life.
 *
 * @param known ids of the items that are there in the end: what was lost before anyone was told of it proves nothing about the others
 * @param told the ids of which a client has a result, with the life from which it came at the latest
 */
export function executionFaults(text: string, known: ReadonlySet<string>, told: ReadonlyMap<string, { life: number }>): string[] {
  const lines = text.split('\n').filter((line) => line !== '');
  const executions = lines.map((line, at): Noted => ({ ...(JSON.parse(line) as Execution), at }));
  const ways = new Map<string, Noted[]>();
  const byWorker = new Map<string, Noted[]>();
  for (const execution of executions) {
    append(ways, `${execution.id} in ${execution.stage}`, execution);
    if (execution.what === 'begin') append(byWorker, workerOf(execution), execution);
  }

  /** For each life of a pipeline, the line of the last end that is on disk. */
  const lastStored = new Map<string, number>();
  for (const way of ways.values()) {
    const last = way.at(-1) as Noted;
    if (last.what === 'end' && known.has(last.id)) lastStored.set(lifeOf(last), Math.max(last.at, lastStored.get(lifeOf(last)) ?? -1));
  }

  const faults: string[] = [];
  for (const [key, way] of ways) {
    for (const [i, execution] of way.entries()) {
      const before = way[i - 1];
      if (execution.what !== 'begin') continue;
      const blame = (why: string): void =>
        void faults.push(`${key} ran again ${why}: ${JSON.stringify(before)}, then ${JSON.stringify(execution)}`);
      if (execution.life > (told.get(execution.id)?.life ?? Number.POSITIVE_INFINITY)) blame('after a client was told its result');
      if (before === undefined || before.what === 'fail') continue;
      if (execution.life === before.life) blame('in the same life');
      else if (before.what === 'end') {
        const next = byWorker.get(workerOf(before))?.find(({ at }) => at > before.at);
        if (next !== undefined && next.at < (lastStored.get(lifeOf(before)) ?? -1)) blame('although a later end is on disk');
      }
    }
  }
  return faults;
}

const lifeOf = ({ life, pipeline }: Execution): string => `life ${life} of ${pipeline}`;
const workerOf = (execution: Execution): string => `${execution.worker} in ${lifeOf(execution)}`;

function append<K, V>(lists: Map<K, V[]>, key: K, value: V): void {
  const list = lists.get(key);
  if (list === undefined) lists.set(key, [value]);
  else list.push(value);
}
