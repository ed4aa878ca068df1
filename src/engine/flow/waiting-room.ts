import type { SluiceError } from '../contract/errors.ts';
import type { Feed } from '../model/feed.ts';
import { PriorityQueue } from '../queues/priority-queue.ts';

/** A feeding that waits for room. */
export interface RoomWaiter {
  readonly feed: Feed;
  /** Accepts what it can; returns true when it need not wait any longer. */
  admit: () => boolean;
  fail: (error: SluiceError) => void;
  /** The number of places that it still waits for. */
  needs: () => number;
  /** Owned by {@link WaitingRoom}. */
  alive: boolean;
}

/**
 * Feedings that wait for room in the backlog, served by priority, so that an urgent item does not queue behind waiting feeds. The first one
 * keeps the others waiting until it has all the room it needs: many small feeds cannot keep a big one out.
 */
export class WaitingRoom {
  private readonly waiting = new PriorityQueue<RoomWaiter>((waiter) => !waiter.alive);
  private isWakeScheduled = false;
  private readonly hasRoom: () => boolean;

  constructor(hasRoom: () => boolean) {
    this.hasRoom = hasRoom;
  }

  /** Whether anyone waits whose turn comes before that of a newcomer with this priority. */
  isAhead(priority: number): boolean {
    return this.waiting.size > 0 && this.waiting.peekPriority() <= priority;
  }

  /** The number of places that all of them wait for. */
  get needs(): number {
    let needs = 0;
    for (const waiter of this.waiting) needs += waiter.needs();
    return needs;
  }

  enter(priority: number, waiter: RoomWaiter): void {
    this.waiting.push(priority, waiter);
    this.serve();
  }

  /** Ends a wait with an error; those behind it may fit now. Idempotent. */
  dismiss(waiter: RoomWaiter, error: SluiceError): void {
    if (!waiter.alive) return;
    waiter.alive = false;
    this.waiting.removed();
    waiter.fail(error);
    this.serve();
  }

  /** Ends the waits of a feed with an error. */
  dismissFeed(feed: Feed, error: SluiceError): void {
    for (const waiter of [...this.waiting]) {
      if (waiter.feed === feed) this.dismiss(waiter, error);
    }
  }

  dismissAll(error: SluiceError): void {
    for (let waiter = this.waiting.shift(); waiter !== undefined; waiter = this.waiting.shift()) {
      waiter.alive = false;
      waiter.fail(error);
    }
  }

  /** Serves those who wait, in a microtask: once, however many places become free. */
  serve(): void {
    if (this.waiting.size === 0 || this.isWakeScheduled) return;
    this.isWakeScheduled = true;
    queueMicrotask(() => {
      this.isWakeScheduled = false;
      while (this.waiting.size > 0 && this.hasRoom()) {
        const waiter = this.waiting.peek() as RoomWaiter;
        if (!waiter.admit()) break;
        // A task that ran meanwhile may have caused it to be refused already.
        if (!waiter.alive) continue;
        waiter.alive = false;
        this.waiting.removed();
      }
    });
  }
}
