import { AbortedError, type SluiceError } from '../contract/errors.ts';
import type { Core } from '../flow/core.ts';
import type { Lifecycle } from './lifecycle.ts';

/** The reason for which nothing begins any more. */
const ABANDONED = 'abandoned';

/**
 * Leaves a pipeline that goes on elsewhere. Unlike a shutdown it moves no item, changes no state and tells no store: where its items are is known
 * to whoever has the pipeline now, and what becomes of them here counts for nothing.
 *
 * What runs is aborted, what waits is refused with `error`, and no timer is left. What a task does that ignores its signal changes nothing.
 */
export function abandon(core: Core, lifecycle: Lifecycle, error: SluiceError): void {
  core.suspend(ABANDONED, true);
  core.evacuation.stop();
  core.admission.refuseWaiting(error);
  const reason = new AbortedError(error.message);
  for (const stage of core.allStages) {
    for (const worker of stage.workers)
      if (worker.item !== null && worker.blocked === null) worker.runner.abandon(worker, 'aborted', reason);
  }
  lifecycle.cutShort(error);
  core.dues.clear();
}
