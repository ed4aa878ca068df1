import type { Clock } from '../ports.ts';

/** Something to do at an instant of the monotonic clock. Its owner keeps it, to cancel it. */
export interface Due {
  /** Milliseconds of `clock.monotonic()`. */
  at: number;
  /** Its place in the heap; -1 when it is not waiting. Owned by {@link DueQueue}. */
  place: number;
  run: () => void;
}

/** The longest wait that one timer of the platform can hold. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;
/** How many are run before the event loop gets a turn: ten thousand at the same instant must not hold it. */
const BATCH = 256;

/**
 * All waits of a pipeline (parked retries, timeouts) on one timer of the clock: a binary heap, O(log n) to add and to
 * cancel. Equal instants run in no particular order. While nothing waits there is no timer.
 */
export class DueQueue {
  private readonly heap: Due[] = [];
  private readonly clock: Clock;
  private timer: unknown;
  private armedFor = Number.POSITIVE_INFINITY;
  private readonly fire = (): void => this.onTimer();

  constructor(clock: Clock) {
    this.clock = clock;
  }

  get size(): number {
    return this.heap.length;
  }

  /** Runs `run` once, at `at` or as soon after it as the event loop allows, never within this call. */
  add(at: number, run: () => void): Due {
    const due: Due = { at, place: -1, run };
    this.arm(due);
    return due;
  }

  /** The same for one that its owner has made, with a `place` of -1. Idempotent. */
  arm(due: Due): void {
    if (due.place >= 0) return;
    due.place = this.heap.length;
    this.heap.push(due);
    this.up(due.place);
    if (due.at < this.armedFor) this.setTimer();
  }

  /** Idempotent. The timer stays armed for an earlier instant than needed: cheaper than to arm it anew each time. */
  cancel(due: Due): void {
    const place = due.place;
    if (place < 0) return;
    due.place = -1;
    const last = this.heap.pop() as Due;
    if (last !== due) {
      last.place = place;
      this.heap[place] = last;
      this.up(place);
      this.down(last.place);
    }
    if (this.heap.length === 0) this.disarm();
  }

  /** Forgets all waits: what they were for is over. */
  clear(): void {
    for (const due of this.heap.splice(0)) due.place = -1;
    this.disarm();
  }

  private onTimer(): void {
    this.timer = undefined;
    this.armedFor = Number.POSITIVE_INFINITY;
    const now = this.clock.monotonic();
    for (let n = 0; n < BATCH; n++) {
      const first = this.heap[0];
      if (first === undefined || first.at > now) break;
      this.cancel(first);
      first.run();
    }
    if (this.heap.length > 0 && this.armedFor === Number.POSITIVE_INFINITY) this.setTimer();
  }

  private setTimer(): void {
    this.disarm();
    const first = this.heap[0] as Due;
    this.armedFor = first.at;
    // Platform timers truncate to whole milliseconds; rounding up keeps them from firing just before the instant.
    const wait = Math.ceil(first.at - this.clock.monotonic());
    this.timer = this.clock.setTimer(this.fire, Math.min(Math.max(wait, 0), LONGEST_TIMER_MS));
  }

  private disarm(): void {
    if (this.timer !== undefined) this.clock.clearTimer(this.timer);
    this.timer = undefined;
    this.armedFor = Number.POSITIVE_INFINITY;
  }

  private up(from: number): void {
    const heap = this.heap;
    const due = heap[from] as Due;
    let i = from;
    while (i > 0) {
      const parent = (i - 1) >> 1;
      const above = heap[parent] as Due;
      if (above.at <= due.at) break;
      heap[i] = above;
      above.place = i;
      i = parent;
    }
    heap[i] = due;
    due.place = i;
  }

  private down(from: number): void {
    const heap = this.heap;
    const due = heap[from] as Due;
    const length = heap.length;
    let i = from;
    for (;;) {
      let child = 2 * i + 1;
      if (child >= length) break;
      if (child + 1 < length && (heap[child + 1] as Due).at < (heap[child] as Due).at) child++;
      const below = heap[child] as Due;
      if (below.at >= due.at) break;
      heap[i] = below;
      below.place = i;
      i = child;
    }
    heap[i] = due;
    due.place = i;
  }
}
