import type { Rules } from './rules.ts';
import type { Action } from './steps.ts';

/** An ownership of this node's own, from the accepted claim on: when it beats, when it holds still, and until when it may answer. */
export class Tenure {
  readonly epoch: number;
  /** Its host works. */
  hasBegun = false;
  private readonly rules: Rules;
  /** When the newest entry that is in the log for certain was sent: nobody else claims before this plus the lease. */
  private confirmedAt: number;
  private beatAt: number;
  private isHeld = false;

  constructor(rules: Rules, epoch: number, confirmedAt: number) {
    this.rules = rules;
    this.epoch = epoch;
    this.confirmedAt = confirmedAt;
    this.beatAt = confirmedAt + rules.beatMs;
  }

  isFresh(now: number): boolean {
    return now - this.confirmedAt < this.rules.leaseMs;
  }

  heard(now: number, sentAt: number): Action[] {
    if (sentAt <= this.confirmedAt) return [];
    this.confirmedAt = sentAt;
    if (!this.isFresh(now)) {
      // It proves nothing about now: ask again at once.
      this.beatAt = now;
      return this.tick(now);
    }
    if (!this.isHeld) return [];
    this.isHeld = false;
    return [{ type: 'release' }];
  }

  /** A beat has failed: it is tried again soon, so that this owner is heard before others claim. */
  unheard(now: number): void {
    this.beatAt = Math.min(this.beatAt, now + this.rules.againMs);
  }

  tick(now: number): Action[] {
    const actions: Action[] = [];
    if (!this.isFresh(now) && !this.isHeld) {
      this.isHeld = true;
      actions.push({ type: 'hold' });
    }
    // Long due after a stop: that is how it finds out whether another has taken over.
    if (now >= this.beatAt) {
      this.beatAt = now + this.rules.beatMs;
      actions.push({ type: 'beat' });
    }
    return actions;
  }

  /** When {@link Tenure.tick} has something to do next. */
  nextAt(): number {
    return this.isHeld ? this.beatAt : Math.min(this.beatAt, this.confirmedAt + this.rules.leaseMs);
  }
}
