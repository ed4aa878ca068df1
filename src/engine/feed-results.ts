import type { PipelineResult } from '../schemas/item.ts';
import type { Follower } from './core.ts';
import type { PipelineError } from './errors.ts';
import type { EndedItem, Feed, FeedWatcher } from './feed.ts';

/**
 * Waits for the items of one feed alone. MUST be made before its first item is accepted, and stopped in the end.
 * It stands among the `followers` of its pipeline, so that a shutdown can tell it that nothing more will come.
 */
export class FeedResults implements FeedWatcher, Follower {
  private rows: PipelineResult[] = [];
  private readonly feed: Feed;
  private readonly followers: Set<Follower>;
  private readonly changed: (() => void) | undefined;
  private wake: (() => void) | null = null;
  /** Set when the pipeline was stopped before every item had ended. */
  fault: PipelineError | null = null;

  /** `changed` is called after each item of the feed that ends, when nothing more comes in, and when it was cut short. */
  constructor(feed: Feed, followers: Set<Follower>, changed?: () => void) {
    this.feed = feed;
    this.followers = followers;
    this.changed = changed;
    followers.add(this);
    feed.watch(this);
  }

  onItem(item: EndedItem): void {
    this.rows.push(item.toResult());
    this.onClose();
  }

  onClose(): void {
    this.changed?.();
    if (this.feed.isDone) this.wake?.();
  }

  /** How many results {@link FeedResults.take} would give. */
  get size(): number {
    return this.rows.length;
  }

  /** The pipeline has stopped: its items end after the next start, if ever. */
  cutShort(error: PipelineError): void {
    if (this.feed.isDone) return;
    this.fault = error;
    this.changed?.();
    this.wake?.();
  }

  /** All results in feed order, when every item has ended. The feed MUST be closed before. Rejects when it is cut short. */
  async all(): Promise<PipelineResult[]> {
    if (!this.feed.isDone && this.fault === null) {
      await new Promise<void>((resolve) => {
        this.wake = resolve;
      });
    }
    this.stop();
    if (this.fault !== null) throw this.fault;
    return inFeedOrder(this.rows);
  }

  /** Results since the last call, in order of completion. */
  take(): PipelineResult[] {
    const rows = this.rows;
    this.rows = [];
    return rows;
  }

  /** Idempotent. */
  stop(): void {
    this.feed.unwatch(this);
    this.followers.delete(this);
  }
}

/** By sequence id, one row an item: of one that failed, was retried and ended again meanwhile, the last end counts. */
export function inFeedOrder(rows: readonly PipelineResult[]): PipelineResult[] {
  const last = new Map(rows.map((row) => [row.sequenceId, row]));
  return [...last.values()].sort((a, b) => a.sequenceId - b.sequenceId);
}
