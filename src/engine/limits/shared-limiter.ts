import { type LimiterPatch, type LimiterSettings, type LimiterView, MAX_HOLD_SECONDS } from '../../schemas/limiter.ts';
import { PermanentError, SluiceError } from '../contract/errors.ts';
import type { Expression, ExpressionLanguage, Logger, Ports } from '../ports.ts';
import type { DueQueue } from '../time/due-queue.ts';
import { cutText } from '../values/cut-text.ts';
import { sizeWithin } from '../values/json-size.ts';
import type { Claim, SharedGate, SharedPass, SharedWait } from './gate.ts';
import { type BucketRules, type BucketWaiter, LimiterBucket } from './limiter-bucket.ts';

/** The key or weight of a limiter cannot be told of this item; it could not be another time. */
class LimiterKeyError extends PermanentError {
  override name = 'LimiterKey';
}

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

type Environment = Pick<Ports, 'clock' | 'random' | 'logger'> & {
  dues: DueQueue;
  expressions: ExpressionLanguage | undefined;
  /** How many keys are told apart at once. */
  maxKeys?: number | undefined;
};

/** A named limit that tasks of any stage and pipeline share, for each key on its own; see {@link LimiterBucket}. */
export class SharedLimiter implements SharedGate {
  readonly name: string;
  readonly rules: BucketRules & { limits: LimiterSettings };
  private settings: LimiterSettings;
  private readonly logger: Logger;
  private readonly key: Expression | null;
  private readonly weight: Expression | null;
  private readonly buckets = new Map<string, LimiterBucket>();
  private readonly maxKeys: number;
  private sweepAt: number;
  private sweptAt = Number.NEGATIVE_INFINITY;

  /** Throws `invalid-params` when an expression is none. */
  constructor(name: string, settings: LimiterSettings, environment: Environment) {
    const { clock, random, logger, dues, expressions, maxKeys = MAX_KEYS } = environment;
    this.name = name;
    this.maxKeys = maxKeys;
    this.sweepAt = Math.min(maxKeys, SWEEP_AT_LEAST);
    this.logger = logger;
    this.settings = settings;
    this.rules = { limits: settings, clock, random, dues };
    this.key = compiled('key', settings.key, expressions);
    this.weight = compiled('weight', settings.weight, expressions);
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

  /** Takes effect at once, for those who wait too. Throws `invalid-input` when nothing would be limited any more. */
  change({ heldUntil, ...patch }: LimiterPatch): void {
    const next = { ...this.settings, ...setBy(patch) };
    const fault = faultOf(next);
    if (fault !== undefined) throw new SluiceError('invalid-input', `/ ${fault}`, { errors: [{ path: '', message: fault }] });
    this.settings = present(next);
    (this.rules as { limits: LimiterSettings }).limits = this.settings;
    for (const bucket of this.buckets.values()) {
      if (heldUntil === null) bucket.lift();
      else bucket.shorten(this.maxHoldSeconds);
    }
  }

  view(instant: (monotonic: number) => string): LimiterView {
    const now = this.rules.clock.monotonic();
    const held = (until: number): string | null => (until > now ? instant(until) : null);
    const all = [...this.buckets].map(([key, { inUse, waiters, heldUntil }]) => ({ key, inUse, waiting: waiters, heldUntil }));
    const busy = all.filter((row) => row.inUse > 0 || row.waiting > 0 || row.heldUntil > now);
    busy.sort((a, b) => b.waiting - a.waiting || b.inUse - a.inUse);
    return {
      name: this.name,
      inUse: all.reduce((sum, { inUse }) => sum + inUse, 0),
      waiting: all.reduce((sum, { waiting }) => sum + waiting, 0),
      heldUntil: held(all.reduce((latest, { heldUntil }) => Math.max(latest, heldUntil), Number.NEGATIVE_INFINITY)),
      settings: { ...this.settings, maxHoldSeconds: this.maxHoldSeconds, onRetryAfter: this.settings.onRetryAfter ?? 'hold' },
      keys: this.key === null ? [] : busy.slice(0, KEYS_SHOWN).map((row) => ({ ...row, heldUntil: held(row.heldUntil) })),
    };
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
    const bucket = new LimiterBucket(this.rules);
    this.buckets.set(key, bucket);
    return bucket;
  }

  private sweep(): void {
    const now = this.rules.clock.monotonic();
    if (this.buckets.size >= this.maxKeys && now < this.sweptAt + SWEEP_MS) return;
    this.sweptAt = now;
    for (const [key, bucket] of this.buckets) if (bucket.isIdle(now)) this.buckets.delete(key);
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
