import type { EndedItem, Feed, FeedWatcher, KnownItem } from '../model/feed.ts';

/** So many sequence ids share a block. */
const BLOCK = 1024;

/** Sequence ids, a bit each: a stream of any length may name items that are known. */
export class SequenceIds {
  private readonly blocks = new Map<number, Uint32Array>();

  /** False when it was there already. */
  add(sequenceId: number): boolean {
    const no = Math.floor(sequenceId / BLOCK);
    const block = this.blocks.get(no) ?? new Uint32Array(BLOCK / 32);
    this.blocks.set(no, block);
    const at = sequenceId % BLOCK;
    const bit = 1 << (at & 31);
    const word = block[at >> 5] as number;
    block[at >> 5] = word | bit;
    return (word & bit) === 0;
  }
}

/** A note by which an item is found again: by its sequence id, and by its id once that sequence id is no longer kept. */
export type ItemRef = Pick<KnownItem, 'id' | 'sequenceId'>;

/**
 * The items of other feeds that a run names once more: those that have ended are to be looked up, as soon as there is room for their results; the others
 * are waited for.
 *
 *     met ──had ended──▶ to be looked up ──still there──▶ its result
 *      │                    ▲      │ └──gone, and nothing has its id──▶ lost
 *      │                    │      └──retried meanwhile, or gone and its id was fed again──▶ waited for, unless that has ended, too
 *      │                    └──there is no room for its result──┐
 *      └──had not──▶ waited for ──ends──▶ its result ───────────┘
 */
export class KnownItems {
  private readonly seen = new SequenceIds();
  private readonly awaited = new Set<number>();
  private readonly feeds = new Set<Feed>();
  private readonly watcher: FeedWatcher;
  private ended: ItemRef[] = [];
  private endedAt = 0;

  /** `onEnd` is called when one that was waited for has ended. */
  constructor(onEnd: (item: EndedItem) => void) {
    this.watcher = {
      onItem: (item) => {
        if (this.awaited.delete(item.sequenceId)) onEnd(item);
      },
      onClose: () => undefined,
    };
  }

  /** Whether nothing is waited for, and nothing has to be looked up. */
  get isDone(): boolean {
    return this.awaited.size === 0 && this.left === 0;
  }

  get isWaiting(): boolean {
    return this.awaited.size > 0;
  }

  /** How many have to be looked up. */
  get left(): number {
    return this.ended.length - this.endedAt;
  }

  /** Takes an item, unless it was taken before; returns whether it was not. Reads nothing: it may be called in the middle of a change. */
  meet(item: KnownItem): boolean {
    if (!this.seen.add(item.sequenceId)) return false;
    if (item.isFinal) this.postpone(item);
    else this.await(item);
    return true;
  }

  /** Has an item that has ended looked up later. */
  postpone({ id, sequenceId }: ItemRef): void {
    this.ended.push({ id, sequenceId });
  }

  /**
   * Looks up the next one that had ended: calls `found` with it if it still has, `gone` if it is no longer kept. `look` returns null for one that is not
   * wanted any more. It may throw; then the item is the next one still.
   */
  recall(look: (ref: ItemRef) => KnownItem | null | undefined, found: (item: EndedItem) => void, gone: () => void): void {
    const ref = this.ended[this.endedAt] as ItemRef;
    const item = look(ref);
    this.endedAt++;
    if (this.endedAt === this.ended.length || this.endedAt >= 1000) {
      this.ended = this.ended.slice(this.endedAt);
      this.endedAt = 0;
    }
    if (item === null) return;
    if (item?.isKept !== true) gone();
    // Its id was fed again, and the request has named it once more since then.
    else if (item.sequenceId !== ref.sequenceId && !this.seen.add(item.sequenceId)) return;
    else if (item.isFinal) found(item);
    else this.await(item);
  }

  /** Idempotent. */
  stop(): void {
    for (const feed of this.feeds) feed.unwatch(this.watcher);
    this.feeds.clear();
  }

  private await({ sequenceId, feed }: KnownItem): void {
    this.awaited.add(sequenceId);
    if (this.feeds.has(feed)) return;
    this.feeds.add(feed);
    feed.watch(this.watcher);
  }
}
