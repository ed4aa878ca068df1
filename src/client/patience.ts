import { SluiceProblem } from './problem.ts';

/** How attempts follow each other after a failure that may pass. */
export interface Patience {
  /** The wait before the second attempt; it doubles with each, up to `maxSeconds`, and half of it is random. Default 0.25. */
  firstSeconds?: number;
  /** Default 10. A longer `Retry-After` is waited for all the same. */
  maxSeconds?: number;
  /** How long to wait in all without any progress; the last failure is thrown then. Default: 300, and forever when events are followed. */
  giveUpSeconds?: number;
}

/** Attempts in a row without progress. */
export interface Attempts {
  /** Something went on: the next failure is a first one. */
  progress(): void;
  /** The wait after this failure, in seconds. Throws the failure when the time is up. */
  delaySeconds(failure: unknown): number;
  /** Waits after this failure. Rejects with it when the time is up, and with the reason of `signal` when that aborts. */
  wait(failure: unknown, signal: AbortSignal | undefined): Promise<void>;
}

export function createAttempts({ firstSeconds = 0.25, maxSeconds = 10, giveUpSeconds = 300 }: Patience): Attempts {
  let count = 0;
  let waitedSeconds = 0;
  const attempts: Attempts = {
    progress() {
      count = 0;
      waitedSeconds = 0;
    },
    delaySeconds(failure) {
      const backoff = Math.min(maxSeconds, firstSeconds * 2 ** count++) * (0.5 + Math.random() / 2);
      const asked = failure instanceof SluiceProblem ? (failure.retryAfterSeconds ?? 0) : 0;
      // Many clients are told the same second.
      const delay = asked > 0 ? asked + Math.random() * Math.min(1, asked / 4) : backoff;
      waitedSeconds += delay;
      if (waitedSeconds > giveUpSeconds) throw failure;
      return delay;
    },
    async wait(failure, signal) {
      await sleep(attempts.delaySeconds(failure), signal);
    },
  };
  return attempts;
}

/** Rejects with the reason of `signal` as soon as that aborts. */
export function sleep(seconds: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason);
    const onAbort = (): void => {
      clearTimeout(timer);
      reject(signal?.reason);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener('abort', onAbort);
      resolve();
    }, seconds * 1000);
    signal?.addEventListener('abort', onAbort, { once: true });
  });
}
