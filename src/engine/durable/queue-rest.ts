import { PRIORITY_MAX } from '../../schemas/names.ts';
import type { Item, QueueRest, Stage } from '../model/model.ts';
import { unlessUnreadable } from './guarded-shelf.ts';

/** A place in the order of a queue. */
export interface QueuePlace {
  priority: number;
  ord: number;
}

export interface BeyondDeps {
  /**
   * Reads the items of the stage's queue after a place, in order, except those that are in memory already. `end` is the place up to which it
   * has read, null at the end of the queue.
   */
  read: (stage: Stage, after: QueuePlace, limit: number) => { items: Item[]; end: QueuePlace | null };
  /** How many items to keep in memory once there are more than twice as many. */
  window: () => number;
  /** Lets go of an item that can be read from the store again. */
  unpin: (item: Item) => void;
}

/** The number of items read at a time, which takes about a millisecond. */
const CHUNK = 256;
/** The most items that are read at once before they are moved. */
const LOADED_MOST = 2048;
/** More items are read once fewer than this are in memory. */
const LOW = 256;

/**
 * The part of a stage's queue that is not in memory. The whole queue has one order, by priority, then `ord`, which is negative for those that have begun
 * in the stage. `edge` is a place in it: items in
 * memory come before it, items beyond come after it.
 *
 *     stage.queue: in memory, up to twice the window ──edge──▶ beyond: in the store, or in `tail`
 *
 * The tail has the items that are not to be read from the store: those that it has not got yet.
 */
export class Beyond implements QueueRest {
  /** The number of items beyond. */
  size = 0;
  private edge: QueuePlace = START;
  private tail: Item[] = [];
  private readonly stage: Stage;
  private readonly deps: BeyondDeps;

  constructor(stage: Stage, deps: BeyondDeps) {
    this.stage = stage;
    this.deps = deps;
  }

  begin(count: number): void {
    this.size += count;
  }

  push(item: Item): void {
    const { queue } = this.stage;
    if (this.size > 0 && isAfter(item, this.edge)) {
      this.addToTail(item);
      return;
    }
    queue.push(item.turn, item);
    const window = this.deps.window();
    if (queue.size > 2 * window) this.evict(window);
  }

  putBack(item: Item): void {
    this.addToTail(item);
  }

  removed(item: Item): void {
    item.stored.isBeyond = false;
    this.size--;
    this.tail = this.tail.filter((other) => other !== item);
  }

  refill(): boolean {
    for (;;) {
      // The last read may have shown that items are larger than assumed.
      const low = Math.min(LOW, this.deps.window());
      if (this.size === 0 || this.stage.queue.size >= low) return true;
      if (!this.bring(Math.min(CHUNK, low))) return this.stage.queue.size > 0;
    }
  }

  bring(count: number): boolean {
    return unlessUnreadable(() => this.read(count), false);
  }

  loadFirst(): void {
    for (let left = Math.min(LOADED_MOST, this.deps.window()); left > 0 && this.size > 0; left -= CHUNK) this.read(Math.min(CHUNK, left));
  }

  unpinned(items: ReadonlySet<Item>): void {
    this.tail = this.tail.filter((item) => !items.has(item));
  }

  /** Reads first: when that fails, nothing has changed. */
  private read(limit: number): true {
    const { items, end } = this.deps.read(this.stage, this.edge, limit);
    const edge = end ?? END;
    const come = this.tail.filter((item) => !isAfter(item, edge));
    this.tail = this.tail.filter((item) => isAfter(item, edge));
    this.edge = edge;
    this.take([...items, ...come]);
    // An item that is counted but missing would be waited for without end.
    if (end === null) this.size = 0;
    return true;
  }

  private addToTail(item: Item): void {
    item.stored.isBeyond = true;
    this.tail.push(item);
    this.size++;
  }

  private leave(item: Item): void {
    item.stored.isBeyond = true;
    this.size++;
    this.deps.unpin(item);
  }

  private take(items: Item[]): void {
    items.sort((a, b) => a.priority - b.priority || a.ord - b.ord);
    for (const item of items) {
      item.stored.isBeyond = false;
      this.stage.queue.push(item.turn, item);
    }
    this.size -= items.length;
  }

  private evict(window: number): void {
    const { queue } = this.stage;
    const all: Item[] = [];
    for (let item = queue.shift(); item !== undefined; item = queue.shift()) all.push(item);
    for (const [i, item] of all.entries()) {
      if (i < window) queue.push(item.turn, item);
      else if (!item.stored.isDirty && !item.stored.isInFlight) this.leave(item);
      else this.addToTail(item);
    }
    const last = all[window - 1] as Item;
    this.edge = { priority: last.priority, ord: last.ord };
  }
}

const START: QueuePlace = { priority: -1, ord: 0 };
const END: QueuePlace = { priority: PRIORITY_MAX + 1, ord: 0 };

function isAfter(item: Item, place: QueuePlace): boolean {
  return item.priority > place.priority || (item.priority === place.priority && item.ord > place.ord);
}
