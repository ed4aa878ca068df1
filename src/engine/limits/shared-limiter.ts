import { isDeepStrictEqual } from 'node:util';
import { type LimiterPatch, type LimiterSettings, type LimiterView, MAX_HOLD_SECONDS } from '../../schemas/limiter.ts';
import type { Fault } from '../../schemas/problem.ts';
import { PermanentError, SluiceError } from '../contract/errors.ts';
import type { LimiterMeasurements } from '../contract/measurements.ts';
import type { Expression, ExpressionLanguage, Logger, Ports } from '../ports.ts';
import type { DueQueue } from '../time/due-queue.ts';
import { cutText } from '../values/cut-text.ts';
import { sizeWithin } from '../values/json-size.ts';
import type { AllowedRate, Blockage, Claim, SharedGate, SharedPass, SharedWait } from './gate.ts';
import type { Kept, LimiterKeeper } from './kept.ts';
import { type BucketRules, type BucketWaiter, LimiterBucket, type StoredBucket } from './limiter-bucket.ts';

/** The key or weight of a limiter cannot be told of this item; it could not be another time. */
class LimiterKeyError extends PermanentError {
  override name = 'LimiterKey';
}

/** Names of facts about limiters begin so; the limiter's name follows, and for a bucket its key as JSON after another space. */
export const KEPT = 'limiter ';

const KEYS_SHOWN = 100;
/** Buckets that nobody needs are looked for when there are twice as many as after the last look. */
const SWEEP_AT_LEAST = 64;
const KEY_LENGTH_MAX = 1024;
/** Size limit for a key that is not a text and is converted to one. */
const KEY_SIZE_MAX = 1024 * 1024;
/**
 * So many keys are limited each for itself at the same time; keys that come on top of them share one limit, which is stricter, never laxer.
 * Else whoever chooses the keys of his items could fill the memory with them.
 */
const MAX_KEYS = 100_000;
const OTHERS = '(others)';
/** While there are so many, no more often than this it is looked for some that nobody needs. */
const SWEEP_MS = 1000;
/** A hold, or an extension of one, that is longer than this is logged. */
const HOLD_LOGGED_SECONDS = 10;

export interface LimiterEnvironment extends Pick<Ports, 'clock' | 'random' | 'logger'> {
  dues: DueQueue;
  expressions: ExpressionLanguage | undefined;
  /** Absent: nothing is kept. */
  keeper?: LimiterKeeper;
  /** How many keys are told apart at once. */
  maxKeys?: number | undefined;
}

/** The kept settings of a limiter: those in effect, and the definition that they override. */
export interface StoredSettings {
  defined: LimiterSettings;
  settings: LimiterSettings;
}

/** A named limit that tasks of any stage and pipeline share, for each key on its own; see {@link LimiterBucket}. */
export class SharedLimiter implements SharedGate, Kept {
  readonly name: string;
  readonly keptAs: string;
  readonly rules: BucketRules & { limits: LimiterSettings };
  defined: LimiterSettings;
  private settings: LimiterSettings;
  private readonly environment: LimiterEnvironment;
  private readonly logger: Logger;
  private key: Expression | null;
  private weight: Expression | null;
  private readonly buckets = new Map<string, LimiterBucket>();
  private readonly maxKeys: number;
  private sweepAt: number;
  private sweptAt = Number.NEGATIVE_INFINITY;

  /** Throws `invalid-params` when an expression is none. */
  constructor(name: string, settings: LimiterSettings, environment: LimiterEnvironment) {
    const { clock, random, logger, dues, expressions, keeper = null, maxKeys = MAX_KEYS } = environment;
    this.name = name;
    this.keptAs = `${KEPT}${name}`;
    this.environment = environment;
    this.maxKeys = maxKeys;
    this.sweepAt = Math.min(maxKeys, SWEEP_AT_LEAST);
    this.logger = logger;
    this.defined = settings;
    this.settings = settings;
    this.rules = { limits: settings, clock, random, dues, keeper };
    this.key = compiled('key', settings.key, expressions);
    this.weight = compiled('weight', settings.weight, expressions);
  }

  /** From now on it is kept. To be called before anybody has come. */
  keepWith(keeper: LimiterKeeper): void {
    (this.rules as { keeper: LimiterKeeper | null }).keeper = keeper;
  }

