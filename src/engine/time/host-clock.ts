import type { Clock } from '../ports.ts';

/** Clocks of machines that work together are no further apart than this: what is more was set wrong. */
const APART_MS = 300_000;

/**
 * The clock of a host: that of its machine, and at least at the instant at which the host before it on the same store has stopped, since that may have run on
 * a machine whose clock is ahead. So no instant that was told is followed by an earlier one. It stays ahead by as much until the host ends: a clock that goes
 * at another pace would stretch waits.
 */
export class HostClock implements Clock {
  private readonly own: Clock;
  private aheadMs = 0;

  constructor(own: Clock) {
    this.own = own;
  }

  /**
   * Is at this instant or later, unless that is so far ahead that some clock was set wrong. Returns whether it is set ahead for that. To be called before anything is
   * told the time.
   */
  startAfter(instant: number): boolean {
    const behind = instant - this.own.now();
    if (behind <= 0 || behind > APART_MS) return false;
    this.aheadMs = behind;
    return true;
  }

  now(): number {
    return this.own.now() + this.aheadMs;
  }

  monotonic(): number {
    return this.own.monotonic();
  }

  setTimer(fn: () => void, ms: number): unknown {
    return this.own.setTimer(fn, ms);
  }

  clearTimer(handle: unknown): void {
    this.own.clearTimer(handle);
  }

  defer(fn: () => void): void {
    this.own.defer(fn);
  }
}
