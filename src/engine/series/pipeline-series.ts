import type { PipelineHistory } from '../../schemas/history.ts';
import type { StageMeter } from '../measures/stage-meter.ts';
import { NONE, type Point } from './point.ts';
import { CHUNK, move, type Resolution, Series, type StoredChunk } from './series.ts';
import { StageSampler, type StageState } from './stage-sampler.ts';

/** Five seconds for an hour, five minutes for a week. */
const FINE: Resolution = { stepMs: 5000, kept: 720 };
const COARSE: Resolution = { stepMs: 300_000, kept: 2016 };
/** How often it is to be told that a bucket is over. */
export const STEP_MS = FINE.stepMs;

/** Told of a chunk that has changed, by its resolution and number: of a fine one when it is complete, of a coarse one with each bucket. */
export type Told = (resolution: number, chunk: number) => void;

const [FINE_ONE, COARSE_ONE] = [0, 1] as const;

/** The measurements of a pipeline in the past, in both resolutions. */
export class PipelineSeries {
  private readonly series = [new Series(FINE), new Series(COARSE)] as const;
  private readonly samplers = [new Map<StageMeter, StageSampler>(), new Map<StageMeter, StageSampler>()] as const;
  /** The instant up to which was sampled; null before the first time. */
  private sampledTo: number | null = null;
  private hasCoarse = false;
  private readonly untold = new Set<number>();
  /** Chunks of the coarse series that a new name of a stage has changed. */
  private readonly untoldCoarse = new Set<number>();
  /** The stages that have got another name in this process, in the order in which they did: chunks of earlier ones have the old names. */
  private readonly renames: [from: string, to: string][] = [];
  /** The chunks that are in the store, or about to be. */
  private readonly storedChunks = [new Set<number>(), new Set<number>()] as const;

  /** How many points it holds. */
  get size(): number {
    return this.series.reduce((sum, { size }) => sum + size, 0);
  }

  /** Samples what has ended at `end`, a multiple of {@link STEP_MS} since the Unix epoch; `told` is called with what is to be stored. */
  sample(end: number, stages: readonly StageState[], told: Told): void {
    const from = this.sampledTo ?? end - STEP_MS;
    const fine = end / STEP_MS - 1;
    if (this.add(FINE_ONE, fine, stages, this.sampledTo === null)) this.untold.add(chunkOf(fine));
    this.sampledTo = end;
    for (const chunk of this.untold) {
      if (chunk === chunkOf(fine) && chunkOf(fine + 1) === chunk) continue;
      this.untold.delete(chunk);
      told(FINE_ONE, chunk);
    }
    this.tellRenamed(told);
    const coarse = Math.floor(end / COARSE.stepMs);
    if (Math.floor(from / COARSE.stepMs) < coarse) this.sampleCoarse(coarse - 1, stages, told);
  }

  /** Samples what has not ended at the instant `wall`, when the process does, and tells of all that is kept and was not told of. */
  finish(wall: number, stages: readonly StageState[], told: Told): void {
    const fine = Math.floor(wall / STEP_MS);
    if (this.add(FINE_ONE, fine, stages, this.sampledTo === null)) this.untold.add(chunkOf(fine));
    for (const chunk of this.untold) told(FINE_ONE, chunk);
    this.untold.clear();
    this.tellRenamed(told);
    this.sampleCoarse(Math.floor(wall / COARSE.stepMs), stages, told);
  }

  /** A stage has got another name: its past is told under that from now on, and stored with the next sample. */
  rename(from: string, to: string): void {
    this.renames.push([from, to]);
    for (const chunk of this.series[FINE_ONE].rename(from, to)) this.untold.add(chunk);
    for (const chunk of this.series[COARSE_ONE].rename(from, to)) this.untoldCoarse.add(chunk);
  }

  private tellRenamed(told: Told): void {
    for (const chunk of this.untoldCoarse) told(COARSE_ONE, chunk);
    this.untoldCoarse.clear();
  }

  private sampleCoarse(number: number, stages: readonly StageState[], told: Told): void {
    const isKept = this.add(COARSE_ONE, number, stages, !this.hasCoarse);
    this.hasCoarse = true;
    if (isKept) told(COARSE_ONE, chunkOf(number));
  }

  private add(resolution: 0 | 1, number: number, stages: readonly StageState[], isFirst: boolean): boolean {
    return this.series[resolution].add(number, this.points(resolution, stages), isFirst);
  }

  /** A chunk as it is to be stored; null when nothing of it is there any more. */
  chunk(resolution: number, number: number): StoredChunk | null {
    return (this.series[resolution] as Series).chunk(number);
  }

