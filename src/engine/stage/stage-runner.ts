import { isDeepStrictEqual } from 'node:util';
import type { StageDefinition } from '../../schemas/definition.ts';
import type { ItemError } from '../../schemas/item.ts';
import { AbortedError, describeThrown, TaskTimeoutError, ValueNotJsonError, ValueTooLargeError } from '../contract/errors.ts';
import type { StageSpec, TaskSpec } from '../definition/stage-spec.ts';
import type { EventLog } from '../events/event-log.ts';
import type { BothPassed } from '../limits/both-limits.ts';
import type { LimiterWait } from '../limits/shared-limiter.ts';
import type { TaskLimiter } from '../limits/task-limiter.ts';
import type { Item, Outcome, Runner, Worker } from '../model/model.ts';
import { CALL, type Logger, type LoopNotes } from '../ports.ts';
import type { DueQueue } from '../time/due-queue.ts';
import type { EngineClock } from '../time/engine-clock.ts';
import type { Turn } from '../time/turn.ts';
import type { ValueFault, ValueRule } from '../values/json-fault.ts';
import { shownText } from '../values/shown-text.ts';
import { LARGE } from '../values/sizes.ts';
import { type AttemptSink, TaskAttempt } from './attempt.ts';
import { copyValue } from './copy-value.ts';
import { retryWaitMs } from './retry.ts';
import { StageLimits } from './stage-limits.ts';

/** What running a stage needs and may not own. */
export interface StageRunDeps {
  time: EngineClock;
  dues: DueQueue;
  turn: Turn;
  events: EventLog;
  random: () => number;
  logger: Logger;
  pipelineId: string;
  notes: LoopNotes | null;
  /** What an error or a status says is shown to whoever looks. */
  maskSecrets: (text: string) => string;
  /** Carries out an outcome that came later than the call of {@link StageRunner.run}. */
  done: (worker: Worker, outcome: Outcome) => void;
  /** What a task's result must be; undefined: anything. */
  values: ValueRule | undefined;
  /** So much of a value came into being, which is to be stored. */
  onLarge: (size: number) => void;
  hookTimeoutMs: number;
}

/** What a callback threw, if it did; it may throw undefined too. */
type Fault = { error: unknown } | undefined;

/** RFC 6585: what a task's error carries as its `status` when a server asks for a pause. */
const TOO_MANY_REQUESTS = 429;

/** What a worker says that it does is a line. */
const STATUS_MAX = 1024;

/** A task that took less is none that anybody has to be let in after. */
const BRIEF_MS = 0.5;
/** Of a value, in characters of JSON: what is done with a larger one may take a turn by itself. */
const TURN_SIZE = 128 * 1024;

const SKIP: Outcome = { kind: 'skip' };
const CANCELLED: Outcome = { kind: 'cancelled' };
const ABORTED: Outcome = { kind: 'aborted' };

/**
 * Runs one item through one stage: predicate, tasks, limits, timeouts, retries, hooks, and the events of all these.
 * It knows no queue: a runtime hands it an item and a worker's slot, and gets an {@link Outcome}, at once or later.
 *
 * No attempt can hurt another: each reports through its worker's {@link Lane}, which dies when the attempt is given up.
 */
export class StageRunner implements Runner, AttemptSink {
  readonly logger: Logger;
  private readonly spec: StageSpec;
  private readonly deps: StageRunDeps;
  private readonly limits: StageLimits;
  private readonly perStage: boolean;
  private readonly maxAttempts: number;
  private readonly timeoutsMs: (number | undefined)[];
  private readonly notes: LoopNotes | null;
  /** What the notes call this stage. */
  private readonly place: number;

  /** `before`: what ran the stage until now, and the stage's workers. Its limits go on, changed to the new ones. */
  constructor(spec: StageSpec, deps: StageRunDeps, before?: { runner: Runner; workers: readonly Worker[] }) {
    this.spec = spec;
    this.deps = deps;
    this.logger = deps.logger;
    const definition = spec.definition;
    this.perStage = definition.retry === 'per_stage';
    this.maxAttempts = this.perStage ? definition.stageAttempts : definition.taskAttempts;
    this.notes = deps.notes;
    const names = spec.tasks.map(({ name }) => name);
    this.place = deps.notes?.place(deps.pipelineId, definition.name, names) ?? 0;
    this.limits = new StageLimits(spec.tasks, deps.time.clock, before?.runner);
    this.limits.change(definition, before?.workers ?? []);
    this.timeoutsMs = spec.tasks.map((task) => {
      const seconds = definition.taskTimeoutSeconds ?? task.timeoutSeconds;
      return seconds === undefined ? undefined : seconds * 1000;
    });
  }

