import PQueue from 'p-queue';
import type { Clock } from '../ports.ts';
import { EarlierStarts } from './earlier-starts.ts';
import type { Blockage, Claim, Gate, KeptStarts, Limit, Passed, Release } from './gate.ts';
import { WindowSlices } from './kept.ts';

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
  /** The starts in the window for a store, and whether one has come since it was asked. */
  private readonly slices = new WindowSlices();
  hasNewStarts = false;
  private readonly earlier = new EarlierStarts();
  /** Until when the starts of an earlier process leave no room. */
  private closedUntil: number | null = null;
  private timer: unknown;

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
          if (this.waiting.size === 0) this.disarm();
          reject(error);
        });
      };
      this.waiting.add(waiter);
      this.arm();
      waiter.enqueue();
    });
  }

  blockedBy(): Blockage | null {
    if (this.closedUntil !== null) return { reason: 'rate-limit', until: this.closedUntil };
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
    this.count();
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

  keptStarts(lasting: (monotonic: number) => number): KeptStarts {
    const { rate } = this.limit;
    this.hasNewStarts = false;
    if (rate === undefined) return [];
    const within = this.slices.within(rate.perSeconds * 1000, this.clock.monotonic());
    return within.map(([at, count]) => [Math.ceil(lasting(at)), count]);
  }

  restore(starts: KeptStarts): void {
    const { rate } = this.limit;
    if (rate !== undefined) for (const [at, count] of starts) this.slices.add(at, count, rate.perSeconds * 1000);
    this.earlier.add(starts);
    this.count();
    this.leaveRoom();
  }

  /** Finds out until when the starts of an earlier process leave no room. */
  private count(): void {
    const { rate } = this.limit;
    this.disarm();
    if (this.earlier.isOver) return;
    this.closedUntil = rate === undefined ? null : this.earlier.opensAt(rate, this.starts, this.clock.monotonic());
    this.arm();
  }

  /** Has those who wait go on when there is room. */
  private arm(): void {
    if (this.closedUntil === null || this.timer !== undefined || this.waiting.size === 0) return;
    const ms = Math.max(0, this.closedUntil - this.clock.monotonic());
    this.timer = this.clock.setTimer(() => {
      this.timer = undefined;
      this.count();
      this.leaveRoom();
    }, ms);
  }

  private disarm(): void {
    this.clock.clearTimer(this.timer);
    this.timer = undefined;
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
    if (room < 1 || this.closedUntil !== null) {
      this.queue.pause();
      return;
    }
    this.queue.concurrency = room;
    // What it has started by then may have used up what the starts of an earlier process leave.
    if (this.closedUntil === null) this.queue.start();
  }

  private noteStart(): void {
    const rate = this.limit.rate;
    if (rate === undefined) return;
    const now = this.clock.monotonic();
    this.starts.push(now);
    while (this.starts.length > rate.limit) this.starts.shift();
    this.slices.add(now, 1, rate.perSeconds * 1000);
    this.hasNewStarts = true;
    if (this.earlier.isOver) return;
    this.count();
    if (this.closedUntil !== null) this.queue.pause();
  }
}
