import type { Stage } from '../model/model.ts';
import { PLACE_BACKLOG, PLACE_NONE } from '../model/places.ts';
import type { Clock } from '../ports.ts';
import { turnQueue } from '../time/turn.ts';
import type { Scheduler } from './scheduler.ts';

/** So many items are read from the store in a step. */
const STEP = 256;

interface EvacuationDeps {
  scheduler: Scheduler;
  clock: Clock;
  /** Whether nothing may move now, because the store has to catch up or is in trouble. */
  isHeld: () => boolean;
  /** Called when none of a removed stage's items waits there any more. */
  onEmpty: () => void;
}

/**
 * Empties the queues and the retry waits of removed stages by {@link Scheduler.passOn}. What is in memory goes at once; what is in the store follows in steps, the
 * queue in its order, then the retries in theirs, however much it is. A start goes on with what the process before has left.
 */
export class Evacuation {
  private readonly deps: EvacuationDeps;
  private readonly stages = new Set<Stage>();
  private isPlanned = false;
  private isStopped = false;
  private waiting: (() => void)[] = [];

  constructor(deps: EvacuationDeps) {
    this.deps = deps;
  }

  /** Whether items of the stage still wait there. */
  has(stage: Stage): boolean {
    return this.stages.has(stage);
  }

  /** Begins to empty a stage; returns how many items it is about. The caller calls {@link Scheduler.run} afterwards. */
  begin(stage: Stage): number {
    const count = leftIn(stage);
    this.moveLoaded(stage);
    if (leftIn(stage) > 0) {
      this.stages.add(stage);
      this.goOn();
    }
    return count;
  }

  /** Goes on after it was held. */
  goOn(): void {
    if (this.isPlanned || this.isStopped || this.stages.size === 0) return;
    this.isPlanned = true;
    turnQueue(this.deps.clock).add(() => this.step());
  }

  /** Moves nothing any more: the process ends, or the pipeline is removed. */
  stop(): void {
    this.isStopped = true;
    this.release();
  }

  /** Resolves when all stages are empty; undefined when they are. */
  ended(): Promise<void> | undefined {
    return this.stages.size === 0 || this.isStopped ? undefined : new Promise((resolve) => this.waiting.push(resolve));
  }

  private step(): void {
    this.isPlanned = false;
    const { scheduler, isHeld, onEmpty } = this.deps;
    const [stage] = this.stages;
    if (stage === undefined || this.isStopped || isHeld()) return;
    scheduler.beginTurn();
    // What cannot be read now is held like all the rest, until it can.
    if (stage.waiting > 0 ? stage.beyond?.bring(STEP) === false : !scheduler.retries.bring(stage, STEP)) return;
    this.moveLoaded(stage);
    scheduler.run();
    if (leftIn(stage) === 0) {
      this.stages.delete(stage);
      onEmpty();
    }
    if (this.stages.size > 0) {
      this.goOn();
      return;
    }
    this.release();
  }

  private release(): void {
    for (const resolve of this.waiting.splice(0)) resolve();
  }

  private moveLoaded(stage: Stage): void {
    const { scheduler } = this.deps;
    for (const item of scheduler.retries.loaded(stage)) {
      scheduler.retries.release(item);
      scheduler.passOn(item, PLACE_NONE);
    }
    // Beside the queue are those that ran in a crash: they began before the others.
    const waiting = [...stage.aside];
    for (const item of waiting) scheduler.leaveAside(item);
    for (let item = stage.queue.shift(); item !== undefined; item = stage.queue.shift()) waiting.push(item);
    for (const item of waiting) {
      const isOfBacklog = scheduler.giveUpPlace(item) === PLACE_BACKLOG;
      scheduler.passOn(item, isOfBacklog ? PLACE_BACKLOG : PLACE_NONE);
    }
  }
}

/** How many items wait in a stage, in its queue or for a retry. */
const leftIn = (stage: Stage): number => stage.waiting + stage.parked;
