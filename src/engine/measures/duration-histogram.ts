import type { HistogramReading } from '../contract/measurements.ts';

/** From a millisecond to a minute, two or three to a decade: for requests, writes and the like. */
export const MACHINE_SECONDS: readonly number[] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60];

/**
 * Counts durations in a few buckets with bounds that others ask for: exact at these, and a tenth of the memory of a {@link import('./histogram.ts').Histogram},
 * which is for quantiles. Counts only grow.
 */
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
