/** Hands whose calls begin, wait again and end when the test says so. */
import { expect } from 'vitest';
import type { HandJob, HandRunner } from '../../../src/engine/ports.ts';

export interface HeldCall {
  job: HandJob;
  signal: AbortSignal;
  end: (value?: unknown) => void;
  fail: (error: unknown) => void;
}

export interface HeldHands extends HandRunner {
  isThere: boolean;
  isClosed: boolean;
  /** All calls, in their order. */
  readonly calls: HeldCall[];
  /** The last call of this task, predicate or hook. */
  last: (name: string) => HeldCall;
}

export function heldHands(): HeldHands {
  const calls: HeldCall[] = [];
  return {
    isThere: true,
    isThereFor() {
      return this.isThere;
    },
    isClosed: false,
    calls,
    last: (name) => calls.findLast(({ job }) => job.use.name === name) ?? expect.fail(`${name} was not called`),
    run: (job, signal) =>
      new Promise((end, fail) => {
        calls.push({ job, signal, end, fail });
        if (signal.aborted) fail(signal.reason);
        signal.addEventListener('abort', () => fail(signal.reason), { once: true });
      }),
    async close() {
      this.isClosed = true;
    },
  };
}
