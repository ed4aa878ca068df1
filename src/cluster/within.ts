import type { Clock } from '../engine/ports.ts';

/** The work took longer than it may. */
export class TooLate extends Error {
  override name = 'TooLate';
}

/** Gives a piece of work so many milliseconds; then it rejects with {@link TooLate}, and `signal` tells the work so. */
export function within<T>(clock: Clock, ms: number, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const { promise, resolve, reject } = Promise.withResolvers<T>();
  const abort = new AbortController();
  const timer = clock.setTimer(() => {
    const late = new TooLate(`no answer within ${ms} ms`);
    reject(late);
    abort.abort(late);
  }, ms);
  work(abort.signal)
    .then(resolve, reject)
    .finally(() => clock.clearTimer(timer));
  return promise;
}
