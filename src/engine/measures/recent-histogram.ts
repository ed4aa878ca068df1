import { Histogram } from './histogram.ts';

/** A copy is taken every so often while something is recorded, and so many are kept. */
const SLICE_MS = 5000;
const COPIES = 12;

/**
 * A {@link Histogram} that also knows what of it is recent: the last minute, to within the five seconds that its oldest part comes short. What is recent is the
 * difference to a copy from back then. A copy is taken when the first duration of a slice of time is recorded, so while nothing happens nothing runs.
 */
export class RecentHistogram {
  /** All durations since the start of the process. */
  readonly all = new Histogram();
  private slice = Number.NEGATIVE_INFINITY;
  /** The copies and the numbers of their slices, the newest last: each as it was before that slice. */
  private readonly copies: Histogram[] = [];
  private readonly slices: number[] = [];

  /** Records a duration at `now`, which MUST NOT go back from call to call. Both are milliseconds. */
  record(ms: number, now: number): void {
    this.goOn(now);
    this.all.record(ms);
  }

  /** To be called before durations are recorded in `all` at `now`, of which several can follow within a millisecond. */
  goOn(now: number): void {
    if (now >= (this.slice + 1) * SLICE_MS) this.begin(Math.floor(now / SLICE_MS));
  }

  /** The durations of the last minute: between 55 and 60 seconds. */
  recent(now: number): Histogram {
    const oldest = Math.floor(now / SLICE_MS) - COPIES + 1;
    const i = this.slices.findIndex((slice) => slice >= oldest);
    return i < 0 ? new Histogram() : this.all.since(this.copies[i] as Histogram);
  }

  private begin(slice: number): void {
    this.slice = slice;
    this.slices.push(slice);
    this.copies.push(this.all.copy());
    if (this.slices.length <= COPIES) return;
    this.slices.shift();
    this.copies.shift();
  }
}
