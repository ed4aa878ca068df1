import { isDeepStrictEqual } from 'node:util';
import { AbortedError } from '../contract/errors.ts';
import type { TaskSpec } from '../definition/calls.ts';
import type { StageSpec } from '../definition/stage-spec.ts';
import type { Gate, KeptStarts, Passed, SharedWait } from '../limits/gate.ts';
import { CALL } from '../ports.ts';
import { CANCELLED, type Fault, isEnd } from './callbacks.ts';
import { copyOf, copyValue } from './copy-value.ts';
import type { Failure, Outcome, Runner, StageEnvironment, StageItem, StageLimits } from './hinge.ts';
import type { Slot } from './slot.ts';
import { StageGates } from './stage-gates.ts';
import { TaskExecutor } from './task-executor.ts';

/**
 * In place of the number of tasks that an item has behind it: it has ended its stage, and waits for room in the next one. Whatever the tasks of the stage become, none of them is its any
 * more. Beyond the most tasks that a stage can have, and below the unit of versions in a row of a store.
 */
export const STAGE_ENDED = 1023;

/** After a task that took less time, nobody else has to have a turn. */
const BRIEF_MS = 0.5;
/** The size of a value, in characters of JSON, beyond which each task has a turn of its own. */
const TURN_SIZE = 128 * 1024;

const SKIP: Outcome = { kind: 'skip' };
const ABORTED: Outcome = { kind: 'aborted' };

/**
 * Runs one item through one stage: predicate, tasks, limits, timeouts, retries, hooks, and the events of all these.
 * It knows no queue: a runtime hands it an item and a slot, and gets an {@link Outcome}, at once or later.
 *
 * No attempt can hurt another: each reports through its slot's lane, which dies when the attempt is given up.
 */
export class StageRunner<I extends StageItem, S extends Slot<I>> extends TaskExecutor<I, S> implements Runner<I, S> {
  private readonly gates: StageGates;

  /** `before`: the runner of the stage until now, whose gates stay in use with the new limits, and the slots of the stage. */
  constructor(spec: StageSpec, environment: StageEnvironment<I, S>, before?: { runner: Runner<I, S>; workers: readonly S[] }) {
    super(spec, environment);
    this.gates = new StageGates(spec.tasks, environment.gateFor, before?.runner);
    this.gates.change(spec.definition, before?.workers ?? []);
  }

  /** Begins an item. Returns the outcome, or undefined when it comes later, through `done` of the environment. */
  run(slot: S, item: I): Outcome | undefined {
    const { tracer, pipelineId: pipeline } = this.environment;
    if (tracer === null) return this.enter(slot, item);
    const { id: itemId, feed, attempts } = item;
    const about = { pipeline, stage: slot.stage.name, worker: slot.name, itemId, feedId: feed.id, attempt: attempts + 1 };
    slot.span = tracer.process(about, item.trace);
    const outcome = this.enter(slot, item);
    if (outcome !== undefined) this.endSpan(slot, outcome);
    return outcome;
  }

  private enter(slot: S, item: I): Outcome | undefined {
    const skipIf = this.spec.skipIf;
    if (skipIf === undefined || item.attempts > 0 || item.taskIndex > 0) return this.begin(slot, item);
    return this.callbacks.consult(
      slot,
      CALL.skipIf,
      (end) => skipIf(copyValue(item.value), { itemId: item.id, sequenceId: item.sequenceId, metadata: copyOf(item.metadata) }, end),
      (answer, fault) => this.afterPredicate(slot, item, Boolean(answer), fault),
    );
  }

  /** Gives up the running attempt. Returns undefined when its fate is already decided: that outcome comes by itself. */
  abandon(slot: S, kind: 'cancelled' | 'aborted', reason = reasonOf(kind)): Outcome | undefined {
    const outcome = this.takeAway(slot, kind, reason);
    if (outcome !== undefined) this.endSpan(slot, outcome);
    return outcome;
  }

  private takeAway(slot: S, kind: 'cancelled' | 'aborted', reason: AbortedError): Outcome | undefined {
    const item = slot.item as I;
    const { decided, cancelAfterCallback } = slot;
    if (slot.inCallback && kind === 'cancelled') {
      slot.cancelAfterCallback = true;
      return undefined;
    }
    if (kind === 'aborted') {
      // An attempt that was not allowed to end does not count.
      if (slot.task !== null || slot.limitWait !== null || (slot.isBetween && this.isPerStage)) item.attempts--;
      if (this.isPerStage) item.taskIndex = slot.first;
    }
    this.giveUp(slot, reason);
    if (kind === 'cancelled') return CANCELLED;
    // A cancel that waits for the callback to end holds, unless the callback was told of a final outcome.
    if (cancelAfterCallback && !isEnd(item, decided)) return CANCELLED;
    return decided ?? ABORTED;
  }

  pauseHook(item: I, outcome: Failure): (() => void) | null {
    return this.callbacks.pauseHook(item, outcome);
  }

  gateOf(task: Pick<TaskSpec, 'name'>): Gate | undefined {
    return this.gates.of(task);
  }

  /** The place after the last of the tasks that the item has passed; 0 when this stage has none of them. */
  placeOf(index: number, other: Runner<I, S>): number {
    if (index === STAGE_ENDED || other === this || !(other instanceof StageRunner)) return index;
    const left = other.spec.definition.tasks.slice(0, index);
    let place = 0;
    for (const [i, use] of this.spec.definition.tasks.entries()) {
      const at = left.findIndex((one) => isDeepStrictEqual(one, use));
      if (at < 0) continue;
      // Of a task that is used twice, each use is passed by itself.
      left.splice(at, 1);
      place = i + 1;
    }
    return place;
  }

