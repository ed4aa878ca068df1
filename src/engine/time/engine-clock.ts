/*
 * Room `time`: instants, waits, turns of the event loop and rates, all by the clock that the embedder gave.
 *
 * Holds: One reading of the clock a transition. Waits of a pipeline share one timer, and an idle pipeline has none. A measure takes constant
 * memory.
 * Refuses: the clock of the platform: under a virtual clock everything happens again (invariant 12).
 */

import type { Clock } from '../ports.ts';
import { type WallScale, wallScaleOf } from './wall-scale.ts';

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
  private readonly scale: WallScale;
  private anchor: number;

  constructor(clock: Clock) {
    this.clock = clock;
    this.scale = wallScaleOf(clock);
    this.now = this.scale.sync();
    this.anchor = this.scale.offset;
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
    this.now = this.scale.sync();
    this.isStale = false;
  }

  /** Sets the scale of {@link EngineClock.lasting}, all of a process have the same: what has to be added to a monotonic instant. */
  anchorAt(anchor: number): void {
    this.anchor = anchor;
  }

  /** How far the wall clock has been set since the scale of {@link EngineClock.lasting} was that of it. */
  get drift(): number {
    return this.scale.offset - this.anchor;
  }

  /** Milliseconds since the Unix epoch, on a scale that stays when the wall clock is set: instants that are ordered in a store. */
  lasting(monotonic: number): number {
    return monotonic + this.anchor;
  }

  /** The monotonic instant of a {@link EngineClock.lasting} one. */
  fromLasting(lasting: number): number {
    return lasting - this.anchor;
  }

  /** Milliseconds since the Unix epoch, whole ones, of a monotonic instant: the same however often it is asked for, see {@link WallScale}. */
  wall(monotonic: number): number {
    return this.scale.at(monotonic);
  }

  /** A monotonic instant that is told as these milliseconds since the Unix epoch. */
  monotonic(wall: number): number {
    return this.scale.monotonicOf(wall);
  }

  /** The same, had the wall clock always been set as it is now: for instants of before, whose clock is allowed for elsewhere. */
  monotonicAsSetNow(wall: number): number {
    return wall - this.scale.offset;
  }

  /** RFC 3339 in UTC with milliseconds. */
  instant(monotonic: number): string {
    return new Date(this.wall(monotonic)).toISOString();
  }
}
