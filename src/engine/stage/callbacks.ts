import { describeThrown, TaskTimeoutError } from '../contract/errors.ts';
import type { StageSpec } from '../definition/stage-spec.ts';
import { CALL } from '../ports.ts';
import { copyOf, copyValue } from './copy-value.ts';
import type { Outcome, StageEnvironment, StageItem } from './hinge.ts';
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
  finish(slot: S, item: I, outcome: Outcome, error?: unknown): Outcome | undefined {
    const { onSuccess, onSkip, onFailure } = this.spec;
    const hook = outcome.kind === 'advance' ? onSuccess : outcome.kind === 'skip' ? onSkip : onFailure;
    if (hook === undefined) return outcome;
    slot.decided = outcome;
    const which = outcome.kind === 'advance' ? CALL.onSuccess : outcome.kind === 'skip' ? CALL.onSkip : CALL.onFailure;
    const call = (): unknown => {
      const told = whatHookGets(item, outcome, error);
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
      return hook(item.id, told, info, { pipeline: item.stage.pipelineId, logger: this.environment.logger, value });
    };
    return this.consult(slot, which, call, (_answer, fault) => this.afterHook(slot, item, outcome, fault));
  }

  /**
   * Calls a predicate or a hook, and goes on with its answer or its error: at once, or when its promise has settled, at the
   * latest after `hookTimeoutMs`.
   */
  consult(slot: S, which: number, call: () => unknown, next: (answer: unknown, fault: Fault) => Outcome | undefined): Outcome | undefined {
    const { time, dues, done, hookTimeoutMs } = this.environment;
    const lane = slot.lane;
    slot.inCallback = true;
    let answer: unknown;
    let promise: Promise<unknown> | undefined;
    let fault: Fault;
    this.environment.notes?.begin(slot, this.place + which);
    try {
      answer = call();
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
    const settle = (settled: unknown, failure?: Fault): void => {
      if (isOver || !lane.alive) return;
      isOver = true;
      dues.cancel(limit);
      slot.timeout = null;
      time.tick();
      const outcome = next(settled, failure);
      if (outcome !== undefined) done(slot, outcome);
    };
    promise.then(settle, (error: unknown) => settle(undefined, { error }));
    if (isOver) return undefined;
    const limit = dues.add(time.tick() + hookTimeoutMs, () => {
      settle(undefined, { error: new TaskTimeoutError(`took longer than ${hookTimeoutMs / 1000} s`) });
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

  warn(item: I, { error }: NonNullable<Fault>, message: string): void {
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

function whatHookGets(item: StageItem, outcome: Outcome, error: unknown): unknown {
  if (outcome.kind === 'fail') return error ?? new Error(outcome.error.message);
  return copyValue(outcome.kind === 'advance' ? outcome.value : item.value);
}
