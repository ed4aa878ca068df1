import type { ItemsQuery, Page, ResultsQuery } from '../contract/runtime.ts';
import { NO_METADATA } from '../model/metadata.ts';
import type { Item } from '../model/model.ts';
import { generatedId } from '../model/places.ts';
import type { EngineClock } from '../time/engine-clock.ts';
import type { DefinitionStep } from './ways.ts';

type Texts = 'results' | 'none';

/** How far a page goes in one turn of the event loop. */
export interface Stint {
  /** So many items are looked at, whether they fit or not; by default all. */
  most?: number;
  /** The page ends with the item that makes its texts this long; by default the bound of a whole page. */
  characters?: number;
}

/** `texts`: those that whoever asks needs of each item, beside what `include` says. */
export type ListedQuery = ItemsQuery & Stint & { texts?: 'facts' | 'none' };

/** A page as far as one turn has brought it. */
export interface FoundPage<T> extends Page<T> {
  /** The size of its texts, in characters. */
  characters: number;
}

export interface Retention {
  /** The most finished items that are kept. */
  maxItems: number;
  /** How long they are kept, in seconds. */
  maxAgeSeconds: number;
}

/** The range of the sequence ids of a feed's items; null at both ends when it has none. */
export interface SequenceRange {
  readonly ordinal: number;
  readonly firstSequence: number | null;
  readonly lastSequence: number | null;
}

/** The items of a pipeline, by id and in feed order: the unfinished ones, and the newest finished ones. */
export interface Items {
  /** The prefix of generated ids. */
  readonly prefix: string;
  /** The number of items in memory. */
  readonly size: number;
  /** The number of finished items that retention has removed. */
  readonly retired: number;
  get(id: string): Item | undefined;
  /** The item of an id if it is in memory; the store is not asked. */
  inMemory(id: string): Item | undefined;
  /** The same without the contents: value and metadata of the returned item MAY be missing. Its cost does not depend on their size. */
  peek(id: string): Item | undefined;
  peekSequence(sequenceId: number): Item | undefined;
  /** The item of a sequence id, even one that is no longer kept if an event still refers to it. */
  bySequence(sequenceId: number): Item | undefined;
  /** The object that represents the item now; undefined when it is no longer kept. */
  current(item: Item): Item | undefined;
  /** Whether a caller has used the id that would be generated for this sequence id, for an item that is in memory; the store is not asked. */
  isTaken(sequenceId: number): boolean;
  /** The others of which a caller has used the ids, after `sequenceId` and before so many that are free. */
  takenAfter(sequenceId: number, free: number): ReadonlySet<number>;
  /** Adds an item. Sequence ids MUST ascend from call to call. */
  add(item: Item): void;
  /** Notes that an item has ended; removes the oldest ended ones beyond the bounds. */
  finish(item: Item): void;
  /** Changes the bounds. Items beyond them are removed in steps, as further ones end. */
  retain(retention: Retention): void;
  /** Replaces a failed item by the object as which it goes on, with the same id and sequence id. */
  replace(old: Item, fresh: Item): void;
  /** Forgets a finished item whose id is fed again. */
  remove(item: Item): void;
  /** Removes items past their age, in steps that do not block the event loop; to be called before a read. */
  retireAged(): void;
  /** A page of results. `within`: the feed that the query names, if known, so that only its range is searched. */
  results(query: ResultsQuery & Stint, within?: SequenceRange): FoundPage<Item>;
  items(query: ListedQuery, within?: SequenceRange): FoundPage<Item>;
  /** Told of each failed item that is kept no more; set by whoever wants to know. */
  onFailedGone: ((item: Item) => void) | null;
  /**
   * Visits the kept items after `after` up to `last` until `visit` returns false, looking at no more than `most` places. Returns the sequence id up
   * to which everything was visited, `last` when that is all. `visit` MUST NOT end or remove items. `texts`: whether it needs results or no texts.
   */
  scan(after: number, last: number, most: number, texts: Texts, visit: (item: Item) => boolean): number;
  /** The items in memory that a new definition may have to change: the failed ones, and the unfinished ones. */
  changeable(): Iterable<Item>;
  /** To be told what a new definition changes for items that are not in memory; returns whether any of them may have a way of its own. */
  redefined(step: DefinitionStep): boolean;
  /** The failed items, in feed order. Each MAY be retried as soon as it is yielded. */
  failed(): Iterable<Item>;
  /** All kept items that are in memory, in feed order. */
  [Symbol.iterator](): Iterator<Item>;
}

const NONE: ReadonlySet<number> = new Set();

/**
 * The items of a pipeline without a store, all in memory.
 *
 * The order is an array, ascending by sequence id. Removed items stay in it as holes until holes are half of it. So a page is a binary search
 * and a walk, whatever comes and goes between two pages.
 */
