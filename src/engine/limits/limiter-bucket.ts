import type { LimiterSettings } from '../../schemas/limiter.ts';
import type { Clock } from '../ports.ts';
import { PriorityQueue } from '../queues/priority-queue.ts';
import type { Due, DueQueue } from '../time/due-queue.ts';
import type { Blockage } from './gate.ts';
import { type Kept, type LimiterKeeper, WindowSlices } from './kept.ts';

/** The limits of a bucket, and what it needs to apply them. */
export interface BucketRules {
  readonly limits: Pick<LimiterSettings, 'concurrency' | 'limit' | 'perSeconds'>;
  readonly clock: Clock;
  readonly dues: DueQueue;
  readonly random: () => number;
  /** null: nothing is kept. */
  readonly keeper: LimiterKeeper | null;
}

/** The kept state of a bucket; its instants are on the scale of the store. */
export interface StoredBucket {
  heldUntil?: number;
  /** Instant of the last start, and weight of all, of each slice of the window. */
  starts?: [at: number, weight: number][];
}

/** Somebody who waits for a place. */
export interface BucketWaiter {
  readonly weight: number;
  /** It begins when it is let go; else it waits for something else first. */
  readonly isLast: boolean;
  go(start: Start): void;
  /** Set when it was let go or gave up. */
  isOver: boolean;
}

/** One execution in the window. `at`: when it began; null while it waits for something else, with its place taken. */
export interface Start {
  at: number | null;
  readonly weight: number;
}

/** After a hold, those who waited are let go over this share of it, within these bounds in seconds. */
const RAMP_SHARE = 0.1;
const RAMP_MIN_SECONDS = 0.1;
const RAMP_MAX_SECONDS = 5;
/** Sums of fractions are not exact; a hundred weights of 0.01 do fit into 1. */
const ROUNDING = 1e-9;

/**
 * The limits of one key: at most `concurrency` at a time, at most `limit` of weight in any window of `perSeconds`, nobody while it is held.
 *
 *     open ──hold(seconds)──▶ held ──time is up──▶ ramp: those who waited go one by one, a random while between them ──▶ open
 *      ▲                       │                    │
 *      └────────lift()─────────┴────────────────────┘
 *
 * A weight above the limit goes when the window is empty: it could never fit, and it is the operator's limit, not the caller's fault.
 */
export class LimiterBucket implements Kept {
  readonly keptAs: string;
  inUse = 0;
  heldUntil = Number.NEGATIVE_INFINITY;
  /** The end of a hold that the log was told last. */
  toldUntil = Number.NEGATIVE_INFINITY;
  private readonly rules: BucketRules;
  private readonly waiting = new PriorityQueue<BucketWaiter>((waiter) => waiter.isOver);
  /** The starts in the last window, oldest first. */
  private starts: (Start & { at: number })[] = [];
  private used = 0;
  /** The same for a store, in less detail. */
  private readonly slices = new WindowSlices();
  /** How many are let go and have not begun, and their weight. */
  private heldBack = 0;
  private heldBackWeight = 0;
  private due: Due | null = null;
  /** While it is held: over how many milliseconds those who wait will be let go, and how many more are expected. */
  private rampMs = 0;
  private returning = 0;
  /** How many are let go one by one after a hold, and how far apart in milliseconds on average. */
  private ramp = 0;
  private rampGapMs = 0;
  private notBefore = Number.NEGATIVE_INFINITY;

  /** `keptAs`: its name in a store. */
  constructor(rules: BucketRules, keptAs: string) {
    this.rules = rules;
    this.keptAs = keptAs;
  }

  /** How much of the limit the starts in the window have used. */
  usedAt(now: number): number {
    this.expire(now);
    return this.used;
  }

  /** When the next one may begin, if only time stands in the way (monotonic milliseconds); null if it may now, or waits for somebody else. */
  nextAt(now: number): number | null {
    const next = this.waiting.peek()?.weight ?? Math.min(1, this.rules.limits.limit ?? 1);
    const at = this.opensAt(next, now);
    return at !== null && at > now && at !== Number.POSITIVE_INFINITY ? at : null;
  }

