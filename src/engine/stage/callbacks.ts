import type { TraceContext } from '../../schemas/trace-context.ts';
import { AbortedError, describeThrown, TaskTimeoutError } from '../contract/errors.ts';
import { CallEnd, type HookCall } from '../definition/calls.ts';
import type { StageSpec } from '../definition/stage-spec.ts';
import { CALL } from '../ports.ts';
import { copyOf, copyValue } from './copy-value.ts';
import type { Failure, Outcome, StageEnvironment, StageItem } from './hinge.ts';
import type { Slot } from './slot.ts';
import { isThenable } from './thenable.ts';

/** The error that a callback threw, which may be undefined; undefined when it threw none. */
export type Fault = { error: unknown } | undefined;

export const CANCELLED: Outcome = { kind: 'cancelled' };

/** Calls the predicate and the hooks of a stage. Whatever they throw, and however long they take, the outcome is the same. */
export class Callbacks<I extends StageItem, S extends Slot<I>> {
  private readonly spec: StageSpec;
  private readonly environment: StageEnvironment<I, S>;
  /** The number of this stage in the notes. */
  private readonly place: number;

  constructor(spec: StageSpec, environment: StageEnvironment<I, S>, place: number) {
    this.spec = spec;
    this.environment = environment;
    this.place = place;
  }

  /** Calls the hook of an outcome, and waits for it, at most `hookTimeoutMs`. It cannot change the outcome. */
  finish(slot: S, item: I, outcome: Outcome): Outcome | undefined {
    const { onSuccess, onSkip, onFailure } = this.spec;
    const hook = outcome.kind === 'advance' ? onSuccess : outcome.kind === 'skip' ? onSkip : onFailure;
    if (hook === undefined) return outcome;
    slot.decided = outcome;
    const which = outcome.kind === 'advance' ? CALL.onSuccess : outcome.kind === 'skip' ? CALL.onSkip : CALL.onFailure;
    const trace = slot.span?.context ?? item.trace;
    const call = (end: CallEnd): unknown => this.prepared(hook, item, outcome, trace, end)();
    return this.consult(slot, which, call, (_answer, fault) => this.afterHook(slot, item, outcome, fault));
  }

  /**
   * The hook of `pauseAfterFailures` as a call that is made in a later turn; null without a hook. It is told what the item is now. Nothing waits for
   * it; that it threw, or took longer than `hookTimeoutMs`, is logged.
   */
  pauseHook(item: I, outcome: Failure): (() => void) | null {
    const { onPause } = this.spec;
    if (onPause === undefined) return null;
    const { time, turn, dues, notes, hookTimeoutMs } = this.environment;
    const { id, sequenceId, stage } = item;
    const warn = (error: unknown): void => this.warn({ id, stage }, { error }, 'the hook of the pause threw; the stage stays paused');
    const end = new CallEnd();
    let call: () => unknown;
    try {
      call = this.prepared(onPause, item, outcome, item.trace, end);
    } catch (error) {
      warn(error);
      return null;
    }
    const begin = (): void => {
      let answer: unknown;
      notes?.begin({ item: { id, sequenceId } }, this.place + CALL.pauseAfterFailures);
      try {
        answer = call();
        if (!isThenable(answer)) return;
        answer = Promise.resolve(answer);
      } catch (error) {
        warn(error);
        return;
      } finally {
        notes?.end();
        time.isStale = true;
      }
      let settle = (fault: Fault): void => {
        settle = () => undefined;
        dues.cancel(limit);
        if (fault !== undefined) warn(fault.error);
      };
      const limit = dues.add(time.tick() + hookTimeoutMs, () => {
        const error = tookTooLong(hookTimeoutMs);
        end.end(error);
        settle({ error });
      });
      (answer as Promise<unknown>).then(
        () => settle(undefined),
        (error: unknown) => settle({ error }),
      );
    };
    return () => turn.queue.add(begin);
  }

