import type { Clock } from '../ports.ts';
import { SET_RIGHT_MS } from './clock-shift.ts';

/**
 * The time by which idempotency keys age: that of the wall clock when the first process of a pipeline began, and from there on no more than what has
 * passed, whatever the clock is set to. So keys of all processes stand in one order, and no row has to be written again.
 */
export class KeyClock {
  private readonly clock: Clock;
  /** By how much it is ahead of the monotonic clock of this process. */
  private offset: number;

  constructor(clock: Clock) {
    this.clock = clock;
    this.offset = clock.now() - clock.monotonic();
  }

  /** Whole milliseconds since the Unix epoch. */
  now(): number {
    return Math.round(this.clock.monotonic() + this.offset);
  }

  /** By how many milliseconds the wall clock is ahead of it: as far as it was set in all. */
  get lag(): number {
    const lag = Math.round(this.clock.now() - this.now());
    return Math.abs(lag) < SET_RIGHT_MS ? 0 : lag;
  }

  /** At a start: by how much the wall clock was ahead at the last write, and how far it has been set since; see clock-shift.ts. */
  restore(lag: number, shift: number): void {
    this.offset = this.clock.now() - lag - shift - this.clock.monotonic();
  }
}
