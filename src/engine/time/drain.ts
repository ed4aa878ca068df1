import { Pace } from './pace.ts';

const STRETCH_MS = 250;
/** The longest wait that a caller is told. */
const LONGEST_SECONDS = 3600;
/** A pipeline that hands out nothing gets room when somebody starts it; asking every second would not help. */
const SECONDS_WHILE_CLOSED = 5;

/**
 * How fast the backlog gets room. The clock of this measure runs only while the pipeline hands out items and some wait: an hour
 * without work, a pause, or the time before the start say nothing about its speed, and what was known before still holds after.
 */
export class Drain {
  private pace = new Pace(STRETCH_MS, 0);
  private isOpen = false;
  private isNeeded = false;
  /** While it runs: the instant at which its clock was zero. While it stands: how far it has come. */
  private offset = 0;
  private stoodAt = 0;

  /** Whether the pipeline hands out items. */
  setOpen(isOpen: boolean, now: number): void {
    const before = this.runs;
    this.isOpen = isOpen;
    this.turn(before, now);
  }

  /** Whether any item waits in the backlog. */
  setNeeded(isNeeded: boolean, now: number): void {
    const before = this.runs;
    this.isNeeded = isNeeded;
    this.turn(before, now);
  }

  /** A worker has taken an item out of the backlog. */
  left(now: number): void {
    this.pace.add(now - this.offset);
  }

  /** Whole seconds until so many places are free, 1 to 3600. `workers`: how many take items out of the backlog. */
  secondsUntil(places: number, workers: number, now: number): number {
    const least = this.isOpen ? 1 : SECONDS_WHILE_CLOSED;
    const at = this.runs ? now - this.offset : this.stoodAt;
    // Of what has run for a while without an end, half is the best guess at how much of it is over.
    const perSecond = this.pace.total > 0 ? this.pace.perSecond(at) : (workers * 1000) / (2 * this.pace.elapsed(at));
    return Math.min(LONGEST_SECONDS, Math.max(least, Math.ceil(places / perSecond)));
  }

  private get runs(): boolean {
    return this.isOpen && this.isNeeded;
  }

  private turn(before: boolean, now: number): void {
    if (this.runs === before) return;
    if (before) this.stoodAt = now - this.offset;
    else this.offset = now - this.stoodAt;
  }
}
