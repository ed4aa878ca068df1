import type { Item, Worker } from '../model/model.ts';
import type { Clock } from '../ports.ts';

/** After so long without a crash, whatever it was that ended the process before is not tried again by whoever sent it. */
const CAREFUL_MS = 600_000;

export interface CarefulDeps {
  clock: Clock;
  /** Resolves with true when all that has happened until now is stored, with false when nothing will be any more; undefined when it is. */
  settled: () => Promise<boolean> | undefined;
}

/** A pipeline's scheduler, as the care sees it. */
export interface Beginner {
  /** Has the store told of an item's present state. */
  touch(item: Item): void;
  /** Begins the item of a worker that was held. */
  begin(worker: Worker): void;
}

/**
 * The care after an uncertain past. An item that ends the process in the turn in which it was fed, or in which its wait for another attempt was over, is not
 * known to the store: nobody counts that crash against it, and whoever sends it again, or the item's own next attempt, ends the next process as well. So a process
 * that follows upon one that ran what is not stored is careful for ten minutes, on all pipelines of its host:
 *
 *     a worker has an item ──hold──▶ the item is stored as `in_progress` ──stored──▶ its predicate and tasks are called
 *
 * If it ends that process, too, it is counted like any other that ran in a crash. Before and after that, nothing here is called.
 */
export class Careful {
  private readonly deps: CarefulDeps;
  private until: number | null = null;
  /** The workers whose items are being stored, each with the `ord` of its item, which tells that stay with a worker from any other. */
  private readonly held = new Map<Worker, number>();
  /** The workers whose items are stored, and that begin next. */
  private readonly cleared = new Map<Worker, number>();

  constructor(deps: CarefulDeps) {
    this.deps = deps;
  }

  get isOn(): boolean {
    // Asked for each item that begins.
    if (this.until === null) return false;
    if (this.deps.clock.monotonic() >= this.until) this.until = null;
    return this.until !== null;
  }

  begin(): void {
    this.until = this.deps.clock.monotonic() + CAREFUL_MS;
  }

  /** Whether the worker, which has an item and is about to begin it, is to wait for the store; {@link Beginner.begin} follows then. */
  holds(worker: Worker, beginner: Beginner): boolean {
    const item = worker.item as Item;
    const { ord } = item;
    const isCleared = this.cleared.get(worker) === ord;
    this.cleared.delete(worker);
    if (isCleared || !this.isOn) return false;
    item.status = 'in_progress';
    beginner.touch(item);
    const settled = this.deps.settled();
    if (settled === undefined) return false;
    this.held.set(worker, ord);
    void settled.then((isStored) => {
      // It was taken back meanwhile, and the worker has none, or that one again and waits anew.
      if (this.held.get(worker) !== ord) return;
      this.held.delete(worker);
      if (!isStored || worker.item !== item || !worker.isAssigned) return;
      this.cleared.set(worker, ord);
      beginner.begin(worker);
    });
    return true;
  }
}
