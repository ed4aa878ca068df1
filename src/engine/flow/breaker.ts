import type { PauseAfterFailures } from '../../schemas/definition.ts';
import type { ItemError } from '../../schemas/item.ts';
import type { PipelineState } from '../../schemas/stats.ts';
import type { Item, Stage, Worker } from '../model/model.ts';
import { Ring } from '../queues/ring.ts';
import type { Failure } from '../stage/hinge.ts';
import type { EngineClock } from '../time/engine-clock.ts';

interface BreakerDeps {
  time: EngineClock;
  state: () => PipelineState;
  /** Pauses the stage: the item with this error was one too many. */
  pause: (stage: Stage, limit: PauseAfterFailures, error: ItemError) => void;
}

/** The failures that count for a stage, in a window that ends now. */
interface Window {
  /** Their instants, in monotonic milliseconds, ascending. */
  readonly instants: Ring<number>;
  /** Workers with an item that began before the stage was resumed, by when they got it: how it ends says nothing about what came after. */
  readonly before: Map<Worker, number>;
}

/**
 * Counts the failures of the stages that have `pauseAfterFailures`, and has a stage paused when there are too many. Failures in a stage that is
 * paused already do not count, nor do those of a pipeline that drains: it is to finish. The counts are not stored, a start begins at none.
 */
export class Breaker {
  private readonly deps: BreakerDeps;
  private readonly windows = new WeakMap<Stage, Window>();

  constructor(deps: BreakerDeps) {
    this.deps = deps;
  }

  /** Counts an item that fails. Returns what is to be done once it has ended, because of this failure; null when that is nothing. */
  failed(worker: Worker, item: Item, outcome: Failure): (() => void) | null {
    const { deps } = this;
    const { stage } = item;
    const limit = stage.spec.definition.pauseAfterFailures;
    if (limit === undefined || stage.isPaused || stage.isRemoved || deps.state() === 'draining') return null;
    const { instants, before } = this.windowOf(stage);
    const heldSince = before.get(worker);
    before.delete(worker);
    if (heldSince === worker.processingSince) return null;
    const { now } = deps.time;
    instants.push(now);
    while (instants.peek() < now - limit.withinSeconds * 1000) instants.shift();
    if (instants.length < limit.count) return null;
    this.windows.delete(stage);
    const callHook = stage.runner.pauseHook(item, outcome);
    return () => {
      deps.pause(stage, limit, outcome.error);
      callHook?.();
    };
  }

  /** Counts anew: the stage is resumed. */
  begin(stage: Stage): void {
    const busy = stage.workers.filter((worker) => worker.item !== null);
    this.windows.set(stage, { instants: new Ring(), before: new Map(busy.map((worker) => [worker, worker.processingSince])) });
  }

  private windowOf(stage: Stage): Window {
    let window = this.windows.get(stage);
    if (window === undefined) {
      window = { instants: new Ring(), before: new Map() };
      this.windows.set(stage, window);
    }
    return window;
  }
}
