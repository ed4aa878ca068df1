/**
 * The calls that a hand makes for one connection to its owner. When that ends, so do they: the owner gives them to others, and hears nothing of these any more.
 *
 *     job ──▶ running ──value, error──▶ said
 *                ├──abort──▶ ending ──the handler has ended, or five seconds──▶ `aborted` said
 *                └──leaving for too long, or a crash──▶ `back` said
 */
import { AsyncLocalStorage } from 'node:async_hooks';
import { AbortedError, createValueRule, revive, ValueNotJsonError, type ValueRule, ValueTooLargeError } from '../../engine/index.ts';
import { type Clock, type Logger, type ThreadContext, type ThreadRunner, unref } from '../../engine/ports.ts';
import type { PlainError } from '../../schemas/thrown.ts';
import { HandContext } from './hand-context.ts';
import type { Prepared, PreparedUses } from './prepared-uses.ts';
import { errorMessage, type FromHand, type JobMessage, shortText } from './protocol.ts';

export interface WorkOptions {
  uses: PreparedUses;
  threads: ThreadRunner;
  clock: Clock;
  /** Gets what tasks log. */
  logger: Logger;
}

/** An owner's epoch and its bounds. */
export interface WorkBounds {
  epoch: number;
  maxValueBytes: number;
}

/** Sends a message. One that is `optional` may be left out when there is too much to send. */
export type SayToOwner = (text: string, isOptional: boolean) => void;

/** A handler that goes on after it was aborted is left behind after so long. */
const ABORT_MS = 5000;
/** Ids of calls that are over, which a repeated message does not begin again. */
const OVER_MAX = 10_000;

interface Running {
  readonly job: JobMessage;
  readonly session: WorkSession;
  readonly context: HandContext;
  isAborted: boolean;
  grace: unknown;
}

const running = new AsyncLocalStorage<Running>();

/** The call whose code runs now, or that has begun what runs now. */
export function callNow(): { session: WorkSession; job: JobMessage } | undefined {
  return running.getStore();
}

export class WorkSession {
  private readonly options: WorkOptions;
  private readonly send: SayToOwner;
  private readonly rule: ValueRule;
  private epoch: number;
  private readonly calls = new Map<string, Running>();
  private readonly over = new Set<string>();
  private idle: (() => void)[] = [];
  /** True when calls that come are given back. */
  isLeaving = false;
  private isEnded = false;

  constructor(options: WorkOptions, { epoch, maxValueBytes }: WorkBounds, send: SayToOwner) {
    this.options = options;
    this.send = send;
    this.epoch = epoch;
    this.rule = createValueRule(maxValueBytes);
  }

  get running(): number {
    return this.calls.size;
  }

  /** Begins a call. One that was begun already is not begun again. */
  take(job: JobMessage): void {
    if (this.isEnded || job.epoch < this.epoch) return;
    if (job.epoch > this.epoch) {
      this.epoch = job.epoch;
      this.drop('there is another owner');
    }
    if (this.calls.has(job.id) || this.over.has(job.id)) return;
    if (this.isLeaving) {
      this.say({ t: 'back', id: job.id, why: 'leaving' });
      return;
    }
    let prepared: Prepared | undefined;
    try {
      prepared = this.options.uses.find({ ...job.use, given: job.use.given });
    } catch (error) {
      this.say({ t: 'error', id: job.id, error: errorMessage(error) });
      return;
    }
    if (prepared === undefined) this.say({ t: 'back', id: job.id, why: 'unknown-task' });
    else this.begin(job, prepared);
  }

  abort(id: string, reason: Pick<PlainError, 'name' | 'message'>): void {
    const call = this.calls.get(id);
    if (call === undefined || call.isAborted) return;
    call.isAborted = true;
    call.grace = this.options.clock.setTimer(() => this.settle(call, { t: 'aborted', id }), ABORT_MS);
    unref(call.grace);
    call.context.abort(revive({ ...reason, permanent: false, retryAfterSeconds: undefined, stack: undefined, told: {} }));
  }

  /** Resolves when nothing runs. */
  async whenIdle(): Promise<void> {
    if (this.calls.size > 0) await new Promise<void>((resolve) => this.idle.push(resolve));
  }

  /** Aborts everything; the owner is to give it to others. */
  giveBack(why: 'leaving' | 'crash', reason: string): void {
    for (const call of [...this.calls.values()]) {
      call.context.abort(new AbortedError(reason));
      this.settle(call, call.isAborted ? { t: 'aborted', id: call.job.id } : { t: 'back', id: call.job.id, why });
    }
  }

