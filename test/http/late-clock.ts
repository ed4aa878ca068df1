import { type Clock, systemClock } from '../../src/engine/ports.ts';

export interface LateClock extends Clock {
  /** Lets so much time pass at once; timers do not notice. */
  advance(ms: number): void;
}

/** The machine's clock, put forward by a test, so that streams live on while what has an expiry ends. */
export function createLateClock(): LateClock {
  let ahead = 0;
  return {
    ...systemClock,
    now: () => systemClock.now() + ahead,
    monotonic: () => systemClock.monotonic() + ahead,
    advance(ms) {
      ahead += ms;
    },
  };
}