  /** The outcome, or undefined when it comes later through `deps.done`. */
  run(worker: Worker, item: Item): Outcome | undefined {
    const skipIf = this.spec.skipIf;
    if (skipIf === undefined || item.attempts > 0 || item.taskIndex > 0) return this.begin(worker, item);
    return this.consult(
      worker,
      CALL.skipIf,
      () => skipIf(copyValue(item.value), { itemId: item.id, sequenceId: item.sequenceId, metadata: { ...item.metadata } }),
      (answer, fault) => this.afterPredicate(worker, item, Boolean(answer), fault),
    );
  }

  /** Gives up the running attempt. `undefined`: its fate is decided already, and the outcome comes by itself. */
  abandon(worker: Worker, kind: 'cancelled' | 'aborted'): Outcome | undefined {
    const item = worker.item as Item;
    const { decided, cancelAfterCallback } = worker;
    if (worker.inCallback && kind === 'cancelled') {
      worker.cancelAfterCallback = true;
      return undefined;
    }
    if (kind === 'aborted') {
      // An attempt that was not allowed to end does not count.
      if (worker.attempt !== null || worker.limitWait !== null || (worker.isBetween && this.perStage)) item.attempts--;
      if (this.perStage) item.taskIndex = 0;
    }
    this.giveUp(worker, new AbortedError(kind === 'cancelled' ? 'the item was cancelled' : 'the pipeline was shut down by force'));
    if (kind === 'cancelled') return CANCELLED;
    // A cancel that waits for the callback to end holds, unless the callback was told of a final outcome.
    if (cancelAfterCallback && !isEnd(item, decided)) return CANCELLED;
    return decided ?? ABORTED;
  }

  limiterOf(task: Pick<TaskSpec, 'name'>): TaskLimiter | undefined {
    return this.limits.of(task);
  }

  /** After the last of the tasks that the item has behind it; at the first one, when none of them is left. */
  placeOf(index: number, other: Runner): number {
    if (other === this || !(other instanceof StageRunner)) return index;
    const done = other.spec.definition.tasks.slice(0, index);
    return this.spec.definition.tasks.findLastIndex((use) => done.some((one) => isDeepStrictEqual(one, use))) + 1;
  }

  blockedByLimit(): 'task-limit' | 'rate-limit' | null {
    return this.limits.blockedBy();
  }

  changeLimits(definition: Pick<StageDefinition, 'taskConcurrencyLimits' | 'taskRateLimits'>, workers: readonly Worker[]): void {
    this.limits.change(definition, workers);
  }

  // ---- the attempt, called by lanes and by the handlers ----

  onValue(worker: Worker, value: unknown): void {
    const outcome = this.succeeded(worker, value) ?? this.goOn(worker);
    if (outcome !== undefined) this.deps.done(worker, outcome);
  }

  onError(worker: Worker, error: unknown): void {
    const outcome = this.failed(worker, error);
    if (outcome !== undefined) this.deps.done(worker, outcome);
  }

  onLate(worker: Worker): undefined {
    worker.stage.ignoringSignal--;
  }

  setStatus(attempt: TaskAttempt, text: string, minIntervalSeconds: number): boolean {
    const worker = attempt.holder;
    const now = this.deps.time.tick();
    if (now - worker.taskStatusAt < minIntervalSeconds * 1000) return false;
    worker.taskStatusAt = now;
    worker.taskStatus = shownText(String(text), STATUS_MAX, this.deps.maskSecrets);
    this.deps.events.task('progress', worker, attempt.item, attempt.spec, attempt.attempt, {
      taskStatus: worker.taskStatus,
    });
    return true;
  }

  progress(attempt: TaskAttempt, fraction: number): void {
    const { time, events } = this.deps;
    time.tick();
    events.task('progress', attempt.holder, attempt.item, attempt.spec, attempt.attempt, { fraction });
  }

  // ---- the way through the stage ----

  private begin(worker: Worker, item: Item): Outcome | undefined {
    const { time, events } = this.deps;
    item.status = 'in_progress';
    item.updatedAt = time.now;
    events.status(item, 'in_progress', worker);
    worker.value = item.value;
    if (this.perStage) item.attempts++;
    return this.goOn(worker);
  }

