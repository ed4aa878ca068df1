import { isDeepStrictEqual } from 'node:util';
import type { ItemError } from '../../schemas/item.ts';
import { AbortedError, describeThrown, TaskTimeoutError, ValueNotJsonError, ValueTooLargeError } from '../contract/errors.ts';
import type { StageSpec, TaskSpec } from '../definition/stage-spec.ts';
import type { Gate, Passed, SharedWait } from '../limits/gate.ts';
import { CALL, type Logger, type LoopNotes } from '../ports.ts';
import type { ValueFault } from '../values/json-fault.ts';
import { shownText } from '../values/shown-text.ts';
import { LARGE } from '../values/sizes.ts';
import { type AttemptSink, TaskAttempt } from './attempt.ts';
import { CANCELLED, Callbacks, type Fault, isEnd } from './callbacks.ts';
import { copyValue } from './copy-value.ts';
import type { Outcome, Runner, StageEnvironment, StageItem, StageLimits } from './hinge.ts';
import { retryWaitMs } from './retry.ts';
import type { Slot } from './slot.ts';
import { StageGates } from './stage-gates.ts';
import { isThenable } from './thenable.ts';

/** RFC 6585: what a task's error carries as its `status` when a server asks for a pause. */
const TOO_MANY_REQUESTS = 429;

/** What a slot says that it does is a line. */
const STATUS_MAX = 1024;

/** A task that took less is none that anybody has to be let in after. */
const BRIEF_MS = 0.5;
/** Of a value, in characters of JSON: what is done with a larger one may take a turn by itself. */
const TURN_SIZE = 128 * 1024;

const SKIP: Outcome = { kind: 'skip' };
const ABORTED: Outcome = { kind: 'aborted' };

/**
 * Runs one item through one stage: predicate, tasks, limits, timeouts, retries, hooks, and the events of all these.
 * It knows no queue: a runtime hands it an item and a slot, and gets an {@link Outcome}, at once or later.
 *
 * No attempt can hurt another: each reports through its slot's lane, which dies when the attempt is given up.
 */
export class StageRunner<I extends StageItem, S extends Slot<I>> implements Runner<I, S>, AttemptSink<I, S> {
  readonly logger: Logger;
  private readonly spec: StageSpec;
  private readonly deps: StageEnvironment<I, S>;
  private readonly gates: StageGates;
  private readonly callbacks: Callbacks<I, S>;
  private readonly perStage: boolean;
  private readonly maxAttempts: number;
  private readonly timeoutsMs: (number | undefined)[];
  private readonly notes: LoopNotes | null;
  /** What the notes call this stage. */
  private readonly place: number;

  /** `before`: what ran the stage until now, and the stage's slots. Its gates go on, changed to the new limits. */
  constructor(spec: StageSpec, deps: StageEnvironment<I, S>, before?: { runner: Runner<I, S>; workers: readonly S[] }) {
    this.spec = spec;
    this.deps = deps;
    this.logger = deps.logger;
    const definition = spec.definition;
    this.perStage = definition.retry === 'per_stage';
    this.maxAttempts = this.perStage ? definition.stageAttempts : definition.taskAttempts;
    this.notes = deps.notes;
    const names = spec.tasks.map(({ name }) => name);
    this.place = deps.notes?.place(deps.pipelineId, definition.name, names) ?? 0;
    this.callbacks = new Callbacks(spec, deps, this.place);
    this.gates = new StageGates(spec.tasks, deps.gateFor, before?.runner);
    this.gates.change(definition, before?.workers ?? []);
    this.timeoutsMs = spec.tasks.map((task) => {
      const seconds = definition.taskTimeoutSeconds ?? task.timeoutSeconds;
      return seconds === undefined ? undefined : seconds * 1000;
    });
  }

  /** The outcome, or undefined when it comes later through `deps.done`. */
  run(slot: S, item: I): Outcome | undefined {
    const skipIf = this.spec.skipIf;
    if (skipIf === undefined || item.attempts > 0 || item.taskIndex > 0) return this.begin(slot, item);
    return this.callbacks.consult(
      slot,
      CALL.skipIf,
      () => skipIf(copyValue(item.value), { itemId: item.id, sequenceId: item.sequenceId, metadata: { ...item.metadata } }),
      (answer, fault) => this.afterPredicate(slot, item, Boolean(answer), fault),
    );
  }

