import { historyFact, historyFacts } from '../durable/history-journal.ts';
import type { HostStore } from '../durable/host-store.ts';
import { workersNow } from '../flow/stage-now.ts';
import type { Clock } from '../ports.ts';
import { unref } from '../ports.ts';
import { STEP_MS, type Told } from '../series/pipeline-series.ts';
import type { StoredChunk } from '../series/series.ts';
import type { StageState } from '../series/stage-sampler.ts';
import { turnQueue } from '../time/turn.ts';
import type { LocalRuntime } from './local-runtime.ts';

/** The most points of all pipelines together: about 60 MB. It is enough for the whole week of 140 stages that are never idle. */
const POINTS_MAX = 400_000;
/** A timer may fire this much too soon. */
const EARLY_MS = 50;

export interface HistoryDeps {
  clock: Clock;
  pipelines: () => Iterable<LocalRuntime>;
  stored: () => HostStore | null;
  /** Fewer than anyone would have: for tests. */
  pointsMax?: number | undefined;
}

/** Samples all pipelines every five seconds, one after the other, and has the store keep what it finds. */
export class HostHistory {
  private readonly deps: HistoryDeps;
  /** The pipelines whose stored past is in memory, or that have none. */
  private readonly loaded = new WeakSet<LocalRuntime>();
  private timer: unknown;
  private isStopped = false;

  constructor(deps: HistoryDeps) {
    this.deps = deps;
  }

  begin(): void {
    this.plan();
  }

  /** Samples nothing more, and has nothing stored. */
  abandon(): void {
    this.isStopped = true;
    this.deps.clock.clearTimer(this.timer);
  }

  /** Samples what is left, for the last writes of the store. */
  end(): void {
    if (this.timer === undefined || this.isStopped) return;
    this.isStopped = true;
    const { clock, pipelines } = this.deps;
    clock.clearTimer(this.timer);
    const now = clock.now();
    for (const pipeline of pipelines()) pipeline.series.finish(now, statesOf(pipeline), this.tellerOf(pipeline));
  }

  /** Reads what earlier processes have stored of a pipeline, once. Throws `store-unavailable`. */
  load(pipeline: LocalRuntime): void {
    if (this.loaded.has(pipeline)) return;
    const { clock } = this.deps;
    const stored = this.deps.stored();
    const no = pipeline.durable?.link.pipeline;
    if (stored !== null && no !== undefined) {
      const prefix = historyFacts(no);
      for (const [fact, json] of Object.entries(stored.factsOf(prefix))) {
        const [resolution = 0, chunk = 0] = fact.slice(prefix.length).split(' ').map(Number);
        const isWanted = pipeline.series.restore(resolution, chunk, clock.now(), () => JSON.parse(json) as StoredChunk);
        if (!isWanted) stored.history.touch(fact, () => null);
      }
    }
    this.loaded.add(pipeline);
  }

  private plan(): void {
    const { clock } = this.deps;
    const now = clock.now() + EARLY_MS;
    this.timer = clock.setTimer(() => this.tick(), STEP_MS - (now % STEP_MS) + EARLY_MS);
    unref(this.timer);
  }

  private tick(): void {
    const { clock, pipelines } = this.deps;
    const end = Math.floor((clock.now() + EARLY_MS) / STEP_MS) * STEP_MS;
    const queue = turnQueue(clock);
    for (const pipeline of pipelines()) queue.add(() => this.sample(pipeline, end));
    queue.add(() => this.bound());
    this.plan();
  }

  private sample(pipeline: LocalRuntime, end: number): void {
    if (!this.isStopped && !pipeline.gate.isLeaving) pipeline.series.sample(end, statesOf(pipeline), this.tellerOf(pipeline));
  }

  private tellerOf(pipeline: LocalRuntime): Told {
    const { clock } = this.deps;
    const stored = this.deps.stored();
    const no = pipeline.durable?.link.pipeline;
    if (stored === null || no === undefined) return () => undefined;
    return (resolution, chunk) => {
      try {
        // A chunk may have a part that is in the store alone.
        this.load(pipeline);
      } catch {
        // The store has told of its trouble. What was measured meanwhile is written with the chunk after it.
        return;
      }
      stored.history.touch(historyFact(no, resolution, chunk), () => {
        const found = pipeline.series.chunk(resolution, chunk);
        return found === null ? null : JSON.stringify(found);
      });
      for (const old of pipeline.series.store(resolution, chunk, clock.now()))
        stored.history.touch(historyFact(no, resolution, old), () => null);
    };
  }

  private bound(): void {
    const { pipelines, pointsMax = POINTS_MAX } = this.deps;
    const all = [...pipelines()].filter(({ series }) => series.size > 0);
    if (all.reduce((sum, { series }) => sum + series.size, 0) <= pointsMax) return;
    for (const { series } of all) series.trim(Math.floor(pointsMax / all.length));
  }
}

function statesOf({ core }: LocalRuntime): StageState[] {
  return core.stages.map((stage) => ({
    name: stage.name,
    meter: stage.meter,
    queue: stage.waiting + stage.parked,
    ...workersNow(stage.workers),
  }));
}