  /** Whether it holds nothing that a new one would not have. */
  get isIdle(): boolean {
    const now = this.rules.clock.monotonic();
    return [...this.buckets.values()].every((bucket) => bucket.isIdle(now));
  }

  /** Gives it another definition; what was changed by hand is over. Whoever waits has his key and weight already. Throws `invalid-params`. */
  redefine(settings: LimiterSettings): void {
    const { expressions } = this.environment;
    const [key, weight] = [compiled('key', settings.key, expressions), compiled('weight', settings.weight, expressions)];
    this.key = key;
    this.weight = weight;
    this.defined = settings;
    this.reset();
  }

  /** Returns to the definition. */
  reset(): void {
    this.apply(this.defined);
    for (const bucket of this.buckets.values()) bucket.shorten(this.maxHoldSeconds);
  }

  kept(): string | null {
    const { defined, settings } = this;
    return isDeepStrictEqual(defined, settings) ? null : JSON.stringify({ defined, settings } satisfies StoredSettings);
  }

  /** Takes up what was changed by hand before a restart, unless the definition has changed since. Returns whether it did. */
  restoreSettings({ defined, settings }: StoredSettings): boolean {
    const isSame = isDeepStrictEqual(defined, this.defined);
    this.apply(isSame ? settings : this.defined);
    return isSame;
  }

  /** Takes up what a store has kept of the window and the hold of a key. */
  restore(key: string, stored: StoredBucket, monotonic: (lasting: number) => number): void {
    this.bucketOf(key).restore(stored, monotonic, this.maxHoldSeconds);
  }

  /** Nothing of it is kept any more. */
  forget(): void {
    for (const { keptAs } of [this, ...this.buckets.values()]) this.rules.keeper?.touch({ keptAs, kept: () => null });
  }

  private apply(settings: LimiterSettings): void {
    this.settings = settings;
    (this.rules as { limits: LimiterSettings }).limits = settings;
    this.rules.keeper?.touch(this);
  }

  /** Waits for a place, in the order of priorities. `pass` rejects with the signal's reason when that aborts first. */
  claim(claim: Claim, signal: AbortSignal, isLast: boolean): SharedWait {
    let bucket: LimiterBucket | undefined;
    const pass = (async () => {
      const weight = await this.weightOf(claim);
      const key = await this.keyOf(claim);
      signal.throwIfAborted();
      const own = this.bucketOf(key);
      bucket = own;
      return await placeIn(own, { weight, isLast }, claim.priority, signal, (seconds) => this.hold(own, key, seconds));
    })();
    return { pass, name: this.name, blockedBy: () => bucket?.blockedBy() ?? null };
  }

  fullNow(): (Blockage & { name: string }) | null {
    const full = this.key === null ? this.buckets.get('')?.blockedBy() : null;
    return full == null ? null : { ...full, name: this.name };
  }

  rateNow(): AllowedRate | null {
    const { limit, perSeconds } = this.settings;
    if (limit === undefined || perSeconds === undefined) return null;
    const isTold = this.key === null && this.weight === null;
    return { perSecond: isTold ? limit / perSeconds : null, windowSeconds: perSeconds };
  }

  /** Takes effect at once, for those who wait too. Throws `invalid-input` when nothing would be limited any more. */
  change({ heldUntil, ...patch }: LimiterPatch): void {
    const next = { ...this.settings, ...setBy(patch) };
    const fault = faultOf(next);
    if (fault !== undefined) throw new SluiceError('invalid-input', `/ ${fault}`, { errors: [{ path: '', message: fault }] });
    this.apply(present(next));
    for (const bucket of this.buckets.values()) {
      if (heldUntil === null) bucket.lift();
      else bucket.shorten(this.maxHoldSeconds);
    }
  }

