import type { PipelineResult } from '../../schemas/item.ts';
import type { PipelineError } from '../contract/errors.ts';
import type { Core, Follower } from '../flow/core.ts';
import type { EndedItem, Feed, FeedWatcher, KnownItem } from '../model/feed.ts';
import { type ItemRef, KnownItems } from './known-items.ts';

/** How many of a feed's results are buffered until they are read. */
interface Buffering {
  /** The most characters; one result at least is buffered. */
  characters: number;
  /**
   * Decides about the results beyond that. `later`: they are looked up again. `lost`: they are lost and counted, because results are not
   * collected and nothing can be looked up. `none`: an incomplete answer is useless, so nothing is buffered any more.
   */
  beyond: (sequenceId: number) => 'later' | 'lost' | 'none';
  /** The `onlyMaker` of the request. */
  onlyMaker?: string | undefined;
  /** Whether the results are wanted in the order of the request, and all at once. */
  isOrdered?: boolean;
}

/** Where ended items are read. */
export interface ItemLook {
  /** The item of a sequence id, whether it is kept or not. May throw when the store cannot be read. */
  bySequence(sequenceId: number): KnownItem | undefined;
  /** The item that has an id now. May throw, too. */
  get(id: string): KnownItem | undefined;
}

/**
 * Waits for the items of one feed, and for those that other feeds have brought and its request names once more, and buffers their results. MUST be
 * made before the feed's first item is accepted, and stopped in the end.
 * It is one of its pipeline's `followers`, so that a shutdown can tell it that nothing more will come.
 *
 *     buffering ──full──▶ further results are noted by sequence id, or counted as lost ──all of them read──▶ buffering
 *         └──full, but the answer has to be complete──▶ given up: nothing is buffered any more
 */
export class FeedResults implements FeedWatcher, Follower {
  private rows: PipelineResult[] = [];
  private characters = 0;
  private later: number[] = [];
  private laterAt = 0;
  private readonly feed: Feed;
  private readonly followers: Set<Follower>;
  private readonly buffering: Buffering;
  private readonly look: ItemLook;
  private readonly changed: (() => void) | undefined;
  private readonly known: KnownItems;
  /** For each known item, the sequence id of the feed's own item before it in the request; only where the order counts. */
  private readonly places: Map<number, number> | null;
  private wake: (() => void) | null = null;
  /** Set when the pipeline was stopped before every item had ended. */
  fault: PipelineError | null = null;
  /** True when the results are too large for one answer. */
  isGivenUp = false;
  /** The number of results that are lost. */
  lost = 0;

  /** `changed` is called after each item of the feed that ends, when the feed is closed, and when the pipeline is stopped before its end. */
  constructor(feed: Feed, { followers, index }: Pick<Core, 'followers' | 'index'>, buffering: Buffering, changed?: () => void) {
    this.feed = feed;
    this.followers = followers;
    this.look = index;
    this.buffering = buffering;
    this.changed = changed;
    this.places = buffering.isOrdered === true ? new Map() : null;
    this.known = new KnownItems((item) => this.onKnownEnd(item));
    followers.add(this);
    feed.watch(this);
  }

  onItem(item: EndedItem): void {
    this.note(item);
    this.onClose();
  }

  onClose(): void {
    this.changed?.();
    if (this.isDone) this.wake?.();
  }

  onKnown(item: KnownItem): void {
    const { onlyMaker } = this.buffering;
    if (item.feed === this.feed || (onlyMaker !== undefined && item.feed.maker !== onlyMaker) || !this.known.meet(item)) return;
    this.places?.set(item.sequenceId, this.feed.lastSequence ?? 0);
  }

  /** Takes what there is room for before another feed can run these items again, or retention forgets them. */
  onKnownMet(): void {
    if (this.known.left === 0) return;
    try {
      this.recall();
    } catch {
      // The store cannot be read: whoever reads the results looks them up again, and is told if that fails.
    }
    this.onClose();
  }

  private onKnownEnd(item: EndedItem): void {
    const isLater = (this.isBehind || this.isFull) && this.buffering.beyond(item.sequenceId) === 'later';
    if (isLater) this.known.postpone(item);
    else this.note(item);
    this.onClose();
  }

  /** Whether every item has ended, and no known one has to be looked up. */
  get isDone(): boolean {
    const { feed, known, isGivenUp } = this;
    return feed.isDone && (isGivenUp ? !known.isWaiting : known.isDone);
  }

  /** The number of unread results. */
  get size(): number {
    return this.rows.length + this.later.length - this.laterAt + this.known.left;
  }