  /**
   * Calls a predicate or a hook, and goes on with its answer or its error: at once, or when its promise has settled, at the
   * latest after `hookTimeoutMs`.
   */
  consult(
    slot: S,
    which: number,
    call: (end: CallEnd) => unknown,
    next: (answer: unknown, fault: Fault) => Outcome | undefined,
  ): Outcome | undefined {
    const { time, dues, done, hookTimeoutMs } = this.environment;
    const lane = slot.lane;
    const end = new CallEnd();
    slot.inCallback = true;
    let answer: unknown;
    let promise: Promise<unknown> | undefined;
    let fault: Fault;
    this.environment.notes?.begin(slot, this.place + which);
    try {
      answer = slot.span === null ? call(end) : slot.span.within(() => call(end));
      if (isThenable(answer)) promise = Promise.resolve(answer);
    } catch (error) {
      answer = undefined;
      fault = { error };
    } finally {
      this.environment.notes?.end();
    }
    time.isStale = true;
    // It may have shut the pipeline down: then the slot is no longer ours, and its item has gone where it belongs.
    if (promise === undefined) return lane.alive ? next(answer, fault) : undefined;
    let isOver = !lane.alive;
    if (isOver) end.end(new AbortedError('nobody waits for it any more'));
    else slot.attempt = end;
    const settle = (settled: unknown, failure?: Fault): void => {
      if (isOver || !lane.alive) return;
      isOver = true;
      dues.cancel(limit);
      slot.timeout = null;
      slot.attempt = null;
      time.tick();
      const outcome = next(settled, failure);
      if (outcome !== undefined) done(slot, outcome);
    };
    promise.then(settle, (error: unknown) => settle(undefined, { error }));
    if (isOver) return undefined;
    const limit = dues.add(time.tick() + hookTimeoutMs, () => {
      const error = tookTooLong(hookTimeoutMs);
      end.end(error);
      settle(undefined, { error });
    });
    slot.timeout = limit;
    return undefined;
  }

  /** The outcome after its hook has ended. A cancel that came meanwhile replaces it, unless it is final: the hook was told of it. */
  private afterHook(slot: S, item: I, outcome: Outcome, fault: Fault): Outcome {
    if (fault !== undefined) this.warn(item, fault, 'a hook threw; the item is not affected');
    const isCancelled = slot.cancelAfterCallback && !isEnd(item, outcome);
    slot.inCallback = false;
    slot.cancelAfterCallback = false;
    slot.decided = null;
    return isCancelled ? CANCELLED : outcome;
  }

  /** A call of a hook, with copies of what it is told. */
  private prepared(hook: HookCall, item: I, outcome: Outcome, trace: TraceContext | null, end: CallEnd): () => unknown {
    const told = whatHookGets(item, outcome);
    const value = outcome.kind === 'fail' ? copyValue(item.value) : told;
    const given = outcome.kind === 'fail' ? { value, input: item.fed === item.value ? value : copyValue(item.fed) } : {};
    const info = {
      sequenceId: item.sequenceId,
      feedId: item.feed.id,
      stage: item.stage.name,
      attempts: outcome.kind === 'fail' ? outcome.error.attempts : Math.max(1, item.attempts),
      metadata: copyOf(item.metadata),
      ...given,
    };
    const { id } = item;
    const place = { pipeline: item.stage.pipelineId, logger: this.environment.logger, value, trace, end };
    return () => hook(id, told, info, place);
  }

  warn(item: Pick<I, 'id' | 'stage'>, { error }: NonNullable<Fault>, message: string): void {
    this.environment.logger.warn(
      { item: item.id, stage: item.stage.name, error: describeThrown(error, this.environment.maskSecrets) },
      message,
    );
  }
}

/** Whether the item ends with this outcome. */
export function isEnd(item: StageItem, outcome: Outcome | null): boolean {
  return outcome !== null && (outcome.kind === 'fail' || item.nextStage === null);
}

function tookTooLong(ms: number): TaskTimeoutError {
  return new TaskTimeoutError(`took longer than ${ms / 1000} s`);
}

function whatHookGets(item: StageItem, outcome: Outcome): unknown {
  if (outcome.kind === 'fail') return outcome.thrown ?? new Error(outcome.error.message);
  return copyValue(outcome.kind === 'advance' ? outcome.value : item.value);
}
