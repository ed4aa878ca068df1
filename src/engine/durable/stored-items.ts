import type { ResultsQuery } from '../contract/runtime.ts';
import type { FoundPage, Items, ListedQuery, Retention, SequenceRange, Stint } from '../flow/item-index.ts';
import type { DefinitionStep } from '../flow/ways.ts';
import { NO_METADATA } from '../model/metadata.ts';
import type { Item } from '../model/model.ts';
import { generatedId } from '../model/places.ts';
import { StoredState } from '../model/stored-state.ts';
import { type Shelf, type ShelfQuery, STATUS_CODES, type StoredItem, type Texts } from '../store.ts';
import { unlessUnreadable } from './guarded-shelf.ts';
import { rewritten } from './item-codec.ts';
import { RecentItems } from './recent-items.ts';
import type { Retirement } from './retirement.ts';

export interface StoredItemsDeps {
  prefix: string;
  shelf: Shelf;
  retirement: Retirement;
  /** The item of a row, as a new object. */
  toItem: (row: StoredItem) => Item;
  /** The numbers of all stages that have, or had, this name. */
  stageNumbers: (name: string) => number[];
  /** The ordinal of the feed with this id; undefined when there is none. */
  feedOrdinal: (id: string) => number | undefined;
  /** Called when an item is no longer kept. */
  onGone: (sequenceId: number) => void;
  /** Called when it has to be stored that an item is gone. */
  touch: (item: Item) => void;
  /** Called with what a new definition changes for the items that are not in memory. */
  redefined: (step: DefinitionStep) => void;
  /** The most characters of a page, see sizes.ts. */
  pageCharacters: number;
}

const FINAL = [STATUS_CODES.completed, STATUS_CODES.failed, STATUS_CODES.cancelled];
const STEP = 256;

/**
 * The items of a pipeline with a store. The live ones are in memory: those that are queued next, with a worker or parked, and those that have
 * changed since they were stored. A live item overrides its row. All others are as their rows say; each look at one makes a new
 * object, unless it is among the {@link RecentItems}.
 */
export class StoredItems implements Items {
  readonly prefix: string;
  private readonly deps: StoredItemsDeps;
  private readonly live = new Map<number, Item>();
  private readonly liveByGivenId = new Map<string, Item>();
  private readonly recent = new RecentItems();
  onFailedGone: ((item: Item) => void) | null = null;
  /** Set when a caller has named an item like a generated id. */
  hasLookalikes = false;

  constructor(deps: StoredItemsDeps) {
    this.deps = deps;
    this.prefix = deps.prefix;
  }

  get retired(): number {
    return this.deps.retirement.retired;
  }

  get size(): number {
    return this.live.size;
  }

  get(id: string): Item | undefined {
    return this.find(id, 'all');
  }

  peek(id: string): Item | undefined {
    return this.find(id, 'none');
  }

  inMemory(id: string): Item | undefined {
    const given = this.liveByGivenId.get(id);
    if (given !== undefined || !id.startsWith(this.prefix)) return given;
    const item = this.live.get(this.sequenceIn(id) ?? -1);
    return item?.isKept === true && item.givenId === null ? item : undefined;
  }

  bySequence(sequenceId: number): Item | undefined {
    return this.read(sequenceId, 'all');
  }

  peekSequence(sequenceId: number): Item | undefined {
    return this.read(sequenceId, 'none');
  }

  private find(id: string, texts: Texts): Item | undefined {
    const live = this.liveByGivenId.get(id);
    if (live !== undefined) return live;
    if (id.startsWith(this.prefix)) {
      const sequenceId = this.sequenceIn(id);
      if (sequenceId !== undefined) {
        const item = this.read(sequenceId, texts);
        if (item?.isKept === true && item.givenId === null) return item;
      }
      if (!this.hasLookalikes) return undefined;
    }
    const row = this.deps.shelf.byId(id, texts);
    return row === undefined ? undefined : this.retainedOf(row);
  }

  /** The sequence id in an id that was generated; undefined for any other one. */
  private sequenceIn(id: string): number | undefined {
    const sequenceId = Number(id.slice(this.prefix.length + 1));
    return Number.isSafeInteger(sequenceId) && id === generatedId(this.prefix, sequenceId) ? sequenceId : undefined;
  }

  private read(sequenceId: number, texts: Texts): Item | undefined {
    const known = this.live.get(sequenceId) ?? this.recent.get(sequenceId) ?? (texts === 'none' ? this.recent.face(sequenceId) : undefined);
    if (known !== undefined) return known;
    const row = this.deps.shelf.bySequence(sequenceId, texts);
    if (row === undefined) return undefined;
    const item = this.deps.toItem(row);
    if (this.deps.retirement.hasTaken(sequenceId)) item.isKept = false;
    if (item.isFinal) {
      if (texts === 'all') this.recent.add(item);
      else this.recent.addFace(item);
    }
    return item;
  }

