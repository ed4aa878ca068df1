import type { DoneFeed } from '../../schemas/feed.ts';
import { describeThrown, TaskTimeoutError } from '../contract/errors.ts';
import type { HookInfo } from '../contract/task.ts';
import type { DoneHook } from '../definition/stage-spec.ts';
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
 */
export class DoneCalls {
  private readonly core: Core;
  private readonly viewOf: (feed: Feed) => DoneFeed;
  private readonly waiting = new Set<Feed>();
  private readonly ready = new Set<Feed>();
  private readonly running = new Set<Feed>();
  private idle: (() => void)[] = [];
  private isHeld: boolean;
  private isStoring = false;
  private isStopped = false;

  /** `isHeld`: nothing is called before {@link DoneCalls.begin}. */
  constructor(core: Core, viewOf: (feed: Feed) => DoneFeed, isHeld: boolean) {
    this.core = core;
    this.viewOf = viewOf;
    this.isHeld = isHeld;
  }

  /** Has the hook called for a feed that is done, once the store has its end. Idempotent until then. */
  add(feed: Feed): void {
    if (this.isStopped) return;
    this.waiting.add(feed);
    if (!this.isHeld) void this.store();
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
      if (this.running.size >= CALLS_AT_ONCE) break;
      if (this.running.has(feed)) continue;
      this.ready.delete(feed);
      const { onDone } = this.core.options;
      if (feed.isOver && onDone !== undefined) this.call(feed, onDone);
      else {
        feed.isTold = feed.isOver;
        this.settle(feed);
      }
    }
    this.whenIdle();
  }

  private call(feed: Feed, hook: DoneHook): void {
    const { id: pipeline, time, dues, options } = this.core;
    const { logger, secrets } = options.ports;
    this.running.add(feed);
    const end = (fault?: { error: unknown }): void => {
      if (!this.running.delete(feed)) return;
      dues.cancel(limit);
      if (fault !== undefined) {
        const error = describeThrown(fault.error, secrets.mask);
        logger.warn({ pipeline, feed: feed.id, error }, 'the hook onDone threw; the feed is not affected');
      }
      this.settle(feed);
      if (!this.isStopped) this.next();
    };
    const most = options.hookTimeoutSeconds;
    const limit = dues.add(time.tick() + most * 1000, () => end({ error: new TaskTimeoutError(`took longer than ${most} s`) }));
    const told = this.viewOf(feed);
    const value = { ...told };
    const called = async (): Promise<unknown> => hook.call(feed.id, told, infoOf(feed), { pipeline, logger, value });
    called().then(
      () => end(),
      (error: unknown) => end({ error }),
    );
    time.isStale = true;
  }

  /** The call is over, unless the feed was done again meanwhile. */
  private settle(feed: Feed): void {
    if (this.waiting.has(feed) || this.ready.has(feed)) return;
    feed.isOwed = false;
    this.core.keeper.touchFeed(feed);
  }
}

/** What a hook of a stage is told of its item: a feed has no stage, no number and no attempts. */
function infoOf(feed: Feed): HookInfo {
  return { sequenceId: 0, feedId: feed.id, stage: '', attempts: 0, metadata: {} };
}
