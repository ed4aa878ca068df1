/*
 * Room `feeds`: feeding, and waiting for the items that were fed: receipts, results in feed order, streams of results, answers under an
 * idempotency key.
 *
 * Holds: Waiting is woken, never polls, and may end at any time without leaving a trace. A repeated request gets the answer of the first one.
 * Refuses: to admit an item by itself, and to buffer results without bound: beyond the bound they are looked up again.
 */

import { type DoneFeed, type FeedView, resultsPath } from '../../schemas/feed.ts';
import type { PipelineResult } from '../../schemas/item.ts';
import { callerGone, SluiceError } from '../contract/errors.ts';
import type { FeedsQuery, FeedWaitQuery, FollowQuery } from '../contract/requests.ts';
import type { Page } from '../contract/runtime.ts';
import type { Operations } from '../control/operations.ts';
import type { Core } from '../flow/core.ts';
import { Forecast } from '../flow/forecast.ts';
import type { Feed } from '../model/feed.ts';
import { type Item, Worker } from '../model/model.ts';
import { waitWithin } from '../time/waited.ts';
import { BUFFER_CHARACTERS } from '../values/sizes.ts';
import { Watch } from './watch.ts';

/** The number of items of a feed that are visited before other work gets a turn. */
const STEP = 1000;

/** Shows feeds, and acts on all items of one. Methods that take a feed's id throw `feed-not-found`. */
export class Feeds {
  private readonly core: Core;
  private readonly operations: Operations;

  constructor(core: Core, operations: Operations) {
    this.core = core;
    this.operations = operations;
  }

  view(feedId: string): FeedView {
    const feed = this.core.feeds.get(feedId);
    return this.viewOf(feed, this.inProgress().get(feed) ?? 0, this.forecast());
  }

  /** The view of a feed that is done, for the hook of its pipeline. */
  doneView(feed: Feed): DoneFeed {
    const { id } = this.core;
    return { pipeline: id, ...this.viewOf(feed, 0, this.forecast()), results: resultsPath(id, feed.id) };
  }

  /** The name of the API key that a feed was made with; null without one. */
  makerOf(feedId: string): string | null {
    return this.core.feeds.get(feedId).maker;
  }

  list({ after, limit, maker, order }: FeedsQuery): Page<FeedView> {
    const { feeds: registry } = this.core;
    const feeds =
      order === 'desc'
        ? registry
            .after(0, maker)
            .filter(({ ordinal }) => ordinal < after)
            .reverse()
        : registry.after(after, maker);
    const inProgress = this.inProgress();
    const shown = feeds.slice(0, limit);
    const forecast = this.forecast();
    return {
      rows: shown.map((feed) => this.viewOf(feed, inProgress.get(feed) ?? 0, forecast)),
      next: feeds.length > limit ? (shown.at(-1) as Feed).ordinal : null,
      retired: this.core.feeds.forgotten,
    };
  }

  /**
   * Yields results in feed order, in batches, each result as soon as it and all before it are final; ends when the feed is done. An item that is
   * retried after its result was yielded is not yielded again. Throws `no-longer-kept` at the end when results are missing, the error of {@link Watch.fault} when
   * the pipeline ends before, and `request-timeout` when the caller has disconnected.
   */
  async *follow(feedId: string, { status, after, signal }: FollowQuery): AsyncGenerator<PipelineResult[]> {
    const { core } = this;
    const feed = core.feeds.get(feedId);
    const watch = new Watch(feed, core.followers, signal);
    let at = after;
    let seen = 0;
    try {
      for (;;) {
        const changed = watch.next();
        const isDone = feed.isDone;
        const last = feed.lastSequence ?? 0;
        const rows: PipelineResult[] = [];
        let left = BUFFER_CHARACTERS;
        watch.only = null;
        core.time.tick();
        core.index.retireAged();
        at = core.index.scan(Math.max(at, (feed.firstSequence ?? 1) - 1), last, STEP, 'results', (item) => {
          if (item.feed !== feed) return true;
          if (left <= 0) return false;
          if (!item.isFinal) {
            watch.only = item.sequenceId;
            return false;
          }
          seen++;
          if (status !== 'all' && item.status !== status) return true;
          rows.push(item.toResult());
          left -= item.resultSize;
          return true;
        });
        if (rows.length > 0) yield rows;
        if (signal?.aborted) throw callerGone();
        if (at < last && watch.only === null) await this.turn();
        else if (isDone && watch.only === null) break;
        else if (rows.length === 0) {
          if (watch.fault !== null) throw watch.fault;
          await changed;
        }
      }
    } finally {
      watch.stop();
    }
    const missing = after < (feed.firstSequence ?? 0) ? feed.accepted - seen : 0;
    if (missing > 0) {
      throw new SluiceError('no-longer-kept', `${missing} results of the feed "${feedId}" are no longer kept`, { details: { missing } });
    }
  }