  current(item: Item): Item | undefined {
    const found = this.bySequence(item.sequenceId);
    return found?.isKept === true ? found : undefined;
  }

  isTaken(sequenceId: number): boolean {
    return this.hasLookalikes && this.liveByGivenId.has(generatedId(this.prefix, sequenceId));
  }

  takenAfter(sequenceId: number, free: number): ReadonlySet<number> {
    const taken = new Set<number>();
    if (!this.hasLookalikes) return taken;
    for (let at = sequenceId + 1, left = free; left > 0; at++) {
      if (this.isTaken(at)) continue;
      if (this.deps.shelf.byId(generatedId(this.prefix, at), 'none') === undefined) left--;
      else taken.add(at);
    }
    return taken;
  }

  add(item: Item): void {
    if (item.givenId?.startsWith(this.prefix)) this.hasLookalikes = true;
    this.pin(item);
  }

  /** Keeps this object in memory as the live one of its item, until {@link StoredItems.unpin}. Idempotent. */
  pin(item: Item): void {
    const { sequenceId } = item;
    if (this.live.get(sequenceId) === item) return;
    this.live.set(sequenceId, item);
    this.recent.delete(sequenceId);
    if (item.givenId !== null && item.isKept) this.liveByGivenId.set(item.givenId, item);
  }

  /** Lets go of an item whose row is up to date. */
  unpin(item: Item): void {
    const { sequenceId, givenId } = item;
    if (this.live.get(sequenceId) === item) {
      this.live.delete(sequenceId);
      if (item.isFinal) this.recent.add(item);
    }
    if (givenId !== null && this.liveByGivenId.get(givenId) === item) this.liveByGivenId.delete(givenId);
  }

  isLive(sequenceId: number): boolean {
    return this.live.has(sequenceId);
  }

  /** Whether this object is the live one of its item. */
  isPinned(item: Item): boolean {
    return this.live.get(item.sequenceId) === item;
  }

  finish(item: Item): void {
    this.deps.retirement.ended(item);
    this.retire(100);
  }

  retain(retention: Retention): void {
    this.deps.retirement.retention = retention;
  }

  replace(old: Item, fresh: Item): void {
    old.isKept = false;
    old.stored.isDirty = false;
    fresh.stored = new StoredState();
    fresh.stored.written = rewritten(old.stored.written);
    this.deps.retirement.goesOn();
    this.live.delete(old.sequenceId);
    this.pin(fresh);
    this.deps.onGone(old.sequenceId);
  }

  remove(item: Item): void {
    this.deps.retirement.goesOn();
    this.letGo(item);
  }

  retireAged(): void {
    this.retire(1000);
  }

  results(query: ResultsQuery & Stint, within?: SequenceRange): FoundPage<Item> {
    const statuses = query.status === 'all' ? FINAL : [STATUS_CODES[query.status]];
    return this.page({ ...query, statuses, stages: null, texts: 'results' }, within);
  }

  items(query: ListedQuery, within?: SequenceRange): FoundPage<Item> {
    const statuses = query.status === undefined ? null : query.status.map((status) => STATUS_CODES[status]);
    const stages = query.stage === undefined ? null : this.deps.stageNumbers(query.stage);
    const texts = query.texts === undefined || query.texts === 'none' ? (query.include === 'input' ? 'inputs' : 'none') : query.texts;
    return this.page({ ...query, statuses, stages, texts, isDescending: query.order === 'desc' }, within);
  }

  scan(after: number, last: number, most: number, texts: 'results' | 'none', visit: (item: Item) => boolean): number {
    const limit = Math.min(most, STEP);
    const characters = this.deps.pageCharacters;
    const { rows, next } = this.merge({ statuses: null, stages: null, feed: null, after, last, limit, characters, texts });
    let reached = after;
    for (const item of rows) {
      if (!visit(item)) return reached;
      reached = item.sequenceId;
    }
    return next === null ? Math.max(after, last) : reached;
  }

  *changeable(): Generator<Item> {
    for (const item of this.live.values()) if (item.isKept && (!item.isFinal || item.status === 'failed')) yield item;
  }

  redefined(step: DefinitionStep): boolean {
    // They were read by the definition before.
    this.recent.clear();
    this.deps.redefined(step);
    return step.ways !== null;
  }

  *failed(): Generator<Item> {
    const statuses = [STATUS_CODES.failed];
    const last = Number.MAX_SAFE_INTEGER;
    for (let after = 0; ; ) {
      const characters = this.deps.pageCharacters;
      const { rows, next } = this.merge({ statuses, stages: null, feed: null, after, last, limit: STEP, characters, texts: 'none' });
      for (const row of rows) {
        // Whatever was done with the items before may have changed this one.
        const item = this.current(row);
        if (item?.status === 'failed') yield item;
      }
      if (next === null) return;
      after = next;
    }
  }

