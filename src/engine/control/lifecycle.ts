/*
 * Room `control`: what operators do to a running pipeline: start, pause, drain, shut down, cancel, retry, tune and redefine.
 *
 * Holds: Each operation takes effect in one turn of the event loop, or in steps between which every invariant holds. No operation loses an
 * item, and a state changes here alone.
 * Refuses: to move items by itself. It tells the scheduler what is wanted, and runs no task.
 */

import type { PauseAfterFailures } from '../../schemas/definition.ts';
import type { ItemError } from '../../schemas/item.ts';
import type { Fault } from '../../schemas/problem.ts';
import type { PipelineState } from '../../schemas/stats.ts';
import { PipelineError, type SluiceError } from '../contract/errors.ts';
import type { Operator } from '../contract/operator.ts';
import type { Core } from '../flow/core.ts';
import type { Item, Stage } from '../model/model.ts';
import { cutText } from '../values/cut-text.ts';
import { cutShortBy, type Ending, refusedBy } from './endings.ts';
import { tellChange, tellUnchanged } from './told.ts';

/** The longest reason of a pause that is told. */
const REASON_CHARACTERS = 1000;

/** Why a pipeline cannot run: its definition names what is no longer there. */
export interface Unusable {
  reason: string;
  errors: readonly Fault[];
}

/**
 * The states of a pipeline; the methods here are the only ones that change them.
 *
 *     created ──start──▶ running ◀──resume/pause──▶ paused
 *                          │ join, shutdown(drain)    │
 *                          ▼                          ▼
 *                       draining ───nothing in flight──▶ stopped ──start──▶ running
 *                          └────shutdown(graceful, force)──▲
 *
 * Draining is over when no item is in flight anywhere, counted, never guessed from empty queues.
 */
export class Lifecycle {
  private readonly core: Core;
  private drained: { resolve: () => void; reject: (error: Error) => void }[] = [];
  private whenFree: (() => void) | null = null;
  /** Set by shutdown.ts while it works. */
  isShuttingDown = false;
  /** Set when the definition cannot be used, until there is another one. */
  unusable: Unusable | null = null;

  constructor(core: Core) {
    this.core = core;
  }

  /** Called after each end of an item. */
  onEnd(): void {
    if (this.core.state === 'draining') this.checkDrained();
  }

  /** Called each time a worker becomes free. */
  onFree(): void {
    this.whenFree?.();
  }

  /** Has a shutdown told each time a worker becomes free; null: no longer. */
  watchWorkers(whenFree: (() => void) | null): void {
    this.whenFree = whenFree;
  }

  start(as: 'running' | 'paused' = 'running', operator?: Operator): void {
    const { core } = this;
    if (core.state !== 'created' && core.state !== 'stopped') {
      throw new PipelineError('already-running', `the pipeline is ${core.state}`);
    }
    if (this.isShuttingDown) throw new PipelineError('invalid-state', 'the pipeline is being shut down');
    if (this.unusable !== null) {
      const message = `the pipeline cannot run until its definition, or the service that it is for, is changed: ${this.unusable.reason}`;
      throw new PipelineError('invalid-state', message, { errors: [...this.unusable.errors] });
    }
    this.set(as, 'started', null, operator);
    core.scheduler.retries.startTimers();
    this.fillAll();
  }

  /** Stands still because it cannot be used: says so. */
  standStill({ reason }: Unusable): void {
    this.set('stopped', 'stopped', reason);
  }

  /** Idempotent. Running items finish; parked ones come back to their queues and wait there. */
  pause(operator?: Operator): void {
    if (this.core.state === 'paused') {
      this.leave('paused', operator);
      return;
    }
    if (this.core.state !== 'running') throw new PipelineError('invalid-state', `a ${this.core.state} pipeline cannot be paused`);
    this.set('paused', 'paused', null, operator);
  }

  resume(operator?: Operator): void {
    if (this.core.state === 'running') {
      this.leave('resumed', operator);
      return;
    }
    if (this.core.state !== 'paused') throw new PipelineError('invalid-state', `a ${this.core.state} pipeline cannot be resumed`);
    this.set('running', 'resumed', null, operator);
    this.fillAll();
  }

  pauseStage(name: string, operator?: Operator): void {
    const stage = this.stage(name);
    if (this.core.state === 'draining') throw new PipelineError('invalid-state', 'the pipeline is draining');
    if (stage.isPaused) tellUnchanged(this.core, operator, { change: 'stage-paused', stage: name, before: { paused: true } });
    else this.hold(stage, null, operator);
  }

  /**
   * Pauses a stage in which too many items have failed, and says why. An item that only waits for its turn, or for a limit before its first
   * task, has not been tried: it goes back. The others finish.
   */
  pauseAfterFailures(stage: Stage, { count, withinSeconds }: PauseAfterFailures, { type, message }: ItemError): void {
    const { core } = this;
    const items = count === 1 ? 'an item' : `${count} items`;
    this.hold(stage, cutText(`${items} failed within ${withinSeconds} s, the last one with ${type}: ${message}`, REASON_CHARACTERS));
    const fields = { pipeline: core.id, stage: stage.name, count, withinSeconds, error: { type, message } };
    core.options.ports.logger.warn(fields, 'the stage is paused: too many of its items have failed');
    const untried = stage.workers.filter(
      ({ item, isAssigned, limitWait, first }) => item !== null && (isAssigned || (limitWait !== null && item.taskIndex === first)),
    );
    // They go back in the order in which they came.
    untried.sort((a, b) => (a.item as Item).ord - (b.item as Item).ord);
    for (const worker of untried) core.scheduler.takeBack(worker);
  }

