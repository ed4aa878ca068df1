/** The times of an ownership, in milliseconds; all follow from the lease. */
export interface Rules {
  /** Without a new entry for so long, while the log answers, others may claim; without a confirmed one for so long, the owner answers nothing. */
  readonly leaseMs: number;
  /** Between two probes of the log. */
  readonly probeMs: number;
  /** Between two beats of an owner. */
  readonly beatMs: number;
  /** An append, a read or a probe that has no answer by then counts as failed. Well below the lease: after an outage the owner is to be heard before others claim. */
  readonly answerMs: number;
  /** Until what had no answer is tried again. */
  readonly againMs: number;
  /** The most that a claim is put off by chance, so that two nodes seldom claim at once. */
  readonly claimJitterMs: number;
  /** The same after a `leave`, and in an empty log. */
  readonly leaveJitterMs: number;
}

export const LEAST_LEASE_MS = 3000;

export function rulesOf(leaseMs: number): Rules {
  if (!(leaseMs >= LEAST_LEASE_MS)) throw new RangeError(`a lease is ${LEAST_LEASE_MS} ms at least, not ${leaseMs}`);
  return {
    leaseMs,
    probeMs: leaseMs / 5,
    beatMs: leaseMs / 5,
    answerMs: 0.3 * leaseMs,
    againMs: Math.min(500, leaseMs / 20),
    claimJitterMs: Math.min(500, leaseMs / 10),
    leaveJitterMs: 100,
  };
}