  /** Task after task, as long as they answer at once and the turn is not over. `since`: when the last one began, if that was in this turn. */
  private goOn(worker: Worker, since?: number, isNewTurn = false): Outcome | undefined {
    const item = worker.item as Item;
    let began = since;
    let mayBegin = isNewTurn;
    for (;;) {
      const index = item.taskIndex;
      const task = this.spec.tasks[index];
      if (task === undefined) return this.finish(worker, item, { kind: 'advance', value: worker.value });
      if (task.limiter !== undefined || this.limits.at(index) !== undefined) {
        if (!this.perStage) item.attempts++;
        this.waitForLimit(worker, item, task, index);
        return undefined;
      }
      if (!mayBegin && this.isTurnOver(worker, item, began)) {
        this.waitForTurn(worker);
        return undefined;
      }
      mayBegin = false;
      if (!this.perStage) item.attempts++;
      const outcome = this.execute(worker, item, task);
      if (outcome !== 'next') return outcome;
      // It answered at once, so it began in this turn.
      began = worker.startedAt;
    }
  }

  /** A large value makes a task, or whatever brought it here, take long: each has a turn of its own. */
  private isTurnOver(worker: Worker, item: Item, since?: number): boolean {
    if (item.size > TURN_SIZE) return true;
    const { time, turn } = this.deps;
    return item.taskIndex > 0 && time.now - worker.startedAt > BRIEF_MS && turn.isOver(since);
  }

  /** Before a task: everybody else has a turn first. */
  private waitForTurn(worker: Worker): void {
    const { time, turn, done } = this.deps;
    const { lane } = worker;
    worker.isBetween = true;
    turn.queue.add(() => {
      if (!lane.alive) return;
      worker.isBetween = false;
      time.tick();
      const outcome = this.goOn(worker, undefined, true);
      if (outcome !== undefined) done(worker, outcome);
    });
  }

  private waitForLimit(worker: Worker, item: Item, task: TaskSpec, index: number): void {
    const lane = worker.lane;
    const controller = new AbortController();
    worker.limitWait = controller;
    worker.waitingFor = this.limits.at(index)?.blockedBy()?.reason ?? 'task-limit';
    worker.waitingTask = task;
    const go = (passed: BothPassed | null, spec: TaskSpec): void => {
      if (!lane.alive) {
        passed?.release();
        return;
      }
      worker.limitWait = null;
      worker.waitingFor = null;
      worker.waitingTask = null;
      worker.sharedWait = null;
      worker.release = passed?.release ?? null;
      worker.hold = passed?.hold ?? null;
      this.deps.time.tick();
      const outcome = this.execute(worker, item, spec);
      const settled = outcome === 'next' ? this.goOn(worker, worker.startedAt) : outcome;
      if (settled !== undefined) this.deps.done(worker, settled);
    };
    const claim = { value: worker.value, metadata: item.metadata, priority: item.priority };
    const show = (wait: LimiterWait | null): void => {
      if (lane.alive) worker.sharedWait = wait;
    };
    this.limits.pass(index, claim, controller.signal, show).then(
      (passed) => {
        if (lane.alive && this.isTurnOver(worker, item)) this.deps.turn.queue.add(() => go(passed, task));
        else go(passed, task);
      },
      // What a limiter cannot tell of this item is the attempt's error.
      (error: unknown) => go(null, { ...task, call: () => Promise.reject(error) }),
    );
  }

  /** One attempt: 'next' when the task succeeded at once, undefined when it is still running. */
  private execute(worker: Worker, item: Item, task: TaskSpec): Outcome | 'next' | undefined {
    const { time, events, dues } = this.deps;
    const startedAt = time.fresh();
    worker.startedAt = startedAt;
    const attempt = new TaskAttempt(this, worker, item, task);
    worker.attempt = attempt;
    events.task('start', worker, item, task, item.attempts);
    const { value, lane } = worker;
    time.isStale = true;
    let result: unknown;
    const { notes } = this;
    try {
      notes?.begin(worker, this.place + item.taskIndex);
      // A copy for the last attempt too: an operator's retry and an aborted attempt start from the value as it was.
      result = task.call(typeof value === 'object' ? copyValue(value) : value, attempt);
      notes?.end();
      if (isThenable(result)) {
        const promise = result instanceof Promise ? result : Promise.resolve(result);
        const timeoutMs = this.timeoutsMs[item.taskIndex];
        if (timeoutMs !== undefined && lane.alive) {
          worker.timeout = dues.add(startedAt + timeoutMs, () => this.onTimeout(worker, timeoutMs));
        }
        promise.then(lane.onValue, lane.onError);
        return undefined;
      }
    } catch (error) {
      notes?.end();
      return lane.alive ? this.failed(worker, error) : this.onLate(worker);
    }
    // It may have cancelled its own item: then the worker is no longer ours.
    return lane.alive ? (this.succeeded(worker, result) ?? 'next') : this.onLate(worker);
  }

