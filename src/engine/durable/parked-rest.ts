import type { Item, RetryRest, Stage } from '../model/model.ts';
import type { Parking } from '../model/parking.ts';
import { unlessUnreadable } from './guarded-shelf.ts';

/** A place in the order of a stage's retries. */
export interface RetryPlace {
  due: number;
  seq: number;
}

export interface ParkedRestDeps {
  /**
   * Reads the parked items of the stage after a place, in order, except those that are in memory already. `end` is the place up to which it has
   * read, null at the end.
   */
  read: (stage: Stage, after: RetryPlace, limit: number) => { items: Item[]; end: RetryPlace | null };
  /** How many items to keep in memory once there are more than twice as many. */
  window: () => number;
  /** Lets go of an item that can be read from the store again. */
  unpin: (item: Item) => void;
}

/** More items are read once fewer than this have timers. */
const LOW = 256;
const START: RetryPlace = { due: Number.NEGATIVE_INFINITY, seq: 0 };
const END: RetryPlace = { due: Number.POSITIVE_INFINITY, seq: 0 };

/**
 * The parked items of a stage that come back later than those with timers. All of them have one order, by the instant, then by sequence id. `edge` is
 * a place in it: items with timers come before it, items beyond come after it.
 *
 *     timers: in memory, up to twice the window ──edge──▶ beyond: in the store, or in `tail`
 *
 * The tail has the items that are not to be read from the store: those that it has not got yet.
 */
export class ParkedRest implements RetryRest {
  /** The number of items beyond. */
  size = 0;
  private edge: RetryPlace = START;
  private readonly tail = new Set<Item>();
  private readonly stage: Stage;
  private readonly deps: ParkedRestDeps;

  constructor(stage: Stage, deps: ParkedRestDeps) {
    this.stage = stage;
    this.deps = deps;
  }

  get low(): number {
    return Math.min(LOW, this.deps.window());
  }

  begin(count: number): void {
    this.size += count;
  }

  takes(item: Item): boolean {
    if (this.size === 0 || !isAfter(item, this.edge)) return false;
    item.stored.isBeyond = true;
    this.tail.add(item);
    this.size++;
    return true;
  }

  surplus(timed: ReadonlySet<Item>): Item[] {
    const window = this.deps.window();
    if (timed.size <= 2 * window) return [];
    const all = [...timed].sort((a, b) => dueOf(a) - dueOf(b) || a.sequenceId - b.sequenceId);
    const last = all[window - 1] as Item;
    const later = all.slice(window);
    for (const item of later) this.leave(item);
    this.edge = { due: dueOf(last), seq: last.sequenceId };
    return later;
  }

  removed(item: Item): void {
    item.stored.isBeyond = false;
    this.size--;
    this.tail.delete(item);
  }

  bring(count: number): Item[] | null {
    return unlessUnreadable(() => this.read(count), null);
  }

  unpinned(items: ReadonlySet<Item>): void {
    for (const item of items) this.tail.delete(item);
  }

  /** Reads first: when that fails, nothing has changed. */
  private read(limit: number): Item[] {
    const { items, end } = this.deps.read(this.stage, this.edge, limit);
    const edge = end ?? END;
    for (const item of this.tail) if (!isAfter(item, edge)) items.push(item);
    for (const item of items) {
      this.tail.delete(item);
      item.stored.isBeyond = false;
    }
    this.edge = edge;
    // An item that is counted but missing would be waited for without end.
    this.size = end === null ? 0 : this.size - items.length;
    return items;
  }

  private leave(item: Item): void {
    item.stored.isBeyond = true;
    this.size++;
    if (item.stored.isDirty || item.stored.isInFlight) this.tail.add(item);
    else this.deps.unpin(item);
  }
}

const dueOf = (item: Item): number => (item.holder as Parking).due;

function isAfter(item: Item, place: RetryPlace): boolean {
  const due = dueOf(item);
  return due > place.due || (due === place.due && item.sequenceId > place.seq);
}
