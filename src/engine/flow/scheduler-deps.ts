import type { EventLog } from '../events/event-log.ts';
import type { PipelineMeter } from '../measures/pipeline-meter.ts';
import type { Item, Stage, Worker } from '../model/model.ts';
import type { Failure } from '../stage/hinge.ts';
import type { Drain } from '../time/drain.ts';
import type { DueQueue } from '../time/due-queue.ts';
import type { EngineClock } from '../time/engine-clock.ts';
import type { Careful } from './careful.ts';
import type { Quarantine } from './quarantine.ts';
import type { Marks, ReadyWorkers } from './ready-workers.ts';

export interface SchedulerDeps {
  time: EngineClock;
  dues: DueQueue;
  events: EventLog;
  drain: Drain;
  meter: PipelineMeter;
  /** Called when an item has ended: counts it, keeps it, and tells those who wait. */
  onFinal: (item: Item, status: 'completed' | 'failed' | 'cancelled') => void;
  /** Called before an item fails in a stage with `pauseAfterFailures`. Returns what is to be called when it has. */
  onFailure: (worker: Worker, item: Item, outcome: Failure) => (() => void) | null;
  /** Called when a place in the backlog becomes free. */
  onRoom: () => void;
  /** The stages of the definition, and those that are leaving. */
  stages: () => readonly Stage[];
  /** See {@link ReadyWorkers}. */
  isHeld: () => boolean;
  /** The file of marks; null without a store. */
  marks: Marks | null;
  /** See {@link ReadyWorkers}. */
  careful: Careful | null;
  touch: (item: Item) => void;
  /** Where suspects of crashes wait; null without a store. */
  quarantine: Quarantine | null;
  /** Called when a worker no longer has its item, whatever the outcome, or begins to wait for room in the next stage. */
  onFree: () => void;
}
