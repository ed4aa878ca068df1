import { type Clock, unref } from '../../engine/ports.ts';

/** Deadlines that are all equally far away. */
export interface Deadlines {
  /** Calls `onLate` once the time is up. Returns the way to call it off, which may be called late or twice. */
  arm(onLate: () => void): () => void;
}

/**
 * One timer for all of them: nearly every deadline is called off soon after it was armed, and a timer each would be set in vain.
 * Without a deadline there is no timer.
 */
export function createDeadlines(clock: Clock, ms: number): Deadlines {
  // All of them are equally far away, so the order in which they were armed is the order in which they are due.
  const armed = new Set<{ at: number; onLate: () => void }>();
  let timer: unknown;

  function plan(at: number, inMs: number): void {
    timer = clock.setTimer(() => look(at), inMs);
    unref(timer);
  }

  /** `at`: what the timer was set for. By another clock than that of the timers it may not have come yet, by a fraction. */
  function look(at: number): void {
    timer = undefined;
    const now = Math.max(at, clock.monotonic());
    for (const deadline of armed) {
      if (deadline.at > now) {
        // A deadline that `onLate` armed has already planned the next look.
        if (timer === undefined) plan(deadline.at, deadline.at - now);
        return;
      }
      armed.delete(deadline);
      deadline.onLate();
    }
  }

  return {
    arm(onLate) {
      const deadline = { at: clock.monotonic() + ms, onLate };
      armed.add(deadline);
      if (timer === undefined) plan(deadline.at, ms);
      return () => {
        if (!armed.delete(deadline) || armed.size > 0 || timer === undefined) return;
        clock.clearTimer(timer);
        timer = undefined;
      };
    },
  };
}
