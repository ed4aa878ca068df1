import type { ItemError, WaitingReason } from '../../schemas/item.ts';
import { describeThrown, TaskTimeoutError, ValueNotJsonError, ValueTooLargeError } from '../contract/errors.ts';
import type { TaskSpec } from '../definition/calls.ts';
import type { StageSpec } from '../definition/stage-spec.ts';
import type { TaskMeter } from '../measures/stage-meter.ts';
import type { Logger, LoopNotes } from '../ports.ts';
import { shownText } from '../values/shown-text.ts';
import { LARGE } from '../values/sizes.ts';
import type { ValueFault } from '../values/value-rule.ts';
import { type AttemptSink, TaskAttempt } from './attempt.ts';
import { Callbacks } from './callbacks.ts';
import { copyPlain, copyValue } from './copy-value.ts';
import type { Outcome, StageEnvironment, StageItem } from './hinge.ts';
import { retryWaitMs } from './retry.ts';
import type { Slot } from './slot.ts';
import { isThenable } from './thenable.ts';

/** The status that a task's error carries when a server asks for a pause (RFC 6585). */
const TOO_MANY_REQUESTS = 429;

/** The longest `taskStatus`, in characters: one line. */
const STATUS_MAX = 1024;

/**
 * Executes the tasks of a stage: calls a handler, and makes an outcome of its error, its timeout, or its being given up. A success is no outcome
 * yet: which task is next, and what precedes it, is up to the {@link import('./stage-runner.ts').StageRunner}, which is one with it so that
 * an item costs no object and no call more than in one class.
 */
export abstract class TaskExecutor<I extends StageItem, S extends Slot<I>> implements AttemptSink<I, S> {
  readonly logger: Logger;
  protected readonly spec: StageSpec;
  protected readonly environment: StageEnvironment<I, S>;
  protected readonly callbacks: Callbacks<I, S>;
  readonly isPerStage: boolean;
  private readonly maxAttempts: number;
  private readonly timeoutsMs: (number | undefined)[];
  private readonly copy: (value: unknown) => unknown;
  private readonly notes: LoopNotes | null;
  /** By the places of the tasks, as soon as they have ended once. */
  private readonly meters: TaskMeter[] = [];
  /** The number of this stage in the notes. */
  private readonly place: number;

  constructor(spec: StageSpec, environment: StageEnvironment<I, S>) {
    this.spec = spec;
    this.environment = environment.tracer === null ? environment : { ...environment, done: this.doneWithSpan(environment.done) };
    this.logger = environment.logger;
    this.copy = environment.values === undefined ? copyValue : copyPlain;
    this.notes = environment.notes;
    const { definition } = spec;
    const names = spec.tasks.map(({ name }) => name);
    this.place = environment.notes?.place(environment.pipelineId, definition.name, names) ?? 0;
    this.callbacks = new Callbacks(spec, this.environment, this.place);
    this.isPerStage = definition.retry === 'per_stage';
    this.maxAttempts = this.isPerStage ? definition.stageAttempts : definition.taskAttempts;
    this.timeoutsMs = spec.tasks.map((task) => {
      const seconds = definition.taskTimeoutSeconds ?? task.timeoutSeconds;
      return seconds === undefined ? undefined : seconds * 1000;
    });
  }

