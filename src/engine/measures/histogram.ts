/** Each octave (a factor of 2) has so many buckets, all of one width: none is wider than 1/64 of the values in it. */
const STEPS = 64;
const STEP_BITS = 6;
/** The octaves from 2^-10 ms, about a microsecond, to 2^32 ms, about 50 days. */
const LOWEST_EXPONENT = -10;
const OCTAVES = 42;
const LAST = OCTAVES * STEPS - 1;

/** A number and its bits: exponent and the first steps of its fraction are the bucket, so that no logarithm is computed. */
const NUMBER = new Float64Array(1);
const BITS = new Uint32Array(NUMBER.buffer);
const HIGH = new Uint8Array(new Uint32Array([1]).buffer)[0] === 1 ? 1 : 0;
/** The high word has 20 bits of the fraction below the exponent. */
const SHIFT = 20 - STEP_BITS;
const EXPONENT_BIAS = 1023;
const FIRST = (LOWEST_EXPONENT + EXPONENT_BIAS) << STEP_BITS;
const SMALLEST_MS = 2 ** LOWEST_EXPONENT;

/**
 * The distribution of durations in milliseconds, in buckets that are at most 1.6 % wide. Recording takes a few nanoseconds and allocates nothing
 * once its octave is in use (512 bytes); the whole takes 21 KiB at most. Counts only grow, so that two of one
 * series can be subtracted ({@link Histogram.since}), and those of several series added.
 */
export class Histogram {
  /** How many durations it has. */
  count = 0;
  /** The sum of them. */
  sumMs = 0;
  /** Durations too short to be told from 0. */
  private zeros = 0;
  private octaves: (Float64Array | undefined)[] = [];

  record(ms: number): void {
    this.count++;
    if (!(ms >= SMALLEST_MS)) {
      this.zeros++;
      return;
    }
    this.sumMs += ms;
    NUMBER[0] = ms;
    const place = ((BITS[HIGH] as number) >>> SHIFT) - FIRST;
    const bucket = place > LAST ? LAST : place;
    const octave = this.octaves[bucket >> STEP_BITS] ?? this.octave(bucket >> STEP_BITS);
    (octave[bucket & (STEPS - 1)] as number)++;
  }

  /**
   * The durations below which these shares (0 to 1) of all lie, in milliseconds: each within 1.6 % of a duration that has that rank. null where there is none.
   * `shares` MUST ascend.
   */
  quantiles(shares: readonly number[]): (number | null)[] {
    if (this.count === 0) return shares.map(() => null);
    const found: number[] = [];
    let before = this.zeros;
    const ranks = shares.map((share) => Math.max(1, Math.ceil(this.count * share)));
    while (found.length < ranks.length && (ranks[found.length] as number) <= before) found.push(0);
    for (const [lower, width, count] of this.buckets()) {
      if (found.length === ranks.length) break;
      for (let rank = ranks[found.length]; rank !== undefined && rank <= before + count; rank = ranks[found.length]) {
        found.push(lower + (width * (rank - before - 0.5)) / count);
      }
      before += count;
    }
    return found;
  }

  /** How many durations are at most each of these bounds, which MUST ascend; as the buckets are, a bound is up to 1.6 % higher. For cumulative buckets elsewhere. */
  countsUpTo(boundsMs: readonly number[]): number[] {
    const counts: number[] = [];
    let sum = this.zeros;
    for (const [lower, , count] of this.buckets()) {
      while (counts.length < boundsMs.length && lower > (boundsMs[counts.length] as number)) counts.push(sum);
      sum += count;
    }
    while (counts.length < boundsMs.length) counts.push(sum);
    return counts;
  }

  copy(): Histogram {
    return new Histogram().add(this);
  }

  /** Adds all durations of another one. */
  add(other: Histogram): this {
    return this.combine(other, 1);
  }

  /** The durations recorded after `earlier`, which MUST be a former copy of this one. */
  since(earlier: Histogram): Histogram {
    return this.copy().combine(earlier, -1);
  }

  private combine(other: Histogram, sign: 1 | -1): this {
    this.count += sign * other.count;
    // Sums of fractions are rounded.
    this.sumMs = this.count === 0 ? 0 : Math.max(0, this.sumMs + sign * other.sumMs);
    this.zeros += sign * other.zeros;
    for (const [i, theirs] of other.octaves.entries()) {
      if (theirs === undefined) continue;
      const own = this.octaves[i] ?? this.octave(i);
      for (let step = 0; step < STEPS; step++) (own[step] as number) += sign * (theirs[step] as number);
    }
    return this;
  }

  private octave(index: number): Float64Array {
    // Filled up, so that the array has no holes.
    while (this.octaves.length <= index) this.octaves.push(undefined);
    const octave = new Float64Array(STEPS);
    this.octaves[index] = octave;
    return octave;
  }

  /** Lower edge, width and count of the buckets that are not empty, in order. */
  private *buckets(): Generator<[lower: number, width: number, count: number]> {
    for (const [i, octave] of this.octaves.entries()) {
      if (octave === undefined) continue;
      const lowest = 2 ** (i + LOWEST_EXPONENT);
      for (let step = 0; step < STEPS; step++) {
        const count = octave[step] as number;
        if (count > 0) yield [lowest * (1 + step / STEPS), lowest / STEPS, count];
      }
    }
  }
}
