import { AbortedError } from '../../engine/index.ts';
import type { HandJob } from '../../engine/ports.ts';
import { errorMessage, keyOf } from './protocol.ts';

/**
 * A call from when it is asked for until its promise has settled:
 *
 *     waiting ──a hand is free──▶ given ──value, error──▶ settled
 *        ▲                          ├──abort───────────▶ settled; its place at the hand is free when that says so
 *     │  └──the hand is lost, or gives it back──┘
 *     └──no hand is there for it any more──▶ called here, as far as it may be
 */
export class PoolJob {
  /** In the order in which they were asked for. */
  readonly number: number;
  readonly job: HandJob;
  readonly key: string;
  /** Hands that were lost with it, and that it may be to blame for. */
  deliveries = 0;
  /** It was at a hand that was lost: it runs beside no other such call. */
  isSuspect = false;
  /** The message that gives it to a hand has this number in its id, so that late answers are known. */
  attempt = 0;
  /** A hand that it was given to has called its handler. */
  hasBegun = false;
  isSettled = false;
  private readonly signal: AbortSignal;
  private readonly onAbort: () => void;
  private readonly resolve: (value: unknown) => void;
  private readonly reject: (error: unknown) => void;

  /** `onAbort` is called after the promise was rejected. */
  constructor(
    number: number,
    job: HandJob,
    signal: AbortSignal,
    settle: { resolve: (value: unknown) => void; reject: (error: unknown) => void; onAbort: (job: PoolJob) => void },
  ) {
    this.number = number;
    this.job = job;
    this.signal = signal;
    this.key = keyOf(job.use);
    this.resolve = settle.resolve;
    this.reject = settle.reject;
    this.onAbort = () => {
      this.fail(signal.reason);
      settle.onAbort(this);
    };
    signal.addEventListener('abort', this.onAbort, { once: true });
  }

  get id(): string {
    return `${this.number}.${this.attempt}`;
  }

  /** Why it was aborted, for the hand. */
  get abortReason(): { name: string; message: string } {
    const { name, message } = errorMessage(this.signal.reason ?? new AbortedError('the call was aborted'));
    return { name, message };
  }

  succeed(value: unknown): void {
    if (this.settle()) this.resolve(value);
  }

  fail(error: unknown): void {
    if (this.settle()) this.reject(error);
  }

  /** Whether it may be called in this process, where no hand is there for it. What may have ended a hand would end this process as well. */
  get mayRunHere(): boolean {
    return this.job.orHere !== undefined && !this.isSuspect;
  }

  /** Calls it in this process. */
  runHere(): void {
    const { orHere } = this.job;
    this.succeed(new Promise((resolve) => resolve(orHere?.())));
  }

  /** It goes back to those that wait. */
  waitAgain(): void {
    if (!this.hasBegun) return;
    this.hasBegun = false;
    this.job.onWait();
  }

  /** The message that gives it to a hand. Throws when there is no such text: it would be too long. */
  message(epoch: number): string {
    const { use, args, context } = this.job;
    const errors = args.flatMap((arg, place) => (arg instanceof Error ? [place] : []));
    const plain = errors.length === 0 ? args : args.map((arg) => (arg instanceof Error ? errorMessage(arg) : arg));
    return JSON.stringify({ t: 'job', id: this.id, epoch, use, args: plain, ...(errors.length > 0 && { errors }), context });
  }

  private settle(): boolean {
    if (this.isSettled) return false;
    this.isSettled = true;
    this.signal.removeEventListener('abort', this.onAbort);
    return true;
  }
}
