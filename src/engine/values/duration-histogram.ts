/** How many values there were up to each bound, as Prometheus wants it, but not yet summed up: each value counts in one place of `counts`. */
export interface HistogramReading {
  /** Ascending, in seconds. */
  readonly bounds: readonly number[];
  /** One more than there are bounds: the last one is of what is above all of them. */
  readonly counts: readonly number[];
  /** The sum of all values, in seconds. */
  readonly sum: number;
}

/** From a millisecond to a minute, two or three to a decade: for requests, writes and the like. */
export const MACHINE_SECONDS: readonly number[] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60];

/** Counts durations since the process began; nothing is ever taken out, so that what is read of it never falls. */
export class DurationHistogram implements HistogramReading {
  readonly bounds: readonly number[];
  readonly counts: number[];
  sum = 0;

  constructor(bounds: readonly number[]) {
    this.bounds = bounds;
    this.counts = new Array<number>(bounds.length + 1).fill(0);
  }

  /** A clock that was set back is no reason for a sum that falls. */
  add(seconds: number): void {
    const { bounds, counts } = this;
    const value = seconds > 0 ? seconds : 0;
    let i = 0;
    while (i < bounds.length && value > (bounds[i] as number)) i++;
    counts[i] = (counts[i] as number) + 1;
    this.sum += value;
  }

  /** A copy: nothing in it changes afterwards. */
  read(): HistogramReading {
    return { bounds: this.bounds, counts: [...this.counts], sum: this.sum };
  }
}
