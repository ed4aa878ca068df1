import type { Clock } from '../engine/ports.ts';

/** Gives a piece of work so many milliseconds; then it rejects, and `signal` tells the work so. */
export function within<T>(clock: Clock, ms: number, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const { promise, resolve, reject } = Promise.withResolvers<T>();
  const abort = new AbortController();
  const timer = clock.setTimer(() => {
    const late = new Error(`no answer within ${ms} ms`);
    reject(late);
    abort.abort(late);
  }, ms);
  work(abort.signal)
    .then(resolve, reject)
    .finally(() => clock.clearTimer(timer));
  return promise;
}