  view(instant: (monotonic: number) => string): Omit<LimiterView, 'waiters'> {
    const now = this.rules.clock.monotonic();
    const isKeyed = this.key !== null;
    const shown = (at: number | null): string | null => (at !== null && at > now ? instant(at) : null);
    const all = [...this.buckets].map(([key, bucket]) => {
      const { inUse, waiters: waiting, heldUntil } = bucket;
      // Of a key that nobody waits for it does not say anything about the others.
      const nextAt = isKeyed && waiting === 0 ? null : bucket.nextAt(now);
      return { key, inUse, waiting, used: bucket.usedAt(now), nextAt, heldUntil };
    });
    const usedOf = (used: number): number | null => (this.settings.limit === undefined ? null : used);
    const row = ({ key, inUse, waiting, used, nextAt, heldUntil }: (typeof all)[number]): LimiterView['keys'][number] => ({
      ...{ key, inUse, waiting, usedInWindow: usedOf(used), nextAt: shown(nextAt), heldUntil: shown(heldUntil) },
    });
    const busy = all.filter(({ inUse, waiting, used, heldUntil }) => inUse > 0 || waiting > 0 || used > 0 || heldUntil > now);
    const next = all.reduce((first, { nextAt }) => Math.min(first, nextAt ?? Number.POSITIVE_INFINITY), Number.POSITIVE_INFINITY);
    return {
      name: this.name,
      inUse: all.reduce((sum, { inUse }) => sum + inUse, 0),
      waiting: all.reduce((sum, { waiting }) => sum + waiting, 0),
      usedInWindow: usedOf(all.reduce((sum, { used }) => sum + used, 0)),
      nextAt: next === Number.POSITIVE_INFINITY ? null : shown(next),
      heldUntil: shown(all.reduce((latest, { heldUntil }) => Math.max(latest, heldUntil), Number.NEGATIVE_INFINITY)),
      settings: { ...this.settings, maxHoldSeconds: this.maxHoldSeconds, onRetryAfter: this.settings.onRetryAfter ?? 'hold' },
      defined: this.defined,
      keys: isKeyed ? firstOf(busy, KEYS_SHOWN, (a, b) => b.waiting - a.waiting || b.inUse - a.inUse || b.used - a.used).map(row) : [],
    };
  }

  measure(): LimiterMeasurements {
    const now = this.rules.clock.monotonic();
    const measured = { limiter: this.name, inUse: 0, waiting: 0, isHeld: false };
    for (const { inUse, waiters, heldUntil } of this.buckets.values()) {
      measured.inUse += inUse;
      measured.waiting += waiters;
      measured.isHeld ||= heldUntil > now;
    }
    return measured;
  }

  private get maxHoldSeconds(): number {
    return this.settings.maxHoldSeconds ?? MAX_HOLD_SECONDS;
  }

  /** A server asks for a pause. How long all others wait for that is bounded: it may have asked for a year. */
  private hold(bucket: LimiterBucket, key: string, askedSeconds: number): void {
    if (this.settings.onRetryAfter === 'item') return;
    const seconds = Math.min(askedSeconds, this.maxHoldSeconds);
    bucket.hold(seconds);
    // Those who ran beside it are told the same moments later; that is no other hold.
    if (seconds <= HOLD_LOGGED_SECONDS || bucket.heldUntil - bucket.toldUntil <= HOLD_LOGGED_SECONDS * 1000) return;
    bucket.toldUntil = bucket.heldUntil;
    const fields = { limiter: this.name, ...(this.key !== null && { key }), seconds, askedSeconds };
    this.logger.warn(fields, 'a server asks for a pause: the limiter is held');
  }

  private bucketOf(key: string): LimiterBucket {
    const known = this.buckets.get(key);
    if (known !== undefined) return known;
    if (this.buckets.size >= this.sweepAt) this.sweep();
    if (this.buckets.size >= this.maxKeys && key !== OTHERS) return this.bucketOf(OTHERS);
    const bucket = new LimiterBucket(this.rules, `${this.keptAs} ${JSON.stringify(key)}`);
    this.buckets.set(key, bucket);
    return bucket;
  }

  private sweep(): void {
    const now = this.rules.clock.monotonic();
    if (this.buckets.size >= this.maxKeys && now < this.sweptAt + SWEEP_MS) return;
    this.sweptAt = now;
    for (const [key, bucket] of this.buckets) {
      if (!bucket.isIdle(now)) continue;
      this.buckets.delete(key);
      if (bucket.wasKept) this.rules.keeper?.touch(bucket);
    }
    this.sweepAt = Math.min(this.maxKeys, Math.max(SWEEP_AT_LEAST, 2 * this.buckets.size));
  }

  /** The key of a claim. Claims for which the expression finds nothing share one limit. */
  private async keyOf(claim: Claim): Promise<string> {
    if (this.key === null) return '';
    const found = await this.evaluate('key', this.key, claim);
    if (typeof found !== 'string' && sizeWithin(found, KEY_SIZE_MAX) > KEY_SIZE_MAX) {
      throw new LimiterKeyError(`the key of "${this.name}" is larger than ${KEY_SIZE_MAX} characters`);
    }
    const text = typeof found === 'string' ? found : JSON.stringify(found ?? null);
    return cutText(text, KEY_LENGTH_MAX);
  }