  /** undefined: the item goes on with its next task. */
  private succeeded(worker: Worker, value: unknown): Outcome | undefined {
    const { time, events, values } = this.deps;
    const item = worker.item as Item;
    if (values !== undefined) {
      const fault = values.fault(value);
      if (fault !== null) return this.failed(worker, errorOf(fault));
      item.size = values.size;
      if (item.size > LARGE) this.deps.onLarge(item.size);
    }
    const now = time.tick();
    const { spec } = worker.attempt as TaskAttempt;
    worker.busyMs += now - worker.startedAt;
    events.task('complete', worker, item, spec, item.attempts);
    this.endAttempt(worker);
    worker.value = value;
    item.taskIndex++;
    if (this.perStage) return undefined;
    // The next task counts anew; after the last one the count stays to be seen until the item leaves the stage.
    if (item.taskIndex < this.spec.tasks.length) item.attempts = 0;
    // `per_task` goes on from here after a failure, so this is what a retry starts from.
    item.value = value;
    return undefined;
  }

  /** undefined: a hook is awaited. */
  private failed(worker: Worker, thrown: unknown): Outcome | undefined {
    const { time, events, random } = this.deps;
    const item = worker.item as Item;
    const now = time.tick();
    const { spec } = worker.attempt as TaskAttempt;
    worker.busyMs += now - worker.startedAt;
    const { type, message, permanent, retryAfterSeconds, status } = describeThrown(thrown, this.deps.maskSecrets);
    const attempts = item.attempts;
    const error: ItemError = { type, message, stage: item.stage.name, attempts };
    const isLast = permanent || attempts >= this.maxAttempts;
    events.task(isLast ? 'fail' : 'retry', worker, item, spec, attempts, { error: { type, message } });
    const waitMs = retryAfterSeconds === undefined ? retryWaitMs(this.spec.definition, attempts, random) : retryAfterSeconds * 1000;
    // Whoever shares the limiter would be told the same.
    if (retryAfterSeconds !== undefined || status === TOO_MANY_REQUESTS) worker.hold?.(waitMs / 1000);
    this.endAttempt(worker);
    if (isLast) return this.finish(worker, item, { kind: 'fail', error }, thrown);
    return { kind: 'retry', waitMs, taskIndex: this.perStage ? 0 : item.taskIndex, value: item.value, attempts, error };
  }

  /** Calls the hook that the outcome asks for, and waits for it, at most `hookTimeoutMs`; it cannot change the outcome. */
  private finish(worker: Worker, item: Item, outcome: Outcome, error?: unknown): Outcome | undefined {
    const { onSuccess, onSkip, onFailure } = this.spec;
    const hook = outcome.kind === 'advance' ? onSuccess : outcome.kind === 'skip' ? onSkip : onFailure;
    if (hook === undefined) return outcome;
    worker.decided = outcome;
    const which = outcome.kind === 'advance' ? CALL.onSuccess : outcome.kind === 'skip' ? CALL.onSkip : CALL.onFailure;
    const call = (): unknown => {
      const told = whatHookGets(item, outcome, error);
      const info = {
        sequenceId: item.sequenceId,
        feedId: item.feed.id,
        stage: item.stage.name,
        attempts: outcome.kind === 'fail' ? outcome.error.attempts : Math.max(1, item.attempts),
        metadata: { ...item.metadata },
      };
      const value = outcome.kind === 'fail' ? copyValue(item.value) : told;
      return hook(item.id, told, info, { pipeline: item.stage.pipelineId, logger: this.logger, value });
    };
    return this.consult(worker, which, call, (_answer, fault) => this.afterHook(worker, item, outcome, fault));
  }

