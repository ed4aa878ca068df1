import type { Metadata } from '../../schemas/item.ts';
import type { EventLog } from '../events/event-log.ts';
import type { Blocked, Item, Stage, Worker } from '../model/model.ts';
import { PLACE_HANDED, PLACE_NONE, type Place } from '../model/places.ts';
import type { Outcome } from '../stage/hinge.ts';
import type { EngineClock } from '../time/engine-clock.ts';

/** The status with which an item leaves its stage. */
export type LeftAs = 'completed' | 'skipped';

/** The scheduler, as the hand-over sees it. */
export interface Mover {
  /** Carries out the outcome of a worker's item. */
  apply(worker: Worker, outcome: Outcome): void;
  /** Called when a worker no longer has an item. */
  free(worker: Worker): void;
  enqueue(item: Item, place: Place): void;
  /** Ends an item. */
  end(item: Item, as: LeftAs | 'failed' | 'cancelled', worker: Worker | null, extra?: Metadata): void;
}

/**
 * Moves items from one stage to the next, or to their end. If the next stage is full, or pulls, the item stays with its worker:
 *
 *     done ──room──▶ handed over
 *       └──none──▶ blocked ──letIn, the next stage takes it──▶ handed over
 *                     └──withdraw, cancel, force──▶ elsewhere, ended, or handed over all the same
 *
 * Workers are blocked and unblocked here and nowhere else.
 */
export class HandOver {
  private readonly mover: Mover;
  private readonly time: EngineClock;
  private readonly events: EventLog;
  private readonly onBlocked: () => void;

  /** `onBlocked` is called when a worker begins to wait for room in the next stage. */
  constructor(mover: Mover, time: EngineClock, events: EventLog, onBlocked: () => void) {
    this.mover = mover;
    this.time = time;
    this.events = events;
    this.onBlocked = onBlocked;
  }

  /** Moves on an item that is done with its stage. */
  leaveStage(worker: Worker, item: Item, as: LeftAs): void {
    const stage = item.stage;
    const next = item.nextStage;
    if (next === null) {
      this.count(worker, stage, as);
      this.mover.end(item, as, worker);
      this.mover.free(worker);
      return;
    }
    // An item with a route of its own never waits: routes cross the order of the stages, so workers could wait for each other in a cycle.
    if (item.route !== null || next.hasIdle || (!next.isPull && next.handed < next.capacity && next.blocked.size === 0)) {
      this.pass(worker, item, as, next);
      this.mover.free(worker);
      return;
    }
    const entry: Blocked = { worker, as, at: next, alive: true };
    worker.blocked = entry;
    worker.waitingFor = 'next-stage-full';
    stage.blockedWorkers++;
    stage.keepTime(this.time);
    next.blocked.push(item.priority, entry);
    // A shutdown that waits for this worker hands over for it.
    this.onBlocked();
  }

  /** Lets blocked workers hand over while the stage has room, the most urgent first. */
  letIn(stage: Stage): void {
    while (stage.blocked.size > 0 && stage.handed < stage.capacity && !stage.isPull) {
      const entry = stage.blocked.shift() as Blocked;
      const item = entry.worker.item as Item;
      this.pass(entry.worker, item, this.unblock(entry, undefined), stage);
      this.mover.free(entry.worker);
    }
  }

  /** Takes the item of a worker whose entry was taken out of the queue of blocked ones; the caller queues the item and frees the worker. */
  takeFrom(entry: Blocked): Item {
    const item = entry.worker.item as Item;
    this.depart(entry.worker, item, this.unblock(entry, undefined));
    return item;
  }

  /** Hands over a blocked worker's item although the next stage is full: in a shutdown, nothing waits for room. */
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

  /** Ends a worker's wait for room because its item goes elsewhere now; to be followed by {@link HandOver.leaveStage}. */
  withdraw(worker: Worker): LeftAs {
    const blocked = worker.blocked as Blocked;
    return this.unblock(blocked, blocked.at);
  }

  /** Ends a worker's wait; returns the status with which its item leaves the stage. With `at`, removes the entry from that stage's queue lazily. */
  private unblock(entry: Blocked, at: Stage | undefined): LeftAs {
    const worker = entry.worker;
    entry.alive = false;
    worker.blocked = null;
    worker.waitingFor = null;
    worker.stage.blockedWorkers--;
    at?.blocked.removed();
    return entry.as;
  }

  private pass(worker: Worker, item: Item, as: LeftAs, next: Stage): void {
    const place = item.route === null ? PLACE_HANDED : PLACE_NONE;
    this.depart(worker, item, as);
    item.arrive(next);
    this.mover.enqueue(item, place);
  }

  /** Counts an item out of its stage, and clears its state there. */
  private depart(worker: Worker, item: Item, as: LeftAs): void {
    this.count(worker, item.stage, as);
    this.events.status(item, as, worker);
    item.holder = null;
    item.beginAnew();
  }

  private count(worker: Worker, stage: Stage, as: LeftAs): void {
    if (as === 'completed') {
      stage.completed++;
      worker.itemsProcessed++;
    } else {
      stage.skipped++;
    }
    stage.meter.ends(as, this.time);
  }
}