  *[Symbol.iterator](): Generator<Item> {
    yield* [...this.live.values()].filter((item) => item.isKept).sort((a, b) => a.sequenceId - b.sequenceId);
  }

  private page(
    query: Omit<ShelfQuery, 'feed' | 'last' | 'characters'> & Stint & { feedId?: string },
    within: SequenceRange | undefined,
  ): FoundPage<Item> {
    const { retired } = this;
    let feed: number | null = null;
    if (query.feedId !== undefined) {
      const ordinal = within?.ordinal ?? this.deps.feedOrdinal(query.feedId);
      if (ordinal === undefined) return { rows: [], next: null, retired, characters: 0 };
      feed = ordinal;
    }
    const { statuses, stages, limit, after, texts, isDescending = false, most, characters = this.deps.pageCharacters } = query;
    const last = isDescending ? 0 : Number.MAX_SAFE_INTEGER;
    return { ...this.merge({ statuses, stages, limit, feed, after, last, texts, characters, isDescending, most }), retired };
  }

  /** A page of the store's rows, corrected by the live items. */
  private merge(query: ShelfQuery): { rows: Item[]; next: number | null; characters: number } {
    const { limit, texts, most = Number.POSITIVE_INFINITY } = query;
    const rows: Item[] = [];
    let characters = 0;
    for (let from = query.after, looked = 0; ; ) {
      const stored = this.deps.shelf.page({
        ...query,
        after: from,
        limit: Math.max(1, limit - rows.length),
        characters: Math.max(1, query.characters - characters),
      });
      const to = stored.isAll ? query.last : (stored.reached ?? (stored.rows.at(-1) as StoredItem).seq);
      const found = this.liveBetween(from, to, query);
      for (const row of stored.rows) {
        if (!this.live.has(row.seq) && !this.deps.retirement.hasTaken(row.seq))
          found.push(this.recent.get(row.seq) ?? this.deps.toItem(row));
      }
      found.sort((a, b) => (query.isDescending ? b.sequenceId - a.sequenceId : a.sequenceId - b.sequenceId));
      for (const item of found) {
        // The page is full, and there is more.
        if (rows.length >= limit || (characters >= query.characters && rows.length > 0))
          return { rows, next: rows.at(-1)?.sequenceId ?? query.after, characters };
        rows.push(item);
        characters += texts === 'results' || texts === 'all' ? item.resultSize : item.listedSize + (texts === 'inputs' ? item.fedSize : 0);
      }
      if (stored.isAll) return { rows, next: null, characters };
      looked += stored.rows.length;
      if (stored.reached !== undefined || looked >= most) return { rows, next: to, characters };
      from = to;
    }
  }

  private liveBetween(after: number, last: number, { statuses, stages, feed, isDescending = false }: ShelfQuery): Item[] {
    const found: Item[] = [];
    const [above, upTo] = isDescending ? [last - 1, after - 1] : [after, last];
    for (const item of this.live.values()) {
      if (!item.isKept || item.sequenceId <= above || item.sequenceId > upTo) continue;
      if (statuses !== null && !statuses.includes(STATUS_CODES[item.shownStatus])) continue;
      if (stages !== null && !stages.includes(item.stage.no)) continue;
      if (feed === null || item.feed.ordinal === feed) found.push(item);
    }
    return found;
  }

  private retainedOf(row: StoredItem): Item | undefined {
    const item = this.live.get(row.seq) ?? this.deps.toItem(row);
    // The live item may be gone by now, or its id may belong to another one.
    return item.isKept && item.givenId === row.id && !this.deps.retirement.hasTaken(row.seq) ? item : undefined;
  }

  /** Removes what has to go; the rest another time, when the store cannot be read now. */
  private retire(most: number): void {
    unlessUnreadable(() => this.retireNow(most), undefined);
  }

  private retireNow(most: number): void {
    for (const sequenceId of this.deps.retirement.due(most, (seq) => this.live.get(seq))) {
      const live = this.live.get(sequenceId);
      if (live !== undefined) this.letGo(live);
      else if (this.onFailedGone !== null) this.tellFailedGone(sequenceId);
      this.recent.delete(sequenceId);
      this.deps.onGone(sequenceId);
    }
  }

  private tellFailedGone(sequenceId: number): void {
    const item = this.read(sequenceId, 'none');
    if (item?.status === 'failed') this.onFailedGone?.(item);
  }

  private letGo(item: Item): void {
    item.isKept = false;
    if (item.status === 'failed') this.onFailedGone?.(item);
    if (item.givenId !== null && this.liveByGivenId.get(item.givenId) === item) this.liveByGivenId.delete(item.givenId);
    item.value = undefined;
    item.fed = undefined;
    item.size = 0;
    item.metadata = NO_METADATA;
    this.deps.onGone(item.sequenceId);
    this.deps.touch(item);
  }
}