  /** Takes a chunk from the store; false when nothing of it can be wanted any more at the instant `wall`. */
  restore(resolution: number, number: number, wall: number, chunk: () => StoredChunk): boolean {
    const series = this.series[resolution];
    if (series === undefined || !isCurrent(series.resolution, number, wall)) return false;
    this.storedChunks[resolution]?.add(number);
    const restored = chunk();
    series.restore(this.renames.length === 0 ? restored : restored.map(([bucket, points]) => [bucket, this.withNewNames(points)]));
    if (this.renames.length > 0) (resolution === FINE_ONE ? this.untold : this.untoldCoarse).add(number);
    return true;
  }

  private withNewNames(points: Record<string, Point>): Record<string, Point> {
    const byName = new Map(Object.entries(points));
    for (const [from, to] of this.renames) move(byName, from, to);
    return Object.fromEntries(byName);
  }

  /** To be called when a chunk is to be stored. Returns those in the store of which nothing can be wanted any more, once. */
  store(resolution: number, number: number, wall: number): number[] {
    const stored = this.storedChunks[resolution] as Set<number>;
    const { resolution: of } = this.series[resolution] as Series;
    stored.add(number);
    const old = [...stored].filter((one) => !isCurrent(of, one, wall));
    for (const one of old) stored.delete(one);
    return old;
  }

  /** Lets the oldest of each resolution go until at most so many points are left. */
  trim(points: number): void {
    for (const series of this.series) series.trim(Math.floor(points / this.series.length));
  }

  /**
   * The last `seconds` up to the instant `wall`, in at most `points` buckets, all of one length: a multiple of five seconds where the last hour is asked for, of five minutes where more is. The five seconds or minutes that
   * `wall` is in have not ended, and are not there.
   */
  read(wall: number, seconds: number, points: number): PipelineHistory {
    const series = (seconds * 1000 <= FINE.kept * FINE.stepMs ? this.series[0] : this.series[1]) as Series;
    const { stepMs } = series.resolution;
    const width = Math.max(1, Math.ceil((seconds * 1000) / stepMs / points));
    const count = Math.max(1, Math.min(points, Math.floor((seconds * 1000) / stepMs / width)));
    // Buckets of several begin at multiples of their length, so that those of two answers are the same ones; the newest one may have more to come. A single one is all that was asked for.
    const end = count === 1 ? series.numberAt(wall) : Math.ceil(series.numberAt(wall) / width) * width;
    const from = end - count * width;
    const bucketMs = width * stepMs;
    const stages: PipelineHistory['stages'] = {};
    for (const [stage, row] of series.read(from, width, count)) {
      stages[stage] = row.flatMap((point, i) => (point === undefined ? [] : [bucketOf(point, from * stepMs + i * bucketMs)]));
    }
    return { from: instantOf(from * stepMs), bucketSeconds: bucketMs / 1000, stages };
  }

  private points(resolution: 0 | 1, stages: readonly StageState[]): Map<string, Point> {
    const samplers = this.samplers[resolution];
    for (const meter of samplers.keys()) if (!stages.some((stage) => stage.meter === meter)) samplers.delete(meter);
    return new Map(
      stages.map((stage) => {
        let sampler = samplers.get(stage.meter);
        if (sampler === undefined) {
          sampler = new StageSampler(stage.meter);
          samplers.set(stage.meter, sampler);
        }
        return [stage.name, sampler.sample(stage)];
      }),
    );
  }
}

function isCurrent({ stepMs, kept }: Resolution, chunk: number, wall: number): boolean {
  return ((chunk + 1) * CHUNK + kept) * stepMs > wall;
}

function chunkOf(bucket: number): number {
  return Math.floor(bucket / CHUNK);
}

function bucketOf(point: Point, at: number): PipelineHistory['stages'][string][number] {
  const [entered, left, failed, retried, queue, running, limited, blocked, idle, waitP50, waitP90, runP50, runP90] = point;
  return {
    at: instantOf(at),
    ...{ in: entered, out: left, failed, retried, queue, running, limited, blocked, idle },
    waitSeconds: { p50: secondsOf(waitP50), p90: secondsOf(waitP90) },
    runSeconds: { p50: secondsOf(runP50), p90: secondsOf(runP90) },
  };
}

function instantOf(wall: number): string {
  return new Date(wall).toISOString();
}

function secondsOf(ms: number): number | null {
  return ms === NONE ? null : Number((ms / 1000).toPrecision(3));
}
