import type { PipelineState } from '../../schemas/stats.ts';
import type { EventLog } from '../events/event-log.ts';
import type { PipelineMeter } from '../measures/pipeline-meter.ts';
import type { StageMeter } from '../measures/stage-meter.ts';
import type { Stage, Worker } from '../model/model.ts';
import type { EngineClock } from '../time/engine-clock.ts';
import type { Ledger } from './ledger.ts';
import type { RetryWaits } from './retry-waits.ts';

/*
 * Read-only types of a pipeline and its parts, for code that shows them.
 */

export interface PipelineFace {
  readonly time: Pick<EngineClock, 'tick' | 'now' | 'instant'>;
  readonly events: Pick<EventLog, 'asOf' | 'history'>;
  readonly state: PipelineState;
  readonly ledger: LedgerFace;
  readonly meter: Pick<PipelineMeter, 'perSecond' | 'latencies' | 'failures'>;
  /** The stages of the definition. */
  readonly stages: readonly Stage[];
  /** The stages of the definition, and those that are leaving. */
  readonly allStages: readonly Stage[];
  readonly scheduler: { readonly retries: Pick<RetryWaits, 'timedOf'> };
}

type LedgerFace = Pick<Ledger, 'fed' | 'processed' | 'failed' | 'cancelled' | 'inFlight' | 'errorSummary'>;

type StageCounts = 'inProgress' | 'parked' | 'completed' | 'failed' | 'skipped' | 'retried' | 'ignoringSignal';

export interface StageFace
  extends Readonly<Pick<Stage, 'name' | 'waiting' | 'isOpen' | 'isPull' | 'handed' | 'capacity' | 'workerNames' | StageCounts>> {
  readonly workers: readonly WorkerFace[];
  readonly blocked: { readonly size: number };
  readonly meter: StageMeter;
  readonly next: StageFace | null;
}

type WorkerCounts = 'itemsProcessed' | 'itemsFailed' | 'busyMs' | 'lastActive' | 'processingSince';

export interface WorkerFace
  extends Readonly<Pick<Worker, 'name' | 'task' | 'taskStatus' | 'waitingFor' | 'waitingTask' | 'sharedWait' | WorkerCounts>> {
  readonly stage: { readonly name: string };
  readonly item: { readonly id: string } | null;
  readonly blocked: { readonly at: { readonly name: string } } | null;
  readonly runner: Pick<Worker['runner'], 'gateOf'>;
}
