/** A clock that runs only while there is work, in milliseconds: idle time and pauses do not exist on it. */
export class WorkClock {
  private isRunning = false;
  /** While it runs: the instant at which it was zero. While it stands: how far it has come. */
  private offset = 0;

  /** Starts or stops it at the instant `now` of the other clock. Idempotent. */
  run(isRunning: boolean, now: number): void {
    if (isRunning === this.isRunning) return;
    this.isRunning = isRunning;
    this.offset = now - this.offset;
  }

  /** Its reading at the instant `now` of the other clock. */
  at(now: number): number {
    return this.isRunning ? now - this.offset : this.offset;
  }
}
