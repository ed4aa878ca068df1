import type { PipelineMeasurements, StageMeasurements, StoreMeasurements, StoreUsage } from '../contract/measurements.ts';
import type { HostStore } from '../durable/host-store.ts';
import type { Core } from '../flow/core.ts';
import { oldestItemMs, workersNow } from '../flow/stage-now.ts';
import type { Stage } from '../model/model.ts';
import type { Clock } from '../ports.ts';
import { limitersOf, settledWithin } from './host-parts.ts';
import type { LocalRuntime } from './local-runtime.ts';

/** A disk that does not answer is what those who look at the measurements want to see, so it may not keep them from seeing anything. */
const USAGE_MS = 1000;

export function measurePipeline({ core, defined }: LocalRuntime): PipelineMeasurements {
  const { ledger } = core;
  const { accepted, duplicates, ended, errors } = ledger.totals;
  core.time.tick();
  const byName = new Map<string, Stage[]>();
  for (const stage of core.allStages) byName.set(stage.name, [...(byName.get(stage.name) ?? []), stage]);
  return {
    pipelineId: core.id,
    state: core.state,
    accepted,
    duplicates,
    inFlight: ledger.inFlight,
    ended: { ...ended },
    errors: errors.read(),
    handlersIgnoringSignal: sumOf(core.allStages, (stage) => stage.ignoringSignal),
    limiters: limitersOf(defined.current),
    stages: [...byName].map(([name, stages]) => measureStage(core, name, stages)),
  };
}

/** Stages of one name: the one of the definition is the first, the others are leaving. */
function measureStage(core: Core, name: string, stages: readonly Stage[]): StageMeasurements {
  const { completed, skipped, failed, cancelled, retried, wait, tasks } = core.stageTotals.read(
    name,
    stages.map(({ meter }) => meter),
  );
  const oldest = stages.map((stage) => oldestItemMs(stage, core.scheduler.retries.inMemory(stage), core.time.now) ?? 0);
  return {
    stage: name,
    isPaused: core.state === 'paused' || stages[0]?.isPaused === true,
    outcomes: { completed, skipped, failed, cancelled },
    retries: retried,
    queued: sumOf(stages, (stage) => stage.waiting),
    retrying: sumOf(stages, (stage) => stage.parked),
    oldestItemAgeSeconds: Math.max(...oldest) / 1000,
    workers: workersNow(stages.flatMap((stage) => stage.workers)),
    wait,
    tasks: [...tasks].map(([task, executions]) => ({ task, ...executions })),
  };
}

function sumOf(stages: readonly Stage[], count: (stage: Stage) => number): number {
  return stages.reduce((sum, stage) => sum + count(stage), 0);
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
