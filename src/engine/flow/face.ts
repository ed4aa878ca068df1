import type { EventLog } from '../events/event-log.ts';
import type { PipelineMeter } from '../measures/pipeline-meter.ts';
import type { Stage, Worker } from '../model/model.ts';
import type { EngineClock } from '../time/engine-clock.ts';
import type { Ledger } from './ledger.ts';

/*
 * Read-only types of a pipeline and its parts, for code that shows them.
 */

export interface PipelineFace {
  readonly time: Pick<EngineClock, 'tick' | 'now' | 'instant'>;
  readonly events: Pick<EventLog, 'asOf' | 'history'>;
  readonly ledger: LedgerFace;
  readonly meter: Pick<PipelineMeter, 'perSecond' | 'latencies'>;
  /** The stages of the definition. */
  readonly stages: readonly StageFace[];
  /** The stages of the definition, and those that are leaving. */
  readonly allStages: readonly StageFace[];
}

type LedgerFace = Pick<Ledger, 'fed' | 'processed' | 'failed' | 'cancelled' | 'inFlight' | 'errorSummary'>;

type StageCounts = 'inProgress' | 'parked' | 'completed' | 'failed' | 'skipped' | 'retried' | 'ignoringSignal';

export interface StageFace extends Readonly<Pick<Stage, 'name' | 'waiting' | 'isOpen' | 'workerNames' | StageCounts>> {
  readonly workers: readonly WorkerFace[];
  readonly blocked: { readonly size: number };
  readonly runner: Pick<Stage['runner'], 'blockedByLimit'>;
}

type WorkerCounts = 'itemsProcessed' | 'itemsFailed' | 'busyMs' | 'lastActive' | 'processingSince';

export interface WorkerFace
  extends Readonly<Pick<Worker, 'name' | 'task' | 'taskStatus' | 'waitingFor' | 'waitingTask' | 'sharedWait' | WorkerCounts>> {
  readonly stage: { readonly name: string };
  readonly item: { readonly id: string } | null;
  readonly blocked: { readonly at: { readonly name: string } } | null;
  readonly runner: Pick<Worker['runner'], 'gateOf'>;
}
