import type { Core } from '../flow/core.ts';
import type { KeptStarts } from '../limits/gate.ts';
import type { WorkerFigures } from '../model/stage-counts.ts';

/** Workers are written at most so often while items are in flight. */
const WORKERS_EVERY_MS = 5000;
/** With more of them, that holds when nothing is in flight, too. */
const WORKERS_AT_ONCE = 100;

const WINDOWS = 'windows';
const WORKERS = 'workers';

/** By the number of the stage, the names of its tasks with the starts in their windows. */
type StoredWindows = [stage: number, tasks: [task: string, starts: KeptStarts][]][];
/** `active`: when it was last active, in milliseconds since the Unix epoch; 0: never. */
type StoredWorkers = [stage: number, index: number, processed: number, failed: number, busyMs: number, active: number][];

/**
 * Facts that change with nearly every item and are written beside it. Windows of tasks with a rate of their own go with each flush in which an execution has begun. The
 * figures of workers go once every few seconds, when the last item has ended, and at a stop: a crash takes those of the last seconds.
 */
export class LiveFacts {
  private readonly core: Core;
  private workersAt = Number.NEGATIVE_INFINITY;
  /** The last event when workers were written. */
  private workersEvent = -1;

  constructor(core: Core) {
    this.core = core;
  }

  /** The facts that are to be written now. */
  capture(): [name: string, json: string][] {
    const { stages } = this.core;
    const facts: [string, string][] = [];
    if (stages.some(({ runner }) => runner.hasNewStarts)) facts.push([WINDOWS, JSON.stringify(this.windows())]);
    if (this.isWorkersTurn()) facts.push([WORKERS, JSON.stringify(this.workers())]);
    return facts;
  }

  /** `shift`: what has to be added to instants of {@link EngineClock.lasting} that the process before has written. */
  restore(facts: Readonly<Record<string, string>>, shift: number): void {
    const { time, stages } = this.core;
    const stageOf = (no: number) => stages.find((stage) => stage.no === no);
    for (const [no, tasks] of JSON.parse(facts[WINDOWS] ?? '[]') as StoredWindows) {
      for (const [task, starts] of tasks) {
        // Nobody has begun in the future, whatever the clocks say.
        const earlier = starts.map(([at, count]) => [Math.min(time.fromLasting(at + shift), time.now), count] as const);
        stageOf(no)?.runner.restoreStarts(task, earlier);
      }
    }
    for (const [no, index, itemsProcessed, itemsFailed, busyMs, active] of JSON.parse(facts[WORKERS] ?? '[]') as StoredWorkers) {
      const stage = stageOf(no);
      const lastActive = active === 0 ? 0 : Math.min(time.monotonic(active), time.now);
      const figures: WorkerFigures = { itemsProcessed, itemsFailed, busyMs, lastActive };
      const worker = stage?.workers.find((other) => other.index === index);
      if (worker !== undefined) Object.assign(worker, figures);
      else stage?.earlierWorkers.set(index, figures);
    }
  }

  private windows(): StoredWindows {
    const { time, stages } = this.core;
    return stages.map(({ no, runner }) => [no, runner.keptStarts((at) => time.lasting(at))]);
  }

  private isWorkersTurn(): boolean {
    const { time, events, ledger, state, stages } = this.core;
    if (events.last === this.workersEvent) return false;
    const isAtRest = ledger.inFlight === 0 && stages.reduce((sum, { size }) => sum + size, 0) <= WORKERS_AT_ONCE;
    if (!isAtRest && state !== 'stopped' && time.now - this.workersAt < WORKERS_EVERY_MS) return false;
    this.workersAt = time.now;
    this.workersEvent = events.last;
    return true;
  }

  private workers(): StoredWorkers {
    const { time, stages } = this.core;
    const rows: StoredWorkers = [];
    for (const { no, workers, earlierWorkers } of stages) {
      const all: [number, WorkerFigures][] = [
        ...workers.map((worker) => [worker.index, worker] as [number, WorkerFigures]),
        ...earlierWorkers,
      ];
      for (const [index, { itemsProcessed, itemsFailed, busyMs, lastActive }] of all) {
        if (itemsProcessed + itemsFailed + busyMs === 0) continue;
        rows.push([no, index, itemsProcessed, itemsFailed, busyMs, lastActive === 0 ? 0 : time.wall(lastActive)]);
      }
    }
    return rows;
  }
}
