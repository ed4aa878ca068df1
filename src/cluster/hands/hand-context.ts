import { PermanentError, RetryAfterError, type TaskContext } from '../../engine/index.ts';
import type { Logger, ThreadContext } from '../../engine/ports.ts';

export interface HandContextSink {
  readonly logger: Logger;
  status(text: string): void;
  progress(fraction: number): void;
}

/** The context of a call that a hand makes. The abort controller is made when the signal is first read. */
export class HandContext implements TaskContext {
  readonly itemId: string;
  readonly sequenceId: number;
  readonly pipeline: string;
  readonly stage: string;
  readonly task: string;
  readonly worker: string;
  readonly attempt: number;
  readonly lastError: ThreadContext['lastError'];
  readonly metadata: Record<string, unknown>;
  readonly trace: ThreadContext['trace'];
  readonly params: unknown;
  private readonly sink: HandContextSink;
  private controller: AbortController | undefined;
  private readonly listeners: ((reason: unknown) => void)[] = [];
  private isEnded = false;
  private statusAt = Number.NEGATIVE_INFINITY;

  constructor(context: Omit<ThreadContext, 'params'>, params: unknown, sink: HandContextSink) {
    this.itemId = context.itemId;
    this.sequenceId = context.sequenceId;
    this.pipeline = context.pipeline;
    this.stage = context.stage;
    this.task = context.task;
    this.worker = context.worker;
    this.attempt = context.attempt;
    this.lastError = context.lastError ?? null;
    this.metadata = context.metadata;
    this.trace = context.trace;
    this.params = params;
    this.sink = sink;
  }

  get logger(): Logger {
    return this.sink.logger;
  }

  get signal(): AbortSignal {
    this.controller ??= new AbortController();
    return this.controller.signal;
  }

  onAbort(listener: (reason: unknown) => void): void {
    const { controller } = this;
    if (controller?.signal.aborted) listener(controller.signal.reason);
    else this.listeners.push(listener);
  }

  setStatus(text: string, { minIntervalSeconds = 0 }: { minIntervalSeconds?: number } = {}): boolean {
    const now = performance.now();
    if (this.isEnded || now - this.statusAt < minIntervalSeconds * 1000) return false;
    this.statusAt = now;
    this.sink.status(String(text));
    return true;
  }

  progress(fraction: number): void {
    if (!this.isEnded && Number.isFinite(fraction)) this.sink.progress(Math.min(1, Math.max(0, fraction)));
  }

  permanent(message: string): Error {
    return new PermanentError(message);
  }

  retryAfter(seconds: number, message?: string): Error {
    return new RetryAfterError(seconds, message);
  }

  /** It is given up: its handler is to stop. */
  abort(reason: Error): void {
    if (this.isEnded) return;
    this.isEnded = true;
    // Also for who looks at the signal only after the call was given up.
    this.controller ??= new AbortController();
    this.controller.abort(reason);
    for (const listener of this.listeners) listener(reason);
  }

  /** Has whatever its handler says from now on change nothing. */
  end(): void {
    this.isEnded = true;
  }
}