  /**
   * Calls a predicate or a hook, and goes on with its answer or with what it threw: at once, or when its promise has
   * settled, at the latest after `hookTimeoutMs`.
   */
  private consult(
    worker: Worker,
    which: number,
    call: () => unknown,
    next: (answer: unknown, fault: Fault) => Outcome | undefined,
  ): Outcome | undefined {
    const { time, dues, done, hookTimeoutMs } = this.deps;
    const lane = worker.lane;
    worker.inCallback = true;
    let answer: unknown;
    let promise: Promise<unknown> | undefined;
    let fault: Fault;
    this.notes?.begin(worker, this.place + which);
    try {
      answer = call();
      if (isThenable(answer)) promise = Promise.resolve(answer);
    } catch (error) {
      answer = undefined;
      fault = { error };
    } finally {
      this.notes?.end();
    }
    time.isStale = true;
    // It may have shut the pipeline down: then the worker is no longer ours, and its item has gone where it belongs.
    if (promise === undefined) return lane.alive ? next(answer, fault) : undefined;
    let isOver = !lane.alive;
    const settle = (settled: unknown, failure?: Fault): void => {
      if (isOver || !lane.alive) return;
      isOver = true;
      dues.cancel(limit);
      worker.timeout = null;
      time.tick();
      const outcome = next(settled, failure);
      if (outcome !== undefined) done(worker, outcome);
    };
    promise.then(settle, (error: unknown) => settle(undefined, { error }));
    if (isOver) return undefined;
    const limit = dues.add(time.tick() + hookTimeoutMs, () => {
      settle(undefined, { error: new TaskTimeoutError(`took longer than ${hookTimeoutMs / 1000} s`) });
    });
    worker.timeout = limit;
    return undefined;
  }

  /** A cancel that came during the hook holds, unless the outcome is final: that one was told to the hook. */
  private afterHook(worker: Worker, item: Item, outcome: Outcome, fault: Fault): Outcome {
    if (fault !== undefined) this.warn(item, fault, 'a hook threw; the item is not affected');
    const isCancelled = worker.cancelAfterCallback && !isEnd(item, outcome);
    worker.inCallback = false;
    worker.cancelAfterCallback = false;
    worker.decided = null;
    return isCancelled ? CANCELLED : outcome;
  }

  private afterPredicate(worker: Worker, item: Item, skip: boolean, fault: Fault): Outcome | undefined {
    if (fault !== undefined) this.warn(item, fault, 'skipIf threw; the item is not skipped');
    const isCancelled = worker.cancelAfterCallback;
    worker.inCallback = false;
    worker.cancelAfterCallback = false;
    if (isCancelled) return CANCELLED;
    return skip ? this.finish(worker, item, SKIP) : this.begin(worker, item);
  }

  private onTimeout(worker: Worker, timeoutMs: number): void {
    const error = new TaskTimeoutError(`took longer than ${timeoutMs / 1000} s`);
    worker.timeout = null;
    worker.attempt?.end(error);
    worker.renewLane();
    worker.stage.ignoringSignal++;
    const outcome = this.failed(worker, error);
    if (outcome !== undefined) this.deps.done(worker, outcome);
  }

  private giveUp(worker: Worker, reason: Error): void {
    const runs = worker.attempt !== null;
    if (runs) {
      worker.busyMs += this.deps.time.tick() - worker.startedAt;
      worker.stage.ignoringSignal++;
    }
    const limitWait = worker.limitWait;
    worker.renewLane();
    worker.attempt?.end(reason);
    this.endAttempt(worker);
    worker.limitWait = null;
    worker.isBetween = false;
    worker.waitingFor = null;
    worker.waitingTask = null;
    worker.sharedWait = null;
    worker.inCallback = false;
    worker.cancelAfterCallback = false;
    worker.decided = null;
    limitWait?.abort(reason);
  }

  private endAttempt(worker: Worker): void {
    if (worker.timeout !== null) {
      this.deps.dues.cancel(worker.timeout);
      worker.timeout = null;
    }
    if (worker.release !== null) {
      worker.release();
      worker.release = null;
      worker.hold = null;
    }
    worker.attempt?.end();
    worker.attempt = null;
    worker.taskStatus = null;
    worker.taskStatusAt = Number.NEGATIVE_INFINITY;
  }

  private warn(item: Item, { error }: NonNullable<Fault>, message: string): void {
    this.logger.warn({ item: item.id, stage: item.stage.name, error: describeThrown(error, this.deps.maskSecrets) }, message);
  }
}

function errorOf({ is, message }: ValueFault): Error {
  const text = `the stage's result ${message}`;
  return is === 'too-large' ? new ValueTooLargeError(text) : new ValueNotJsonError(text);
}

/** Whether the item ends with this outcome. */
function isEnd(item: Item, outcome: Outcome | null): boolean {
  return outcome !== null && (outcome.kind === 'fail' || item.nextStage === null);
}

function whatHookGets(item: Item, outcome: Outcome, error: unknown): unknown {
  if (outcome.kind === 'fail') return error ?? new Error(outcome.error.message);
  return copyValue(outcome.kind === 'advance' ? outcome.value : item.value);
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  if (value instanceof Promise) return true;
  return typeof value === 'object' && value !== null && typeof (value as PromiseLike<unknown>).then === 'function';
}
