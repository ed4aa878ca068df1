/*
 * Room `time`: instants, waits, turns of the event loop and rates, all by the clock that the embedder gave.
 *
 * Holds: One reading of the clock a transition. Waits of a pipeline share one timer, and an idle pipeline has none. A measure takes constant
 * memory.
 * Refuses: the clock of the platform: under a virtual clock everything happens again (invariant 12).
 */

import type { Clock } from '../ports.ts';

/**
 * The engine's view of time: one reading of the monotonic clock per transition, from which durations and the instants
 * of events both come. The wall clock is compared once a turn of the event loop.
 */
export class EngineClock {
  readonly clock: Clock;
  /** The reading of the newest {@link EngineClock.tick}, in monotonic milliseconds. */
  now: number;
  /** Set after each call of foreign code, and wherever a turn ends. */
  isStale = false;
  private offset: number;
  private anchor: number;

  constructor(clock: Clock) {
    this.clock = clock;
    this.now = clock.monotonic();
    this.offset = clock.now() - this.now;
    this.anchor = this.offset;
  }

  tick(): number {
    this.now = this.clock.monotonic();
    this.isStale = false;
    return this.now;
  }

  /** A new reading only when foreign code has run since the last one: what the engine does in between takes no time worth measuring. */
  fresh(): number {
    return this.isStale ? this.tick() : this.now;
  }

  /** Compares with the wall clock again: it may have been set, or have slept. */
  sync(): void {
    this.offset = this.clock.now() - this.tick();
  }

  /** Sets the scale of {@link EngineClock.lasting}, all of a process have the same: what has to be added to a monotonic instant. */
  anchorAt(anchor: number): void {
    this.anchor = anchor;
  }

  /** How far the wall clock has been set since the scale of {@link EngineClock.lasting} was that of it. */
  get drift(): number {
    return this.offset - this.anchor;
  }

  /** Milliseconds since the Unix epoch, on a scale that stays when the wall clock is set: instants that are ordered in a store. */
  lasting(monotonic: number): number {
    return monotonic + this.anchor;
  }

  /** The monotonic instant of a {@link EngineClock.lasting} one. */
  fromLasting(lasting: number): number {
    return lasting - this.anchor;
  }

  /** Milliseconds since the Unix epoch of a monotonic instant. */
  wall(monotonic: number): number {
    return monotonic + this.offset;
  }

  /** The monotonic instant of milliseconds since the Unix epoch, as the wall clock stands now. */
  monotonic(wall: number): number {
    return wall - this.offset;
  }

  /** RFC 3339 in UTC with milliseconds. */
  instant(monotonic: number): string {
    return new Date(this.wall(monotonic)).toISOString();
  }
}
