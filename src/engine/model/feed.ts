import type { FeedReceipt } from '../../schemas/control.ts';
import type { ItemStatus, PipelineResult } from '../../schemas/item.ts';
import { Pace } from '../time/pace.ts';

/** What a watcher of a feed sees of an item that has ended. */
export interface EndedItem {
  readonly id: string;
  readonly sequenceId: number;
  readonly status: ItemStatus;
  /** About how many characters its result is as JSON. */
  readonly resultSize: number;
  toResult(): PipelineResult;
}

/** Somebody who waits for items of a feed. Neither method may throw. */
export interface FeedWatcher {
  /** An item has ended; the feed has counted it already. */
  onItem(item: EndedItem): void;
  /** No more items come in. */
  onClose(): void;
}

/** The stage that a feed's items come into; it may be renamed. */
export interface FeedTarget {
  readonly name: string;
  readonly no: number;
}

/** Over how long the rate of a feed is measured, at least. */
const STRETCH_MS = 5000;

/**
 * The items of one feeding request. They keep a reference to it; it keeps none to them, only the range of their sequence ids.
 *
 *     open ──close──▶ closed, and done as soon as no item is unfinished ──retry of a failed item──▶ not done
 */
export class Feed {
  readonly id: string;
  /** Feeds in the order of their creation. */
  readonly ordinal: number;
  /** The stage that its items are fed into. */
  readonly target: FeedTarget;
  readonly createdAt: number;
  /** The name of the key that it was made with; null when nobody was asked for one. */
  readonly maker: string | null;
  accepted = 0;
  duplicates = 0;
  completed = 0;
  failed = 0;
  cancelled = 0;
  firstSequence: number | null = null;
  lastSequence: number | null = null;
  /** True while its request still sends. */
  isOpen = true;
  /** Cancelled while its request still sent: nothing more is accepted. */
  isCancelled = false;
  /** null while nobody watches, so that an item's end costs one comparison. */
  watchers: Set<FeedWatcher> | null = null;
  /** Of the items that complete or fail, from when the first of them was begun; null before. */
  pace: Pace | null = null;

  constructor(id: string, ordinal: number, target: FeedTarget, createdAt: number, maker: string | null = null) {
    this.id = id;
    this.ordinal = ordinal;
    this.target = target;
    this.createdAt = createdAt;
    this.maker = maker;
  }

  get unfinished(): number {
    return this.accepted - this.completed - this.failed - this.cancelled;
  }

  get isDone(): boolean {
    return !this.isOpen && this.unfinished === 0;
  }

  close(): void {
    this.isOpen = false;
    if (this.watchers !== null) for (const watcher of this.watchers) watcher.onClose();
  }

  /** The first item of it was begun at this instant. */
  begin(at: number): Pace {
    this.pace = new Pace(STRETCH_MS, at);
    return this.pace;
  }

  /** Items a second: of late while it runs, on average when it is done. */
  perSecond(now: number): number {
    if (this.pace === null) return 0;
    return this.isDone ? this.pace.average : this.pace.perSecond(now);
  }

  watch(watcher: FeedWatcher): void {
    this.watchers ??= new Set();
    this.watchers.add(watcher);
  }

  /** Idempotent. */
  unwatch(watcher: FeedWatcher): void {
    this.watchers?.delete(watcher);
    if (this.watchers?.size === 0) this.watchers = null;
  }

  receipt(ids?: string[]): FeedReceipt {
    const { id, accepted, duplicates, firstSequence, lastSequence } = this;
    return { feedId: id, accepted, duplicates, firstSequence, lastSequence, ...(ids === undefined ? {} : { ids }) };
  }
}
