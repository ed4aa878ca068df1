import type { Item, Stage, Worker } from '../model/model.ts';

/** So many of those that wait apart from a queue are looked at for the oldest one, those that came first. */
const LOOKED_AT = 64;

/** The workers of a stage by what they do; the numbers add up to all workers that exist. */
export interface WorkersNow {
  /** A task, a predicate or a hook of its item runs, or is about to. */
  running: number;
  /** Its item waits for a limit of a task, or for a thread. */
  limited: number;
  /** Its item is done here, and waits for room in the next stage. */
  blocked: number;
  /** It has no item. */
  idle: number;
}

export function workersNow(workers: readonly Pick<Worker, 'item' | 'blocked' | 'waitingTask'>[]): WorkersNow {
  const now: WorkersNow = { running: 0, limited: 0, blocked: 0, idle: 0 };
  for (const { item, blocked, waitingTask } of workers) {
    if (item === null) now.idle++;
    else if (blocked !== null) now.blocked++;
    else if (waitingTask !== null) now.limited++;
    else now.running++;
  }
  return now;
}

/** Where the oldest item of a stage is looked for. */
export type Occupied = Pick<Stage, 'queue' | 'workers' | 'aside' | 'beyond'>;

/**
 * How long ago the item came into the stage that has been there the longest, in milliseconds at the instant `now`; null when it has none. It is looked for among the
 * workers' items, at the head of the queue of each priority, and among the first of those that are parked; of items that a durable store has beyond these, each is younger than
 * one in memory of its priority. After a restart, an item counts from the last change of its status.
 */
export function oldestItemMs(stage: Occupied, parked: Iterable<Item>, now: number): number | null {
  let oldest = Number.POSITIVE_INFINITY;
  const look = (items: Iterable<Item>): void => {
    let looked = 0;
    for (const { enteredAt } of items) {
      if (enteredAt < oldest) oldest = enteredAt;
      if (++looked === LOOKED_AT) return;
    }
  };
  for (const { item } of stage.workers) if (item !== null && item.enteredAt < oldest) oldest = item.enteredAt;
  // After a restart the store has all of a queue that no worker has asked for.
  if (stage.queue.size === 0 && stage.beyond !== null && stage.beyond.size > 0) stage.beyond.refill();
  look(stage.queue.heads());
  look(stage.aside);
  look(parked);
  return oldest === Number.POSITIVE_INFINITY ? null : Math.max(0, now - oldest);
}
