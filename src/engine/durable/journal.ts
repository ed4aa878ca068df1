import type { EventLog } from '../events/event-log.ts';
import type { Feed } from '../model/feed.ts';
import type { FactName, Keeper, Waiting } from '../model/keeper.ts';
import type { Item, QueueRest, RetryRest } from '../model/model.ts';
import { NOT_STORED, StoredState } from '../model/stored-state.ts';
import {
  FEED_CANCELLED,
  HOOK_CALLED_AGAIN,
  HOOK_OWED,
  type PipelineWrites,
  type StoredAnswer,
  type StoredEnds,
  type StoredFeed,
  UPLOAD_INCOMPLETE,
} from '../store.ts';
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
  /** The pipeline's counters now. Those that change only together with an item need no report of their own. */
  figures: () => Figures;
  /** The part of its description that its definition and its operators determine. */
  operated: () => Operated;
  /** A seldom changing part of the pipeline, as JSON. */
  fact: (name: FactName) => string;
  /** Facts that are written beside what has changed, see live-facts.ts. */
  live: () => [name: string, json: string][];
  /** The version of the definition, see {@link History}. */
  version: () => number;
  /** Forgotten feeds of which no item is left, a few at a time. */
  emptyFeeds: () => number[];
}

/** The numbers and the description of a pipeline, as of one flush. */
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
  /** null: unchanged. */
  operated: Operated | null;
}

/** About how many characters the values of a queue's items may take in memory; the number of items is also bounded. */
const WINDOW_CHARACTERS = 8 * 1024 * 1024;
const WINDOW_MAX = 8192;
const WINDOW_MIN = 2;

/**
 * The changes of a pipeline that are not stored yet. An item that changes ten times between two flushes is written once, in its newest state.
 * Everything is captured in one turn, so that stored items, counters and events agree.
 */
export class Journal implements Changing, Keeper {
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
  /** True when the flusher knows that something has changed since the last capture. */
  isStirred = false;
  private captured: Captured | null = null;
  /** The figures and description as of the last stored flush; null before the first. */
  stored: Stored | null = null;
  /** True when the pipeline is dropped: nothing of it is waited for. */
  private isOver = false;
  /** Characters of the large values made since the last capture, and before it. */
  private grown = 0;
  /** How far the instants of what is parked in the store have still to be set; 0 once they are. */
  private shift = 0;
  private shiftCaptured = 0;
  private whenShifted = (): void => undefined;
  private grownCaptured = 0;
  private meanCharacters = 64;

  constructor(deps: JournalDeps) {
    this.deps = deps;
  }

  /** Starts to record changes. The present state is in the store already, unless the pipeline is new. */
  begin(isNew: boolean): void {
    const { events } = this.deps;
    const { figures, operated } = this.deps;
    if (!isNew) this.stored = { figures: figures(), operated: operated() };
    this.eventsStored = events.last;
    this.namesStored = events.last === 0 ? 0 : events.namesCount;
  }

