import type { Clock } from '../engine/ports.ts';

/** An entry's instant further ahead than this comes from a clock that was wrong: it is not followed. */
const FURTHEST_AHEAD_MS = 3_600_000;

/**
 * The clock of an owner. Its wall clock is never before the instant of the last entry that this owner took over with: where that is ahead, it goes at half the pace
 * until it is right, so that it neither goes back nor stands still. `onReading` is called with each reading of the monotonic clock: whoever begins something has read it,
 * so a process that was stopped notices before it goes on.
 */
export function ownerClock(clock: Clock, lastAt: number | null, onReading: (monotonic: number) => void): Clock {
  const began = clock.monotonic();
  const ahead = lastAt === null ? 0 : lastAt - clock.now();
  const floor = ahead > 0 && ahead <= FURTHEST_AHEAD_MS ? (lastAt as number) : null;
  return {
    now() {
      const now = clock.now();
      return floor === null ? now : Math.max(now, floor + (clock.monotonic() - began) / 2);
    },
    monotonic() {
      const now = clock.monotonic();
      onReading(now);
      return now;
    },
    setTimer: (fn, ms) => clock.setTimer(fn, ms),
    clearTimer: (handle) => clock.clearTimer(handle),
    defer: (fn) => clock.defer(fn),
  };
}