  get hasNewStarts(): boolean {
    return this.gates.hasNewStarts;
  }

  keptStarts(lasting: (monotonic: number) => number): [task: string, starts: KeptStarts][] {
    return this.gates.keptStarts(lasting);
  }

  restoreStarts(task: string, starts: KeptStarts): void {
    this.gates.restore(task, starts);
  }

  changeLimits(limits: StageLimits, slots: readonly S[]): void {
    this.gates.change(limits, slots);
  }

  // ---- the ends of an execution, called by lanes ----

  onValue(slot: S, value: unknown): void {
    const outcome = this.succeeded(slot, value) ?? this.goOn(slot);
    if (outcome !== undefined) this.environment.done(slot, outcome);
  }

  onError(slot: S, error: unknown): void {
    const outcome = this.failed(slot, error);
    if (outcome !== undefined) this.environment.done(slot, outcome);
  }

  // ---- the way through the stage ----

  private begin(slot: S, item: I): Outcome | undefined {
    const { time, events } = this.environment;
    item.status = 'in_progress';
    item.updatedAt = time.now;
    events.status(item, 'in_progress', slot);
    slot.value = item.value;
    if (this.isPerStage) item.attempts++;
    return this.goOn(slot);
  }

  /** Executes task after task, as long as they answer at once and the turn is not over. `since`: when the last one began, if in this turn. */
  private goOn(slot: S, since?: number, isNewTurn = false): Outcome | undefined {
    const item = slot.item as I;
    let began = since;
    let mayBegin = isNewTurn;
    for (;;) {
      const index = item.taskIndex;
      const task = this.spec.tasks[index];
      if (task === undefined) return this.advance(slot, item);
      if (task.limiter !== undefined || this.gates.at(index) !== undefined) {
        if (!this.isPerStage) item.attempts++;
        this.waitForLimit(slot, item, task, index);
        return undefined;
      }
      if (!mayBegin && this.isTurnOver(slot, item, began)) {
        this.waitForTurn(slot);
        return undefined;
      }
      mayBegin = false;
      if (!this.isPerStage) item.attempts++;
      const outcome = this.execute(slot, item, task);
      if (outcome !== 'next') return outcome;
      // It answered at once, so it began in this turn.
      began = slot.startedAt;
    }
  }

  private advance(slot: S, item: I): Outcome | undefined {
    const { value } = slot;
    if (this.spec.onSuccess !== undefined) return this.callbacks.finish(slot, item, { kind: 'advance', value });
    // Most outcomes are this one, and it is carried out at once: an object for each would cost the engine a twentieth of its rate.
    slot.advanced.value = value;
    return slot.advanced;
  }

  /** Whether others are to have a turn before the next task. A large value makes tasks take long: each has a turn of its own. */
  private isTurnOver(slot: S, item: I, since?: number): boolean {
    if (item.size > TURN_SIZE) return true;
    const { time, turn } = this.environment;
    return item.taskIndex > 0 && time.now - slot.startedAt > BRIEF_MS && turn.isOver(since);
  }

  /** Lets everybody else have a turn before the next task. */
  private waitForTurn(slot: S): void {
    const { time, turn, done } = this.environment;
    const { lane } = slot;
    slot.isBetween = true;
    turn.queue.add(() => {
      if (!lane.alive) return;
      slot.isBetween = false;
      time.tick();
      const outcome = this.goOn(slot, undefined, true);
      if (outcome !== undefined) done(slot, outcome);
    });
  }

  private waitForLimit(slot: S, item: I, task: TaskSpec, index: number): void {
    const lane = slot.lane;
    const controller = new AbortController();
    slot.limitWait = controller;
    slot.waitingFor = this.gates.at(index)?.blockedBy()?.reason ?? 'task-limit';
    slot.waitingTask = task;
    slot.waitsSince = this.environment.time.now;
    const go = (passed: Passed | null, spec: TaskSpec): void => {
      if (!lane.alive) {
        passed?.release();
        return;
      }
      slot.limitWait = null;
      slot.waitingFor = null;
      slot.waitingTask = null;
      slot.sharedWait = null;
      slot.release = passed?.release ?? null;
      slot.hold = passed?.hold ?? null;
      slot.waitedMs += this.environment.time.tick() - slot.waitsSince;
      const outcome = this.execute(slot, item, spec);
      const settled = outcome === 'next' ? this.goOn(slot, slot.startedAt) : outcome;
      if (settled !== undefined) this.environment.done(slot, settled);
    };
    const claim = { value: slot.value, metadata: item.metadata, priority: item.priority };
    const show = (wait: SharedWait | null): void => {
      if (lane.alive) slot.sharedWait = wait;
    };
    this.gates.pass(index, claim, controller.signal, show).then(
      (passed) => {
        if (lane.alive && this.isTurnOver(slot, item)) this.environment.turn.queue.add(() => go(passed, task));
        else go(passed, task);
      },
      // What a limiter cannot tell of this item is the attempt's error.
      (error: unknown) => go(null, { ...task, call: () => Promise.reject(error) }),
    );
  }

  private afterPredicate(slot: S, item: I, skip: boolean, fault: Fault): Outcome | undefined {
    if (fault !== undefined) this.callbacks.warn(item, fault, 'skipIf threw; the item is not skipped');
    const isCancelled = slot.cancelAfterCallback;
    slot.inCallback = false;
    slot.cancelAfterCallback = false;
    if (isCancelled) return CANCELLED;
    return skip ? this.callbacks.finish(slot, item, SKIP) : this.begin(slot, item);
  }
}

function reasonOf(kind: 'cancelled' | 'aborted'): AbortedError {
  return new AbortedError(kind === 'cancelled' ? 'the item was cancelled' : 'the pipeline was shut down by force');
}