  resumeStage(name: string, operator?: Operator): void {
    const stage = this.stage(name);
    if (!stage.isPaused) {
      tellUnchanged(this.core, operator, { change: 'stage-resumed', stage: name, before: { paused: false } });
      return;
    }
    const before = pauseOf(stage);
    this.release(stage);
    stage.update(this.core.state);
    this.note('stage-resumed', name, null, { before, after: { paused: false } }, operator);
    this.core.scheduler.fill(stage);
  }

  /**
   * Refuses new feeds and finishes every item in every stage, also those of paused stages, then stops.
   * Resolves when nothing is in flight anywhere. A pipeline that does not run is started for its items' sake.
   */
  async join(operator?: Operator): Promise<void> {
    const { core } = this;
    if (core.state === 'stopped' || core.state === 'created') {
      if (core.ledger.inFlight === 0) {
        this.leave('draining', operator);
        return;
      }
      this.start();
    }
    if (core.state === 'draining') this.leave('draining', operator);
    else {
      core.admission.refuseWaiting(new PipelineError('draining', 'the pipeline is finishing its items and accepts no more'));
      for (const stage of core.stages) if (stage.isPaused) this.release(stage);
      this.set('draining', 'draining', null, operator);
      this.fillAll();
    }
    await new Promise<void>((resolve, reject) => {
      this.drained.push({ resolve, reject });
      this.checkDrained();
    });
  }

  /** Nothing runs any more: timers stop, and whoever still waits, for the end or for results, is told that it was cut short. */
  settleStopped(ending: Ending = 'stop'): void {
    const { core } = this;
    this.whenFree = null;
    core.scheduler.retries.stopTimers();
    if (core.state !== 'stopped') this.set('stopped', 'stopped');
    if (core.ledger.inFlight === 0) for (const waiter of this.drained.splice(0)) waiter.resolve();
    this.cutShort(cutShortBy(ending, core.id));
  }

  /** Tells whoever waits for the end, or for results, that nothing more comes. */
  cutShort(error: SluiceError): void {
    this.whenFree = null;
    for (const waiter of this.drained.splice(0)) waiter.reject(error);
    for (const follower of this.core.followers) follower.cutShort(error);
  }

  /** No item is handed out any more, and no feeder goes on waiting for room. */
  stopHandingOut(ending: Ending, operator?: Operator): void {
    if (this.core.state === 'stopped') this.leave('stopping', operator);
    else this.set('stopped', 'stopping', null, operator);
    this.core.admission.refuseWaiting(refusedBy(ending, this.core.id));
  }

  private checkDrained(): void {
    const { core } = this;
    if (core.state !== 'draining' || core.ledger.inFlight > 0) return;
    // The worker of the last item is freed right after its end: the state changes when it is.
    queueMicrotask(() => {
      if (core.state !== 'draining' || core.ledger.inFlight > 0 || core.inProgress > 0) return;
      this.settleStopped();
    });
  }

  private fillAll(): void {
    for (const stage of this.core.stages) this.core.scheduler.fill(stage);
  }

  private hold(stage: Stage, reason: string | null, operator?: Operator): void {
    stage.isPaused = true;
    stage.pauseReason = reason;
    stage.update(this.core.state);
    this.note('stage-paused', stage.name, reason, { before: { paused: false }, after: pauseOf(stage) }, operator);
  }

  private release(stage: Stage): void {
    stage.isPaused = false;
    stage.pauseReason = null;
    this.core.breaker.begin(stage);
  }

  private stage(name: string): Stage {
    const stage = this.core.stages.find((candidate) => candidate.name === name);
    if (stage === undefined) throw new PipelineError('unknown-stage', `the stage "${name}" was not found`);
    return stage;
  }

  private set(state: PipelineState, change: string, reason: string | null = null, operator?: Operator): void {
    const { core } = this;
    const before = { state: core.state };
    core.enter(state, reason);
    this.note(change, null, reason, { before, after: { state } }, operator);
    core.drain.setOpen(state === 'running' || state === 'draining', core.time.now);
  }

  /** It is as the operator wants it already. */
  private leave(change: string, operator: Operator | undefined): void {
    tellUnchanged(this.core, operator, { change, before: { state: this.core.state } });
  }

  private note(change: string, stage: string | null, reason: string | null, trace: Trace, operator: Operator | undefined): void {
    tellChange(this.core, operator, { change, stage, reason, ...trace });
    this.core.keeper.touchFact('control');
  }
}

type Trace = Record<'before' | 'after', object>;

function pauseOf({ isPaused, pauseReason }: Stage): object {
  return pauseReason === null ? { paused: isPaused } : { paused: isPaused, reason: pauseReason };
}
