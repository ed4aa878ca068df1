import type { EngineClock } from './engine-clock.ts';

/** One bucket a second, for the last minute. */
const SECONDS = 60;
/** Latencies in buckets that grow by a tenth, from 10 µs up to about 11 days: quantiles are right within 5 %. */
const GROWTH = Math.log(1.1);
const SMALLEST_MS = 0.01;
const BUCKETS = 304;

/** Ends per second and latencies over the last minute, in constant memory; one array write an item. */
export class RateWindow {
  private readonly counts = new Uint32Array(SECONDS);
  private readonly latencies = new Uint32Array(SECONDS * BUCKETS);
  private second = Number.NaN;
  private first = Number.NaN;
  private total = 0;

  /** An item has ended now. */
  add({ now }: EngineClock, { acceptedAt }: { acceptedAt: number }): void {
    const latencyMs = now - acceptedAt;
    const second = Math.floor(now / 1000);
    if (second !== this.second) this.moveTo(second);
    const slot = second % SECONDS;
    (this.counts[slot] as number)++;
    this.total++;
    const bucket = latencyMs <= SMALLEST_MS ? 0 : Math.min(BUCKETS - 1, Math.ceil(Math.log(latencyMs / SMALLEST_MS) / GROWTH));
    (this.latencies[slot * BUCKETS + bucket] as number)++;
  }

  /** Items per second: over the last minute, or since the first when that is shorter (at least one second). */
  perSecond(now: number): number {
    const second = Math.floor(now / 1000);
    if (second !== this.second) this.moveTo(second);
    if (this.total === 0) return 0;
    const span = Math.min(SECONDS - 1, second - this.first) + (now / 1000 - second);
    return this.total / Math.max(1, span);
  }

  /** Seconds below which that share of the last minute's latencies lies; null without any. */
  quantiles(now: number, shares: readonly number[]): (number | null)[] {
    const second = Math.floor(now / 1000);
    if (second !== this.second) this.moveTo(second);
    if (this.total === 0) return shares.map(() => null);
    const merged = new Uint32Array(BUCKETS);
    for (let i = 0; i < this.latencies.length; i++) (merged[i % BUCKETS] as number) += this.latencies[i] as number;
    return shares.map((share) => {
      let rest = Math.max(1, Math.ceil(this.total * share));
      for (let bucket = 0; bucket < BUCKETS; bucket++) {
        rest -= merged[bucket] as number;
        if (rest <= 0) return (SMALLEST_MS * Math.exp(GROWTH * bucket)) / 1000;
      }
      return null;
    });
  }

  private moveTo(second: number): void {
    const from = Number.isNaN(this.second) ? second - SECONDS : Math.max(this.second, second - SECONDS);
    for (let s = from + 1; s <= second; s++) {
      const slot = ((s % SECONDS) + SECONDS) % SECONDS;
      this.total -= this.counts[slot] as number;
      this.counts[slot] = 0;
      this.latencies.fill(0, slot * BUCKETS, (slot + 1) * BUCKETS);
    }
    this.second = second;
    // The window begins with the first end after a minute without any.
    if (this.total === 0) this.first = second;
    else this.first = Math.max(this.first, second - SECONDS + 1);
  }
}
