import { isQuiet, merged, type Point, quietAfter } from './point.ts';

/** The stages of a pipeline in one bucket, by name. */
export type Bucket = Map<string, Point>;

/** So many buckets are stored together, under the number of the first divided by this. */
export const CHUNK = 12;

/** A chunk as it is stored: buckets by number, points by stage. */
export type StoredChunk = [number: number, points: Record<string, Point>][];

export interface Resolution {
  /** The length of a bucket in milliseconds. A bucket is numbered by its instant, since the Unix epoch, divided by this. */
  stepMs: number;
  /** How many buckets back are kept. */
  kept: number;
}

/** The buckets of one pipeline in one resolution. */
export class Series {
  readonly resolution: Resolution;
  /** Ascending, unless the clock was set. */
  private buckets = new Map<number, Bucket>();
  private isSorted = true;
  /** How the buckets that are gone have left each stage. */
  private readonly base: Bucket = new Map();
  /** The newest point of each stage. */
  private readonly last = new Map<string, Point>();
  private newest = Number.NEGATIVE_INFINITY;
  /** How many points it holds. */
  size = 0;

  constructor(resolution: Resolution) {
    this.resolution = resolution;
  }

  numberAt(wall: number): number {
    return Math.floor(wall / this.resolution.stepMs);
  }

  /**
   * Takes what was measured in a bucket, and returns whether it was worth keeping. A bucket that is there already, since the clock was set back, gets both. `isFirst`: of a
   * process; kept whatever it says, so that what was before it is known to end.
   */
  add(number: number, found: ReadonlyMap<string, Point>, isFirst = false): boolean {
    let isKept = false;
    for (const [stage, point] of found) {
      const before = this.last.get(stage);
      if (!isFirst && isQuiet(point, before)) continue;
      isKept = true;
      this.put(number, stage, point);
    }
    this.expire(number);
    return isKept;
  }

  /** Takes what was stored by an earlier process. */
  restore(chunk: StoredChunk): void {
    for (const [number, points] of chunk) {
      for (const [stage, point] of Object.entries(points)) this.put(number, stage, point, true);
    }
  }

  /** A stage has got another name: its points go on under that. Returns the chunks that have changed. */
  rename(from: string, to: string): Set<number> {
    const changed = new Set<number>();
    for (const [number, bucket] of this.buckets) {
      const hasBoth = bucket.has(to);
      if (!move(bucket, from, to)) continue;
      if (hasBoth) this.size--;
      changed.add(Math.floor(number / CHUNK));
    }
    move(this.base, from, to);
    move(this.last, from, to);
    return changed;
  }

  /** The buckets of a chunk that are there; null for none. */
  chunk(number: number): StoredChunk | null {
    const found: StoredChunk = [];
    for (let bucket = number * CHUNK; bucket < (number + 1) * CHUNK; bucket++) {
      const points = this.buckets.get(bucket);
      if (points !== undefined) found.push([bucket, Object.fromEntries(points)]);
    }
    return found.length === 0 ? null : found;
  }

  /** Lets the oldest buckets go until it has at most so many points. */
  trim(points: number): void {
    if (this.size <= points) return;
    for (const number of this.ascending()) {
      if (this.size <= points) return;
      this.drop(number);
    }
  }

  /**
   * `count` buckets of `width` of its own ones each, from the number `from`, for each stage that is known by then. A stage is there from its first point on; where nothing was kept, nothing
   * had happened.
   */
  read(from: number, width: number, count: number): Map<string, Point[]> {
    const found = new Map<string, Point[]>();
    const state = this.stateBefore(from);
    for (let i = 0; i < count; i++) {
      const points = this.within(from + i * width, width, state);
      for (const [stage, point] of points) {
        let row = found.get(stage);
        if (row === undefined) {
          row = [];
          found.set(stage, row);
        }
        row[i] = point;
      }
    }
    return found;
  }

  /** The newest points before a bucket, of each stage. */
  private stateBefore(from: number): Bucket {
    const state: Bucket = new Map(this.base);
    for (const number of this.ascending()) {
      if (number >= from) break;
      for (const [stage, point] of this.buckets.get(number) as Bucket) state.set(stage, quietAfter(point));
    }
    return state;
  }

  /** `width` buckets as one; `state` is what they begin with, and becomes what they end with. */
  private within(from: number, width: number, state: Bucket): Bucket {
    const whole: Bucket = new Map(state);
    for (let number = from; number < from + width; number++) {
      for (const [stage, point] of this.buckets.get(number) ?? []) {
        const earlier = whole.get(stage);
        whole.set(stage, earlier === undefined ? point : merged(earlier, point));
        state.set(stage, quietAfter(point));
      }
    }
    return whole;
  }

  /** `isEarlier`: it was before what the bucket has already. */
  private put(number: number, stage: string, point: Point, isEarlier = false): void {
    let bucket = this.buckets.get(number);
    if (bucket === undefined) {
      bucket = new Map();
      this.buckets.set(number, bucket);
      // What is restored comes after what this process has measured.
      if (isEarlier || number < this.newest) this.isSorted = false;
    }
    const known = bucket.get(stage);
    if (known === undefined) this.size++;
    const [first, second] = isEarlier ? [point, known] : [known, point];
    bucket.set(stage, first === undefined || second === undefined ? point : merged(first, second));
    if (isEarlier) return;
    this.last.set(stage, point);
    if (number > this.newest) this.newest = number;
  }

  private ascending(): number[] {
    if (!this.isSorted) {
      this.buckets = new Map([...this.buckets].sort(([a], [b]) => a - b));
      this.isSorted = true;
    }
    return [...this.buckets.keys()];
  }

  private expire(now: number): void {
    const oldest = now - this.resolution.kept;
    for (const number of this.ascending()) {
      if (number > oldest) return;
      this.drop(number);
    }
  }

  private drop(number: number): void {
    const bucket = this.buckets.get(number) as Bucket;
    for (const [stage, point] of bucket) this.base.set(stage, quietAfter(point));
    this.size -= bucket.size;
    this.buckets.delete(number);
  }
}

/** Gives the point of one name to another, as the later part where that has one. Returns whether there was any. */
export function move(points: Map<string, Point>, from: string, to: string): boolean {
  const point = points.get(from);
  if (point === undefined) return false;
  points.delete(from);
  const earlier = points.get(to);
  points.set(to, earlier === undefined ? point : merged(earlier, point));
  return true;
}
