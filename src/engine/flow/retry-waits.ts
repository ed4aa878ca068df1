import type { EventLog } from '../events/event-log.ts';
import type { Item, Stage, Worker } from '../model/model.ts';
import type { Parking } from '../model/parking.ts';
import type { Outcome } from '../stage/hinge.ts';
import type { DueQueue } from '../time/due-queue.ts';
import type { EngineClock } from '../time/engine-clock.ts';

const NONE: ReadonlySet<Item> = new Set();

interface RetryWaitsDeps {
  time: EngineClock;
  dues: DueQueue;
  events: EventLog;
  /** The stages of the definition, and those that are leaving. */
  stages: () => readonly Stage[];
  /** Whether nothing more may come into memory now, because the store has to catch up or is in trouble. */
  isHeld: () => boolean;
  /** Called when an item's wait is over and it is no longer parked. */
  onOver: (item: Item) => void;
}

/**
 * The items between two attempts, in no queue and without a worker, each with the instant at which it comes back.
 *
 *     retry ──park──▶ parked ──wait over──▶ onOver
 *                        └──release──▶ goes elsewhere, or ends
 *
 * Those of a stage that come back first have timers. With a store, the later ones wait there, see {@link RetryRest}, and come into memory when few are
 * left before them. Items are parked, and `stage.parked` is changed, here and nowhere else.
 */
export class RetryWaits {
  private readonly deps: RetryWaitsDeps;
  /** The ones with timers, by stage. */
  private readonly timed = new Map<Stage, Set<Item>>();
  /** Whether timers run; while the pipeline is stopped, nothing comes back. */
  private isRunning = false;

  constructor(deps: RetryWaitsDeps) {
    this.deps = deps;
  }

  /** Parks a worker's item after a failed attempt, until the next one. */
  park(worker: Worker, item: Item, outcome: Extract<Outcome, { kind: 'retry' }>): void {
    const { time, events } = this.deps;
    const { stage } = item;
    const { message, type } = outcome.error;
    item.value = outcome.value;
    item.taskIndex = outcome.taskIndex;
    item.attempts = outcome.attempts;
    item.lastError = outcome.error;
    item.status = 'retrying';
    item.updatedAt = time.now;
    stage.retried++;
    stage.meter.ends('retried', time);
    stage.parked++;
    stage.meter.parks(1, time.now);
    const at = time.now + outcome.waitMs;
    if (at > stage.parkedUntil) stage.parkedUntil = at;
    const extra = { attempt: outcome.attempts + 1, retry: true, error: message, errorType: type, waitSeconds: outcome.waitMs / 1000 };
    events.status(item, 'retrying', worker, false, extra);
    item.holder = { at, place: -1, due: Math.floor(time.lasting(at)), run: () => this.comeBack(item) };
    if (stage.parkedRest?.takes(item)) return;
    this.hold(item);
    const held = this.of(stage);
    for (const later of stage.parkedRest?.surplus(held) ?? []) {
      this.deps.dues.cancel(later.holder as Parking);
      held.delete(later);
    }
  }

  /** At a start: counts the items of a stage that the store has. */
  countStored(stage: Stage, count: number): void {
    stage.parked += count;
    stage.meter.parks(count, this.deps.time.now);
    stage.parkedRest?.begin(count);
  }

  /** Ends the wait of an item that goes elsewhere. */
  release(item: Item): void {
    const { stage } = item;
    stage.parked--;
    stage.meter.parks(-1, this.deps.time.now);
    if (stage.parked === 0) stage.parkedUntil = 0;
    if (item.stored.isBeyond) stage.parkedRest?.removed(item);
    else {
      this.deps.dues.cancel(item.holder as Parking);
      this.of(stage).delete(item);
    }
    item.holder = null;
    // A removed stage is not to be remembered for this.
    if (stage.isRemoved && stage.parked === 0) this.timed.delete(stage);
    this.refill(stage);
  }

  /** The items of a stage that are in memory, those first that were parked first. */
  timedOf(stage: Stage): Iterable<Item> {
    return this.timed.get(stage) ?? [];
  }

  /** The items of a stage that are in memory, in no order. */
  loaded(stage: Stage): Item[] {
    return [...this.of(stage)];
  }

  /** The same, without a copy; it changes when the caller lets anything happen. */
  inMemory(stage: Stage): ReadonlySet<Item> {
    return this.timed.get(stage) ?? NONE;
  }

  /** Brings so many more of a stage into memory; false when the store cannot be read now. */
  bring(stage: Stage, count: number): boolean {
    const items = stage.parkedRest?.bring(count) ?? null;
    for (const item of items ?? []) this.hold(item);
    return items !== null;
  }

  /** Goes on after it was held. */
  goOn(): void {
    for (const stage of this.deps.stages()) this.refill(stage);
  }

  /** Starts the timers, also for instants that have passed meanwhile. */
  startTimers(): void {
    this.isRunning = true;
    for (const items of this.timed.values()) for (const item of items) this.deps.dues.arm(item.holder as Parking);
    this.goOn();
  }

  stopTimers(): void {
    this.isRunning = false;
    for (const items of this.timed.values()) for (const item of items) this.deps.dues.cancel(item.holder as Parking);
  }

  private of(stage: Stage): Set<Item> {
    let items = this.timed.get(stage);
    if (items === undefined) {
      items = new Set();
      this.timed.set(stage, items);
    }
    return items;
  }

  private hold(item: Item): void {
    const parking = item.holder as Parking;
    parking.run = () => this.comeBack(item);
    this.of(item.stage).add(item);
    if (this.isRunning) this.deps.dues.arm(parking);
  }

  /** Sees to it that those who come back next have timers. What is passed on from a removed stage comes in steps of its own. */
  private refill(stage: Stage): void {
    const { parkedRest: rest } = stage;
    if (rest === null || stage.isRemoved) return;
    while (rest.size > 0 && this.of(stage).size < rest.low && !this.deps.isHeld()) {
      if (!this.bring(stage, rest.low)) return;
    }
  }

  private comeBack(item: Item): void {
    this.deps.time.tick();
    this.release(item);
    this.deps.onOver(item);
  }
}
