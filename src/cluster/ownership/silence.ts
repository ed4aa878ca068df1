import type { Rules } from './rules.ts';

/**
 * For how long the log has had no new entry while it answered. An owner that cannot reach the log is silent too, and is there: time in which the log
 * did not answer proves nothing about it, and neither does time in which this node was stopped.
 */
export class Silence {
  private readonly longestGapMs: number;
  /** When the silence began; null while the log does not answer. */
  private since: number | null = null;
  private answeredAt = Number.NEGATIVE_INFINITY;

  constructor({ probeMs, answerMs }: Rules) {
    this.longestGapMs = probeMs + answerMs;
  }

  /** The log has a new entry. */
  broken(now: number): void {
    this.since = now;
    this.answeredAt = now;
  }

  /** The log has answered, and has no new entry. */
  goesOn(now: number): void {
    if (this.since === null || now - this.answeredAt > this.longestGapMs) this.since = now;
    this.answeredAt = now;
  }

  /** The log has not answered, or nothing is known of it. */
  unknown(): void {
    this.since = null;
  }

  /** Monotonic milliseconds at which it will have lasted for so long; null while the log does not answer. */
  lasts(ms: number): number | null {
    return this.since === null ? null : this.since + ms;
  }
}