  /**
   * Waits until a feed is done, or the time is up. Throws the error of {@link Watch.fault} when the pipeline ends before, and `request-timeout` when the
   * caller has disconnected.
   */
  async wait(feedId: string, query: FeedWaitQuery): Promise<{ done: boolean; feed: FeedView }> {
    const feed = this.core.feeds.get(feedId);
    const done = await this.until(feed, query);
    return { done, feed: this.view(feedId) };
  }

  /** The same for a known feed: true when it is done, false when the time is up. */
  async until(feed: Feed, { timeoutSeconds, signal }: FeedWaitQuery): Promise<boolean> {
    if (feed.isDone) return true;
    const { core } = this;
    const watch = new Watch(feed, core.followers);
    const done = async (): Promise<void> => {
      for (;;) {
        const changed = watch.next();
        if (feed.isDone) return;
        if (watch.fault !== null) throw watch.fault;
        await changed;
      }
    };
    try {
      const waited = await waitWithin(done(), { timeoutSeconds, signal }, core.time, core.dues);
      if (waited.is === 'gone') throw callerGone();
      return waited.is === 'done';
    } finally {
      watch.stop();
    }
  }

  /**
   * Cancels every unfinished item of a feed; if it is still being sent, it accepts no more. Waiting items go first, so that no worker begins an item
   * that is cancelled next. Returns the number of cancelled items.
   */
  async cancel(feedId: string): Promise<number> {
    const feed = this.core.feeds.get(feedId);
    this.core.admission.cancelFeed(feed);
    const cancel = (item: Item): boolean => !item.isFinal && this.operations.cancelItem(item);
    const waiting = await this.each(feed, (item) => !(item.holder instanceof Worker) && cancel(item));
    return waiting + (await this.each(feed, cancel));
  }

  /** Runs every failed item of a feed again, from the stage where it failed. Returns their number. Throws `draining`. */
  async retry(feedId: string): Promise<number> {
    const feed = this.core.feeds.get(feedId);
    return this.each(feed, (item) => {
      if (item.status !== 'failed') return false;
      this.operations.retry(item.id);
      return true;
    });
  }

  /** Resolves in a later turn of the event loop, so that timers and I/O can run. */
  turn(): Promise<void> {
    return new Promise((resolve) => this.core.time.clock.defer(resolve));
  }

  /** Calls `act` for every kept item of a feed, in feed order, in steps that do not block the event loop. Returns how often it returned true. */
  private async each(feed: Feed, act: (item: Item) => boolean): Promise<number> {
    const { index } = this.core;
    let count = 0;
    for (let at = (feed.firstSequence ?? 1) - 1; ; await this.turn()) {
      const last = feed.lastSequence ?? 0;
      const items: Item[] = [];
      at = index.scan(at, last, STEP, 'none', (item) => {
        if (item.feed === feed) items.push(item);
        return true;
      });
      // An action on one item may end others, or have retention remove them.
      for (const item of items) {
        const current = index.current(item);
        if (current !== undefined && act(current)) count++;
      }
      if (at >= last) return count;
    }
  }

  /** The number of items of each feed that workers have now. */
  private inProgress(): Map<Feed, number> {
    const counts = new Map<Feed, number>();
    for (const stage of this.core.allStages) {
      for (const { item } of stage.workers) if (item !== null) counts.set(item.feed, (counts.get(item.feed) ?? 0) + 1);
    }
    return counts;
  }

  private forecast(): Forecast {
    const { core } = this;
    core.time.tick();
    return new Forecast(core, core.feeds.after(0));
  }

  private viewOf(feed: Feed, inProgress: number, forecast: Forecast): FeedView {
    const { time, meter } = this.core;
    const now = time.tick();
    const { unfinished, isDone } = feed;
    const rate = !isDone && meter.isStaleForFeeds(now) ? 0 : feed.perSecond(meter.feedClock.at(now));
    return {
      feedId: feed.id,
      createdAt: new Date(feed.createdAt).toISOString(),
      total: feed.accepted,
      queued: unfinished - inProgress,
      inProgress,
      completed: feed.completed,
      failed: feed.failed,
      cancelled: feed.cancelled,
      duplicates: feed.duplicates,
      done: isDone,
      uploadComplete: feed.isComplete,
      sending: feed.isOpen,
      throughputPerSecond: rate,
      etaSeconds: forecast.feed(feed),
    };
  }
}
