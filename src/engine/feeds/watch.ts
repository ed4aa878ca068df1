import type { PipelineError } from '../contract/errors.ts';
import type { Follower } from '../flow/core.ts';
import type { EndedItem, Feed, FeedWatcher } from '../model/feed.ts';

/** Waits for changes in a feed. MUST be stopped in the end. */
export class Watch implements FeedWatcher, Follower {
  /** Set when the pipeline has ended: no item ends before its next start, if there is one. src/engine/control/endings.ts has the errors. */
  fault: PipelineError | null = null;
  /** The sequence id of the only item whose end counts as a change; null: every item's does. */
  only: number | null = null;
  private readonly feed: Feed;
  private readonly followers: Set<Follower>;
  private readonly signal: AbortSignal | undefined;
  private wake: () => void = () => undefined;

  constructor(feed: Feed, followers: Set<Follower>, signal?: AbortSignal) {
    this.feed = feed;
    this.followers = followers;
    this.signal = signal;
    feed.watch(this);
    followers.add(this);
    signal?.addEventListener('abort', this.onAbort);
  }

  /** Resolves at the next change. To be called before looking, so that no change is missed. */
  next(): Promise<void> {
    return new Promise((resolve) => {
      this.wake = resolve;
    });
  }

  onItem(item: EndedItem): void {
    if (this.only === null || this.only === item.sequenceId) this.wake();
  }

  onClose(): void {
    this.wake();
  }

  cutShort(error: PipelineError): void {
    this.fault = error;
    this.wake();
  }

  stop(): void {
    this.feed.unwatch(this);
    this.followers.delete(this);
    this.signal?.removeEventListener('abort', this.onAbort);
  }

  private readonly onAbort = (): void => this.wake();
}