  /** Gives up the running attempt. `undefined`: its fate is decided already, and the outcome comes by itself. */
  abandon(slot: S, kind: 'cancelled' | 'aborted'): Outcome | undefined {
    const item = slot.item as I;
    const { decided, cancelAfterCallback } = slot;
    if (slot.inCallback && kind === 'cancelled') {
      slot.cancelAfterCallback = true;
      return undefined;
    }
    if (kind === 'aborted') {
      // An attempt that was not allowed to end does not count.
      if (slot.task !== null || slot.limitWait !== null || (slot.isBetween && this.perStage)) item.attempts--;
      if (this.perStage) item.taskIndex = 0;
    }
    this.giveUp(slot, new AbortedError(kind === 'cancelled' ? 'the item was cancelled' : 'the pipeline was shut down by force'));
    if (kind === 'cancelled') return CANCELLED;
    // A cancel that waits for the callback to end holds, unless the callback was told of a final outcome.
    if (cancelAfterCallback && !isEnd(item, decided)) return CANCELLED;
    return decided ?? ABORTED;
  }

  gateOf(task: Pick<TaskSpec, 'name'>): Gate | undefined {
    return this.gates.of(task);
  }

  /** After the last of the tasks that the item has behind it; at the first one, when none of them is left. */
  placeOf(index: number, other: Runner<I, S>): number {
    if (other === this || !(other instanceof StageRunner)) return index;
    const done = other.spec.definition.tasks.slice(0, index);
    return this.spec.definition.tasks.findLastIndex((use) => done.some((one) => isDeepStrictEqual(one, use))) + 1;
  }

  blockedByLimit(): 'task-limit' | 'rate-limit' | null {
    return this.gates.blockedBy();
  }

  changeLimits(limits: StageLimits, slots: readonly S[]): void {
    this.gates.change(limits, slots);
  }

  // ---- the attempt, called by lanes and by the handlers ----

  onValue(slot: S, value: unknown): void {
    const outcome = this.succeeded(slot, value) ?? this.goOn(slot);
    if (outcome !== undefined) this.deps.done(slot, outcome);
  }

  onError(slot: S, error: unknown): void {
    const outcome = this.failed(slot, error);
    if (outcome !== undefined) this.deps.done(slot, outcome);
  }

  onLate(slot: S): undefined {
    slot.stage.ignoringSignal--;
  }

  setStatus(attempt: TaskAttempt<I, S>, text: string, minIntervalSeconds: number): boolean {
    const slot = attempt.holder;
    const now = this.deps.time.tick();
    if (now - slot.taskStatusAt < minIntervalSeconds * 1000) return false;
    slot.taskStatusAt = now;
    slot.taskStatus = shownText(String(text), STATUS_MAX, this.deps.maskSecrets);
    this.deps.events.task('progress', slot, attempt.item, attempt.spec, attempt.attempt, {
      taskStatus: slot.taskStatus,
    });
    return true;
  }

  progress(attempt: TaskAttempt<I, S>, fraction: number): void {
    const { time, events } = this.deps;
    time.tick();
    events.task('progress', attempt.holder, attempt.item, attempt.spec, attempt.attempt, { fraction });
  }

  // ---- the way through the stage ----

  private begin(slot: S, item: I): Outcome | undefined {
    const { time, events } = this.deps;
    item.status = 'in_progress';
    item.updatedAt = time.now;
    events.status(item, 'in_progress', slot);
    slot.value = item.value;
    if (this.perStage) item.attempts++;
    return this.goOn(slot);
  }

