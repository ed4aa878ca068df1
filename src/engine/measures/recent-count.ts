/** Counts what happened in the last minutes, in slices of five seconds: the oldest slice goes as a whole. */
export class RecentCount {
  private readonly slices: Int32Array;
  /** The slice, numbered since the clock's zero, that was counted into last. */
  private newest = Number.NEGATIVE_INFINITY;

  constructor(minutes: number) {
    this.slices = new Int32Array((minutes * 60_000) / SLICE_MS);
  }

  /** It happened at `now`, in milliseconds of a clock that does not go back. */
  add(now: number): void {
    const { slices } = this;
    const slice = this.goTo(now);
    slices[slice % slices.length] = (slices[slice % slices.length] as number) + 1;
  }

  /** How often it happened lately. */
  at(now: number): number {
    this.goTo(now);
    return this.slices.reduce((sum, count) => sum + count, 0);
  }

  private goTo(now: number): number {
    const { slices } = this;
    const slice = Math.max(this.newest, Math.floor(now / SLICE_MS));
    const passed = Math.min(slices.length, slice - this.newest);
    for (let i = 0; i < passed; i++) slices[(slice - i) % slices.length] = 0;
    this.newest = slice;
    return slice;
  }
}

const SLICE_MS = 5000;