export class ItemIndex implements Items {
  /** Items with ids given by callers. A generated id contains the sequence id, by which `order` is searched. */
  private readonly byGivenId = new Map<string, Item>();
  readonly prefix: string;
  private count = 0;
  private hasLookalikes = false;
  private order: Item[] = [];
  private holes = 0;
  /** Finished items in the order of their ends: a queue from `finishedHead` on. */
  private finished: Item[] = [];
  private finishedHead = 0;
  /** How many in `finished` no longer count: they went on as another object, or their id was fed again. */
  private finishedGone = 0;
  retired = 0;
  onFailedGone: ((item: Item) => void) | null = null;
  private retention: Retention;
  private readonly time: EngineClock;
  private readonly oldestEvent: () => number;
  private readonly onGone: (sequenceId: number) => void;
  private readonly pageCharacters: number;

  /**
   * `prefix`: the prefix of generated ids. `pageCharacters`: the most characters of a page, see sizes.ts. `oldestEvent`: the seq of the oldest kept
   * event. `onGone` is called when an item is no longer kept.
   */
  constructor(
    retention: Retention,
    time: EngineClock,
    prefix: string,
    pageCharacters: number,
    oldestEvent: () => number,
    onGone: (sequenceId: number) => void,
  ) {
    this.pageCharacters = pageCharacters;
    this.onGone = onGone;
    this.oldestEvent = oldestEvent;
    this.retention = retention;
    this.time = time;
    this.prefix = prefix;
  }

  get size(): number {
    return this.count;
  }

  get(id: string): Item | undefined {
    const given = this.byGivenId.get(id);
    if (given !== undefined || !id.startsWith(this.prefix)) return given;
    const sequenceId = Number(id.slice(this.prefix.length + 1));
    if (!Number.isSafeInteger(sequenceId) || id !== generatedId(this.prefix, sequenceId)) return undefined;
    const item = this.bySequence(sequenceId);
    return item?.isKept === true && item.givenId === null ? item : undefined;
  }

  inMemory(id: string): Item | undefined {
    return this.get(id);
  }

  peek(id: string): Item | undefined {
    return this.get(id);
  }

  peekSequence(sequenceId: number): Item | undefined {
    return this.bySequence(sequenceId);
  }

  bySequence(sequenceId: number): Item | undefined {
    const item = this.order[this.find(sequenceId)];
    return item?.sequenceId === sequenceId ? item : undefined;
  }

  isTaken(sequenceId: number): boolean {
    return this.hasLookalikes && this.byGivenId.has(generatedId(this.prefix, sequenceId));
  }

  takenAfter(): ReadonlySet<number> {
    return NONE;
  }

  add(item: Item): void {
    if (item.givenId !== null) {
      this.byGivenId.set(item.givenId, item);
      if (item.givenId.startsWith(this.prefix)) this.hasLookalikes = true;
    }
    this.order.push(item);
    this.count++;
  }

  finish(item: Item): void {
    this.finished.push(item);
    // Up to a hundred go for each that comes: so a lowered bound is reached soon, without blocking the event loop.
    for (let steps = 0; steps < 100 && this.finished.length - this.finishedHead - this.finishedGone > this.retention.maxItems; steps++) {
      this.retireOldest();
    }
    this.retireAged();
  }

  retain(retention: Retention): void {
    this.retention = retention;
  }

  replace(old: Item, fresh: Item): void {
    const at = this.find(old.sequenceId);
    old.isKept = false;
    this.onGone(old.sequenceId);
    if (this.order[at] === old) this.order[at] = fresh;
    if (fresh.givenId !== null) this.byGivenId.set(fresh.givenId, fresh);
    this.noteGone();
  }

  remove(item: Item): void {
    this.drop(item);
    this.noteGone();
  }

  retireAged(): void {
    const limit = this.time.now - this.retention.maxAgeSeconds * 1000;
    for (let steps = 0; steps < 1000; steps++) {
      const item = this.finished[this.finishedHead];
      if (item === undefined || (item.isKept && item.updatedAt > limit)) return;
      this.retireOldest();
    }
  }

  results(query: ResultsQuery & Stint, within?: SequenceRange): FoundPage<Item> {
    const size = (item: Item): number => item.resultSize;
    return this.page(query, within, size, (item) => {
      if (!item.isFinal || (query.status !== 'all' && item.status !== query.status)) return false;
      return query.feedId === undefined || item.feed.id === query.feedId;
    });
  }

  items(query: ListedQuery, within?: SequenceRange): FoundPage<Item> {
    const size = (item: Item): number => item.listedSize + (query.include === 'input' ? item.fedSize : 0);
    return this.page(query, within, size, (item) => {
      if (query.status !== undefined && !query.status.includes(item.shownStatus)) return false;
      if (query.stage !== undefined && item.stage.name !== query.stage) return false;
      return query.feedId === undefined || item.feed.id === query.feedId;
    });
  }