  /** Task after task, as long as they answer at once and the turn is not over. `since`: when the last one began, if that was in this turn. */
  private goOn(slot: S, since?: number, isNewTurn = false): Outcome | undefined {
    const item = slot.item as I;
    let began = since;
    let mayBegin = isNewTurn;
    for (;;) {
      const index = item.taskIndex;
      const task = this.spec.tasks[index];
      if (task === undefined) return this.callbacks.finish(slot, item, { kind: 'advance', value: slot.value });
      if (task.limiter !== undefined || this.gates.at(index) !== undefined) {
        if (!this.perStage) item.attempts++;
        this.waitForLimit(slot, item, task, index);
        return undefined;
      }
      if (!mayBegin && this.isTurnOver(slot, item, began)) {
        this.waitForTurn(slot);
        return undefined;
      }
      mayBegin = false;
      if (!this.perStage) item.attempts++;
      const outcome = this.execute(slot, item, task);
      if (outcome !== 'next') return outcome;
      // It answered at once, so it began in this turn.
      began = slot.startedAt;
    }
  }

  /** A large value makes a task, or whatever brought it here, take long: each has a turn of its own. */
  private isTurnOver(slot: S, item: I, since?: number): boolean {
    if (item.size > TURN_SIZE) return true;
    const { time, turn } = this.deps;
    return item.taskIndex > 0 && time.now - slot.startedAt > BRIEF_MS && turn.isOver(since);
  }

