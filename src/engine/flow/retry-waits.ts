import type { EventLog } from '../events/event-log.ts';
import type { Item, Stage, Worker } from '../model/model.ts';
import type { Outcome } from '../stage/hinge.ts';
import type { Due, DueQueue } from '../time/due-queue.ts';
import type { EngineClock } from '../time/engine-clock.ts';

interface RetryWaitsDeps {
  time: EngineClock;
  dues: DueQueue;
  events: EventLog;
  /** Called when an item's wait is over and it is no longer parked. */
  onOver: (item: Item) => void;
}

/**
 * The items between two attempts, in no queue and without a worker, each with the instant at which it comes back.
 *
 *     retry ──park──▶ parked ──wait over──▶ onOver
 *                        └──release──▶ goes elsewhere, or ends
 *
 * Items are parked, and `stage.parked` is changed, here and nowhere else.
 */
export class RetryWaits {
  private readonly deps: RetryWaitsDeps;
  private readonly parked = new Set<Item>();

  constructor(deps: RetryWaitsDeps) {
    this.deps = deps;
  }

  get items(): ReadonlySet<Item> {
    return this.parked;
  }

  /** Parks a worker's item after a failed attempt, until the next one. */
  park(worker: Worker, item: Item, outcome: Extract<Outcome, { kind: 'retry' }>): void {
    const { time, events, dues } = this.deps;
    const stage = item.stage;
    const { message, type } = outcome.error;
    item.value = outcome.value;
    item.taskIndex = outcome.taskIndex;
    item.attempts = outcome.attempts;
    item.status = 'retrying';
    item.updatedAt = time.now;
    stage.retried++;
    stage.parked++;
    this.parked.add(item);
    const at = time.now + outcome.waitMs;
    const extra = { attempt: outcome.attempts + 1, retry: true, error: message, errorType: type, waitSeconds: outcome.waitMs / 1000 };
    events.status(item, 'retrying', worker, false, extra);
    item.holder = dues.add(at, () => this.comeBack(item));
  }

  /** At a start: parks an item until an instant, which may have passed; its timer starts with {@link RetryWaits.startTimers}. */
  restore(item: Item, at: number): void {
    item.stage.parked++;
    this.parked.add(item);
    item.holder = { at, place: -1, run: () => this.comeBack(item) };
  }

  /** Ends the wait of an item that goes elsewhere. */
  release(item: Item): void {
    this.deps.dues.cancel(item.holder as Due);
    item.holder = null;
    item.stage.parked--;
    this.parked.delete(item);
  }

  ofStage(stage: Stage): Item[] {
    return [...this.parked].filter((item) => item.stage === stage);
  }

  /** Starts the timers again, for the instants at which the items were due before. */
  startTimers(): void {
    for (const item of this.parked) item.holder = this.deps.dues.add((item.holder as Due).at, () => this.comeBack(item));
  }

  stopTimers(): void {
    for (const item of this.parked) this.deps.dues.cancel(item.holder as Due);
  }

  private comeBack(item: Item): void {
    this.deps.time.tick();
    this.release(item);
    this.deps.onOver(item);
  }
}
