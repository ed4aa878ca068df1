/** The part of a stage's queue that is not in memory, see durable/queue-rest.ts. */
export interface QueueRestOf<I> {
  /** The number of items in it. */
  readonly size: number;
  /** Sets, at the start, how many items wait in the store. */
  begin(count: number): void;
  /** Queues an item whose `ord` is the highest of those that have begun in the stage, or of those that have not, here or in memory. */
  push(item: I): void;
  /** Puts an item back into its old place, at the start while nothing is in memory. */
  putBack(item: I): void;
  /** Called when an item of this part has left the queue. */
  removed(item: I): void;
  /** Makes sure that the queue's first item is in memory; false when the store cannot be read now, and nothing of the queue is. */
  refill(): boolean;
  /** Brings so many items into memory, in order; false when the store cannot be read now. */
  bring(count: number): boolean;
  /** Brings the first items into memory, a window of them at most. Throws `store-unavailable`. */
  loadFirst(): void;
  /** Forgets the items that are no longer in memory. */
  unpinned(items: ReadonlySet<I>): void;
}

/** The retries of a stage that come back later than those in memory, see durable/parked-rest.ts. */
export interface RetryRestOf<I> {
  /** The number of items in it. */
  readonly size: number;
  /** More are to be brought once fewer than so many have timers. */
  readonly low: number;
  /** Sets, at the start, how many items are parked in the store. */
  begin(count: number): void;
  /** Takes an item that was just parked if others in it come back before. */
  takes(item: I): boolean;
  /** Takes the last of those with timers when there are too many of them; returns which. */
  surplus(timed: ReadonlySet<I>): I[];
  /** Called when an item of this part is no longer parked. */
  removed(item: I): void;
  /** Gives away so many items, those that come back first; null when the store cannot be read now. */
  bring(count: number): I[] | null;
  /** Forgets the items that are no longer in memory. */
  unpinned(items: ReadonlySet<I>): void;
}
