import type { EventJournal, EventLog } from '../events/event-log.ts';
import type { Feed } from '../model/feed.ts';
import type { FactName, Keeper, Waiting } from '../model/keeper.ts';
import { type Item, NOT_STORED, StoredState } from '../model/model.ts';
import type { PipelineWrites, StoredAnswer, StoredEnds, StoredFeed } from '../store.ts';
import type { EngineClock } from '../time/engine-clock.ts';
import type { Figures, Operated } from './figures.ts';
import type { Changing, Flusher } from './flusher.ts';
import { ItemWrites } from './item-writes.ts';
import type { KeyRetirement } from './key-retirement.ts';
import type { Retirement } from './retirement.ts';
import type { StoredItems } from './stored-items.ts';

export interface JournalDeps {
  pipeline: number;
  flusher: Flusher;
  time: EngineClock;
  events: EventLog;
  items: StoredItems;
  retirement: Retirement;
  keys: KeyRetirement;
  /** The counters and the like; those that never change without an item need not be noted. */
  figures: () => Figures;
  /** What operators and its definition have made of it. */
  operated: () => Operated;
  /** What changes seldom, as JSON by name. */
  fact: (name: FactName) => string;
  /** Forgotten feeds that no item is left of, a few at a time. */
  emptyFeeds: () => number[];
  /** So many changes wait to be written that the work has to wait for the store, or no longer. */
  onFull: (isFull: boolean) => void;
}

/** What is kept beside items and feeds, as of one flush: what a pipeline shows of itself. */
export interface Stored {
  readonly figures: Figures;
  readonly operated: Operated;
}

interface Captured {
  ends: StoredEnds | null;
  emptied: number[];
  removed: number[];
  answers: Map<string, StoredAnswer>;
  figures: Figures;
  /** null: as before. */
  operated: Operated | null;
}

/** With so many changed items that are not stored, no worker takes another one; with half of it they go on. */
const FULL = 3072;
/** With so many of them, or so much text, who feeds waits for the store. */
const CROWDED = 1536;
const CROWDED_CHARACTERS = 8 * 1024 * 1024;
/** With so much text that is not stored, no worker takes another item either. */
const FULL_CHARACTERS = 16 * 1024 * 1024;
/** The values of items that wait are to take no more memory than this, all in all. */
const WINDOW_CHARACTERS = 8 * 1024 * 1024;
const WINDOW_MAX = 8192;
const WINDOW_MIN = 2;

/**
 * What has changed of a pipeline and is not stored yet. An item that changes ten times until then is written once, as it is then.
 * Everything is captured in one turn, so that what is stored of items, counters and events belongs together.
 */
export class Journal implements Changing, EventJournal, Keeper {
  private readonly deps: JournalDeps;
  private readonly writes = new ItemWrites();
  private dirty: Item[] = [];
  private inFlight: Item[] = [];
  private dirtyFeeds = new Set<Feed>();
  private forgottenFeeds = new Set<Feed>();
  private removedFeeds: number[] = [];
  private answers = new Map<string, StoredAnswer>();
  private facts = new Set<FactName>();
  private namesStored = 0;
  private eventsStored = 0;
  private eventsCaptured = 0;
  /** Something has changed since the last capture: the next change need not say so again. */
  isStirred = false;
  private captured: Captured | null = null;
  /** As of the last flush that is stored; null before the first one. */
  stored: Stored | null = null;
  private isFull = false;
  /** Characters of large values that came into being since the last capture, and of those that are being written. */
  private grown = 0;
  private grownInFlight = 0;
  private meanCharacters = 64;

  constructor(deps: JournalDeps) {
    this.deps = deps;
  }

  /** From now on changes are noted. What happened until now is in the store already, but for a new pipeline, of which nothing is. */
  begin(isNew: boolean): void {
    const { events } = this.deps;
    const { figures, operated } = this.deps;
    if (!isNew) this.stored = { figures: figures(), operated: operated() };
    this.eventsStored = events.last;
    this.namesStored = events.last === 0 ? 0 : events.namesCount;
  }

