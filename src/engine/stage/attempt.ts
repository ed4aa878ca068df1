import type { ItemError, Metadata, WaitingReason } from '../../schemas/item.ts';
import type { TraceContext } from '../../schemas/trace-context.ts';
import { PermanentError, RetryAfterError } from '../contract/errors.ts';
import type { TaskContext } from '../contract/task.ts';
import type { Held, TaskSpec } from '../definition/calls.ts';
import type { Logger, Span } from '../ports.ts';
import { copyOf } from './copy-value.ts';
import type { Attempt, StageItem } from './hinge.ts';
import type { Slot } from './slot.ts';

/** The receiver of an attempt's status and progress. */
export interface AttemptSink<I extends StageItem, S extends Slot<I>> {
  readonly logger: Logger;
  /** The attempt waits: nothing of it has run, and its time limit does not run either. */
  waits(attempt: TaskAttempt<I, S>, reason: WaitingReason): void;
  /** It has begun to run. */
  begins(attempt: TaskAttempt<I, S>): void;
  setStatus(attempt: TaskAttempt<I, S>, text: string, minIntervalSeconds: number): boolean;
  progress(attempt: TaskAttempt<I, S>, fraction: number): void;
}

/** The context of one attempt. The abort controller is made when the signal is first read. */
export class TaskAttempt<I extends StageItem, S extends Slot<I>> implements TaskContext, Held, Attempt {
  readonly item: I;
  readonly attempt: number;
  readonly holder: S;
  readonly spec: TaskSpec;
  /** Set anew for each item when the definition's parameters hold templates. */
  params: unknown;
  private readonly sink: AttemptSink<I, S>;
  /** Its slot may have another by the time that somebody looks at it. */
  private readonly span: Span | null;
  private controller: AbortController | undefined;
  private listeners: ((reason: unknown) => void)[] | undefined;
  private ownMetadata: Metadata | undefined;
  private isEnded = false;

  constructor(sink: AttemptSink<I, S>, holder: S, item: I, spec: TaskSpec) {
    this.sink = sink;
    this.holder = holder;
    this.span = holder.span;
    this.item = item;
    this.spec = spec;
    this.params = spec.params;
    this.attempt = item.attempts;
  }

  get itemId(): string {
    return this.item.id;
  }
  get sequenceId(): number {
    return this.item.sequenceId;
  }
  get pipeline(): string {
    return this.holder.stage.pipelineId;
  }
  get stage(): string {
    return this.holder.stage.name;
  }
  get task(): string {
    return this.spec.name;
  }
  get worker(): string {
    return this.holder.name;
  }
  get lastError(): ItemError | null {
    const { lastError } = this.item;
    return lastError === null ? null : { ...lastError };
  }
  /** A copy: what a task does to it goes no further than this attempt. */
  get metadata(): Metadata {
    this.ownMetadata ??= copyOf(this.item.metadata);
    return this.ownMetadata;
  }
  get logger(): Logger {
    return this.sink.logger;
  }
  get trace(): TraceContext | null {
    return this.span?.context ?? this.item.trace;
  }
  get signal(): AbortSignal {
    this.controller ??= new AbortController();
    return this.controller.signal;
  }

  onAbort(listener: (reason: unknown) => void): void {
    if (this.isEnded) {
      const { signal } = this;
      if (signal.aborted) listener(signal.reason);
      else signal.addEventListener('abort', () => listener(signal.reason), { once: true });
      return;
    }
    this.listeners ??= [];
    this.listeners.push(listener);
  }

  waits(reason: WaitingReason): void {
    if (!this.isEnded) this.sink.waits(this, reason);
  }

  begins(): void {
    if (!this.isEnded) this.sink.begins(this);
  }

  setStatus(text: string, options?: { minIntervalSeconds?: number }): boolean {
    return !this.isEnded && this.sink.setStatus(this, text, options?.minIntervalSeconds ?? 0);
  }

  progress(fraction: number): void {
    if (!this.isEnded && Number.isFinite(fraction)) this.sink.progress(this, Math.min(1, Math.max(0, fraction)));
  }

  permanent(message: string): Error {
    return new PermanentError(message);
  }

  retryAfter(seconds: number, message?: string): Error {
    return new RetryAfterError(seconds, message);
  }

  end(reason?: Error): void {
    if (this.isEnded) return;
    this.isEnded = true;
    if (reason === undefined) return;
    // Also for who looks at the signal only after the attempt was given up.
    this.controller ??= new AbortController();
    const { controller, listeners = [] } = this;
    // Listeners are foreign code, which may cancel or shut down in its turn: not in the middle of a transition.
    queueMicrotask(() => {
      controller.abort(reason);
      for (const listener of listeners) listener(reason);
    });
  }
}
