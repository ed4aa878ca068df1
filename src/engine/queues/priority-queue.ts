/*
 * Room `queues`: first in, first out, alone and by priority.
 *
 * Holds: Push and shift are O(1) while a priority stays in use, removal is lazy, and a queue that does not grow allocates nothing.
 * Refuses: to know what it holds.
 */

import { Ring } from './ring.ts';

/**
 * Lower priority numbers first; within one, first come, first served.
 *
 * A ring per priority in use, the rings in a binary heap: push and shift are O(1) while a priority stays in use and
 * O(log distinct priorities) when one begins or ends, so that a million items with a million priorities stay linear-ish.
 *
 * Removal is lazy: the owner marks what it removed (`isDead`), calls {@link PriorityQueue.removed}, and the queue skips it
 * and rebuilds itself when the dead outnumber the living. `size` counts the living only.
 */
export class PriorityQueue<T> {
  private readonly rings = new Map<number, Ring<T>>();
  private heap: Ring<T>[] = [];
  private cached: Ring<T> | undefined;
  private dead = 0;
  private readonly isDead: ((value: T) => boolean) | undefined;
  size = 0;

  constructor(isDead?: (value: T) => boolean) {
    this.isDead = isDead;
  }

  push(priority: number, value: T): void {
    let ring = this.cached;
    if (ring === undefined || ring.key !== priority) {
      ring = this.rings.get(priority);
      if (ring === undefined) {
        ring = new Ring<T>(priority);
        this.rings.set(priority, ring);
        this.heap.push(ring);
        this.up(this.heap.length - 1);
      }
      this.cached = ring;
    }
    ring.push(value);
    this.size++;
  }

  /** The first living value, taken out; undefined when there is none. */
  shift(): T | undefined {
    if (this.dead > 0) this.skipDeadHead();
    const ring = this.heap[0];
    if (ring === undefined) return undefined;
    const value = ring.shift();
    this.size--;
    if (ring.length === 0) this.removeFirstRing();
    return value;
  }

  /** The first living value, left where it is. */
  peek(): T | undefined {
    if (this.dead > 0) this.skipDeadHead();
    return this.heap[0]?.peek();
  }

  /** The priority of {@link PriorityQueue.peek}; Infinity when empty. */
  peekPriority(): number {
    if (this.dead > 0) this.skipDeadHead();
    const ring = this.heap[0];
    return ring === undefined ? Number.POSITIVE_INFINITY : ring.key;
  }

  /** One value in here has died: `isDead` says so from now on. */
  removed(): void {
    this.size--;
    this.dead++;
    if (this.dead > 1024 && this.dead > this.size) this.rebuild();
  }

  /** The living in order; for looking and for moving to another queue. */
  *[Symbol.iterator](): Generator<T> {
    for (const ring of [...this.heap].sort((a, b) => a.key - b.key)) {
      for (let i = 0; i < ring.length; i++) {
        const value = ring.at(i);
        if (this.isDead === undefined || !this.isDead(value)) yield value;
      }
    }
  }

  /** The first living value of each priority in use, in no order. */
  *heads(): Generator<T> {
    for (const ring of this.heap) {
      for (let i = 0; i < ring.length; i++) {
        const value = ring.at(i);
        if (this.isDead?.(value) === true) continue;
        yield value;
        break;
      }
    }
  }

  private skipDeadHead(): void {
    const isDead = this.isDead as (value: T) => boolean;
    for (let ring = this.heap[0]; ring !== undefined; ring = this.heap[0]) {
      while (ring.length > 0 && isDead(ring.peek())) {
        ring.shift();
        this.dead--;
      }
      if (ring.length > 0) return;
      this.removeFirstRing();
    }
  }

  private rebuild(): void {
    const isDead = this.isDead as (value: T) => boolean;
    const old = this.heap;
    this.rings.clear();
    this.heap = [];
    this.cached = undefined;
    this.dead = 0;
    this.size = 0;
    for (const ring of old) {
      for (let i = 0; i < ring.length; i++) {
        const value = ring.at(i);
        if (!isDead(value)) this.push(ring.key, value);
      }
    }
  }

  private removeFirstRing(): void {
    const first = this.heap[0] as Ring<T>;
    this.rings.delete(first.key);
    if (this.cached === first) this.cached = undefined;
    const last = this.heap.pop() as Ring<T>;
    if (last !== first) {
      this.heap[0] = last;
      this.down();
    }
  }

  private up(from: number): void {
    const heap = this.heap;
    const ring = heap[from] as Ring<T>;
    let i = from;
    while (i > 0) {
      const parent = (i - 1) >> 1;
      const above = heap[parent] as Ring<T>;
      if (above.key <= ring.key) break;
      heap[i] = above;
      i = parent;
    }
    heap[i] = ring;
  }

  private down(): void {
    const heap = this.heap;
    const ring = heap[0] as Ring<T>;
    const length = heap.length;
    let i = 0;
    for (;;) {
      let child = 2 * i + 1;
      if (child >= length) break;
      if (child + 1 < length && (heap[child + 1] as Ring<T>).key < (heap[child] as Ring<T>).key) child++;
      const below = heap[child] as Ring<T>;
      if (below.key >= ring.key) break;
      heap[i] = below;
      i = child;
    }
    heap[i] = ring;
  }
}