  /** Executes a task once. Returns 'next' when it succeeded at once, undefined when it still runs. */
  protected execute(slot: S, item: I, task: TaskSpec): Outcome | 'next' | undefined {
    const { time, events } = this.environment;
    slot.startedAt = time.fresh();
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
      const given = typeof value === 'object' ? this.copy(value) : value;
      const { span } = slot;
      if (span !== null) result = span.within(() => (attempt === null ? task.call(given) : task.call(given, attempt)));
      else result = attempt === null ? task.call(given) : task.call(given, attempt);
      notes?.end();
      if (isThenable(result)) {
        const promise = result instanceof Promise ? result : Promise.resolve(result);
        if (lane.alive && !slot.isHeld) this.limit(slot, item);
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

  private doneWithSpan(done: StageEnvironment<I, S>['done']): StageEnvironment<I, S>['done'] {
    return (slot, outcome) => {
      this.endSpan(slot, outcome);
      done(slot, outcome);
    };
  }

  /** Ends the span of a slot's item, if it has one. */
  protected endSpan(slot: S, outcome: Outcome): void {
    const { span } = slot;
    if (span === null) return;
    slot.span = null;
    span.end(outcome);
  }

  /** Takes a task's result. Returns undefined when the item goes on with its next task. */
  protected succeeded(slot: S, result: unknown): Outcome | undefined {
    const { time, events, values } = this.environment;
    const item = slot.item as I;
    let value = result;
    if (values !== undefined) {
      const fault = values.take(result);
      if (fault !== null) return this.failed(slot, errorOf(fault));
      value = values.plain;
      item.size = values.size;
      if (item.size > LARGE) this.environment.onLarge(item.size);
    }
    const now = time.tick();
    const task = slot.task as TaskSpec;
    this.countBusy(slot, now);
    this.meterAt(slot, item.taskIndex).completes(slot, time);
    events.task('complete', slot, item, task, item.attempts);
    this.endAttempt(slot);
    slot.value = value;
    item.taskIndex++;
    if (this.isPerStage) return undefined;
    // The next task counts anew; after the last one the count stays to be seen until the item leaves the stage.
    if (item.taskIndex < this.spec.tasks.length) {
      item.earlierAttempts += item.attempts;
      item.attempts = 0;
    }
    // `per_task` goes on from here after a failure, so this is what a retry starts from.
    item.value = value;
    return undefined;
  }

  /** Makes an outcome of a task's error. Returns undefined while a hook is awaited. */
  protected failed(slot: S, thrown: unknown): Outcome | undefined {
    const { time, events, random, maskSecrets, maxErrorCharacters } = this.environment;
    const item = slot.item as I;
    const now = time.tick();
    const task = slot.task as TaskSpec;
    this.countBusy(slot, now);
    this.meterAt(slot, item.taskIndex).fails(slot, time);
    const { type, message, permanent, retryAfterSeconds, status } = describeThrown(thrown, maskSecrets, maxErrorCharacters);
    const attempts = item.attempts;
    const error: ItemError = { type, message, ...(status !== undefined && { status }), stage: item.stage.name, attempts };
    const isLast = permanent || attempts >= this.maxAttempts;
    events.task(isLast ? 'fail' : 'retry', slot, item, task, attempts, { error: { type, message } });
    const waitMs = retryAfterSeconds === undefined ? retryWaitMs(this.spec.definition, attempts, random) : retryAfterSeconds * 1000;
    // Whoever shares the limiter would be told the same.
    if (retryAfterSeconds !== undefined || status === TOO_MANY_REQUESTS) slot.hold?.(waitMs / 1000);
    this.endAttempt(slot);
    if (this.isPerStage) item.taskIndex = slot.first;
    if (isLast) return this.callbacks.finish(slot, item, { kind: 'fail', error, thrown });
    return { kind: 'retry', waitMs, taskIndex: item.taskIndex, value: item.value, attempts, error };
  }

  private meterAt(slot: S, index: number): TaskMeter {
    let meter = this.meters[index];
    if (meter === undefined) {
      meter = slot.stage.meter.task((slot.task as TaskSpec).name);
      this.meters[index] = meter;
    }
    return meter;
  }

  /** Has the time limit of the running task begin now. */
  private limit(slot: S, item: I): void {
    const timeoutMs = this.timeoutsMs[item.taskIndex];
    if (timeoutMs === undefined) return;
    slot.timeout = this.environment.dues.add(slot.startedAt + timeoutMs, () => this.onTimeout(slot, timeoutMs));
  }

  /** Counts the time that the task ran; in which it was held, it did not. */
  private countBusy(slot: S, now: number): void {
    if (slot.isHeld) slot.startedAt = now;
    slot.busyMs += now - slot.startedAt;
  }

  private onTimeout(slot: S, timeoutMs: number): void {
    const error = new TaskTimeoutError(`took longer than ${timeoutMs / 1000} s`);
    slot.timeout = null;
    slot.attempt?.end(error);
    slot.renewLane();
    slot.stage.ignoringSignal++;
    const outcome = this.failed(slot, error);
    if (outcome !== undefined) this.environment.done(slot, outcome);
  }

  /** Called when an execution ends whose attempt was given up. */
  onLate(slot: S): undefined {
    slot.stage.ignoringSignal--;
  }

  /** Ends the running attempt, or the wait before it; a handler that goes on changes nothing any more. */
  protected giveUp(slot: S, reason: Error): void {
    if (slot.task !== null) {
      this.countBusy(slot, this.environment.time.tick());
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
      this.environment.dues.cancel(slot.timeout);
      slot.timeout = null;
    }
    if (slot.release !== null) {
      slot.release();
      slot.release = null;
      slot.hold = null;
    }
    slot.attempt?.end();
    slot.attempt = null;
    if (slot.isHeld) this.unhold(slot);
    slot.task = null;
    slot.taskStatus = null;
    slot.taskStatusAt = Number.NEGATIVE_INFINITY;
  }

  waits({ holder: slot, spec }: TaskAttempt<I, S>, reason: WaitingReason): void {
    if (slot.isHeld) return;
    const { time, dues } = this.environment;
    const now = time.tick();
    this.countBusy(slot, now);
    // It may have run elsewhere until now.
    slot.startedAt = now;
    if (slot.timeout !== null) dues.cancel(slot.timeout);
    slot.timeout = null;
    slot.isHeld = true;
    slot.waitingFor = reason;
    slot.waitingTask = spec;
  }

  begins({ holder: slot, item }: TaskAttempt<I, S>): void {
    if (!slot.isHeld) return;
    this.unhold(slot);
    const now = this.environment.time.tick();
    slot.waitedMs += now - slot.startedAt;
    slot.startedAt = now;
    this.limit(slot, item);
  }

  private unhold(slot: S): void {
    slot.isHeld = false;
    slot.waitingFor = null;
    slot.waitingTask = null;
  }

  setStatus(attempt: TaskAttempt<I, S>, text: string, minIntervalSeconds: number): boolean {
    const slot = attempt.holder;
    const now = this.environment.time.tick();
    if (now - slot.taskStatusAt < minIntervalSeconds * 1000) return false;
    slot.taskStatusAt = now;
    slot.taskStatus = shownText(String(text), STATUS_MAX, this.environment.maskSecrets);
    this.environment.events.task('progress', slot, attempt.item, attempt.spec, attempt.attempt, {
      taskStatus: slot.taskStatus,
    });
    return true;
  }

  progress(attempt: TaskAttempt<I, S>, fraction: number): void {
    const { time, events } = this.environment;
    time.tick();
    events.task('progress', attempt.holder, attempt.item, attempt.spec, attempt.attempt, { fraction });
  }
}

function errorOf({ is, message }: ValueFault): Error {
  const text = `the stage's result ${message}`;
  return is === 'too-large' ? new ValueTooLargeError(text) : new ValueNotJsonError(text);
}
