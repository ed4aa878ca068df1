/*
 * Room `measures`: how often, how long, how fast.
 *
 * Holds: A measure takes constant memory, nothing runs while nothing happens, and recording allocates nothing. Counters and histograms only grow, for
 * as long as the process lives, so that whoever wants a period subtracts two readings.
 * Refuses: to know what is measured, and to read a clock: each instant is given, in milliseconds.
 */

import { Histogram } from './histogram.ts';
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
  /** Items that came, and items that went on (`completed`, `skipped`), by the clock on the wall. */
  readonly arrivals = new Pace(null);
  readonly departures = new Pace(null);
  /** Items that left by being completed, skipped or failed, by the clock that runs only while a worker is at work, i.e. has an item and is not blocked by the next stage. */
  readonly work = new Pace(0);
  readonly workClock = new WorkClock();
  private readonly pipeline: PipelineMeter;
  private isAtWork = false;
  private readonly byTask = new Map<string, TaskMeter>();

  constructor(pipeline: PipelineMeter) {
    this.pipeline = pipeline;
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
    this.isAtWork = isAtWork;
    this.workClock.run(isAtWork, now);
    this.pipeline.works(isAtWork, now);
  }

  enters(now: number): void {
    this.entered++;
    this.arrivals.add(now);
  }

  ends(how: Ended, now: number): void {
    if (how === 'completed') this.completed++;
    else if (how === 'skipped') this.skipped++;
    else if (how === 'failed') this.failed++;
    else if (how === 'retried') this.retried++;
    else this.cancelled++;
    if (how === 'completed' || how === 'skipped') this.departures.add(now);
    else if (how !== 'failed') return;
    this.work.add(this.workClock.at(now));
  }
}