  /** Before a task: everybody else has a turn first. */
  private waitForTurn(slot: S): void {
    const { time, turn, done } = this.deps;
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
      this.deps.time.tick();
      const outcome = this.execute(slot, item, spec);
      const settled = outcome === 'next' ? this.goOn(slot, slot.startedAt) : outcome;
      if (settled !== undefined) this.deps.done(slot, settled);
    };
    const claim = { value: slot.value, metadata: item.metadata, priority: item.priority };
    const show = (wait: SharedWait | null): void => {
      if (lane.alive) slot.sharedWait = wait;
    };
    this.gates.pass(index, claim, controller.signal, show).then(
      (passed) => {
        if (lane.alive && this.isTurnOver(slot, item)) this.deps.turn.queue.add(() => go(passed, task));
        else go(passed, task);
      },
      // What a limiter cannot tell of this item is the attempt's error.
      (error: unknown) => go(null, { ...task, call: () => Promise.reject(error) }),
    );
  }

  /** One attempt: 'next' when the task succeeded at once, undefined when it is still running. */
  private execute(slot: S, item: I, task: TaskSpec): Outcome | 'next' | undefined {
    const { time, events, dues } = this.deps;
    const startedAt = time.fresh();
    slot.startedAt = startedAt;
    const attempt = task.takesContext ? new TaskAttempt(this, slot, item, task) : null;
    slot.task = task;
    slot.attempt = attempt;
    events.task('start', slot, item, task, item.attempts);
    const { value, lane } = slot;
    time.isStale = true;
    let result: unknown;
    const { notes } = this;
    try {
      notes?.begin(slot, this.place + item.taskIndex);
      // A copy for the last attempt too: an operator's retry and an aborted attempt start from the value as it was.
      const given = typeof value === 'object' ? copyValue(value) : value;
      result = attempt === null ? task.call(given) : task.call(given, attempt);
      notes?.end();
      if (isThenable(result)) {
        const promise = result instanceof Promise ? result : Promise.resolve(result);
        const timeoutMs = this.timeoutsMs[item.taskIndex];
        if (timeoutMs !== undefined && lane.alive) {
          slot.timeout = dues.add(startedAt + timeoutMs, () => this.onTimeout(slot, timeoutMs));
        }
        promise.then(lane.onValue, lane.onError);
        return undefined;
      }
    } catch (error) {
      notes?.end();
      return lane.alive ? this.failed(slot, error) : this.onLate(slot);
    }
    // It may have cancelled its own item: then the slot is no longer ours.
    return lane.alive ? (this.succeeded(slot, result) ?? 'next') : this.onLate(slot);
  }

  /** undefined: the item goes on with its next task. */
  private succeeded(slot: S, value: unknown): Outcome | undefined {
    const { time, events, values } = this.deps;
    const item = slot.item as I;
    if (values !== undefined) {
      const fault = values.fault(value);
      if (fault !== null) return this.failed(slot, errorOf(fault));
      item.size = values.size;
      if (item.size > LARGE) this.deps.onLarge(item.size);
    }
    const now = time.tick();
    const task = slot.task as TaskSpec;
    slot.busyMs += now - slot.startedAt;
    events.task('complete', slot, item, task, item.attempts);
    this.endAttempt(slot);
    slot.value = value;
    item.taskIndex++;
    if (this.perStage) return undefined;
    // The next task counts anew; after the last one the count stays to be seen until the item leaves the stage.
    if (item.taskIndex < this.spec.tasks.length) item.attempts = 0;
    // `per_task` goes on from here after a failure, so this is what a retry starts from.
    item.value = value;
    return undefined;
  }

  /** undefined: a hook is awaited. */
  private failed(slot: S, thrown: unknown): Outcome | undefined {
    const { time, events, random } = this.deps;
    const item = slot.item as I;
    const now = time.tick();
    const task = slot.task as TaskSpec;
    slot.busyMs += now - slot.startedAt;
    const { type, message, permanent, retryAfterSeconds, status } = describeThrown(thrown, this.deps.maskSecrets);
    const attempts = item.attempts;
    const error: ItemError = { type, message, stage: item.stage.name, attempts };
    const isLast = permanent || attempts >= this.maxAttempts;
    events.task(isLast ? 'fail' : 'retry', slot, item, task, attempts, { error: { type, message } });
    const waitMs = retryAfterSeconds === undefined ? retryWaitMs(this.spec.definition, attempts, random) : retryAfterSeconds * 1000;
    // Whoever shares the limiter would be told the same.
    if (retryAfterSeconds !== undefined || status === TOO_MANY_REQUESTS) slot.hold?.(waitMs / 1000);
    this.endAttempt(slot);
    if (isLast) return this.callbacks.finish(slot, item, { kind: 'fail', error }, thrown);
    return { kind: 'retry', waitMs, taskIndex: this.perStage ? 0 : item.taskIndex, value: item.value, attempts, error };
  }

  private afterPredicate(slot: S, item: I, skip: boolean, fault: Fault): Outcome | undefined {
    if (fault !== undefined) this.callbacks.warn(item, fault, 'skipIf threw; the item is not skipped');
    const isCancelled = slot.cancelAfterCallback;
    slot.inCallback = false;
    slot.cancelAfterCallback = false;
    if (isCancelled) return CANCELLED;
    return skip ? this.callbacks.finish(slot, item, SKIP) : this.begin(slot, item);
  }

  private onTimeout(slot: S, timeoutMs: number): void {
    const error = new TaskTimeoutError(`took longer than ${timeoutMs / 1000} s`);
    slot.timeout = null;
    slot.attempt?.end(error);
    slot.renewLane();
    slot.stage.ignoringSignal++;
    const outcome = this.failed(slot, error);
    if (outcome !== undefined) this.deps.done(slot, outcome);
  }

  private giveUp(slot: S, reason: Error): void {
    if (slot.task !== null) {
      slot.busyMs += this.deps.time.tick() - slot.startedAt;
      slot.stage.ignoringSignal++;
    }
    const limitWait = slot.limitWait;
    slot.renewLane();
    slot.attempt?.end(reason);
    this.endAttempt(slot);
    slot.limitWait = null;
    slot.isBetween = false;
    slot.waitingFor = null;
    slot.waitingTask = null;
    slot.sharedWait = null;
    slot.inCallback = false;
    slot.cancelAfterCallback = false;
    slot.decided = null;
    limitWait?.abort(reason);
  }

  private endAttempt(slot: S): void {
    if (slot.timeout !== null) {
      this.deps.dues.cancel(slot.timeout);
      slot.timeout = null;
    }
    if (slot.release !== null) {
      slot.release();
      slot.release = null;
      slot.hold = null;
    }
    slot.attempt?.end();
    slot.attempt = null;
    slot.task = null;
    slot.taskStatus = null;
    slot.taskStatusAt = Number.NEGATIVE_INFINITY;
  }
}

function errorOf({ is, message }: ValueFault): Error {
  const text = `the stage's result ${message}`;
  return is === 'too-large' ? new ValueTooLargeError(text) : new ValueNotJsonError(text);
}
