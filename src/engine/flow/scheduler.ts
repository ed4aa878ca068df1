/*
 * Room `flow`: the places of a pipeline's items (admitted, queued, with a worker, blocked, parked, ended) and their counts.
 *
 * Holds: An item is in exactly one place, and each place has one owner, which alone changes it: admission, scheduler, hand-over, retry waits,
 * index, ledger. fed = processed + failed + cancelled + inFlight. No task is called from within an outcome, and no turn begins another item
 * after about 5 ms.
 * Refuses: to know what a task does, how a value is stored, or who is waiting for an answer.
 */

import type { ItemError, Metadata } from '../../schemas/item.ts';
import type { Blocked, Item, Stage, Worker } from '../model/model.ts';
import { momentOf, ordAt, PLACE_BACKLOG, PLACE_HANDED, PLACE_NONE, type Place } from '../model/places.ts';
import type { Outcome } from '../stage/hinge.ts';
import type { Turn } from '../time/turn.ts';
import { endItem, failItem, translate } from './ends.ts';
import { HandOver, type LeftAs, type Mover } from './hand-over.ts';
import { type Filler, takeApart } from './quarantine.ts';
import { ReadyWorkers } from './ready-workers.ts';
import { RetryWaits } from './retry-waits.ts';
import type { SchedulerDeps } from './scheduler-deps.ts';

/**
 * Moves items: from queues to idle workers, from outcomes to the next queue, into retry waits and back.
 *
 *     queued ──assign──▶ with a worker ──apply(outcome)──▶ queued in the next stage | parked | final
 *                          └──▶ blocked (next stage full) ──take()──▶ queued in the next stage
 *
 * It never recurses into a task: workers that were given an item wait among the {@link ReadyWorkers}.
 * `inProgress`, `handed` and the backlog are changed here and nowhere else, and only here workers are given items and freed.
 */
export class Scheduler implements Mover, Filler {
  private backlogCount = 0;
  private ord = 0;
  private readonly deps: SchedulerDeps;
  private readonly ready: ReadyWorkers;
  /** Moves items that leave their stage, and has those that wait for the next one. */
  readonly handOver: HandOver;
  /** Items between two attempts. */
  readonly retries: RetryWaits;

  constructor(deps: SchedulerDeps) {
    this.deps = deps;
    this.ready = new ReadyWorkers({
      time: deps.time,
      marks: deps.marks,
      careful: deps.careful,
      touch: deps.touch,
      isHeld: deps.isHeld,
      apply: (worker, outcome) => this.apply(worker, outcome),
    });
    this.handOver = new HandOver(this, deps.time, deps.events, deps.onFree);
    this.retries = new RetryWaits({
      time: deps.time,
      dues: deps.dues,
      events: deps.events,
      stages: deps.stages,
      isHeld: deps.isHeld,
      onOver: (item) => {
        this.enqueue(item, PLACE_NONE, true);
        this.run();
      },
    });
  }

  get turn(): Turn {
    return this.ready.turn;
  }

  /** Queued items that were fed from outside. */
  get backlog(): number {
    return this.backlogCount;
  }

  /** The `ord` given last: how many times an item was queued. */
  get lastOrd(): number {
    return this.ord;
  }

  /**
   * Queues an item at its stage, or hands it to an idle worker there. One that `hasBegun` there goes before those of its priority that have not.
   * The caller runs {@link Scheduler.run} afterwards.
   */
  enqueue(item: Item, place: Place, hasBegun = false): void {
    const { time, events } = this.deps;
    const stage = item.stage;
    if (stage.isRemoved) {
      this.passOn(item, place);
      return;
    }
    item.status = 'queued';
    item.updatedAt = time.now;
    item.ord = ordAt(++this.ord, hasBegun);
    if (!hasBegun) this.enters(item);
    events.status(item, 'queued', null);
    const { quarantine } = this.deps;
    if (stage.hasIdle && quarantine?.isExclusive !== true && item.stored.deliveries === 0) {
      item.place = PLACE_NONE;
      stage.inProgress++;
      this.assign(stage.idle.pop() as Worker, item);
      return;
    }
    item.place = place;
    if (place === PLACE_HANDED) stage.handed++;
    else if (place === PLACE_BACKLOG && this.backlogCount++ === 0) this.deps.drain.setNeeded(true, time.now);
    if (quarantine !== null && item.stored.deliveries > 0) {
      quarantine.add(item, this);
      this.occupy(stage);
    } else if (stage.beyond === null) stage.queue.push(item.turn, item);
    else stage.beyond.push(item);
  }

  /** Takes a queued item out of its stage's queue; its place is free again. */
  dequeue(item: Item): void {
    if (item.stored.isBeyond) item.stage.beyond?.removed(item);
    else if (this.deps.quarantine?.remove(item) !== true) item.stage.queue.removed();
    this.leavePlace(item);
  }

