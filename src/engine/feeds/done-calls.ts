import type { DoneFeed } from '../../schemas/feed.ts';
import { describeThrown, TaskTimeoutError } from '../contract/errors.ts';
import type { HookInfo } from '../contract/task.ts';
import { CallEnd } from '../definition/calls.ts';
import type { Core } from '../flow/core.ts';
import type { Feed } from '../model/feed.ts';

/** How many calls of the hook are waited for at the same time, in one pipeline. */
const CALLS_AT_ONCE = 16;

/**
 * Calls the hook `onDone` of a pipeline for feeds that are done.
 *
 *     told ──stored──▶ ready ──one of 16──▶ called ──returned, thrown, or `hookTimeoutSeconds` over──▶ no longer owed
 *                        └──the feed has gone on meanwhile──▶ no longer owed: it is told when it is done again
 *
 * That a call is owed is stored with the end of the last item, and that it is not any more, afterwards: a start calls it again for whatever feed
 * the store has in between. Whatever the hook does, the feed stays as it is.
 *
 * A hook that ends the process would end each start, too. So a start notes each of its calls in the store before it makes it, makes one that an
 * earlier start has noted apart from all others, and gives it up before an item that ran beside it can be blamed for the crashes.
 */
export class DoneCalls {
  private readonly core: Core;
  private readonly viewOf: (feed: Feed) => DoneFeed;
  private readonly waiting = new Set<Feed>();
  private readonly ready = new Set<Feed>();
  private readonly running = new Set<Feed>();
  /** Feeds whose call the process before may have begun. */
  private readonly again = new Set<Feed>();
  /** How many starts call it for one feed. */
  private readonly mostAgain: number;
  private isApart = false;
  private idle: (() => void)[] = [];
  private isHeld: boolean;
  private isStoring = false;
  private isStopped = false;

  /** `isHeld`: nothing is called before {@link DoneCalls.begin}. `maxDeliveries`: in so many crashes an item runs until it is blamed for them. */
  constructor(core: Core, viewOf: (feed: Feed) => DoneFeed, { isHeld, maxDeliveries }: { isHeld: boolean; maxDeliveries: number }) {
    this.core = core;
    this.viewOf = viewOf;
    this.isHeld = isHeld;
    this.mostAgain = Math.max(1, maxDeliveries - 2);
  }

  /** Has the hook called for a feed that is done, once the store has its end. Idempotent until then. */
  add(feed: Feed): void {
    if (this.isStopped) return;
    this.waiting.add(feed);
    if (!this.isHeld) void this.store();
  }

  /** The same for a feed whose call the process before has left. */
  addAgain(feed: Feed): void {
    this.again.add(feed);
    this.add(feed);
  }

  /** Idempotent. */
  begin(): void {
    this.isHeld = false;
    void this.store();
  }

  /** Calls nothing any more: the process ends, or the pipeline is gone. What is owed by now, a store knows. */
  stop(): void {
    this.isStopped = true;
    this.waiting.clear();
    this.ready.clear();
    this.whenIdle();
  }

  /** Resolves when no call is owed; at once while nothing is called, or the store cannot be written. */
  ended(): Promise<void> {
    if (this.isHeld || this.isIdle || this.core.keeper.trouble !== null) return Promise.resolve();
    return new Promise((resolve) => this.idle.push(resolve));
  }

  private get isIdle(): boolean {
    return this.isStopped || this.waiting.size + this.ready.size + this.running.size === 0;
  }

  private whenIdle(): void {
    if (!this.isIdle) return;
    const { idle } = this;
    this.idle = [];
    for (const resolve of idle) resolve();
  }

  private async store(): Promise<void> {
    if (this.isStoring) return;
    this.isStoring = true;
    while (this.waiting.size > 0) {
      const told = [...this.waiting];
      const isStored = await (this.core.keeper.settledAtLast()?.isStored ?? true);
      // Nothing will be stored any more: the process ends.
      if (!isStored) this.stop();
      if (this.isStopped) break;
      for (const feed of told) {
        this.waiting.delete(feed);
        this.ready.add(feed);
      }
      this.next();
    }
    this.isStoring = false;
  }

  private next(): void {
    for (const feed of this.ready) {
      const isSuspect = feed.calledAgain > 0 && this.again.has(feed);
      if (this.isApart || this.running.size >= (isSuspect ? 1 : CALLS_AT_ONCE)) break;
      if (this.running.has(feed)) continue;
      this.ready.delete(feed);
      this.running.add(feed);
      this.isApart = isSuspect;
      if (this.again.delete(feed)) void this.callNoted(feed);
      else this.call(feed);
    }
    this.whenIdle();
  }

  private async callNoted(feed: Feed): Promise<void> {
    const { id: pipeline, keeper, options } = this.core;
    if (feed.calledAgain >= this.mostAgain) {
      const message = 'the hook onDone has not returned in several processes that ended; it is not called for this feed any more';
      options.ports.logger.error({ pipeline, feed: feed.id, starts: feed.calledAgain }, message);
      this.over(feed);
      return;
    }
    feed.calledAgain++;
    keeper.touchFeed(feed);
    const isStored = await (keeper.settledAtLast()?.isStored ?? true);
    if (isStored && !this.isStopped) this.call(feed);
  }

  private call(feed: Feed): void {
    const { id: pipeline, time, dues, options } = this.core;
    const { logger, secrets, tracer } = options.ports;
    const hook = options.onDone;
    if (!feed.isOver || hook === undefined) {
      feed.isTold = feed.isOver;
      this.over(feed);
      return;
    }
    let hasEnded = false;
    const end = (fault?: { error: unknown }): void => {
      if (hasEnded) return;
      hasEnded = true;
      dues.cancel(limit);
      if (fault === undefined) span?.end({ kind: 'advance' });
      else {
        const error = describeThrown(fault.error, secrets.mask);
        span?.end({ kind: 'fail', error });
        logger.warn({ pipeline, feed: feed.id, error }, 'the hook onDone threw; the feed is not affected');
      }
      this.over(feed);
    };
    const most = options.hookTimeoutSeconds;
    const callEnd = new CallEnd();
    const limit = dues.add(time.tick() + most * 1000, () => {
      const error = new TaskTimeoutError(`took longer than ${most} s`);
      callEnd.end(error);
      end({ error });
    });
    const told = this.viewOf(feed);
    const value = { ...told };
    const sentBy = feed.traces?.all ?? [];
    const span = tracer?.done({ pipeline, feedId: feed.id, items: feed.accepted }, sentBy) ?? null;
    const trace = span?.context ?? sentBy.at(-1) ?? null;
    const hooked = async (): Promise<unknown> => hook.call(feed.id, told, infoOf(feed), { pipeline, logger, value, trace, end: callEnd });
    const called = (): Promise<unknown> => (span === null ? hooked() : span.within(hooked));
    called().then(
      () => end(),
      (error: unknown) => end({ error }),
    );
    time.isStale = true;
  }

  /** The call is over; another one is owed if the feed was done again meanwhile. */
  private over(feed: Feed): void {
    this.running.delete(feed);
    this.isApart = false;
    feed.calledAgain = 0;
    feed.isOwed = this.waiting.has(feed) || this.ready.has(feed);
    this.core.keeper.touchFeed(feed);
    // Not at once: those that are left out may be many.
    queueMicrotask(() => {
      if (!this.isStopped) this.next();
    });
  }
}

/** The details that hooks of stages get of their item: a feed has no stage, no number and no attempts. */
function infoOf(feed: Feed): HookInfo {
  return { sequenceId: 0, feedId: feed.id, stage: '', attempts: 0, metadata: {} };
}
