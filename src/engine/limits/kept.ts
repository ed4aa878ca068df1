/**
 * What a store keeps of limiters, so that a restart goes on where the process before was: what was used of each window, holds, and changes by operators.
 *
 * A window is kept in slices of a 64th of it, each with the instant of its last start and the weight of all of its starts. So it takes the same room however
 * much is let go, and a restart counts no start sooner than it was: for up to a 64th of a window it lets fewer go, and never more.
 */

/** A part of a limiter that a store keeps under a name of its own. */
export interface Kept {
  readonly keptAs: string;
  /** Its newest state as JSON; null when there is nothing to keep. `lasting`: the scale of instants in the store. */
  kept(lasting: (monotonic: number) => number): string | null;
}

/** Told of each part that has changed; it asks for the newest state when it writes. */
export interface LimiterKeeper {
  touch(part: Kept): void;
}

const SLICES = 64;

/** The starts of one window, added up. */
export class WindowSlices {
  /** Oldest first: instants of the first and of the last start of each, and the weight of all. */
  private slices: { first: number; last: number; weight: number }[] = [];

  add(at: number, weight: number, windowMs: number): void {
    const newest = this.slices.at(-1);
    if (newest !== undefined && at < newest.first + windowMs / SLICES) {
      newest.last = at;
      newest.weight += weight;
      return;
    }
    if (this.slices.length > SLICES) this.expire(windowMs, at);
    this.slices.push({ first: at, last: at, weight });
  }

  /** Those that still count. */
  within(windowMs: number, now: number): [last: number, weight: number][] {
    this.expire(windowMs, now);
    return this.slices.map(({ last, weight }) => [last, weight]);
  }

  private expire(windowMs: number, now: number): void {
    const from = this.slices.findIndex(({ last }) => last + windowMs > now);
    this.slices.splice(0, from === -1 ? this.slices.length : from);
  }
}
