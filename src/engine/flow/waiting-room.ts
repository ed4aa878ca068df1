import type { SluiceError } from '../contract/errors.ts';
import type { Feed } from '../model/feed.ts';
import { PriorityQueue } from '../queues/priority-queue.ts';

/** Somebody who feeds and waits for room. */
export interface RoomWaiter {
  readonly feed: Feed;
  /** Accepts what it can; true when it need not wait any more. */
  admit: () => boolean;
  fail: (error: SluiceError) => void;
  /** For how many places it still waits. */
  needs: () => number;
  /** Owned by {@link WaitingRoom}. */
  alive: boolean;
}

/**
 * Those who wait for room in the backlog, served by priority, so that an urgent item does not queue behind blocked feeders.
 * Whoever is first keeps the others waiting until all fits that it waits for: many small feeds cannot keep a big one out.
 */
export class WaitingRoom {
  private readonly waiting = new PriorityQueue<RoomWaiter>((waiter) => !waiter.alive);
  private isWakeScheduled = false;
  private readonly hasRoom: () => boolean;

  constructor(hasRoom: () => boolean) {
    this.hasRoom = hasRoom;
  }

  /** Whether somebody waits whose turn comes before that of a newcomer of this priority. */
  isAhead(priority: number): boolean {
    return this.waiting.size > 0 && this.waiting.peekPriority() <= priority;
  }

  /** For how many places all of them wait. */
  get needs(): number {
    let needs = 0;
    for (const waiter of this.waiting) needs += waiter.needs();
    return needs;
  }

  enter(priority: number, waiter: RoomWaiter): void {
    this.waiting.push(priority, waiter);
    this.serve();
  }

  /** Somebody waits no longer; whoever is behind may fit. Idempotent. */
  dismiss(waiter: RoomWaiter, error: SluiceError): void {
    if (!waiter.alive) return;
    waiter.alive = false;
    this.waiting.removed();
    waiter.fail(error);
    this.serve();
  }

  /** Those of one feed wait no longer. */
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

  /** Room may have come. They are served in a microtask, once for many places. */
  serve(): void {
    if (this.waiting.size === 0 || this.isWakeScheduled) return;
    this.isWakeScheduled = true;
    queueMicrotask(() => {
      this.isWakeScheduled = false;
      while (this.waiting.size > 0 && this.hasRoom()) {
        const waiter = this.waiting.peek() as RoomWaiter;
        if (!waiter.admit()) break;
        // A task that ran meanwhile may have had it refused already.
        if (!waiter.alive) continue;
        waiter.alive = false;
        this.waiting.removed();
      }
    });
  }
}
