import PQueue from 'p-queue';
import type { Clock } from '../ports.ts';
import type { Blockage, Claim, Gate, Limit, Passed, Release } from './gate.ts';

/** p-queue stamps starts in whole milliseconds: one more makes the window hold on a finer clock too. */
const STAMP_MS = 1;

/**
 * The limits of one task in one stage, on a p-queue with a strict (sliding) window. Waiting attempts go in by priority.
 * Changing the rate needs a new p-queue; the starts of the old window are carried over, so that no window holds too many.
 */
export class TaskLimiter implements Gate {
  private readonly clock: Clock;
  private limit: Limit;
  private queue: PQueue;
  /** Instants of the newest starts, oldest first; at most `rate.limit` of them. */
  private starts: number[] = [];
  private readonly waiting = new Set<{ enqueue: () => void }>();
  /** Attempts that run: those that `queue` let go, and those that began under another queue or before there was a limit. */
  private taken = 0;
  private elsewhere = 0;

  constructor(limit: Limit, clock: Clock) {
    this.limit = limit;
    this.clock = clock;
    this.queue = this.createQueue(0);
    this.leaveRoom();
  }

  acquire({ priority }: Pick<Claim, 'priority'>, signal: AbortSignal): Promise<Passed> {
    return new Promise<Passed>((resolve, reject) => {
      const waiter = { enqueue: () => undefined as undefined };
      waiter.enqueue = () => {
        const queue = this.queue;
        const take = (): Promise<void> =>
          new Promise((leave) => {
            this.waiting.delete(waiter);
            this.noteStart();
            this.taken++;
            const release = (): void => {
              leave();
              if (queue === this.queue) this.taken--;
              else this.left();
            };
            resolve({ release, hold: null });
          });
        queue.add(take, { priority: -priority, signal }).catch((error: unknown) => {
          if (!this.waiting.has(waiter)) return;
          if (!signal.aborted && queue !== this.queue) {
            waiter.enqueue();
            return;
          }
          this.waiting.delete(waiter);
          reject(error);
        });
      };
      this.waiting.add(waiter);
      waiter.enqueue();
    });
  }

  blockedBy(): Blockage | null {
    if (this.queue.isPaused || this.queue.pending >= this.queue.concurrency) return { reason: 'task-limit' };
    const rate = this.limit.rate;
    const first = this.starts[0];
    if (rate === undefined || first === undefined || this.starts.length < rate.limit) return null;
    const until = first + rate.perSeconds * 1000 + STAMP_MS;
    return until > this.clock.monotonic() || this.queue.size > 0 ? { reason: 'rate-limit', until } : null;
  }

  occupy(): Release {
    this.elsewhere++;
    this.leaveRoom();
    return () => this.left();
  }

  get current(): Limit {
    return this.limit;
  }

  change(limit: Limit): void {
    const before = this.limit;
    this.limit = limit;
    const sameRate = before.rate?.limit === limit.rate?.limit && before.rate?.perSeconds === limit.rate?.perSeconds;
    if (sameRate) {
      this.leaveRoom();
      return;
    }
    const old = this.queue;
    const windowMs = (limit.rate?.perSeconds ?? 0) * 1000;
    const since = this.clock.monotonic() - windowMs;
    const recent = limit.rate === undefined ? 0 : this.starts.filter((at) => at > since).length;
    this.queue = this.createQueue(Math.min(recent, limit.rate?.limit ?? 0));
    this.elsewhere += this.taken;
    this.taken = 0;
    this.leaveRoom();
    old.clear();
  }

  private createQueue(alreadyStarted: number): PQueue {
    const { rate } = this.limit;
    const queue = new PQueue(
      rate === undefined ? {} : { intervalCap: rate.limit, interval: rate.perSeconds * 1000 + STAMP_MS, strict: true },
    );
    for (let i = 0; i < alreadyStarted; i++) void queue.add(() => undefined);
    return queue;
  }

  private left(): void {
    this.elsewhere--;
    this.leaveRoom();
  }

  /** The queue may start as many as the attempts elsewhere leave. */
  private leaveRoom(): void {
    const room = (this.limit.concurrency ?? Number.POSITIVE_INFINITY) - this.elsewhere;
    if (room < 1) {
      this.queue.pause();
      return;
    }
    this.queue.concurrency = room;
    this.queue.start();
  }

  private noteStart(): void {
    const rate = this.limit.rate;
    if (rate === undefined) return;
    this.starts.push(this.clock.monotonic());
    while (this.starts.length > rate.limit) this.starts.shift();
  }
}
