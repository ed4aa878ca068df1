import type { ItemError, Metadata } from '../../schemas/item.ts';
import type { Item, Worker } from '../model/model.ts';
import type { Outcome } from '../stage/hinge.ts';
import type { LeftAs } from './hand-over.ts';
import type { SchedulerDeps } from './scheduler-deps.ts';

type Ending = Pick<SchedulerDeps, 'time' | 'events' | 'onFinal'>;

/** Ends an item, with or without a worker. */
export function endItem(
  { time, events, onFinal }: Ending,
  item: Item,
  as: LeftAs | 'failed' | 'cancelled',
  worker: Worker | null,
  extra?: Metadata,
): void {
  item.holder = null;
  item.updatedAt = time.now;
  const status = as === 'skipped' ? 'completed' : as;
  item.status = status;
  if (as === 'cancelled') {
    item.stage.meter.ends('cancelled', time);
    item.error = { type: 'Cancelled', message: 'the item was cancelled', stage: item.stage.name, attempts: item.attempts };
  }
  events.status(item, as, worker, true, extra);
  onFinal(item, status);
}

/** Fails an item, with or without a worker. */
export function failItem(deps: Ending, item: Item, error: ItemError, worker: Worker | null): void {
  item.error = error;
  item.lastError = error;
  item.stage.failed++;
  item.stage.meter.ends('failed', deps.time);
  endItem(deps, item, 'failed', worker, { error: error.message, errorType: error.type, attempts: error.attempts });
}

/** Translates the outcome of a worker that ran by an old definition of its stage: the item goes on by the new one. */
export function translate(worker: Worker, item: Item, outcome: Outcome): void {
  const { runner } = item.stage;
  if (outcome.kind === 'retry') outcome.taskIndex = runner.placeOf(outcome.taskIndex, worker.runner);
  else if (outcome.kind === 'fail' || outcome.kind === 'aborted') item.taskIndex = runner.placeOf(item.taskIndex, worker.runner);
}
