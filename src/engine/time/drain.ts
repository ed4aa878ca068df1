import { endOfMs, type Moment } from '../measures/moment.ts';
import { Pace } from '../measures/pace.ts';
import { WorkClock } from '../measures/work-clock.ts';

/** The longest wait that a caller is told. */
const LONGEST_SECONDS = 3600;
/** A pipeline that hands out nothing gets room when somebody starts it; asking every second would not help. */
const SECONDS_WHILE_CLOSED = 5;

/**
 * How fast the backlog gets room. The clock of this measure runs only while the pipeline hands out items and some wait: an hour
 * without work, a pause, or the time before the start say nothing about its speed, and what was known before still holds after.
 */
export class Drain {
  private readonly pace = new Pace(0);
  private readonly clock = new WorkClock();
  private isOpen = false;
  private isNeeded = false;
  /** Items that the pace has not been told yet: those since `since`, all before `until`. */
  private untold = 0;
  private since = 0;
  private until = Number.NEGATIVE_INFINITY;

  /** Whether the pipeline hands out items. */
  setOpen(isOpen: boolean, now: number): void {
    this.tell();
    this.isOpen = isOpen;
    this.clock.run(isOpen && this.isNeeded, now);
  }

  /** Whether any item waits in the backlog. */
  setNeeded(isNeeded: boolean, now: number): void {
    this.tell();
    this.isNeeded = isNeeded;
    this.clock.run(isNeeded && this.isOpen, now);
  }

  /** A worker has taken an item out of the backlog. */
  left({ now }: Moment): void {
    if (now >= this.until) {
      this.tell();
      this.since = now;
      this.until = endOfMs(now);
    }
    this.untold++;
  }

  /** Whole seconds until so many places are free, 1 to 3600. `workers`: how many take items out of the backlog. */
  secondsUntil(places: number, workers: number, now: number): number {
    const least = this.isOpen ? 1 : SECONDS_WHILE_CLOSED;
    this.tell();
    const at = this.clock.at(now);
    // Of what has run for a while without an end, half is the best guess at how much of it is over.
    const perSecond = this.pace.total > 0 ? this.pace.perSecond(at) : (workers * 1000) / (2 * this.pace.elapsed(at));
    return Math.min(LONGEST_SECONDS, Math.max(least, Math.ceil(places / perSecond)));
  }

  /** Tells the pace of several items at once, while the clock is as it was when they left. */
  private tell(): void {
    if (this.untold > 0) this.pace.add(this.clock.at(this.since), this.untold);
    this.untold = 0;
    this.until = Number.NEGATIVE_INFINITY;
  }
}