  kept(lasting: (monotonic: number) => number): string | null {
    const now = this.rules.clock.monotonic();
    const starts = this.slices.within(this.windowMs, now).map(([at, weight]): [number, number] => [Math.ceil(lasting(at)), weight]);
    const stored: StoredBucket = {
      ...(this.heldUntil > now && { heldUntil: Math.ceil(lasting(this.heldUntil)) }),
      ...(starts.length > 0 && { starts }),
    };
    return Object.keys(stored).length === 0 ? null : JSON.stringify(stored);
  }

  /** Goes on from what a store has kept, before anybody has come. A hold is bounded by `maxHoldSeconds`. */
  restore({ heldUntil, starts = [] }: StoredBucket, monotonic: (lasting: number) => number, maxHoldSeconds: number): void {
    const now = this.rules.clock.monotonic();
    if (this.rules.limits.limit !== undefined) {
      for (const [stored, weight] of starts) {
        // Nobody has begun in the future, whatever the clocks say.
        const at = Math.min(monotonic(stored), now);
        if (at + this.windowMs > now) this.begun({ at, weight });
      }
    }
    const left = heldUntil === undefined ? 0 : (monotonic(heldUntil) - now) / 1000;
    if (left > 0) this.hold(Math.min(left, maxHoldSeconds));
    // What is over goes, and the rest is from now on as this process tells the time.
    this.rules.keeper?.touch(this);
  }

  get waiters(): number {
    return this.waiting.size;
  }

  /** Whether it holds nothing that a new one would not have. */
  isIdle(now: number): boolean {
    this.expire(now);
    return this.inUse === 0 && this.heldBack === 0 && this.waiting.size === 0 && this.starts.length === 0 && this.heldUntil <= now;
  }

  wait(waiter: BucketWaiter, priority: number): void {
    this.waiting.push(priority, waiter);
    this.letGo();
  }

  /** The waiter has given up; it has marked itself. */
  left(): void {
    this.waiting.removed();
    this.letGo();
  }

  ended(start: Start): void {
    this.inUse--;
    // It has given up what else it waited for.
    if (start.at === null) this.settle(start);
    this.letGo();
  }

  /** The execution that was let go begins only now: another limit held it up. Idempotent. */
  begins(start: Start): void {
    if (start.at !== null) return;
    this.settle(start);
    this.count(start, this.rules.clock.monotonic());
    this.letGo();
  }

  /** It is held back no longer. */
  private settle({ weight }: Start): void {
    this.heldBack--;
    this.heldBackWeight = this.heldBack === 0 ? 0 : this.heldBackWeight - weight;
  }

  private count(start: Start, now: number): void {
    start.at = now;
    if (this.rules.limits.limit === undefined) return;
    this.begun(start as Start & { at: number });
  }

  private begun(start: Start & { at: number }): void {
    this.starts.push(start);
    this.used += start.weight;
    if (this.rules.keeper === null) return;
    this.slices.add(start.at, start.weight, this.windowMs);
    this.rules.keeper.touch(this);
  }

  /** Lets nobody go for so long; a hold that ends sooner than one that holds already changes nothing. */
  hold(seconds: number): void {
    const { clock } = this.rules;
    const until = clock.monotonic() + seconds * 1000;
    if (until <= this.heldUntil) return;
    this.heldUntil = until;
    this.rampMs = 1000 * Math.min(RAMP_MAX_SECONDS, Math.max(RAMP_MIN_SECONDS, seconds * RAMP_SHARE));
    // Whoever fails with it comes back at the same instant.
    this.returning = this.inUse;
    this.rules.keeper?.touch(this);
    this.letGo();
  }

  /** Ends a hold, and what is left of a ramp: whoever waits goes on now, as far as the limits let him. */
  lift(): void {
    if (this.heldUntil > this.rules.clock.monotonic()) this.rules.keeper?.touch(this);
    this.heldUntil = Number.NEGATIVE_INFINITY;
    this.toldUntil = Number.NEGATIVE_INFINITY;
    this.rampMs = 0;
    this.ramp = 0;
    this.letGo();
  }

