import type { ItemError, Metadata } from '../../schemas/item.ts';
import type { EventLog } from '../events/event-log.ts';
import { type Blocked, type Item, PLACE_BACKLOG, PLACE_HANDED, PLACE_NONE, type Place, type Stage, type Worker } from '../model/model.ts';
import type { Outcome } from '../stage/hinge.ts';
import type { Drain } from '../time/drain.ts';
import type { DueQueue } from '../time/due-queue.ts';
import type { EngineClock } from '../time/engine-clock.ts';
import type { Turn } from '../time/turn.ts';
import { type Marks, ReadyWorkers } from './ready-workers.ts';
import { RetryWaits } from './retry-waits.ts';

export interface SchedulerDeps {
  time: EngineClock;
  dues: DueQueue;
  events: EventLog;
  drain: Drain;
  /** An item has ended: counts it, keeps it, tells who waits. */
  onFinal: (item: Item, status: 'completed' | 'failed' | 'cancelled') => void;
  /** A place in the backlog is free. */
  onRoom: () => void;
  /** Notes what workers are about to run where a crash of the process does not reach; null when nobody wants to know. */
  marks: Marks | null;
  /** A worker let go of its item, whatever the outcome, or waits for room in the next stage. */
  onFree: () => void;
}

/**
 * Moves items: from queues to idle workers, from outcomes to the next queue, into retry waits and back.
 *
 *     queued ──assign──▶ held ──apply(outcome)──▶ queued in the next stage | parked | final
 *                          └──▶ blocked (next stage full) ──take()──▶ queued in the next stage
 *
 * It never recurses into a task: workers that got an item wait among the {@link ReadyWorkers}.
 * Only here `inProgress`, `handed` and the backlog are changed, and workers given an item and freed.
 */
export class Scheduler {
  private backlogCount = 0;
  private ord = 0;
  private readonly deps: SchedulerDeps;
  private readonly ready: ReadyWorkers;
  /** Items between two attempts. */
  readonly retries: RetryWaits;

