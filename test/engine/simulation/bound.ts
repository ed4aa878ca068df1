/**
 * A limit that can be lowered while more than it allows is under way: that much is tolerated, and as it gets less, only
 * so much is tolerated from then on.
 */
export class Bound {
  limit: number;
  private allowed: number;

  constructor(limit: number) {
    this.limit = limit;
    this.allowed = limit;
  }

  change(limit: number, current: number): void {
    this.limit = limit;
    this.allowed = Math.max(limit, current);
  }

  /** False when `current` breaks the bound. */
  holds(current: number): boolean {
    if (current > this.allowed) return false;
    this.allowed = Math.max(this.limit, current);
    return true;
  }
}