  /** Gives waiting items to the idle workers of a stage, and runs them. */
  fill(stage: Stage): void {
    this.occupy(stage);
    this.run();
  }

  fillNow(stage: Stage): void {
    this.beginTurn();
    this.fill(stage);
  }

  /** To be called where a turn begins that moves items. */
  beginTurn(): void {
    this.deps.time.tick();
  }

  /** Runs all workers that have an item and have not begun it. */
  run(): void {
    this.ready.run();
  }

  /** Carries out the outcome of a worker's item, and gives the worker the next one. */
  apply(worker: Worker, outcome: Outcome): void {
    const { kind } = outcome;
    if (kind !== 'cancelled' && kind !== 'aborted') worker.stage.meter.visited(worker, kind !== 'skip', this.deps.time);
    const { stored } = worker.item as Item;
    if (stored.deliveries === 0) {
      this.carryOut(worker, outcome);
      return;
    }
    const item = worker.item as Item;
    // Otherwise it has been through a run.
    if (outcome.kind !== 'aborted') stored.deliveries = 0;
    this.deps.quarantine?.leaves(item);
    this.carryOut(worker, outcome);
    this.deps.quarantine?.left();
  }

  private carryOut(worker: Worker, outcome: Outcome): void {
    const item = worker.item as Item;
    if (worker.runner !== item.stage.runner) translate(worker, item, outcome);
    switch (outcome.kind) {
      case 'advance':
        item.value = outcome.value;
        this.handOver.leaveStage(worker, item, 'completed');
        return;
      case 'skip':
        this.handOver.leaveStage(worker, item, 'skipped');
        return;
      case 'retry':
        if (item.stage.isRemoved) {
          item.value = outcome.value;
          this.handOver.leaveStage(worker, item, 'skipped');
          return;
        }
        this.retries.park(worker, item, outcome);
        break;
      case 'fail': {
        const limit = item.stage.spec.definition.pauseAfterFailures;
        const then = limit === undefined ? null : this.deps.onFailure(worker, item, outcome);
        worker.itemsFailed++;
        failItem(this.deps, item, outcome.error, worker);
        then?.();
        break;
      }
      case 'cancelled':
        this.end(item, 'cancelled', worker);
        break;
      case 'aborted':
        item.holder = null;
        this.free(worker);
        this.enqueue(item, PLACE_NONE, true);
        return;
    }
    this.free(worker);
  }

  /** Ends an item that is queued or parked. */
  finishWaiting(item: Item, status: 'cancelled'): void {
    this.deps.time.tick();
    const isParked = item.status === 'retrying';
    // Set before the item leaves the queue, which recognises dead entries by their status.
    item.status = status;
    if (isParked) this.retries.release(item);
    else this.dequeue(item);
    this.end(item, status, null);
  }

  /** Fails an item that is in no place: no worker has it, and no queue. */
  failDisplaced(item: Item, error: ItemError): void {
    failItem(this.deps, item, error, null);
  }

  /** At a start: puts an item that was running back into its stage's queue, before those that have not begun there, or beside it. */
  putBack(item: Item): void {
    const { time, events } = this.deps;
    item.ord = ordAt(momentOf(item.ord), true);
    item.status = 'queued';
    item.updatedAt = time.now;
    item.place = PLACE_NONE;
    events.status(item, 'queued', null);
    if (item.stored.deliveries > 0) this.setAside(item);
    else item.stage.beyond?.putBack(item);
  }

  /** At a start: has a queued item wait beside the queue, in the place that it has. */
  setAside(item: Item): void {
    item.stored.isBeyond = false;
    this.deps.quarantine?.add(item, this);
  }

  /** At a start: sets how many times an item was queued. */
  restore(lastOrd: number): void {
    this.ord = lastOrd;
  }

  /** At a start: counts items in the stored part of a stage's queue, or, with a negative number, counts them out. */
  countStored(stage: Stage, place: Place, count: number): void {
    stage.beyond?.begin(count);
    if (place === PLACE_BACKLOG) this.backlogCount += count;
    else if (place === PLACE_HANDED) stage.handed += count;
  }

  /**
   * Moves an item that waits in a removed stage to the next one, or ends it as completed. `place`: the place that it takes there, that of the
   * backlog if it had one.
   */
  passOn(item: Item, place: Place): void {
    const { events } = this.deps;
    const next = item.nextStage;
    item.stage.skipped++;
    item.stage.meter.ends('skipped', this.deps.time);
    item.holder = null;
    if (next === null) {
      this.end(item, 'skipped', null);
      return;
    }
    events.status(item, 'skipped', null);
    item.beginAnew();
    item.arrive(next);
    this.enqueue(item, place);
  }

  /** Takes an item away from beside a queue; its place is still its own. */
  leaveAside(item: Item): void {
    this.deps.quarantine?.remove(item);
  }

