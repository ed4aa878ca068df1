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
 * The counters of the stages of one pipeline by name. A definition can take a name away from a stage, with its {@link StageMeter} or without, and a later
 * one can give it to another stage: a counter of a name must not fall for that, nor have what was counted under another one.
 *
 *     of a name: former stages that had it + each stage that has it, from the moment at which it got it
 */
export class StageTotals {
  private readonly former = new Map<string, StageReading>();
  /** The counters of a stage when it got its name, unless it always had that. */
  private readonly before = new WeakMap<StageMeter, StageReading>();

  /** To be called before a stage that counts on gets another name, or one that no longer counts is forgotten. */
  leaves(name: string, meter: StageMeter): void {
    const total = this.read(name, [meter]);
    this.former.delete(name);
    this.former.set(name, total);
    this.before.set(meter, readingOf(meter));
    if (this.former.size <= FORMER_MAX) return;
    for (const oldest of this.former.keys()) {
      this.former.delete(oldest);
      return;
    }
  }

  /** The counters of a name, which these stages have now. */
  read(name: string, meters: readonly StageMeter[]): StageReading {
    return meters.reduce(
      (total, meter) => combined(combined(total, readingOf(meter), 1), this.before.get(meter) ?? NOTHING, -1),
      this.former.get(name) ?? NOTHING,
    );
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

function combined(a: StageReading, b: StageReading, sign: 1 | -1): StageReading {
  if (b === NOTHING) return a;
  if (a === NOTHING && sign === 1) return b;
  const counters = Object.fromEntries(COUNTERS.map((name) => [name, a[name] + sign * b[name]])) as Pick<
    StageReading,
    (typeof COUNTERS)[number]
  >;
  const tasks = new Map(a.tasks);
  for (const [task, { completed, failed }] of b.tasks) {
    const known = tasks.get(task) ?? NO_EXECUTIONS;
    tasks.set(task, { completed: joined(known.completed, completed, sign), failed: joined(known.failed, failed, sign) });
  }
  return { ...counters, wait: joined(a.wait, b.wait, sign), tasks };
}

function joined(a: HistogramReading, b: HistogramReading, sign: 1 | -1): HistogramReading {
  if (b === NO_DURATIONS) return a;
  const counts = a.counts.map((count, i) => count + sign * (b.counts[i] as number));
  // Sums of fractions are rounded.
  return { bounds: a.bounds, counts, sum: Math.max(0, a.sum + sign * b.sum) };
}