  /** No hold lasts longer than so many seconds from now. */
  shorten(seconds: number): void {
    const latest = this.rules.clock.monotonic() + seconds * 1000;
    if (this.heldUntil > latest) {
      this.heldUntil = latest;
      this.toldUntil = Math.min(this.toldUntil, latest);
      this.rules.keeper?.touch(this);
    }
    this.letGo();
  }

  /** The limits have changed. */
  letGo(): void {
    for (;;) {
      const next = this.waiting.peek();
      if (next === undefined) break;
      const now = this.rules.clock.monotonic();
      if (this.rampMs > 0 && now >= this.heldUntil) this.beginRamp(now);
      const at = this.opensAt(next.weight, now);
      if (at === null || at === Number.POSITIVE_INFINITY) break;
      if (at > now) {
        this.arm(at);
        return;
      }
      this.waiting.shift();
      this.begin(next, now);
    }
    this.disarm();
  }

  /** Why a newcomer would wait, and until when (monotonic milliseconds) as far as that is known. */
  blockedBy(): Blockage | null {
    const now = this.rules.clock.monotonic();
    const at = this.opensAt(this.waiting.peek()?.weight ?? 0, now);
    if (at === null) return { reason: 'task-limit' };
    if (at === Number.POSITIVE_INFINITY) return { reason: 'rate-limit' };
    return at > now || this.waiting.size > 0 ? { reason: 'rate-limit', until: at } : null;
  }

  private beginRamp(now: number): void {
    this.ramp = Math.max(this.waiting.size, this.returning);
    this.rampGapMs = this.rampMs / this.ramp;
    this.notBefore = now + this.rules.random() * this.rampGapMs;
    this.rampMs = 0;
  }

  private begin(waiter: BucketWaiter, now: number): void {
    const start: Start = { at: null, weight: waiter.weight };
    this.inUse++;
    if (waiter.isLast) this.count(start, now);
    else {
      this.heldBack++;
      this.heldBackWeight += start.weight;
    }
    if (this.ramp > 0) {
      this.ramp--;
      this.notBefore = now + 2 * this.rules.random() * this.rampGapMs;
    }
    waiter.isOver = true;
    waiter.go(start);
  }

  /** When that weight may begin: now or later; null when it waits for somebody to end, infinity when for somebody to begin. */
  private opensAt(weight: number, now: number): number | null {
    const { concurrency, limit, perSeconds } = this.rules.limits;
    const earliest = Math.max(now, this.heldUntil, this.ramp > 0 ? this.notBefore : now);
    if (concurrency !== undefined && this.inUse >= concurrency) return earliest > now && this.heldUntil > now ? this.heldUntil : null;
    if (limit === undefined || perSeconds === undefined) return earliest;
    this.expire(now);
    let rest = this.used + this.heldBackWeight;
    let at = earliest;
    for (const start of this.starts) {
      if (rest + weight <= limit + ROUNDING) break;
      rest -= start.weight;
      at = Math.max(at, start.at + perSeconds * 1000);
    }
    return this.heldBack > 0 && rest + weight > limit + ROUNDING ? Number.POSITIVE_INFINITY : at;
  }

  private get windowMs(): number {
    return (this.rules.limits.perSeconds ?? 0) * 1000;
  }

  private expire(now: number): void {
    const { windowMs } = this;
    let gone = 0;
    for (const start of this.starts) {
      if (start.at + windowMs > now) break;
      this.used -= start.weight;
      gone++;
    }
    if (gone > 0) this.starts.splice(0, gone);
    if (this.starts.length === 0) this.used = 0;
  }

  private arm(at: number): void {
    if (this.due !== null && this.due.place >= 0 && this.due.at === at) return;
    this.disarm();
    this.due = this.rules.dues.add(at, () => {
      this.due = null;
      this.letGo();
    });
  }

  private disarm(): void {
    if (this.due !== null) this.rules.dues.cancel(this.due);
    this.due = null;
  }
}
