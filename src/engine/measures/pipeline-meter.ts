import type { Histogram } from './histogram.ts';
import { endOfMs, type Moment } from './moment.ts';
import { Pace } from './pace.ts';
import { RecentCount } from './recent-count.ts';
import { RecentHistogram } from './recent-histogram.ts';
import { WorkClock } from './work-clock.ts';

/** Nothing that ended longer ago than this is a rate of now, when nothing is left to do. */
const STALE_MS = 60_000;

/** The measurements of a pipeline since the process started; read like a {@link import('./stage-meter.ts').StageMeter}. */
export class PipelineMeter {
  /** From acceptance to the end of an item. */
  readonly latency = new RecentHistogram();
  /** The items that failed in the last five minutes. */
  readonly failures = new RecentCount(5);
  /** Runs while a worker of any stage is at work. */
  readonly workClock = new WorkClock();
  /** The clock of feeds: runs also while an item waits for its next attempt, which is part of what it takes. */
  readonly feedClock = new WorkClock();
  /** Items that ended, by that clock. */
  private readonly ends = new Pace(0);
  /** Ends that `ends` has not been told yet: those from `since` on, until the millisecond is over, the clock starts or stops, or somebody asks. */
  private untold = 0;
  private since = 0;
  private until = Number.NEGATIVE_INFINITY;
  private endedAt = Number.NEGATIVE_INFINITY;
  private stagesAtWork = 0;
  private parked = 0;

  /** An item has ended at this moment that was accepted at `acceptedAt`. */
  ended({ acceptedAt }: { readonly acceptedAt: number }, moment: Moment): void {
    const { now } = moment;
    if (now >= this.until) this.begin(now);
    this.untold++;
    this.latency.all.record(now - acceptedAt);
    this.endedAt = now;
  }

  /** A stage begins or ceases to work. */
  works(isAtWork: boolean, now: number): void {
    this.stagesAtWork += isAtWork ? 1 : -1;
    if (this.untold > 0) this.tell();
    this.workClock.run(this.stagesAtWork > 0, now);
    this.runFeedClock(now);
  }

  /** So many more items wait for their next attempt, or fewer. */
  parks(more: number, now: number): void {
    this.parked += more;
    this.runFeedClock(now);
  }

  private runFeedClock(now: number): void {
    this.feedClock.run(this.stagesAtWork > 0 || this.parked > 0, now);
  }

  /** Whether nothing is at work and the last end is a minute ago: then no rate is one of now. */
  isStale(now: number): boolean {
    return this.stagesAtWork === 0 && now - this.endedAt >= STALE_MS;
  }

  /** The same for the rate of a feed: a wait for an attempt is no end of it. */
  isStaleForFeeds(now: number): boolean {
    return this.parked === 0 && this.isStale(now);
  }

  /** Ends per second of work, without idle time and pauses; 0 when that {@link PipelineMeter.isStale}. */
  perSecond(now: number): number {
    if (this.isStale(now)) return 0;
    this.tell();
    return this.ends.perSecond(this.workClock.at(now));
  }

  /** The latencies of the last minute. */
  latencies(now: number): Histogram {
    return this.latency.recent(now);
  }

  private begin(now: number): void {
    this.tell();
    this.latency.goOn(now);
    this.since = now;
    this.until = endOfMs(now);
  }

  private tell(): void {
    if (this.untold > 0) this.ends.add(this.workClock.at(this.since), this.untold);
    this.untold = 0;
    this.until = Number.NEGATIVE_INFINITY;
  }
}