  /** What was running when the process before ended is queued: so a restart finds it, whether that is stored yet or not. */
  recovered(): void {
    const { figures, operated } = this.stored as Stored;
    this.stored = { figures: { ...figures, loads: this.deps.figures().loads }, operated };
  }

  touch(item: Item): void {
    if (item.stored === NOT_STORED) item.stored = new StoredState();
    if (item.stored.isDirty) return;
    item.stored.isDirty = true;
    this.dirty.push(item);
    this.deps.items.pin(item);
    if (!this.isFull && this.unstored >= FULL) this.setFull(true);
    if (!this.isStirred) this.stir();
  }

  /** A large value came into being: it waits in memory for its place in the store. */
  grow(characters: number): void {
    this.grown += characters;
    if (!this.isFull && this.grown + this.grownInFlight >= FULL_CHARACTERS) this.setFull(true);
    this.stir();
  }

  touchFeed(feed: Feed): void {
    this.dirtyFeeds.add(feed);
    this.stir();
  }

  /** It is listed no more. */
  forgetFeed(feed: Feed): void {
    this.forgottenFeeds.add(feed);
    // One without items is not even kept for them.
    if (feed.accepted > 0) this.touchFeed(feed);
    else {
      this.dirtyFeeds.delete(feed);
      this.removedFeeds.push(feed.ordinal);
      this.stir();
    }
  }

  touchFact(name: FactName): void {
    this.facts.add(name);
    this.stir();
  }

  touchAnswer(answer: StoredAnswer): void {
    this.answers.set(answer.key, answer);
    this.stir();
  }

  /** What of an answer is not stored yet. */
  answer(key: string): StoredAnswer | undefined {
    return this.answers.get(key) ?? this.captured?.answers.get(key);
  }

  stir(): void {
    if (this.isStirred) return;
    this.isStirred = true;
    this.deps.flusher.stir();
  }

  get isBehind(): boolean {
    return this.isStirred || this.captured !== null;
  }

  settled(): Promise<boolean> | undefined {
    return this.isBehind ? this.deps.flusher.settled() : undefined;
  }

  settledSoon(): Promise<boolean> | undefined {
    return this.isBehind ? this.deps.flusher.settledSoon() : undefined;
  }

  settledAtLast(): Waiting | undefined {
    return this.isBehind ? this.deps.flusher.settledAtLast() : undefined;
  }

  get trouble(): string | null {
    return this.deps.flusher.trouble;
  }

  /** For who feeds without end: resolves when the store has caught up, undefined when it has. */
  room(): Promise<boolean> | undefined {
    const characters = Math.max(this.grown + this.grownInFlight, this.unstored * this.meanCharacters);
    const isCrowded = this.unstored >= CROWDED || characters >= CROWDED_CHARACTERS;
    return isCrowded ? this.settled() : undefined;
  }

  /** Items were read from the store: when they are larger than those that were written of late, fewer of them are worth the memory. */
  noteSizes(rows: readonly { size: number }[]): void {
    let characters = 0;
    for (const { size } of rows) characters += size;
    if (rows.length > 0) this.meanCharacters = Math.max(this.meanCharacters, characters / rows.length);
  }

  /** How many items of a queue are worth the memory. */
  get window(): number {
    return Math.max(WINDOW_MIN, Math.min(WINDOW_MAX, Math.floor(WINDOW_CHARACTERS / this.meanCharacters)));
  }