  constructor(deps: SchedulerDeps) {
    this.deps = deps;
    this.ready = new ReadyWorkers({ time: deps.time, marks: deps.marks, apply: (worker, outcome) => this.apply(worker, outcome) });
    this.retries = new RetryWaits({
      time: deps.time,
      dues: deps.dues,
      events: deps.events,
      onOver: (item) => {
        this.enqueue(item, PLACE_NONE);
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

  /** How many times an item was queued. */
  get lastOrd(): number {
    return this.ord;
  }

  /** Queues an item at its stage, or hands it to an idle worker there. The caller runs {@link Scheduler.run} afterwards. */
  enqueue(item: Item, place: Place): void {
    const { time, events } = this.deps;
    const stage = item.stage;
    if (stage.isRemoved) {
      this.passOn(item, place);
      return;
    }
    item.status = 'queued';
    item.updatedAt = time.now;
    item.ord = ++this.ord;
    events.status(item, 'queued', null);
    if (stage.hasIdle) {
      item.place = PLACE_NONE;
      stage.inProgress++;
      this.assign(stage.idle.pop() as Worker, item);
      return;
    }
    item.place = place;
    if (place === PLACE_HANDED) stage.handed++;
    else if (place === PLACE_BACKLOG && this.backlogCount++ === 0) this.deps.drain.setNeeded(true, time.now);
    if (stage.beyond === null) stage.queue.push(item.priority, item);
    else stage.beyond.push(item);
  }

  /** Takes a queued item out of its stage's queue; its place is free again. */
  dequeue(item: Item): void {
    if (item.stored.isBeyond) item.stage.beyond?.removed(item);
    else item.stage.queue.removed();
    this.leavePlace(item);
  }

  /** Gives every idle worker of a stage something to do, if there is. */
  fill(stage: Stage): void {
    this.occupy(stage);
    this.run();
  }

  /** Runs all workers that have got an item and not begun it. */
  run(): void {
    this.ready.run();
  }

  /** Carries out what became of a worker's item, and gives the worker the next one. */
  apply(worker: Worker, outcome: Outcome): void {
    const item = worker.item as Item;
    if (worker.runner !== item.stage.runner) this.translate(worker, item, outcome);
    switch (outcome.kind) {
      case 'advance':
        item.value = outcome.value;
        this.leaveStage(worker, item, 'completed');
        return;
      case 'skip':
        this.leaveStage(worker, item, 'skipped');
        return;
      case 'retry':
        if (item.stage.isRemoved) {
          item.value = outcome.value;
          this.leaveStage(worker, item, 'skipped');
          return;
        }
        this.retries.park(worker, item, outcome);
        break;
      case 'fail':
        item.error = outcome.error;
        item.stage.failed++;
        worker.itemsFailed++;
        this.finish(worker, item, 'failed', {
          error: outcome.error.message,
          errorType: outcome.error.type,
          attempts: outcome.error.attempts,
        });
        break;
      case 'cancelled':
        this.finish(worker, item, 'cancelled');
        break;
      case 'aborted':
        item.holder = null;
        this.free(worker);
        this.enqueue(item, PLACE_NONE);
        return;
    }
    this.free(worker);
  }

  /** Ends an item that no worker holds. */
  finishUnheld(item: Item, status: 'cancelled'): void {
    this.deps.time.tick();
    const isParked = item.status === 'retrying';
    // Before it leaves the queue, which tells the dead from the living by their status.
    item.status = status;
    if (isParked) this.retries.release(item);
    else this.dequeue(item);
    this.end(item, status, null);
  }

  /** Ends an item as failed that no worker holds and no queue has. */
  failUnheld(item: Item, error: ItemError): void {
    item.error = error;
    item.stage.failed++;
    this.end(item, 'failed', null, { error: error.message, errorType: error.type, attempts: error.attempts });
  }

  /** At a start: an item that was running takes its old place in its stage's queue again. */
  putBack(item: Item): void {
    const { time, events } = this.deps;
    item.status = 'queued';
    item.updatedAt = time.now;
    item.place = PLACE_NONE;
    events.status(item, 'queued', null);
    item.stage.beyond?.putBack(item);
  }

  /** At a start: items were queued so often. */
  restore(lastOrd: number): void {
    this.ord = lastOrd;
  }

  /** At a start: so many items wait in the stored part of a stage's queue that were not counted there yet; below 0, so many no longer do. */
  countStored(stage: Stage, place: Place, count: number): void {
    stage.beyond?.begin(count);
    if (place === PLACE_BACKLOG) this.backlogCount += count;
    else if (place === PLACE_HANDED) stage.handed += count;
  }

  /** Hands a blocked worker's item over although the next stage is full: at a shutdown nothing waits for room. */
  forceHandOver(worker: Worker): void {
    const blocked = worker.blocked as Blocked;
    const outcome = this.unblock(blocked, blocked.at);
    this.handOver(worker, worker.item as Item, outcome, blocked.at);
    this.free(worker);
  }

  /** Cancels a blocked worker's item: it never reaches the next stage. */
  cancelBlocked(worker: Worker): void {
    const blocked = worker.blocked as Blocked;
    this.unblock(blocked, blocked.at);
    this.apply(worker, { kind: 'cancelled' });
  }

  /**
   * An item that waits in a stage which was removed goes on at its next one, or ends as completed: from its queue with the
   * place that it had there, and from the wait between two attempts.
   */
  passOn(item: Item, place: Place): void {
    const { events } = this.deps;
    const next = item.nextStage;
    item.stage.skipped++;
    item.holder = null;
    if (next === null) {
      this.end(item, 'skipped', null);
      return;
    }
    events.status(item, 'skipped', null);
    item.taskIndex = 0;
    item.attempts = 0;
    item.arrive(next);
    this.enqueue(item, place);
  }

  /** Gives up an item's place in a stage that was removed: nobody is let in there. Returns which place it was. */
  giveUpPlace(item: Item): Place {
    const { place } = item;
    item.place = PLACE_NONE;
    if (place === PLACE_BACKLOG && --this.backlogCount === 0) this.deps.drain.setNeeded(false, this.deps.time.now);
    else if (place === PLACE_HANDED) item.stage.handed--;
    return place;
  }

  /** Takes an item back from a worker that has not begun it, or waits for a limit only: it is queued again, or goes on. */
  takeBack(worker: Worker): void {
    const outcome = worker.runner.abandon(worker, 'aborted');
    if (outcome !== undefined) this.apply(worker, outcome);
  }

  /** Takes a worker out of its wait for room, since its item goes elsewhere now; to be followed by {@link Scheduler.leave}. */
  withdraw(worker: Worker): 'completed' | 'skipped' {
    const blocked = worker.blocked as Blocked;
    return this.unblock(blocked, blocked.at);
  }

  /** The item of a worker that was withdrawn leaves its stage. */
  leave(worker: Worker, as: 'completed' | 'skipped'): void {
    this.leaveStage(worker, worker.item as Item, as);
  }

  private assign(worker: Worker, item: Item): void {
    worker.item = item;
    worker.runner = worker.stage.runner;
    worker.isAssigned = true;
    worker.isMarked = false;
    worker.processingSince = this.deps.time.now;
    item.holder = worker;
    this.ready.push(worker);
  }

  /** Idle workers take what waits, no more of them than the stage may have while retiring ones still run. */
  private occupy(stage: Stage): void {
    while (stage.idle.length > 0 && stage.inProgress < stage.size) {
      // Taking one can let blocked ones in, and those may find other idle workers: so this one is counted first.
      const worker = stage.idle.pop() as Worker;
      stage.inProgress++;
      this.occupyWith(worker, this.take(stage));
      if (worker.item === null) break;
    }
  }

  private occupyWith(worker: Worker, item: Item | undefined): void {
    if (item !== undefined) {
      this.assign(worker, item);
      if (item.place === PLACE_BACKLOG) this.deps.drain.left(this.deps.time.now);
      this.leavePlace(item);
      return;
    }
    worker.stage.inProgress--;
    worker.stage.idle.push(worker);
  }

  /** The worker has nothing in hand any more: it takes the next item, goes idle, or leaves. */
  private free(worker: Worker): void {
    const stage = worker.stage;
    worker.item = null;
    // An idle worker keeps nothing alive.
    worker.value = undefined;
    worker.isAssigned = false;
    worker.lastActive = this.deps.time.now;
    if (worker.retiring) {
      stage.inProgress--;
      stage.remove(worker);
      this.occupy(stage);
    } else {
      this.occupyWith(worker, stage.inProgress > stage.size ? undefined : this.take(stage));
    }
    this.deps.onFree();
  }

  /**
   * The next item for a worker of `stage`, taken out of the queue or out of the hands of a blocked worker. It leaves its
   * place only when the worker has it: who comes into that place must not overtake it.
   */
  private take(stage: Stage): Item | undefined {
    if (!stage.isOpen) return undefined;
    const { queue, blocked, beyond } = stage;
    if (beyond !== null && beyond.size > 0) beyond.refill();
    if (blocked.size > 0 && (queue.size === 0 || blocked.peekPriority() < queue.peekPriority())) {
      const entry = blocked.shift() as Blocked;
      const item = entry.worker.item as Item;
      const outcome = this.unblock(entry, undefined);
      this.depart(entry.worker, item, outcome);
      item.arrive(stage);
      const { time, events } = this.deps;
      item.status = 'queued';
      item.updatedAt = time.now;
      item.ord = ++this.ord;
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
      this.letIn(item.stage);
    }
  }

  /** Room has come: the best of the blocked may hand over. */
  letIn(stage: Stage): void {
    while (stage.blocked.size > 0 && stage.handed < stage.capacity && !stage.isPull) {
      const entry = stage.blocked.shift() as Blocked;
      const item = entry.worker.item as Item;
      this.handOver(entry.worker, item, this.unblock(entry, undefined), stage);
      this.free(entry.worker);
    }
  }

  private leaveStage(worker: Worker, item: Item, as: 'completed' | 'skipped'): void {
    const stage = item.stage;
    const next = item.nextStage;
    if (next === null) {
      this.count(worker, stage, as);
      this.finish(worker, item, as);
      this.free(worker);
      return;
    }
    // On a way of its own it never waits: such ways cross the order of the stages, and workers could wait for each other in a ring.
    if (item.route !== null || next.hasIdle || (!next.isPull && next.handed < next.capacity && next.blocked.size === 0)) {
      this.handOver(worker, item, as, next);
      this.free(worker);
      return;
    }
    const entry: Blocked = { worker, as, at: next, alive: true };
    worker.blocked = entry;
    worker.waitingFor = 'next-stage-full';
    next.blocked.push(item.priority, entry);
    // A shutdown that waits for this worker hands over for it.
    this.deps.onFree();
  }

  /** Takes a worker out of its wait; returns what its item was to leave as. With `at`, it is removed from there lazily. */
  private unblock(entry: Blocked, at: Stage | undefined): 'completed' | 'skipped' {
    const worker = entry.worker;
    entry.alive = false;
    worker.blocked = null;
    worker.waitingFor = null;
    at?.blocked.removed();
    return entry.as;
  }

  private handOver(worker: Worker, item: Item, as: 'completed' | 'skipped', next: Stage): void {
    const place = item.route === null ? PLACE_HANDED : PLACE_NONE;
    this.depart(worker, item, as);
    item.arrive(next);
    this.enqueue(item, place);
  }

  /** The stage was defined anew while the worker ran by the old definition: the item goes on in terms of the new one. */
  private translate(worker: Worker, item: Item, outcome: Outcome): void {
    const { runner } = item.stage;
    if (outcome.kind === 'retry') outcome.taskIndex = runner.placeOf(outcome.taskIndex, worker.runner);
    else if (outcome.kind === 'fail' || outcome.kind === 'aborted') item.taskIndex = runner.placeOf(item.taskIndex, worker.runner);
  }

  /** The item is done with its stage, and goes on. */
  private depart(worker: Worker, item: Item, as: 'completed' | 'skipped'): void {
    const { events } = this.deps;
    this.count(worker, item.stage, as);
    events.status(item, as, worker);
    item.holder = null;
    item.taskIndex = 0;
    item.attempts = 0;
  }

  private count(worker: Worker, stage: Stage, as: 'completed' | 'skipped'): void {
    if (as === 'completed') {
      stage.completed++;
      worker.itemsProcessed++;
    } else {
      stage.skipped++;
    }
  }

  private finish(worker: Worker, item: Item, as: 'completed' | 'skipped' | 'failed' | 'cancelled', extra?: Metadata): void {
    this.end(item, as, worker, extra);
  }

  private end(item: Item, as: 'completed' | 'skipped' | 'failed' | 'cancelled', worker: Worker | null, extra?: Metadata): void {
    item.holder = null;
    item.updatedAt = this.deps.time.now;
    const status = as === 'skipped' ? 'completed' : as;
    item.status = status;
    if (as === 'cancelled') {
      item.error = { type: 'Cancelled', message: 'the item was cancelled', stage: item.stage.name, attempts: item.attempts };
    }
    this.deps.events.status(item, as, worker, true, extra);
    this.deps.onFinal(item, status);
  }
}