  /** Called when items that ran as the previous process ended are queued again: a restart would find the same, so it counts as stored. */
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
    if (!this.isOver) this.deps.flusher.unstored.add(1, 0);
    if (!this.isStirred) this.stir();
  }

  grow(characters: number): void {
    if (!this.isOver) {
      this.grown += characters;
      this.deps.flusher.unstored.add(0, characters);
    }
    this.stir();
  }

  /** Has the store set the instants of all that is parked there; `done` is called when it has. */
  shiftParked(milliseconds: number, done: () => void): void {
    this.shift = milliseconds;
    this.whenShifted = done;
    this.stir();
  }

  touchFeed(feed: Feed): void {
    this.dirtyFeeds.add(feed);
    this.stir();
  }

  forgetFeed(feed: Feed): void {
    this.forgottenFeeds.add(feed);
    // A feed without items need not be kept for their sake.
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

  /** The newest answer of a key that is not stored yet. */
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

  /** True when an answer has to wait for the store, or will never have it. */
  private get awaits(): boolean {
    return this.isBehind || this.deps.flusher.isAbandoned;
  }

  settled(): Promise<boolean> | undefined {
    return this.awaits ? this.deps.flusher.settled() : undefined;
  }

  settledSoon(): Promise<boolean> | undefined {
    return this.awaits ? this.deps.flusher.settledSoon() : undefined;
  }

  settledAtLast(): Waiting | undefined {
    return this.awaits ? this.deps.flusher.settledAtLast() : undefined;
  }

  get trouble(): string | null {
    return this.deps.flusher.trouble;
  }

  room(): Promise<boolean> | undefined {
    return this.deps.flusher.unstored.isCrowded(this.meanCharacters) ? this.deps.flusher.settled() : undefined;
  }

  /** Called when the pipeline is dropped. */
  end(): void {
    this.isOver = true;
    this.deps.flusher.unstored.remove(this.dirty.length, this.grown);
    this.dirty = [];
    this.grown = 0;
  }

  /** Characters of the large values that were captured last. */
  get capturedCharacters(): number {
    return this.grownCaptured;
  }

  /** Takes the sizes of items read from the store into account: larger ones shrink the {@link Journal.window}. */
  noteSizes(rows: readonly { size: number }[]): void {
    let characters = 0;
    for (const { size } of rows) characters += size;
    if (rows.length > 0) this.meanCharacters = Math.max(this.meanCharacters, characters / rows.length);
  }

  /** How many items of a queue to keep in memory, by their average size. */
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
    this.grownCaptured = this.grown;
    this.grown = 0;
    for (const item of items) {
      // It was replaced by another object, which was touched too.
      if (!item.stored.isDirty) continue;
      item.stored.isDirty = false;
      item.stored.isInFlight = true;
      writes.add(item, time, deps.version());
    }
    if (writes.withTexts > 0) {
      const mean = writes.characters / writes.withTexts;
      // A larger mean counts at once, a smaller one gradually.
      this.meanCharacters = mean > this.meanCharacters ? mean : this.meanCharacters + 0.2 * (mean - this.meanCharacters);
      writes.characters = 0;
      writes.withTexts = 0;
    }
    const { ends, endsBefore, emptied, removed } = retirement.capture();
    const removedFeeds = this.removedFeeds;
    this.removedFeeds = [];
    // A feed that is no longer listed is kept only for its items, and goes after them.
    if (removed.length > 0) removedFeeds.push(...deps.emptyFeeds());
    const feeds = [...this.dirtyFeeds].map((feed) => this.rowOf(feed));
    this.dirtyFeeds = new Set();
    const added = events.copyAfter(this.eventsStored);
    // The name of a line is there as soon as anything is that is told by it.
    if (added !== null && events.lines.isUnstored) {
      events.lines.isUnstored = false;
      this.facts.add('identity');
    }
    const operated = this.facts.size === 0 ? null : deps.operated();
    const facts: [string, string][] = [...this.facts].map((name) => [name, deps.fact(name)]);
    this.facts.clear();
    const figures = deps.figures();
    facts.push(['counters', JSON.stringify(figures.counters)]);
    if (events.namesCount !== this.namesStored) {
      this.namesStored = events.namesCount;
      facts.push(['names', JSON.stringify(events.names)]);
    }
    facts.push(...deps.live());
    this.captured = { ends, emptied, removed, answers: this.answers, figures, operated };
    const { answers, removedAnswers } = deps.keys.capture(this.answers);
    this.answers = new Map();
    this.eventsCaptured = events.last;
    const parkedShift = this.shift;
    this.shift = 0;
    this.shiftCaptured = parkedShift;
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
      events: added,
      eventsBefore: events.oldest - 1,
      parkedShift,
      facts,
    };
  }

  written(): void {
    const { events, items, retirement } = this.deps;
    this.eventsStored = this.eventsCaptured;
    const { inFlight } = this;
    this.deps.flusher.unstored.remove(inFlight.length, 0);
    const { ends, emptied, removed, figures, operated } = this.captured as Captured;
    this.inFlight = [];
    this.captured = null;
    this.stored = { figures, operated: operated ?? (this.stored as Stored).operated };
    retirement.stored(ends, emptied, removed);
    const left = new Map<QueueRest | RetryRest, Set<Item>>();
    for (const item of inFlight) {
      item.stored.isInFlight = false;
      if (item.stored.isDirty) continue;
      if (!item.isKept && items.isPinned(item)) retirement.note(item);
      if (item.isFinal || !item.isKept) items.unpin(item);
      else if (item.stored.isBeyond) {
        const rest = item.status === 'retrying' ? item.stage.parkedRest : item.stage.beyond;
        if (rest === null) continue;
        items.unpin(item);
        let ofRest = left.get(rest);
        if (ofRest === undefined) {
          ofRest = new Set();
          left.set(rest, ofRest);
        }
        ofRest.add(item);
      }
    }
    for (const [rest, unpinned] of left) rest.unpinned(unpinned);
    events.show(this.eventsStored);
    if (this.shiftCaptured === 0) return;
    this.shiftCaptured = 0;
    this.whenShifted();
  }

  unstoredItems(): Set<Item> {
    return new Set([...this.dirty, ...this.inFlight]);
  }

  private rowOf(feed: Feed): StoredFeed {
    return {
      ordinal: feed.ordinal,
      id: feed.id,
      target: feed.target.no,
      created: feed.createdAt,
      accepted: feed.accepted,
      duplicates: feed.duplicates,
      completed: feed.completed,
      failed: feed.failed,
      cancelled: feed.cancelled,
      first: feed.firstSequence,
      last: feed.lastSequence,
      is_cancelled:
        (feed.isCancelled ? FEED_CANCELLED : 0) +
        (feed.isComplete ? 0 : UPLOAD_INCOMPLETE) +
        (feed.isOwed ? HOOK_OWED : 0) +
        (feed.isOwed ? feed.calledAgain : feed.workedSoFarMs) * HOOK_CALLED_AGAIN,
      is_forgotten: this.forgottenFeeds.delete(feed) ? 1 : 0,
      maker: feed.maker,
      traces: feed.traces?.stored ?? null,
    };
  }
}
