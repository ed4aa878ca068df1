import { Histogram } from '../measures/histogram.ts';
import type { StageMeter } from '../measures/stage-meter.ts';
import { NONE, type Point } from './point.ts';

/** A stage as it is now, beside what its meter has counted. */
export interface StageState {
  name: string;
  meter: StageMeter;
  queue: number;
  running: number;
  limited: number;
  blocked: number;
  idle: number;
}

const SHARES = [0.5, 0.9] as const;

/** Makes a point of what a stage's meter has counted since the last one. */
export class StageSampler {
  private readonly meter: StageMeter;
  private counts: readonly number[];
  private wait = new Histogram();
  private run = new Histogram();

  /** The first point is of all that the meter has counted since the process started. */
  constructor(meter: StageMeter) {
    this.meter = meter;
    this.counts = [0, 0, 0, 0];
  }

  sample({ queue, running, limited, blocked, idle }: StageState): Point {
    const { meter } = this;
    const counts = [meter.entered, meter.completed + meter.skipped, meter.failed, meter.retried];
    const [entered = 0, left = 0, failed = 0, retried = 0] = counts.map((count, i) => count - (this.counts[i] as number));
    this.counts = counts;
    const [waitP50, waitP90] = quantilesOf(meter.wait.all, this.wait);
    const [runP50, runP90] = quantilesOf(meter.run.all, this.run);
    if (meter.wait.all.count !== this.wait.count) this.wait = meter.wait.all.copy();
    if (meter.run.all.count !== this.run.count) this.run = meter.run.all.copy();
    return [entered, left, failed, retried, queue, running, limited, blocked, idle, waitP50, waitP90, runP50, runP90];
  }
}

/** Three digits are all that a histogram knows, and they are stored as text. */
function quantilesOf(all: Histogram, earlier: Histogram): [number, number] {
  if (all.count === earlier.count) return [NONE, NONE];
  const [p50, p90] = all.since(earlier).quantiles(SHARES);
  return [rounded(p50), rounded(p90)];
}

function rounded(ms: number | null | undefined): number {
  return ms === null || ms === undefined ? NONE : Number(ms.toPrecision(3));
}