  /** Whether the buffer is full, so that further results are not buffered. */
  get isFull(): boolean {
    return this.characters >= this.buffering.characters;
  }

  /** Called when the pipeline has stopped: its items end after the next start, if ever. */
  cutShort(error: PipelineError): void {
    if (this.isDone) return;
    this.fault = error;
    this.changed?.();
    this.wake?.();
  }

  /**
   * Resolves with all results in feed order when every item has ended; with null when they were too large. The feed MUST be closed before.
   * Rejects when the pipeline is stopped first.
   */
  async all(): Promise<PipelineResult[] | null> {
    if (!this.isDone && this.fault === null) {
      await new Promise<void>((resolve) => {
        this.wake = resolve;
      });
    }
    this.stop();
    if (this.fault !== null) throw this.fault;
    return this.isGivenUp ? null : this.inOrder(this.rows);
  }

  /**
   * Looks up known items that have ended: all of them when the answer has to be complete, else as many as there is room for. Throws when the store cannot be
   * read.
   */
  recall(): void {
    const { known } = this;
    while (known.left > 0 && !this.isGivenUp && (this.places !== null || !(this.isFull || this.isBehind))) {
      known.recall(
        (ref) => this.lookUp(ref),
        (item) => this.note(item),
        () => this.lost++,
      );
    }
  }

  /** The item as it was named; once that is no longer kept, the one that has its id now; null when that is one of this feed, whose results come anyway. */
  private lookUp({ id, sequenceId }: ItemRef): KnownItem | null | undefined {
    const item = this.look.bySequence(sequenceId);
    if (item?.isKept === true) return item;
    const { onlyMaker } = this.buffering;
    const next = this.look.get(id);
    if (next?.feed === this.feed) return null;
    return next !== undefined && onlyMaker !== undefined && next.feed.maker !== onlyMaker ? undefined : next;
  }

  private get isBehind(): boolean {
    return this.later.length > this.laterAt;
  }

  /** The results in the order of the request. */
  inOrder(rows: readonly PipelineResult[]): PipelineResult[] {
    return inFeedOrder(rows, this.places ?? NOWHERE);
  }

  /** The buffered results since the last call, in order of completion. */
  take(): PipelineResult[] {
    const { rows } = this;
    this.rows = [];
    this.characters = 0;
    return rows;
  }

  /** Calls `look` for the next results that were not buffered, once {@link FeedResults.take} gives no more. `look` returns a result's length. */
  takeLater(look: (sequenceId: number) => number): void {
    for (let left = this.buffering.characters; left > 0 && this.laterAt < this.later.length; )
      left -= look(this.later[this.laterAt++] as number);
    if (this.laterAt < this.later.length && this.laterAt < 1000) return;
    this.later = this.later.slice(this.laterAt);
    this.laterAt = 0;
  }

  /** Idempotent. */
  stop(): void {
    this.feed.unwatch(this);
    this.followers.delete(this);
    this.known.stop();
  }

  private note(item: EndedItem): void {
    if (this.isGivenUp) return;
    if (!this.isBehind && !this.isFull) {
      this.rows.push(item.toResult());
      this.characters += item.resultSize;
      return;
    }
    const beyond = this.buffering.beyond(item.sequenceId);
    if (beyond === 'later') this.later.push(item.sequenceId);
    else if (beyond === 'lost') this.lost++;
    else {
      this.isGivenUp = true;
      this.rows = [];
    }
  }
}

export const BUFFER_ALL: Buffering = { characters: Number.POSITIVE_INFINITY, beyond: () => 'later' };

const NOWHERE: ReadonlyMap<number, number> = new Map();

/**
 * Sorts results by sequence id, with one row for each item: if one failed, was retried and ended again, its last end counts. `places`: known items of
 * other feeds, in their order, each with the sequence id that it comes after.
 */
export function inFeedOrder(rows: readonly PipelineResult[], places = NOWHERE): PipelineResult[] {
  const last = new Map(rows.map((row) => [row.sequenceId, row]));
  const own = [...last.values()].filter((row) => !places.has(row.sequenceId)).sort((a, b) => a.sequenceId - b.sequenceId);
  if (places.size === 0) return own;
  const ordered: PipelineResult[] = [];
  let at = 0;
  for (const [sequenceId, after] of places) {
    while (at < own.length && (own[at] as PipelineResult).sequenceId <= after) ordered.push(own[at++] as PipelineResult);
    const known = last.get(sequenceId);
    if (known !== undefined) ordered.push(known);
  }
  return ordered.concat(own.slice(at));
}
