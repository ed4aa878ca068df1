import { cutText } from '../values/cut-text.ts';

/** The number of error types that are counted by name. */
const NAMED = 20;
/** The number of others that are told apart, to find out which of them are frequent. */
const CANDIDATES = 1000;
const LENGTH_MAX = 100;
const OTHER = 'other';

interface Counted {
  /** How often it was met, as far as that is remembered. */
  met: number;
  /** How often since it is counted by name; undefined: it is not. */
  named: number | undefined;
}

/**
 * Counts error types: the most frequent ones by name, the rest together, in bounded memory. Types come from tasks and so perhaps from items; a
 * thousand that were made up do not keep a frequent one from its name.
 *
 * No count ever falls. A type that is met more often than the least frequent one with a name takes its place, and counts from there on.
 */
export class FrequentTypes {
  private readonly types = new Map<string, Counted>();
  private readonly named = new Map<string, Counted>();
  private others = 0;

  add(type: string): void {
    const name = cutText(type, LENGTH_MAX);
    const counted = this.types.get(name) ?? this.remember(name);
    counted.met++;
    if (counted.named === undefined && name !== OTHER && this.makesPlaceFor(counted)) {
      counted.named = 0;
      this.named.set(name, counted);
    }
    if (counted.named === undefined) this.others++;
    else counted.named++;
  }

  /** The counts by name, and what is left as `other`, if anything is. */
  read(): { errorType: string; count: number }[] {
    const rows = [...this.named].map(([errorType, { named }]) => ({ errorType, count: named as number }));
    return this.others === 0 ? rows : [...rows, { errorType: OTHER, count: this.others }];
  }

  private remember(name: string): Counted {
    // What is frequent is soon met again.
    if (this.types.size >= CANDIDATES + NAMED) for (const [old, { named }] of this.types) if (named === undefined) this.types.delete(old);
    const counted: Counted = { met: 0, named: undefined };
    this.types.set(name, counted);
    return counted;
  }

  private makesPlaceFor({ met }: Counted): boolean {
    if (this.named.size < NAMED) return true;
    const [name, least] = [...this.named].reduce((a, b) => (b[1].met < a[1].met ? b : a));
    if (met <= least.met) return false;
    least.named = undefined;
    this.named.delete(name);
    return true;
  }
}
