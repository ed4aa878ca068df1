/** A stretch that is measured holds at least so many occurrences: fewer say too little. */
const COUNT_MIN = 16;

/**
 * The recent rate of occurrences, counted since the older of two samples of the total, which move along; in constant memory. So slow things are
 * measured over a long time and fast ones over a short one, and a change of speed shows after {@link COUNT_MIN} to twice as many occurrences.
 *
 * A sample is taken after everything that happened at one instant, so that things which happen in bursts (ten workers, a second each)
 * are measured in whole bursts.
 */
export class Pace {
  total = 0;
  private readonly stretchMs: number;
  private readonly startsAt: number;
  private fromAt: number;
  private fromTotal = 0;
  private nextAt: number;
  private nextTotal = 0;
  private lastAt: number;

  /** Measures from `startsAt` on; a stretch takes at least `stretchMs`. */
  constructor(stretchMs: number, startsAt: number) {
    this.stretchMs = stretchMs;
    this.startsAt = startsAt;
    this.fromAt = startsAt;
    this.nextAt = startsAt;
    this.lastAt = startsAt;
  }

  /** It happened at `at`, which MUST NOT go back from call to call. */
  add(at: number): void {
    if (at !== this.lastAt) {
      if (this.total - this.nextTotal >= COUNT_MIN && this.lastAt - this.nextAt >= this.stretchMs) {
        this.fromAt = this.nextAt;
        this.fromTotal = this.nextTotal;
        this.nextAt = this.lastAt;
        this.nextTotal = this.total;
      }
      this.lastAt = at;
    }
    this.total++;
  }

  /** Times a second, from the start to the newest occurrence. */
  get average(): number {
    return (this.total * 1000) / Math.max(1, this.lastAt - this.startsAt);
  }

  /** Milliseconds since what is measured began, for who wants to judge by how long nothing has happened. */
  elapsed(at: number): number {
    return at - this.fromAt;
  }

  /**
   * Times a second; 0 when it has never happened. Measured up to the newest occurrence, since the next one may be due; after a
   * pause as long as all of that, the pause begins to count.
   */
  perSecond(at: number): number {
    const times = this.total - this.fromTotal;
    const span = Math.max(this.lastAt - this.fromAt, (at - this.fromAt) / 2, 1);
    return (times * 1000) / span;
  }
}