  private async weightOf(claim: Claim): Promise<number> {
    if (this.weight === null) return 1;
    const found = (await this.evaluate('weight', this.weight, claim)) ?? 1;
    if (typeof found === 'number' && Number.isFinite(found) && found >= 0) return found;
    throw new LimiterKeyError(`the weight of "${this.name}" must be a number of 0 or more, not ${JSON.stringify(found)}`);
  }

  private async evaluate(which: 'key' | 'weight', expression: Expression, { value, metadata }: Claim): Promise<unknown> {
    const members = typeof value === 'object' && value !== null && !Array.isArray(value) ? value : {};
    try {
      return await expression({ ...members, value, metadata });
    } catch (error) {
      throw new LimiterKeyError(`the ${which} of the limiter "${this.name}" fails: ${(error as Error).message}`);
    }
  }
}

/** The first rows in an order. There may be a hundred thousand, which nobody has time to sort. */
function firstOf<T>(rows: readonly T[], most: number, order: (a: T, b: T) => number): T[] {
  const first: T[] = [];
  for (const row of rows) {
    if (first.length === most && order(row, first[most - 1] as T) >= 0) continue;
    const after = first.findIndex((other) => order(row, other) < 0);
    first.splice(after === -1 ? first.length : after, 0, row);
    if (first.length > most) first.pop();
  }
  return first;
}

function placeIn(
  bucket: LimiterBucket,
  { weight, isLast }: { weight: number; isLast: boolean },
  priority: number,
  signal: AbortSignal,
  hold: SharedPass['hold'],
): Promise<SharedPass> {
  return new Promise((resolve, reject) => {
    const giveUp = (): void => {
      waiter.isOver = true;
      bucket.left();
      reject(signal.reason);
    };
    const waiter: BucketWaiter = {
      weight,
      isLast,
      isOver: false,
      go(start) {
        signal.removeEventListener('abort', giveUp);
        resolve({ begin: () => bucket.begins(start), hold, release: () => bucket.ended(start) });
      },
    };
    signal.addEventListener('abort', giveUp, { once: true });
    bucket.wait(waiter, priority);
  });
}

/** The faults of the expressions in settings. */
export function expressionFaults(
  { key, weight }: { key?: unknown; weight?: unknown },
  expressions: ExpressionLanguage | undefined,
): Fault[] {
  return Object.entries({ key, weight }).flatMap(([which, source]) => {
    if (typeof source !== 'string' || source === '') return [];
    try {
      compiled(which, source, expressions);
      return [];
    } catch (error) {
      return error instanceof SluiceError ? (error.errors ?? []) : [{ path: `/${which}`, message: (error as Error).message }];
    }
  });
}

function compiled(which: string, source: string | undefined, expressions: ExpressionLanguage | undefined): Expression | null {
  if (source === undefined) return null;
  try {
    if (expressions === undefined) throw new Error('no expression language is configured');
    return expressions.compile(source);
  } catch (error) {
    const message = `is not a valid expression: ${(error as Error).message}`;
    throw new SluiceError('invalid-params', `/${which} ${message}`, { errors: [{ path: `/${which}`, message }] });
  }
}

/** The settings that a patch names; `null` sets nothing. */
function setBy(patch: Omit<LimiterPatch, 'heldUntil'>): Undefinable<LimiterSettings> {
  const named = Object.entries(patch).filter(([, value]) => value !== undefined);
  return Object.fromEntries(named.map(([name, value]) => [name, value ?? undefined]));
}

type Undefinable<T> = { [Name in keyof T]: T[Name] | undefined };

function faultOf({ concurrency, limit, perSeconds }: Undefinable<LimiterSettings>): string | undefined {
  if ((limit === undefined) !== (perSeconds === undefined)) return 'needs both "limit" and "perSeconds", or neither';
  return concurrency === undefined && limit === undefined ? 'needs "concurrency", or "limit" and "perSeconds"' : undefined;
}

function present(settings: Undefinable<LimiterSettings>): LimiterSettings {
  return Object.fromEntries(Object.entries(settings).filter(([, value]) => value !== undefined)) as LimiterSettings;
}