  capture(): PipelineWrites | null {
    if (!this.isStirred) return null;
    this.isStirred = false;
    const { deps, writes } = this;
    const { time, events, retirement } = deps;
    const items = this.dirty;
    this.dirty = [];
    this.inFlight = items;
    this.grownInFlight = this.grown;
    this.grown = 0;
    for (const item of items) {
      // It goes on as another object, which was touched too.
      if (!item.stored.isDirty) continue;
      item.stored.isDirty = false;
      writes.add(item, time);
    }
    if (writes.withTexts > 0) {
      const mean = writes.characters / writes.withTexts;
      // At once when they become larger, by and by when they become smaller.
      this.meanCharacters = mean > this.meanCharacters ? mean : this.meanCharacters + 0.2 * (mean - this.meanCharacters);
      writes.characters = 0;
      writes.withTexts = 0;
    }
    const { ends, endsBefore, emptied, removed } = retirement.capture();
    const removedFeeds = this.removedFeeds;
    this.removedFeeds = [];
    // Feeds outlive their listing only for their items' sake: they go after these.
    if (removed.length > 0) removedFeeds.push(...deps.emptyFeeds());
    const feeds = [...this.dirtyFeeds].map((feed) => this.rowOf(feed));
    this.dirtyFeeds = new Set();
    const operated = this.facts.size === 0 ? null : deps.operated();
    const facts: [string, string][] = [...this.facts].map((name) => [name, deps.fact(name)]);
    this.facts.clear();
    const figures = deps.figures();
    facts.push(['counters', JSON.stringify(figures.counters)]);
    if (events.namesCount !== this.namesStored) {
      this.namesStored = events.namesCount;
      facts.push(['names', JSON.stringify(events.names)]);
    }
    this.captured = { ends, emptied, removed, answers: this.answers, figures, operated };
    const { answers, removedAnswers } = deps.keys.capture(this.answers);
    this.answers = new Map();
    this.eventsCaptured = events.last;
    return {
      pipeline: deps.pipeline,
      items: writes.take(),
      feeds,
      removedFeeds,
      answers,
      removedAnswers,
      ends,
      endsBefore,
      emptied,
      removed,
      events: events.copyAfter(this.eventsStored),
      eventsBefore: events.oldest - 1,
      facts,
    };
  }

  written(): void {
    const { events, items, retirement } = this.deps;
    this.eventsStored = this.eventsCaptured;
    const { inFlight } = this;
    const { ends, emptied, removed, figures, operated } = this.captured as Captured;
    this.inFlight = [];
    this.grownInFlight = 0;
    this.captured = null;
    this.stored = { figures, operated: operated ?? (this.stored as Stored).operated };
    retirement.stored(ends, emptied, removed);
    const left = new Map<Item['stage'], Set<Item>>();
    for (const item of inFlight) {
      if (item.stored.isDirty) continue;
      if (!item.isKept && items.isPinned(item)) retirement.note(item);
      if (item.isFinal || !item.isKept) items.unpin(item);
      else if (item.stored.isBeyond && item.stage.beyond?.mayUnpin(item)) {
        items.unpin(item);
        let ofStage = left.get(item.stage);
        if (ofStage === undefined) {
          ofStage = new Set();
          left.set(item.stage, ofStage);
        }
        ofStage.add(item);
      }
    }
    for (const [stage, unpinned] of left) stage.beyond?.unpinned(unpinned);
    events.show(this.eventsStored);
    if (this.isFull && this.unstored < FULL / 2 && this.grown < FULL_CHARACTERS / 2) this.setFull(false);
  }

  /** Whose newest state the store does not have. */
  unstoredItems(): Set<Item> {
    return new Set([...this.dirty, ...this.inFlight]);
  }

  private get unstored(): number {
    return this.dirty.length + this.inFlight.length;
  }

  private setFull(isFull: boolean): void {
    this.isFull = isFull;
    this.deps.onFull(isFull);
  }

  private rowOf(feed: Feed): StoredFeed {
    return {
      ordinal: feed.ordinal,
      id: feed.id,
      target: feed.target.no,
      created: Math.floor(this.deps.time.wall(feed.createdAt)),
      accepted: feed.accepted,
      duplicates: feed.duplicates,
      completed: feed.completed,
      failed: feed.failed,
      cancelled: feed.cancelled,
      first: feed.firstSequence,
      last: feed.lastSequence,
      is_cancelled: feed.isCancelled ? 1 : 0,
      is_forgotten: this.forgottenFeeds.delete(feed) ? 1 : 0,
      maker: feed.maker,
    };
  }
}
