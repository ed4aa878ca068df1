import type { Clock, ExpressionLanguage } from '../../src/engine/ports.ts';

// Taken before any test replaces the globals.
const realImmediate = setImmediate;

/** Lets everything run that needs no time: microtasks, and what the platform had queued for this turn. */
export function turn(): Promise<void> {
  return new Promise((resolve) => realImmediate(resolve));
}

interface Timer {
  at: number;
  order: number;
  fn: () => void;
}

/**
 * A clock that stands still unless it is moved. Timers run in the order of their instants (equal ones in the order in
 * which they were set), and between two of them every microtask and every deferred call has its turn.
 */
export class VirtualClock implements Clock {
  private time = 1_000;
  private epoch = Date.UTC(2026, 0, 1);
  private order = 0;
  private readonly timers = new Set<Timer>();
  private defers: (() => void)[] = [];
  private readonly outside = new Set<Promise<unknown>>();

  now(): number {
    return this.epoch + this.time;
  }

  monotonic(): number {
    return this.time;
  }

  setTimer(fn: () => void, ms: number): Timer {
    const timer = { at: this.time + Math.max(0, ms), order: this.order++, fn };
    this.timers.add(timer);
    return timer;
  }

  clearTimer(handle: unknown): void {
    this.timers.delete(handle as Timer);
  }

  defer(fn: () => void): void {
    this.defers.push(fn);
  }

  /** Sets the wall clock: no time passes. */
  setWallBy(ms: number): void {
    this.epoch += ms;
  }

  /** How many timers and deferred calls are outstanding. */
  get pending(): number {
    return this.timers.size + this.defers.length;
  }

  /** Seconds since the clock was made. */
  get seconds(): number {
    return (this.time - 1_000) / 1_000;
  }

  /** Time that passes without giving anybody a turn: a handler that blocks the event loop. */
  block(ms: number): void {
    this.time += ms;
  }

  /** A language whose evaluations, in processes of their own, need none of this clock's time: {@link settle} waits for them. */
  awaiting(language: ExpressionLanguage): ExpressionLanguage {
    return {
      ...language,
      compile: (source) => {
        const evaluate = language.compile(source);
        return (input, bindings) => {
          const found = evaluate(input, bindings);
          if (!(found instanceof Promise)) return found;
          const done: Promise<unknown> = found.catch(() => undefined).finally(() => this.outside.delete(done));
          this.outside.add(done);
          return found;
        };
      },
    };
  }

  /** Runs everything that needs no time, until nothing is left of it. */
  async settle(): Promise<void> {
    for (;;) {
      await turn();
      if (this.outside.size > 0) {
        await Promise.all(this.outside);
        continue;
      }
      if (this.defers.length === 0) return;
      const defers = this.defers;
      this.defers = [];
      for (const fn of defers) fn();
    }
  }

  /** Moves on by `ms`, running what becomes due on the way. */
  async advance(ms: number): Promise<void> {
    const end = this.time + ms;
    await this.settle();
    for (let next = this.first(); next !== undefined && next.at <= end; next = this.first()) {
      this.timers.delete(next);
      this.time = Math.max(this.time, next.at);
      next.fn();
      await this.settle();
    }
    this.time = Math.max(this.time, end);
    await this.settle();
  }

  /** Moves on from timer to timer until `work` has settled, and gives its outcome. Throws when time stands still before. */
  async finish<T>(work: Promise<T>): Promise<T> {
    let settled = false;
    const noted = work.finally(() => {
      settled = true;
    });
    noted.catch(() => undefined);
    for (await this.settle(); !settled; ) {
      const next = this.first();
      if (next === undefined) throw new Error('nothing is left that could settle it');
      await this.advance(next.at - this.time);
    }
    return noted;
  }

  private first(): Timer | undefined {
    let first: Timer | undefined;
    for (const timer of this.timers) {
      if (first === undefined || timer.at < first.at || (timer.at === first.at && timer.order < first.order)) first = timer;
    }
    return first;
  }
}

/** mulberry32: uniform in [0, 1), the same row of numbers for the same seed. */
export function seededRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Ids that differ from call to call and are the same in every run. */
export function countedIds(prefix = 'id'): () => string {
  let count = 0;
  return () => `${prefix}${(++count).toString(36).padStart(6, '0')}`;
}
