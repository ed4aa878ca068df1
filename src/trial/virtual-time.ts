import type { Clock } from '../engine/ports.ts';

interface Timer {
  at: number;
  order: number;
  fn: () => void;
}

/**
 * The kinds of work that go on outside of the clock. `free`: evaluations and the like, which take none of its time. `own`: the author's code, which takes as much as it really does, so
 * that a time limit ends it here too.
 */
export type OutsideKind = 'free' | 'own';

/**
 * A clock on which waiting takes no time: when nothing else is left to do, it moves to the next timer. Timers run in the order of their instants, equal ones in the order
 * in which they were set, and between two of them everything that they began has its turn.
 */
export interface VirtualTime extends Clock {
  /** Milliseconds that have passed on it. */
  readonly passedMs: number;
  /** Has time stand still, or go at its real pace, until this has settled. */
  outside<T>(work: Promise<T>, kind: OutsideKind): Promise<T>;
  /** Moves on until `work` has settled, and gives its outcome. Throws when nothing is left that could settle it, or not within a year. */
  finish<T>(work: Promise<T>): Promise<T>;
}

const BEGIN = 1000;
const EPOCH = Date.UTC(2026, 0, 1);
const LONGEST_MS = 366 * 86_400_000;

export function createVirtualTime(): VirtualTime {
  let time = BEGIN;
  let order = 0;
  const timers = new Set<Timer>();
  let defers: (() => void)[] = [];
  /** While the author's code is waited for: since when, and until which instant of this clock. */
  let waiting: { since: number; until: number; wake: () => void } | null = null;
  const pending: Record<OutsideKind, Set<Promise<unknown>>> = { free: new Set(), own: new Set() };

  /** Runs everything that needs no time, until nothing is left of it. */
  async function settle(): Promise<void> {
    for (;;) {
      // Microtasks, and what the platform has queued for this turn.
      await new Promise((resolve) => setImmediate(resolve));
      if (defers.length > 0) {
        const due = defers;
        defers = [];
        for (const fn of due) fn();
      } else if (pending.free.size > 0) await Promise.race(pending.free);
      else return;
    }
  }

  function first(): Timer | undefined {
    let found: Timer | undefined;
    for (const timer of timers) {
      if (found === undefined || timer.at < found.at || (timer.at === found.at && timer.order < found.order)) found = timer;
    }
    return found;
  }

  function now(): number {
    return waiting === null ? time : Math.min(waiting.until, time + performance.now() - waiting.since);
  }

  /** Lets the author's code run, at most until the next timer is due, or until it sets one. */
  async function wait(next: Timer | undefined): Promise<void> {
    const { promise: woken, resolve: wake } = Promise.withResolvers<void>();
    const until = next?.at ?? Number.POSITIVE_INFINITY;
    waiting = { since: performance.now(), until, wake };
    const alarm = next === undefined ? undefined : setTimeout(wake, until - time);
    await Promise.race([...pending.own, woken]);
    clearTimeout(alarm);
    // A timer of the machine may fire a moment early.
    time = now();
    waiting = null;
  }

  return {
    now: () => EPOCH + now(),
    monotonic: now,
    setTimer(fn, ms) {
      const timer = { at: now() + Math.max(0, ms), order: order++, fn };
      timers.add(timer);
      waiting?.wake();
      return timer;
    },
    clearTimer: (handle) => void timers.delete(handle as Timer),
    defer(fn) {
      defers.push(fn);
      waiting?.wake();
    },
    get passedMs() {
      return now() - BEGIN;
    },
    outside(work, kind) {
      const done: Promise<unknown> = work.then(
        () => pending[kind].delete(done),
        () => pending[kind].delete(done),
      );
      pending[kind].add(done);
      return work;
    },
    async finish(work) {
      let isSettled = false;
      const settled = (): void => {
        isSettled = true;
      };
      work.then(settled, settled);
      for (await settle(); !isSettled; await settle()) {
        const next = first();
        if (pending.own.size > 0 && (next === undefined || next.at > time)) {
          await wait(next);
          continue;
        }
        if (next === undefined) throw new Error('it will never end: nothing is left that it could wait for');
        if (next.at - BEGIN > LONGEST_MS) throw new Error('it has not ended after a year');
        timers.delete(next);
        time = Math.max(time, next.at);
        next.fn();
      }
      return work;
    },
  };
}
