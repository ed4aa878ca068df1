import type { ShutdownMode, ShutdownReport } from '../../schemas/control.ts';
import type { PipelineDefinition } from '../../schemas/definition.ts';
import { SluiceError } from '../contract/errors.ts';
import { STRENGTH } from '../control/shutdown.ts';
import type { StoredControl, StoreLink } from '../durable/durable.ts';
import type { Core } from '../flow/core.ts';
import type { Clock } from '../ports.ts';
import { limitersUsed } from './limiter-users.ts';

/** The number of workers in a definition. */
export function workersOf({ stages }: PipelineDefinition): number {
  return stages.reduce((sum, stage) => sum + stage.workers, 0);
}

/** The names of the limiters that a definition defines, and of those that its tasks use. */
export function limitersOf(definition: PipelineDefinition): Set<string> {
  return new Set([...Object.keys(definition.limits ?? {}), ...limitersUsed(definition)]);
}

/** The number of workers that a stored pipeline has when it is rebuilt, with its tuning. */
export function workersStored(definition: PipelineDefinition, { facts }: StoreLink): number {
  const { overrides } = JSON.parse(facts?.control ?? '{"overrides":{}}') as Pick<StoredControl, 'overrides'>;
  return definition.stages.reduce((sum, { name, workers }) => sum + Math.max(workers, overrides[name]?.workers ?? 0), 0);
}

/** A definition with the id in the path, which it may omit. Throws `invalid-input` when it has another one. */
export function withId(id: string, raw: unknown): unknown {
  if (typeof raw !== 'object' || raw === null || Array.isArray(raw)) return raw;
  const given = (raw as { id?: unknown }).id;
  if (given === undefined) return { id, ...raw };
  if (given === id) return raw;
  const message = `must be ${JSON.stringify(id)}, the id in the path, or be omitted`;
  throw new SluiceError('invalid-input', `/id ${message}`, { errors: [{ path: '/id', message }] });
}

/** The sum of the reports of several pipelines. */
export function sumOf(mode: ShutdownMode, reports: readonly ShutdownReport[]): ShutdownReport {
  const total: ShutdownReport = { mode, finished: 0, leftQueued: 0, aborted: 0, notKept: 0, notKeptIds: [], timedOut: false };
  for (const report of reports) {
    total.finished += report.finished;
    total.leftQueued += report.leftQueued;
    total.aborted += report.aborted;
    total.notKept += report.notKept;
    total.notKeptIds = [...total.notKeptIds, ...report.notKeptIds].slice(0, 100);
    total.timedOut ||= report.timedOut;
    if (STRENGTH[report.mode] > STRENGTH[total.mode]) total.mode = report.mode;
  }
  return total;
}

/** Resolves when a store has settled, or when it took longer. */
export function settledWithin(ms: number, settled: Promise<unknown> | undefined, clock: Clock): Promise<void> {
  if (settled === undefined) return Promise.resolve();
  return new Promise((resolve) => {
    const late = clock.setTimer(resolve, ms);
    void settled.then(() => {
      clock.clearTimer(late);
      resolve();
    });
  });
}

/** The most items that a report names as not stored. */
const IDS_NAMED = 100;

/** How many items of these pipelines a store cannot vouch for that is behind, and the ids of those whose newest state it does not have. */
export function notStoredOf(pipelines: Iterable<{ readonly core: Pick<Core, 'ledger' | 'keeper'> }>): { count: number; ids: string[] } {
  const ids = new Set<string>();
  let count = 0;
  for (const { core } of pipelines) {
    count += core.ledger.inFlight;
    for (const item of core.keeper.unstoredItems()) {
      if (item.isFinal) count++;
      if (ids.size < IDS_NAMED) ids.add(item.id);
    }
  }
  return { count, ids: [...ids] };
}
