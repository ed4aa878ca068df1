import type { PipelineResult } from '../../schemas/item.ts';
import type { PipelineError } from '../contract/errors.ts';
import type { Follower } from '../flow/core.ts';
import type { EndedItem, Feed, FeedWatcher } from '../model/feed.ts';

/** What of the results of a feed is held until it is read. */
interface Held {
  /** So many characters of them, and one result at least. */
  characters: number;
  /**
   * What becomes of the others: they are looked up again, or there is no use for an incomplete answer, and none of them is held. Where
   * results are not collected nothing can be looked up: what is not read in time is lost, and counted.
   */
  beyond: (sequenceId: number) => 'later' | 'lost' | 'none';
}

/**
 * Waits for the items of one feed alone. MUST be made before its first item is accepted, and stopped in the end.
 * It stands among the `followers` of its pipeline, so that a shutdown can tell it that nothing more will come.
 *
 *     holding ──too much──▶ results beyond that are noted by sequence id, or counted as lost ──all of it read──▶ holding
 *         └──too much of what has to be complete──▶ given up: nothing is held any more
 */
export class FeedResults implements FeedWatcher, Follower {
  private rows: PipelineResult[] = [];
  private characters = 0;
  private later: number[] = [];
  private laterAt = 0;
  private readonly feed: Feed;
  private readonly followers: Set<Follower>;
  private readonly held: Held;
  private readonly changed: (() => void) | undefined;
  private wake: (() => void) | null = null;
  /** Set when the pipeline was stopped before every item had ended. */
  fault: PipelineError | null = null;
  /** The results are too much for one answer. */
  isGivenUp = false;
  /** How many results nobody can have any more. */
  lost = 0;

  /** `changed` is called after each item of the feed that ends, when nothing more comes in, and when it was cut short. */
  constructor(feed: Feed, followers: Set<Follower>, held: Held, changed?: () => void) {
    this.feed = feed;
    this.followers = followers;
    this.held = held;
    this.changed = changed;
    followers.add(this);
    feed.watch(this);
  }

  onItem(item: EndedItem): void {
    this.note(item);
    this.onClose();
  }

  onClose(): void {
    this.changed?.();
    if (this.feed.isDone) this.wake?.();
  }

  /** How many results are unread. */
  get size(): number {
    return this.rows.length + this.later.length - this.laterAt;
  }

  /** Whether more results would be held by their sequence ids only. */
  get isFull(): boolean {
    return this.characters >= this.held.characters;
  }

  /** The pipeline has stopped: its items end after the next start, if ever. */
  cutShort(error: PipelineError): void {
    if (this.feed.isDone) return;
    this.fault = error;
    this.changed?.();
    this.wake?.();
  }

  /** All results in feed order, when every item has ended; null when it was given up. The feed MUST be closed before. Rejects when it is cut short. */
  async all(): Promise<PipelineResult[] | null> {
    if (!this.feed.isDone && this.fault === null) {
      await new Promise<void>((resolve) => {
        this.wake = resolve;
      });
    }
    this.stop();
    if (this.fault !== null) throw this.fault;
    return this.isGivenUp ? null : inFeedOrder(this.rows);
  }

  /** Results since the last call, in order of completion. */
  take(): PipelineResult[] {
    const { rows } = this;
    this.rows = [];
    this.characters = 0;
    return rows;
  }

  /** Has the next results looked up that are not held, once {@link FeedResults.take} gives no more. `look` answers how long the result is. */
  takeLater(look: (sequenceId: number) => number): void {
    for (let left = this.held.characters; left > 0 && this.laterAt < this.later.length; )
      left -= look(this.later[this.laterAt++] as number);
    if (this.laterAt < this.later.length && this.laterAt < 1000) return;
    this.later = this.later.slice(this.laterAt);
    this.laterAt = 0;
  }

  /** Idempotent. */
  stop(): void {
    this.feed.unwatch(this);
    this.followers.delete(this);
  }

  private note(item: EndedItem): void {
    if (this.isGivenUp) return;
    const isBehind = this.later.length > this.laterAt;
    if (!isBehind && !this.isFull) {
      this.rows.push(item.toResult());
      this.characters += item.resultSize;
      return;
    }
    const beyond = this.held.beyond(item.sequenceId);
    if (beyond === 'later') this.later.push(item.sequenceId);
    else if (beyond === 'lost') this.lost++;
    else {
      this.isGivenUp = true;
      this.rows = [];
    }
  }
}

export const HOLD_ALL: Held = { characters: Number.POSITIVE_INFINITY, beyond: () => 'later' };

/** By sequence id, one row an item: of one that failed, was retried and ended again meanwhile, the last end counts. */
export function inFeedOrder(rows: readonly PipelineResult[]): PipelineResult[] {
  const last = new Map(rows.map((row) => [row.sequenceId, row]));
  return [...last.values()].sort((a, b) => a.sequenceId - b.sequenceId);
}
