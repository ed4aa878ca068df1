const STEP_MS = 250;
const KEPT = 4096;

/** The instants at which the log passed its positions, as this node saw them: they tell how far another node is behind. */
export class Passages {
  private readonly positions: number[] = [];
  private readonly instants: number[] = [];

  /** The log has come to a position. */
  note(position: number, now: number): void {
    const last = this.positions.length - 1;
    if (position <= (this.positions[last] ?? 0)) return;
    // Finer than that nobody looks.
    if (now - (this.instants[last] ?? Number.NEGATIVE_INFINITY) < STEP_MS) {
      this.positions[last] = position;
      return;
    }
    this.positions.push(position);
    this.instants.push(now);
    if (this.positions.length > KEPT) {
      this.positions.shift();
      this.instants.shift();
    }
  }

  /** By how many milliseconds a node that had come to `position` at an instant was behind then. */
  lagMs(position: number, at: number): number {
    const next = this.positions.findIndex((passed) => passed > position);
    return next < 0 ? 0 : Math.max(0, at - (this.instants[next] as number));
  }
}