  /** Frees an item's place in a removed stage without letting anybody in. Returns which place it was. */
  giveUpPlace(item: Item): Place {
    const { place } = item;
    item.place = PLACE_NONE;
    if (place === PLACE_BACKLOG && --this.backlogCount === 0) this.deps.drain.setNeeded(false, this.deps.time.now);
    else if (place === PLACE_HANDED) item.stage.handed--;
    return place;
  }

  /** Takes an item back from a worker that has not begun it or only waits for a limit: it is queued again, or goes on. */
  takeBack(worker: Worker): void {
    const outcome = worker.runner.abandon(worker, 'aborted');
    if (outcome !== undefined) this.apply(worker, outcome);
  }

  private enters(item: Item): void {
    const { time } = this.deps;
    item.enteredAt = Math.floor(time.now);
    item.stage.meter.enters(time);
  }

  private assign(worker: Worker, item: Item): void {
    worker.item = item;
    worker.runner = worker.stage.runner;
    worker.first = item.taskIndex;
    worker.isAssigned = true;
    worker.isMarked = false;
    const { time } = this.deps;
    const { now } = time;
    worker.processingSince = now;
    worker.busyBefore = worker.busyMs;
    worker.waitedMs = Math.max(0, now - item.updatedAt);
    worker.stage.keepTime(time);
    if (!item.feed.isMeasured) item.feed.begin(this.deps.meter.feedClock.at(now));
    item.holder = worker;
    this.ready.push(worker);
  }

  /** Gives waiting items to idle workers, as many as the stage may have while retiring ones still run. */
  private occupy(stage: Stage): void {
    while (stage.idle.length > 0 && stage.inProgress < stage.size) {
      // Taking an item can let blocked ones in, which may find other idle workers, so this worker is counted first.
      const worker = stage.idle.pop() as Worker;
      stage.inProgress++;
      this.occupyWith(worker, this.take(stage));
      if (worker.item === null) break;
    }
  }

  private occupyWith(worker: Worker, item: Item | undefined): void {
    if (item !== undefined) {
      this.assign(worker, item);
      if (item.place === PLACE_BACKLOG) this.deps.drain.left(this.deps.time);
      this.leavePlace(item);
      return;
    }
    const { stage } = worker;
    stage.inProgress--;
    stage.keepTime(this.deps.time);
    stage.idle.push(worker);
  }

  /** Frees a worker: it takes the next item, goes idle, or leaves. */
  free(worker: Worker): void {
    const stage = worker.stage;
    worker.item = null;
    // An idle worker keeps nothing alive.
    worker.value = undefined;
    worker.advanced.value = undefined;
    worker.isAssigned = false;
    worker.lastActive = this.deps.time.now;
    if (worker.retiring) {
      stage.inProgress--;
      stage.keepTime(this.deps.time);
      stage.remove(worker);
      this.occupy(stage);
    } else {
      this.occupyWith(worker, stage.inProgress > stage.size ? undefined : this.take(stage));
    }
    this.deps.onFree();
  }

  /**
   * The next item for a worker of `stage`, taken out of the queue or from a blocked worker. It gives up its place only when the worker has it:
   * whichever item comes into that place must not overtake it.
   */
  private take(stage: Stage): Item | undefined {
    if (!stage.isOpen) return undefined;
    const { quarantine } = this.deps;
    if (quarantine === null) return this.next(stage);
    return takeApart(quarantine, stage, this, () => this.next(stage));
  }

  private next(stage: Stage): Item | undefined {
    const { queue, blocked, beyond } = stage;
    // Who is blocked comes after those that cannot be read now. They are tried again when the trouble is over.
    if (beyond !== null && beyond.size > 0 && !beyond.refill()) return undefined;
    if (blocked.size > 0 && (queue.size === 0 || blocked.peekPriority() < queue.peekPriority())) {
      const entry = blocked.shift() as Blocked;
      const item = this.handOver.takeFrom(entry);
      item.arrive(stage);
      const { time, events } = this.deps;
      item.status = 'queued';
      item.updatedAt = time.now;
      item.ord = ++this.ord;
      this.enters(item);
      events.status(item, 'queued', null);
      this.free(entry.worker);
      return item;
    }
    return queue.shift();
  }

  private leavePlace(item: Item): void {
    const place = item.place;
    item.place = PLACE_NONE;
    if (place === PLACE_BACKLOG) {
      if (--this.backlogCount === 0) this.deps.drain.setNeeded(false, this.deps.time.now);
      this.deps.onRoom();
    } else if (place === PLACE_HANDED) {
      item.stage.handed--;
      this.handOver.letIn(item.stage);
    }
  }

  /** Ends an item, with or without a worker. */
  end(item: Item, as: LeftAs | 'failed' | 'cancelled', worker: Worker | null, extra?: Metadata): void {
    endItem(this.deps, item, as, worker, extra);
  }
}