  current(item: Item): Item | undefined {
    return item.isKept ? item : undefined;
  }

  *changeable(): Generator<Item> {
    for (const item of this) if (item.status !== 'completed' && item.status !== 'cancelled') yield item;
  }

  redefined(): boolean {
    return false;
  }

  *failed(): Generator<Item> {
    // When a retried item ends, retention may remove another one.
    for (const item of [...this.changeable()]) if (item.status === 'failed' && item.isKept) yield item;
  }

  *[Symbol.iterator](): Generator<Item> {
    for (const item of this.order) {
      if (item.isKept) yield item;
    }
  }

  scan(after: number, last: number, most: number, _texts: Texts, visit: (item: Item) => boolean): number {
    let reached = after;
    const from = this.find(after + 1);
    for (let at = from; at < this.order.length; at++) {
      const item = this.order[at] as Item;
      if (item.sequenceId > last) break;
      if (at - from === most || (item.isKept && !visit(item))) return reached;
      reached = item.sequenceId;
    }
    return Math.max(after, last);
  }

  private page(
    query: { after: number; limit: number; order?: 'asc' | 'desc' } & Stint,
    within: SequenceRange | undefined,
    sizeOf: (item: Item) => number,
    fits: (item: Item) => boolean,
  ): FoundPage<Item> {
    const { most = Number.POSITIVE_INFINITY, characters: allowed = this.pageCharacters } = query;
    const rows: Item[] = [];
    let next: number | null = null;
    let characters = 0;
    let looked = 0;
    let reached = query.after;
    const isDescending = query.order === 'desc';
    const first = Math.max(isDescending ? 0 : query.after + 1, within?.firstSequence ?? 0);
    const highest = within === undefined ? Number.POSITIVE_INFINITY : (within.lastSequence ?? 0);
    const last = isDescending ? Math.min(query.after - 1, highest) : highest;
    const step = isDescending ? -1 : 1;
    for (let at = isDescending ? this.find(last + 1) - 1 : this.find(first); at >= 0 && at < this.order.length; at += step) {
      const item = this.order[at] as Item;
      if (item.sequenceId > last || item.sequenceId < first) break;
      if (looked++ >= most) {
        next = reached;
        break;
      }
      reached = item.sequenceId;
      if (!item.isKept || !fits(item)) continue;
      if (rows.length > 0 && (rows.length >= query.limit || characters >= allowed)) {
        next = (rows[rows.length - 1] as Item).sequenceId;
        break;
      }
      rows.push(item);
      characters += sizeOf(item);
    }
    return { rows, next, retired: this.retired, characters };
  }

  /** The first place in `order` whose sequence id is `sequenceId` or more. */
  private find(sequenceId: number): number {
    let low = 0;
    let high = this.order.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.order[middle] as Item).sequenceId < sequenceId) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  private retireOldest(): void {
    const item = this.finished[this.finishedHead] as Item;
    this.finished[this.finishedHead++] = undefined as never;
    if (this.finishedHead > 1024 && this.finishedHead * 2 > this.finished.length) {
      this.finished = this.finished.slice(this.finishedHead);
      this.finishedHead = 0;
    }
    // The item may have gone on as another object, which is not touched.
    if (!item.isKept) {
      this.finishedGone--;
      return;
    }
    this.drop(item);
    item.value = undefined;
    item.fed = undefined;
    item.size = 0;
    item.metadata = NO_METADATA;
    this.retired++;
  }

  private noteGone(): void {
    this.finishedGone++;
    if (this.finishedGone < 1024 || this.finishedGone * 2 < this.finished.length - this.finishedHead) return;
    this.finished = this.finished.slice(this.finishedHead).filter((item) => item.isKept);
    this.finishedHead = 0;
    this.finishedGone = 0;
  }

  private drop(item: Item): void {
    item.isKept = false;
    if (item.status === 'failed') this.onFailedGone?.(item);
    this.onGone(item.sequenceId);
    if (item.givenId !== null) this.byGivenId.delete(item.givenId);
    this.count--;
    this.holes++;
    if (this.holes < 1024 || this.holes * 2 < this.order.length) return;
    // Events refer to items by sequence id, so an item stays, without its value, as long as an event of it is kept. Its last event is its
    // result, which follows its last status.
    const oldest = this.oldestEvent();
    const { order } = this;
    let kept = 0;
    for (const item of order) {
      if (item.isKept || item.lastEvent + 1 >= oldest) order[kept++] = item;
    }
    order.length = kept;
    this.holes = 0;
  }
}
