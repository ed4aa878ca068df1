import type { Metadata } from '../../schemas/item.ts';
import type { EventLog } from '../events/event-log.ts';
import { type Blocked, type Item, PLACE_HANDED, PLACE_NONE, type Place, type Stage, type Worker } from '../model/model.ts';
import type { Outcome } from '../stage/hinge.ts';

/** What an item leaves its stage as. */
export type LeftAs = 'completed' | 'skipped';

/** What moves items on, see scheduler.ts. */
export interface Mover {
  /** Carries out what became of a worker's item. */
  apply(worker: Worker, outcome: Outcome): void;
  /** The worker has nothing in hand any more. */
  free(worker: Worker): void;
  enqueue(item: Item, place: Place): void;
  /** The item has reached its final state. */
  end(item: Item, as: LeftAs | 'failed' | 'cancelled', worker: Worker | null, extra?: Metadata): void;
}

/**
 * From one stage to the next, or to the end. A full next stage, or one that pulls, keeps the item with its worker:
 *
 *     done ──room──▶ handed over
 *       └──none──▶ blocked ──letIn, the next stage takes it──▶ handed over
 *                     └──withdraw, cancel, force──▶ elsewhere, ended, or handed over all the same
 *
 * Only here a worker is blocked, and let go again.
 */
export class HandOver {
  private readonly mover: Mover;
  private readonly events: EventLog;
  private readonly onBlocked: () => void;

  /** `onBlocked`: a worker waits for room in the next stage. */
  constructor(mover: Mover, events: EventLog, onBlocked: () => void) {
    this.mover = mover;
    this.events = events;
    this.onBlocked = onBlocked;
  }

  /** The item of a worker is done with its stage. */
  leaveStage(worker: Worker, item: Item, as: LeftAs): void {
    const stage = item.stage;
    const next = item.nextStage;
    if (next === null) {
      this.count(worker, stage, as);
      this.mover.end(item, as, worker);
      this.mover.free(worker);
      return;
    }
    // On a way of its own it never waits: such ways cross the order of the stages, and workers could wait for each other in a ring.
    if (item.route !== null || next.hasIdle || (!next.isPull && next.handed < next.capacity && next.blocked.size === 0)) {
      this.pass(worker, item, as, next);
      this.mover.free(worker);
      return;
    }
    const entry: Blocked = { worker, as, at: next, alive: true };
    worker.blocked = entry;
    worker.waitingFor = 'next-stage-full';
    next.blocked.push(item.priority, entry);
    // A shutdown that waits for this worker hands over for it.
    this.onBlocked();
  }

  /** Room has come: the best of the blocked may hand over. */
  letIn(stage: Stage): void {
    while (stage.blocked.size > 0 && stage.handed < stage.capacity && !stage.isPull) {
      const entry = stage.blocked.shift() as Blocked;
      const item = entry.worker.item as Item;
      this.pass(entry.worker, item, this.unblock(entry, undefined), stage);
      this.mover.free(entry.worker);
    }
  }

  /** Takes the item of a blocked worker, which was taken out of the queue of those; the caller queues the item and frees the worker. */
  takeFrom(entry: Blocked): Item {
    const item = entry.worker.item as Item;
    this.depart(entry.worker, item, this.unblock(entry, undefined));
    return item;
  }

  /** Hands a blocked worker's item over although the next stage is full: at a shutdown nothing waits for room. */
  force(worker: Worker): void {
    const blocked = worker.blocked as Blocked;
    this.pass(worker, worker.item as Item, this.unblock(blocked, blocked.at), blocked.at);
    this.mover.free(worker);
  }

  /** Cancels a blocked worker's item: it never reaches the next stage. */
  cancel(worker: Worker): void {
    this.withdraw(worker);
    this.mover.apply(worker, { kind: 'cancelled' });
  }

  /** Takes a worker out of its wait for room, since its item goes elsewhere now; to be followed by {@link HandOver.leaveStage}. */
  withdraw(worker: Worker): LeftAs {
    const blocked = worker.blocked as Blocked;
    return this.unblock(blocked, blocked.at);
  }

  /** Takes a worker out of its wait; returns what its item was to leave as. With `at`, it is removed from there lazily. */
  private unblock(entry: Blocked, at: Stage | undefined): LeftAs {
    const worker = entry.worker;
    entry.alive = false;
    worker.blocked = null;
    worker.waitingFor = null;
    at?.blocked.removed();
    return entry.as;
  }

  private pass(worker: Worker, item: Item, as: LeftAs, next: Stage): void {
    const place = item.route === null ? PLACE_HANDED : PLACE_NONE;
    this.depart(worker, item, as);
    item.arrive(next);
    this.mover.enqueue(item, place);
  }

  /** The item is done with its stage, and goes on. */
  private depart(worker: Worker, item: Item, as: LeftAs): void {
    this.count(worker, item.stage, as);
    this.events.status(item, as, worker);
    item.holder = null;
    item.taskIndex = 0;
    item.attempts = 0;
  }

  private count(worker: Worker, stage: Stage, as: LeftAs): void {
    if (as === 'completed') {
      stage.completed++;
      worker.itemsProcessed++;
    } else {
      stage.skipped++;
    }
  }
}
