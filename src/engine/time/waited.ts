import type { DueQueue } from './due-queue.ts';
import type { EngineClock } from './engine-clock.ts';

/** How a wait ended: with the work done, with the time up, or with nobody there any more who wants it. */
export type Waited<T> = { is: 'done'; value: T } | { is: 'late' } | { is: 'gone' };

interface Limits {
  /** Without it, as long as it takes. */
  timeoutSeconds?: number | undefined;
  signal?: AbortSignal | undefined;
}

/** Waits for `work`, within limits; rejects as it does. The work goes on without its waiter; leaves no timer and no listener. */
export function waitWithin<T>(work: Promise<T>, { timeoutSeconds, signal }: Limits, time: EngineClock, dues: DueQueue): Promise<Waited<T>> {
  if (timeoutSeconds === undefined && signal === undefined) return work.then((value) => ({ is: 'done', value }));
  const { promise, resolve, reject } = Promise.withResolvers<Waited<T>>();
  const gone = (): void => resolve({ is: 'gone' });
  const late = timeoutSeconds === undefined ? null : dues.add(time.tick() + timeoutSeconds * 1000, () => resolve({ is: 'late' }));
  signal?.addEventListener('abort', gone, { once: true });
  work.then((value) => resolve({ is: 'done', value }), reject);
  if (signal?.aborted) gone();
  return promise.finally(() => {
    if (late !== null) dues.cancel(late);
    signal?.removeEventListener('abort', gone);
  });
}