  /** A call has left something behind that ends the process: it fails, and is not to blame for what ran beside it. */
  fail(id: string, error: unknown): void {
    const call = this.calls.get(id);
    if (call !== undefined) this.settle(call, { t: 'error', id, error: errorMessage(error) });
  }

  /** The connection has ended. */
  end(reason: string): void {
    if (this.isEnded) return;
    this.isEnded = true;
    this.drop(reason);
  }

  /** Aborts everything and forgets it: nobody is told how it ends. */
  private drop(reason: string): void {
    for (const { context, grace } of this.calls.values()) {
      context.abort(new AbortedError(reason));
      this.options.clock.clearTimer(grace);
    }
    this.calls.clear();
    this.over.clear();
    this.wakeIdle();
  }

  private begin(job: JobMessage, prepared: Prepared): void {
    const { id } = job;
    const context = new HandContext(job.context as unknown as ThreadContext, prepared.params, {
      logger: this.options.logger,
      status: (text) => this.say({ t: 'status', id, text: shortText(text) }),
      progress: (fraction) => this.say({ t: 'progress', id, fraction }),
    });
    const call: Running = { job, session: this, context, isAborted: false, grace: undefined };
    this.calls.set(id, call);
    if (prepared.declaration.thread !== true) this.say({ t: 'begin', id });
    let answer: unknown;
    try {
      answer = running.run(call, () => this.handle(job, prepared, context));
    } catch (error) {
      this.settle(call, { t: 'error', id, error: errorMessage(error) });
      return;
    }
    if (typeof (answer as PromiseLike<unknown> | null)?.then !== 'function') {
      this.answer(call, answer);
      return;
    }
    Promise.resolve(answer).then(
      (value) => this.answer(call, value),
      (error: unknown) => this.settle(call, { t: 'error', id, error: errorMessage(error) }),
    );
  }

  private handle(
    { id, use, args: given, errors = [], context: told }: JobMessage,
    { declaration, params, handler }: Prepared,
    context: HandContext,
  ): unknown {
    const args = given.map((arg, place) => (errors.includes(place) ? revive(arg as PlainError) : arg));
    if (use.kind === 'predicate') return handler(...args, { ...told, params });
    if (use.kind === 'hook') {
      const { pipeline, trace, ...info } = told;
      return handler(...args, info, { pipeline, trace, logger: this.options.logger, params });
    }
    if (declaration.thread !== true) return handler(...args, context);
    return this.options.threads.run(
      {
        module: declaration.module as string,
        args,
        context: { ...(told as unknown as ThreadContext), params },
        onBegin: () => this.say({ t: 'begin', id }),
        onStatus: (text) => context.setStatus(text),
        onProgress: (fraction) => context.progress(fraction),
      },
      context.signal,
    );
  }

  /** A handler has given a value; whether it can be kept is found out here, so that what cannot be never travels. */
  private answer(call: Running, value: unknown): void {
    const { id, use } = call.job;
    if (use.kind === 'hook') {
      this.settle(call, { t: 'value', id, value: undefined });
      return;
    }
    if (use.kind === 'predicate') {
      this.settle(call, { t: 'value', id, value: Boolean(value) });
      return;
    }
    const fault = this.rule.take(value);
    if (fault === null) {
      this.settle(call, { t: 'value', id, value: this.rule.plain });
      return;
    }
    const text = `the stage's result ${fault.message}`;
    const error = fault.is === 'too-large' ? new ValueTooLargeError(text) : new ValueNotJsonError(text);
    this.settle(call, { t: 'error', id, error: errorMessage(error) });
  }

  /** Says how it ended, once, and forgets it. */
  private settle(call: Running, message: Extract<FromHand, { t: 'value' | 'error' | 'aborted' | 'back' }>): void {
    const { id } = message;
    if (this.calls.get(id) !== call) return;
    this.calls.delete(id);
    call.context.end();
    this.options.clock.clearTimer(call.grace);
    this.over.add(id);
    if (this.over.size > OVER_MAX) {
      const [oldest] = this.over;
      this.over.delete(oldest as string);
    }
    this.say(message);
    if (this.calls.size === 0) this.wakeIdle();
  }

  private wakeIdle(): void {
    const { idle } = this;
    this.idle = [];
    for (const resolve of idle) resolve();
  }

  private say(message: FromHand): void {
    if (!this.isEnded) this.send(JSON.stringify(message), message.t === 'status' || message.t === 'progress');
  }
}
