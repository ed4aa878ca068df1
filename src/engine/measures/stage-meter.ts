/*
 * Room `measures`: how often, how long, how fast.
 *
 * Holds: A measure takes constant memory, nothing runs while nothing happens, and recording allocates nothing. Counters and histograms only grow, for
 * as long as the process lives, so that whoever wants a period subtracts two readings.
 * Refuses: to know what is measured, and to read a clock: each instant is given, in milliseconds.
 */

import { Histogram } from './histogram.ts';
import { endOfMs, type Moment } from './moment.ts';
import { Pace } from './pace.ts';
import type { PipelineMeter } from './pipeline-meter.ts';
import { RecentHistogram } from './recent-histogram.ts';
import { WorkClock } from './work-clock.ts';

/** How a worker is done with an item. */
export type Ended = 'completed' | 'skipped' | 'failed' | 'cancelled' | 'retried';

/** The executions of one task, by how they ended. */
export class TaskMeter {
  readonly completed = new Histogram();
  /** Attempts that threw or took too long, whether another one follows or not. */
  readonly failed = new Histogram();

  /** An attempt that began at `startedAt` has ended at this moment. */
  completes({ startedAt }: { readonly startedAt: number }, moment: Moment): void {
    this.completed.record(moment.now - startedAt);
  }

  fails({ startedAt }: { readonly startedAt: number }, moment: Moment): void {
    this.failed.record(moment.now - startedAt);
  }
}

/** The times of a worker that tell how long its item took. */
export interface Visit {
  /** How long it waited, in milliseconds. */
  readonly waitedMs: number;
  /** How long the tasks of all items have run so far, and had before this one. */
  readonly busyMs: number;
  readonly busyBefore: number;
}

/**
 * The measurements of a stage since the process started. To read it, look at its fields: counters are numbers that only grow, durations are
 * cumulative {@link Histogram}s of milliseconds. For a period, keep a copy of the numbers and `Histogram.copy()` of its beginning, and subtract them at its end
 * (`Histogram.since`). What is there *now* (the queue, the workers by what they do, the oldest item) is not in here: that is read from the stage itself, see
 * `StageNow` in flow/stage-now.ts.
 *
 *     entered ──▶ waits (`wait`) ──▶ a worker runs it (`run`) ──▶ retried: waits again
 *                                                              └▶ completed, skipped, failed or cancelled: it has left
 *
 * Counters grow at once. The rates are told once a millisecond how far, since telling each of them of each item would cost the engine a tenth of its speed.
 * A reader MUST NOT change anything. The same meter stays with a stage through tuning, renaming and new definitions.
 */
export class StageMeter {
  /** Items that came into the stage: fed into it, handed over to it, or failed in it and run again by an operator. */
  entered = 0;
  /** Items that left it by how they did. */
  completed = 0;
  skipped = 0;
  failed = 0;
  cancelled = 0;
  /** Attempts that failed and are followed by another one after a wait. */
  retried = 0;
  /** How long an item waited until its tasks ran: in the queue, and with a worker for limits and threads; once for each time a worker had it. */
  readonly wait = new RecentHistogram();
  /** How long the tasks of a worker's item ran, without waits; once for each time a worker had it and ran some. */
  readonly run = new RecentHistogram();
  private readonly arrived = new Pace(null);
  private readonly departed = new Pace(null);
  private readonly worked = new Pace(0);
  readonly workClock = new WorkClock();
  /** When the first of what the paces have not been told yet happened; all of it happened before `until`. */
  private since = 0;
  private until = Number.NEGATIVE_INFINITY;
  private readonly pipeline: PipelineMeter;
  /** Whether a worker is at work. */
  isAtWork = false;
  private readonly byTask = new Map<string, TaskMeter>();

  constructor(pipeline: PipelineMeter) {
    this.pipeline = pipeline;
  }

  /** Items that came, by the clock on the wall. */
  get arrivals(): Pace {
    this.tell();
    return this.arrived;
  }

  /** Items that went on (`completed`, `skipped`), by the clock on the wall. */
  get departures(): Pace {
    this.tell();
    return this.departed;
  }

  /** Items that left by being completed, skipped or failed, by the clock that runs only while a worker is at work, i.e. has an item and is not blocked by the next stage. */
  get work(): Pace {
    this.tell();
    return this.worked;
  }

  /** The tasks that have been executed, by name. */
  get tasks(): ReadonlyMap<string, TaskMeter> {
    return this.byTask;
  }

  task(name: string): TaskMeter {
    let meter = this.byTask.get(name);
    if (meter === undefined) {
      meter = new TaskMeter();
      this.byTask.set(name, meter);
    }
    return meter;
  }

  /** Whether a worker is at work now. Idempotent. */
  works(isAtWork: boolean, now: number): void {
    if (isAtWork === this.isAtWork) return;
    this.tell();
    this.isAtWork = isAtWork;
    this.workClock.run(isAtWork, now);
    this.pipeline.works(isAtWork, now);
  }

  /** So many more of its items wait for their next attempt, or fewer. */
  parks(more: number, now: number): void {
    this.pipeline.parks(more, now);
  }

  enters({ now }: Moment): void {
    if (now >= this.until) this.begin(now);
    this.entered++;
  }

  /** A worker is done with an item, of which tasks have run unless `hasRun` is false. */
  visited({ waitedMs, busyMs, busyBefore }: Visit, hasRun: boolean, { now }: Moment): void {
    if (now >= this.until) this.begin(now);
    this.wait.all.record(waitedMs);
    if (hasRun) this.run.all.record(busyMs - busyBefore);
  }

  ends(how: Ended, { now }: Moment): void {
    if (now >= this.until) this.begin(now);
    if (how === 'completed') this.completed++;
    else if (how === 'skipped') this.skipped++;
    else if (how === 'failed') this.failed++;
    else if (how === 'retried') this.retried++;
    else this.cancelled++;
  }

  private begin(now: number): void {
    this.tell();
    this.wait.goOn(now);
    this.run.goOn(now);
    this.since = now;
    this.until = endOfMs(now);
  }

  private tell(): void {
    const { since, arrived, departed, worked } = this;
    const passed = this.completed + this.skipped;
    const left = passed + this.failed;
    if (this.entered > arrived.total) arrived.add(since, this.entered - arrived.total);
    if (passed > departed.total) departed.add(since, passed - departed.total);
    if (left > worked.total) worked.add(this.workClock.at(since), left - worked.total);
    this.until = Number.NEGATIVE_INFINITY;
  }
}
