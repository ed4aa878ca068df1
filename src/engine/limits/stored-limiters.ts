import type { Logger } from '../ports.ts';
import type { Kept, LimiterKeeper } from './kept.ts';
import type { StoredBucket } from './limiter-bucket.ts';
import { KEPT, type SharedLimiter, type StoredSettings } from './shared-limiter.ts';

/** No window and no hold of a limiter that nothing defines is kept for longer, in milliseconds: no window is longer than a day. */
const LONGEST_MS = 86_400_000;

interface StoredLimiter {
  settings?: StoredSettings;
  buckets: [key: string, bucket: StoredBucket][];
}

/** What the process before has left of limiters, for those that are defined, now or later. */
export class StoredLimiters {
  private readonly left = new Map<string, StoredLimiter>();
  private readonly monotonic: (lasting: number) => number;
  private readonly logger: Logger;

  /**
   * `facts`: JSON by name, see {@link KEPT}. `monotonic` says which instant one in the store is now, `now` is the monotonic clock. What nobody can need any more is
   * given to the keeper to be removed.
   */
  constructor(
    facts: Readonly<Record<string, string>>,
    { monotonic, now, logger, keeper }: { monotonic: (lasting: number) => number; now: number; logger: Logger; keeper: LimiterKeeper },
  ) {
    this.monotonic = monotonic;
    this.logger = logger;
    for (const [fact, json] of Object.entries(facts)) {
      const [name = '', ...key] = fact.slice(KEPT.length).split(' ');
      const of: StoredLimiter = this.left.get(name) ?? { buckets: [] };
      if (key.length === 0) of.settings = JSON.parse(json);
      else {
        const bucket: StoredBucket = JSON.parse(json);
        const newest = Math.max(bucket.heldUntil ?? 0, ...(bucket.starts ?? []).map(([at]) => at));
        if (monotonic(newest) + LONGEST_MS > now) of.buckets.push([JSON.parse(key.join(' ')), bucket]);
        else keeper.touch(gone(fact));
      }
      this.left.set(name, of);
    }
  }

  restore(limiter: SharedLimiter): void {
    const { name } = limiter;
    const found = this.left.get(name);
    if (found === undefined) return;
    this.left.delete(name);
    if (found.settings !== undefined && !limiter.restoreSettings(found.settings)) {
      this.logger.info({ limiter: name }, 'the limiter has another definition than when it was changed; the change is over');
    }
    for (const [key, bucket] of found.buckets) limiter.restore(key, bucket, this.monotonic);
  }
}

function gone(keptAs: string): Kept {
  return { keptAs, kept: () => null };
}
