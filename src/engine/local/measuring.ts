import type { PipelineMeasurements, StageMeasurements, StoreMeasurements, StoreUsage } from '../contract/measurements.ts';
import { limitersOf } from '../definition/stage-spec.ts';
import type { HostStore } from '../durable/host-store.ts';
import type { Stage } from '../model/model.ts';
import type { Clock } from '../ports.ts';
import { settledWithin } from './host-parts.ts';
import type { LocalRuntime } from './local-runtime.ts';

/** A disk that does not answer is what those who look at the measurements want to see, so it may not keep them from seeing anything. */
const USAGE_MS = 1000;

export function measurePipeline({ core, defined }: LocalRuntime): PipelineMeasurements {
  const { ledger, state } = core;
  const { accepted, duplicates, ended, errors } = ledger.totals;
  const stages = new Map<string, StageMeasurements>();
  for (const stage of core.allStages) {
    const measured = measureStage(stage, state === 'paused');
    const known = stages.get(stage.name);
    stages.set(stage.name, known === undefined ? measured : sumOf(known, measured));
  }
  return {
    pipelineId: core.id,
    state,
    accepted,
    duplicates,
    inFlight: ledger.inFlight,
    ended: { ...ended },
    errors: errors.read(),
    handlersIgnoringSignal: core.allStages.reduce((sum, stage) => sum + stage.ignoringSignal, 0),
    limiters: new Set(defined.current.stages.flatMap(({ tasks }) => tasks.flatMap(limitersOf))),
    stages: [...stages.values()],
  };
}

function measureStage(stage: Stage, isPaused: boolean): StageMeasurements {
  return { stage: stage.name, isPaused: isPaused || stage.isPaused, queued: stage.waiting, retrying: stage.parked };
}

/** Two stages of one name: the one of the definition comes first, and says whether it is paused. */
function sumOf(one: StageMeasurements, leaving: StageMeasurements): StageMeasurements {
  return { ...one, queued: one.queued + leaving.queued, retrying: one.retrying + leaving.retrying };
}

export async function measureStore(stored: HostStore | null, clock: Clock): Promise<StoreMeasurements> {
  if (stored === null) return { kind: 'memory', isUp: true, flushes: null, failedFlushes: 0, usage: null };
  const { store, flusher } = stored;
  let usage: StoreUsage | null = null;
  const asked = store.usage?.().then(
    (found) => {
      usage = found;
    },
    // A disk that is gone: its free space is not known, and the trouble shows elsewhere.
    () => undefined,
  );
  await settledWithin(USAGE_MS, asked, clock);
  return { kind: store.kind, isUp: flusher.trouble === null, flushes: flusher.durations.read(), failedFlushes: flusher.failures, usage };
}
