import type { WaitingReason } from '../../schemas/item.ts';
import type { TraceContext } from '../../schemas/trace-context.ts';
import type { HookInfo, PredicateInfo, TaskHandler } from '../contract/task.ts';
import type { Limit, SharedGate } from '../limits/gate.ts';
import type { Logger } from '../ports.ts';

/** One task of a stage, ready to be called. */
export interface TaskSpec {
  name: string;
  params: unknown;
  /** Called with the value, and with a {@link import('../contract/task.ts').TaskContext} if it takes one. */
  call: TaskHandler;
  takesContext: boolean;
  /** The task's own default; the stage's `taskTimeoutSeconds` overrides it. */
  timeoutSeconds: number | undefined;
  defaultLimit: Limit;
  /** A limiter shared with tasks of other stages and pipelines. */
  limiter: SharedGate | undefined;
  /** The number by which events refer to the task, assigned with its first event; 0 until then. */
  eventId: number;
}

/** An attempt, for a handler that has it run elsewhere, where there may be no room yet. */
export interface Held {
  /** Nothing of it runs until {@link Held.begins}. Called again when it runs no longer and is to begin anew. */
  waits(reason: WaitingReason): void;
  begins(): void;
}

/** The end of a call of a predicate or hook, for a handler that has it made elsewhere. */
export class CallEnd {
  private controller: AbortController | null = null;
  private reason: Error | null = null;

  /** Aborts when nobody waits for the call any more, also when it is first read after that. */
  get signal(): AbortSignal {
    if (this.controller === null) {
      this.controller = new AbortController();
      if (this.reason !== null) this.controller.abort(this.reason);
    }
    return this.controller.signal;
  }

  /** With a reason, nobody waits any more; without one, the call has ended. */
  end(reason?: Error): void {
    if (reason === undefined || this.reason !== null) return;
    this.reason = reason;
    const { controller } = this;
    // Listeners are foreign code: not in the middle of a transition.
    if (controller !== null) queueMicrotask(() => controller.abort(reason));
  }
}

/** A predicate, ready to be called. */
export type PredicateCall = (value: unknown, info: PredicateInfo, end: CallEnd) => boolean | Promise<boolean>;

/** Arguments of a registered hook beyond those that every hook gets. */
export interface HookPlace {
  pipeline: string;
  logger: Logger;
  /** The item's value, even when it has failed. */
  value: unknown;
  trace: TraceContext | null;
  end: CallEnd;
}
export type HookCall = (itemId: string, valueOrError: unknown, info: HookInfo, place: HookPlace) => unknown;
