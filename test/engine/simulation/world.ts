import { SluiceError } from '../../../src/engine/contract/errors.ts';
import type { Pipeline } from '../../../src/engine/local/pipeline.ts';
import { type Item, type Stage, Worker } from '../../../src/engine/model/model.ts';
import type { ErrorCode } from '../../../src/schemas/problem.ts';
import { Bound } from './bound.ts';
import { Ledger } from './ledger.ts';
import { Random } from './random.ts';
import { randomScenario, type Scenario, type StagePlan } from './scenario.ts';
import { Spans } from './spans.ts';
import { type Report, Violation } from './violation.ts';
import { VirtualClock } from './virtual-clock.ts';

/** Something asked of the pipeline that has not answered yet. */
interface Pending {
  what: string;
}

/** The bounds of a stage, as they are now. */
export interface StageBounds {
  workers: Bound;
  handed: Bound;
}

/** One simulated run: the seed's random streams, the clock, the pipeline, and what is known of it from outside. */
export class World {
  readonly seed: number;
  readonly moves: Random;
  readonly behaviour: Random;
  readonly clock = new VirtualClock();
  readonly scenario: Scenario;
  readonly ledger: Ledger;
  readonly bounds: StageBounds[];
  /** Half of the runs have spans; they change nothing. */
  readonly spans: Spans | null;
  readonly pending = new Set<Pending>();
  readonly pausedStages = new Set<string>();
  readonly log: string[] = [];
  violation: Violation | null = null;
  step = 0;
  /** The newest event when the counters were last compared. */
  countedAt = -1;
  move = 'start of the run';
  /** How many items may still be fed. */
  itemsLeft: number;
  /** Nothing is fed, cancelled or changed any more. */
  isEnding = false;
  private made: Pipeline | undefined;
  private ids = 0;

  constructor(seed: number) {
    this.seed = seed;
    this.spans = seed % 2 === 0 ? new Spans(this.report) : null;
    const random = new Random(seed);
    this.scenario = randomScenario(random.fork());
    this.moves = random.fork();
    this.behaviour = random.fork();
    this.itemsLeft = this.scenario.items;
    this.ledger = new Ledger(this.scenario, () => this.clock.monotonic(), this.report);
    this.bounds = this.scenario.stages.map((stage) => ({ workers: new Bound(stage.workers), handed: new Bound(stage.queueCapacity) }));
    this.clock.onThrow = (error) => this.report(1, `the engine threw in a timer: ${text(error)}`);
  }

  get pipeline(): Pipeline {
    return this.made as Pipeline;
  }
  set pipeline(pipeline: Pipeline) {
    this.made = pipeline;
  }

  /** The stages as the engine has them: for what cannot be seen from outside. */
  get stages(): readonly Stage[] {
    return this.pipeline.runtime.core.stages;
  }

  readonly report: Report = (invariant, what) => {
    this.violation ??= new Violation(this.seed, this.step, this.move, invariant, what);
  };

  /** Throws the first violation, if there was one. */
  verdict(): void {
    if (this.violation !== null) throw this.violation;
  }

  /** What waits in a stage's queue, in memory or in the store. */
  waiting(stage: Stage): Item[] {
    if (stage.beyond === null) return [...stage.queue];
    const everything = { after: 0, limit: Number.POSITIVE_INFINITY, status: ['queued' as const], stage: stage.name };
    return this.pipeline.runtime.core.index.items(everything).rows.filter((item) => !(item.holder instanceof Worker));
  }

  parked(): Item[] {
    const { core, durable } = this.pipeline.runtime;
    if (durable === null) return core.allStages.flatMap((stage) => core.scheduler.retries.loaded(stage));
    return core.index.items({ after: 0, limit: Number.POSITIVE_INFINITY, status: ['retrying'] }).rows;
  }

  read(): void {
    // What is not stored yet is looked at, too.
    const { durable, core } = this.pipeline.runtime;
    if (durable !== null) core.events.show(core.events.last);
    this.ledger.read(this.pipeline.events);
  }

  plan(stage: string): StagePlan {
    return this.scenario.stages.find((candidate) => candidate.name === stage) as StagePlan;
  }

  newId(prefix: string): string {
    return `${prefix}-${++this.ids}`;
  }

  held(stage: number): number {
    return this.stages[stage]?.workers.filter((worker) => worker.item !== null).length ?? 0;
  }

  /** Follows what was asked of the pipeline; an answer with any other error than the ones named is a fault. */
  track<T>(
    what: string,
    asked: Promise<T>,
    codes: readonly ErrorCode[],
    answered?: (value: T) => void,
    refused?: (e: SluiceError) => void,
  ): void {
    const entry: Pending = { what };
    this.pending.add(entry);
    asked
      .then(
        (value) => {
          this.read();
          answered?.(value);
        },
        (error: unknown) => {
          this.read();
          if (error instanceof SluiceError && codes.includes(error.code)) refused?.(error);
          else this.report(1, `${what} was answered with ${text(error)}`);
        },
      )
      .catch((error: unknown) => this.report(1, `after ${what}: ${text(error)}`))
      .finally(() => this.pending.delete(entry));
  }
}

export function text(error: unknown): string {
  return error instanceof Error ? `${error.name}: ${error.message}\n${error.stack ?? ''}` : String(error);
}
