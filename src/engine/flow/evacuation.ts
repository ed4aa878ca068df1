import { PLACE_BACKLOG, PLACE_NONE, type Stage } from '../model/model.ts';
import type { Scheduler } from './scheduler.ts';

/**
 * Empties the queue and the retry waits of a removed stage by {@link Scheduler.passOn}. Returns the number of items. The caller calls
 * {@link Scheduler.run} afterwards.
 */
export function evacuate(scheduler: Scheduler, stage: Stage): number {
  const { retries } = scheduler;
  let count = 0;
  for (const item of retries.ofStage(stage)) {
    retries.release(item);
    scheduler.passOn(item, PLACE_NONE);
    count++;
  }
  stage.beyond?.bringAll();
  for (let item = stage.queue.shift(); item !== undefined; item = stage.queue.shift()) {
    const isOfBacklog = scheduler.giveUpPlace(item) === PLACE_BACKLOG;
    scheduler.passOn(item, isOfBacklog ? PLACE_BACKLOG : PLACE_NONE);
    count++;
  }
  return count;
}
