import type { HistogramReading } from '../contract/measurements.ts';
import type { Histogram } from './histogram.ts';
import type { StageMeter } from './stage-meter.ts';

const COUNTERS = ['completed', 'skipped', 'failed', 'cancelled', 'retried'] as const;
/** From a millisecond to two hours: items and tasks take anything from nothing to a night. */
const STAGE_SECONDS: readonly number[] = [0.001, 0.005, 0.025, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800, 7200];
const STAGE_MS = STAGE_SECONDS.map((seconds) => seconds * 1000);
/** The number of names that stages no longer have of which the totals are kept. */
const FORMER_MAX = 1000;

/** The counters of a stage, or of several, at one moment. */
export interface StageReading extends Record<(typeof COUNTERS)[number], number> {
  readonly wait: HistogramReading;
  readonly tasks: ReadonlyMap<string, { completed: HistogramReading; failed: HistogramReading }>;
}

const NO_DURATIONS: HistogramReading = { bounds: STAGE_SECONDS, counts: [...STAGE_SECONDS, 0].map(() => 0), sum: 0 };
const NO_EXECUTIONS = { completed: NO_DURATIONS, failed: NO_DURATIONS };
const NOTHING: StageReading = { completed: 0, skipped: 0, failed: 0, cancelled: 0, retried: 0, wait: NO_DURATIONS, tasks: new Map() };

/**
 * The counters of the stages of one pipeline by name. A stage that is renamed takes along what was counted under its old name; what a removed one has counted
 * stays under its name, to which a later one of that name adds.
 *
 *     of a name: former stages that had it + each stage that has it
 */
export class StageTotals {
  private readonly former = new Map<string, StageReading>();

  /** To be called before a stage that no longer counts is forgotten. */
  leaves(name: string, meter: StageMeter): void {
    this.keep(name, this.read(name, [meter]));
  }

  /** To be called when a stage gets another name. */
  renamed(from: string, to: string): void {
    const before = this.former.get(from);
    if (before === undefined) return;
    this.former.delete(from);
    this.keep(to, combined(this.former.get(to) ?? NOTHING, before));
  }

  /** The counters of a name, which these stages have now. */
  read(name: string, meters: readonly StageMeter[]): StageReading {
    return meters.reduce((total, meter) => combined(total, readingOf(meter)), this.former.get(name) ?? NOTHING);
  }

  private keep(name: string, total: StageReading): void {
    this.former.delete(name);
    this.former.set(name, total);
    if (this.former.size <= FORMER_MAX) return;
    for (const oldest of this.former.keys()) {
      this.former.delete(oldest);
      return;
    }
  }
}

function readingOf(meter: StageMeter): StageReading {
  const { completed, skipped, failed, cancelled, retried, wait } = meter;
  const tasks = [...meter.tasks].map(
    ([task, executions]) => [task, { completed: bucketsOf(executions.completed), failed: bucketsOf(executions.failed) }] as const,
  );
  return { completed, skipped, failed, cancelled, retried, wait: bucketsOf(wait.all), tasks: new Map(tasks) };
}

function bucketsOf(histogram: Histogram): HistogramReading {
  if (histogram.count === 0) return NO_DURATIONS;
  const upTo = [...histogram.countsUpTo(STAGE_MS), histogram.count];
  return { bounds: STAGE_SECONDS, counts: upTo.map((count, i) => count - (upTo[i - 1] ?? 0)), sum: histogram.sumMs / 1000 };
}

function combined(a: StageReading, b: StageReading): StageReading {
  if (b === NOTHING) return a;
  if (a === NOTHING) return b;
  const counters = Object.fromEntries(COUNTERS.map((name) => [name, a[name] + b[name]])) as Pick<StageReading, (typeof COUNTERS)[number]>;
  const tasks = new Map(a.tasks);
  for (const [task, { completed, failed }] of b.tasks) {
    const known = tasks.get(task) ?? NO_EXECUTIONS;
    tasks.set(task, { completed: joined(known.completed, completed), failed: joined(known.failed, failed) });
  }
  return { ...counters, wait: joined(a.wait, b.wait), tasks };
}

function joined(a: HistogramReading, b: HistogramReading): HistogramReading {
  if (b === NO_DURATIONS) return a;
  return { bounds: a.bounds, counts: a.counts.map((count, i) => count + (b.counts[i] as number)), sum: a.sum + b.sum };
}
