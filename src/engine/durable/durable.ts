/*
 * Room `durable`: ties a pipeline to a store. It decides what is written and when, what a start restores, and which items need not be in
 * memory.
 *
 * Holds: A flush is one transaction of whole transitions, and events are shown only after it. Memory is bounded, however much waits in the
 * store. After a crash, a pipeline is in the state of its last flush.
 * Refuses: I/O and SQL, which are behind the port in store.ts. It decides nothing about where an item goes.
 */

import type { PipelineDefinition, TaskUse } from '../../schemas/definition.ts';
import type { StageTuning } from '../../schemas/redefinition.ts';
import type { PipelineState } from '../../schemas/stats.ts';
import type { StageSpec } from '../definition/stage-spec.ts';
import { ANSWERS_AGE_MS, ANSWERS_CHARACTERS, ANSWERS_MAX } from '../feeds/answers.ts';
import type { Core, Identity } from '../flow/core.ts';
import { Feed } from '../model/feed.ts';
import { FeedTraces } from '../model/feed-traces.ts';
import { type Item, Stage } from '../model/model.ts';
import {
  FEED_CANCELLED,
  HOOK_CALLED_AGAIN,
  HOOK_OWED,
  type Shelf,
  type Store,
  type StoredFeed,
  type StoredItem,
  UPLOAD_INCOMPLETE,
} from '../store.ts';
import { BUFFER_CHARACTERS, PAGE_CHARACTERS } from '../values/sizes.ts';
import type { Crash } from './crash.ts';
import { figuresOf, type Operated } from './figures.ts';
import type { Flusher } from './flusher.ts';
import { guardedShelf, unlessUnreadable } from './guarded-shelf.ts';
import { History } from './history.ts';
import { type RowReferences, toItem } from './item-codec.ts';
import { Journal } from './journal.ts';
import { KeyClock } from './key-clock.ts';
import { KeyRetirement } from './key-retirement.ts';
import { LiveFacts } from './live-facts.ts';
import { ParkedRest } from './parked-rest.ts';
import { Beyond } from './queue-rest.ts';
import { Retirement } from './retirement.ts';
import { StoredItems } from './stored-items.ts';

/** A pipeline's access to its store. */
export interface StoreLink {
  store: Store;
  flusher: Flusher;
  pipeline: number;
  /** The facts that the store has about the pipeline; null when it is new. */
  facts: Readonly<Record<string, string>> | null;
  /** The instant of the store's last write, as the process before told the time; null when that is not known. */
  lastAt: number | null;
  /** How far the clock was set while that process ran, in milliseconds: what it parked goes by the clock before that. */
  drift: number;
  /** See {@link EngineClock.anchorAt}. */
  anchor: number;
  /** The end of the process before. Throws `store-unavailable`. */
  crash: () => Crash;
  /** An item that is to blame for this many crashes is not tried again. */
  maxDeliveries: number;
  /** How many items of a stage's queue to keep in memory; undefined: as many as their size allows. */
  queueWindow: number | undefined;
}

/** The state, pauses and overrides that operators have asked for. */
export interface StoredControl {
  state: PipelineState;
  pausedStages: string[];
  /** Earlier versions had none. */
  pausedReasons: Record<string, string>;
  overrides: Record<string, StageTuning>;
}

/**
 * Stages by number, removed ones included; `next` is the stage in which their items go on, `tasks` are those of a removed one. Earlier versions
 * did not keep the latter.
 */
export type StoredStages = { no: number; name: string; next: number | null; isRemoved: boolean; tasks?: readonly TaskUse[] }[];

/**
 * `source`: of a pipeline that stands in a file, what the file said last. `hasRoutes`: whether any item's way may differ from the order of the
 * stages; earlier versions did not say.
 */
export interface StoredDefinition {
  definition: PipelineDefinition;
  source: PipelineDefinition | null;
  hasRoutes?: boolean;
}

export interface DurableSources {
  definition: () => StoredDefinition;
  control: () => StoredControl;
  operated: () => Operated;
}

/** How many feeds that are no longer listed are kept in memory for their items. */
const OLD_FEEDS = 1000;
const EMPTY_FEEDS = 200;

/** Connects a pipeline to its store: replaces its index and keeper by stored ones. To be made before anything happens in the pipeline. */
export class Durable {
  readonly core: Core;
  readonly link: StoreLink;
  readonly shelf: Shelf;
  readonly items: StoredItems;
  readonly retirement: Retirement;
  readonly journal: Journal;
  readonly history: History;
  readonly keyClock: KeyClock;
  readonly live: LiveFacts;
  private readonly references: RowReferences;
  /** Stages that the definition no longer has, by number. */
  private readonly former = new Map<number, Stage>();
  private readonly oldFeeds = new Map<number, Feed>();
  /** Unsubscribes a removed pipeline from the flusher, which outlives it. */
  readonly unwatch: () => void;

  constructor(core: Core, link: StoreLink, identity: Identity, sources: DurableSources) {
    this.core = core;
    this.link = link;
    this.shelf = guardedShelf(link.store.shelf(link.pipeline), link.flusher);
    const { time, events, options } = core;
    const { idPrefix } = identity;
    time.anchorAt(link.anchor);
    this.history = new History((no) => this.stageOf(no).next?.no ?? 0);
    const { history } = this;
    this.references = { time, idPrefix, feedOf: (ordinal) => this.feedOf(ordinal), stageOf: (no) => this.stageOf(no), history };
    this.retirement = new Retirement(options.retention, time, this.shelf, () => events.oldest);
    this.items = new StoredItems({
      prefix: idPrefix,
      shelf: this.shelf,
      retirement: this.retirement,
      toItem: (row) => this.toItem(row),
      stageNumbers: (name) => [...core.allStages, ...this.former.values()].filter((stage) => stage.name === name).map((stage) => stage.no),
      feedOrdinal: (id) => core.feeds.find(id)?.ordinal,
      onGone: (sequenceId) => core.ledger.forget(sequenceId),
      touch: (item) => this.journal.touch(item),
      redefined: (step) => {
        const { inFlight, failed } = core.ledger;
        history.add(step, inFlight === 0 && failed === 0);
        this.journal.touchFact('history');
      },
      pageCharacters: options.pageCharacters ?? PAGE_CHARACTERS,
    });
    this.keyClock = new KeyClock(time.clock);
    this.live = new LiveFacts(core);
    this.journal = new Journal({
      pipeline: link.pipeline,
      flusher: link.flusher,
      time,
      events,
      items: this.items,
      retirement: this.retirement,
      keys: new KeyRetirement(this.shelf, () => this.keyClock.now(), {
        most: options.maxIdempotencyKeys ?? ANSWERS_MAX,
        bytes: ANSWERS_CHARACTERS,
        ageMs: ANSWERS_AGE_MS,
      }),
      figures: () => figuresOf(core, this.retirement.state, { hasLookalikes: this.items.hasLookalikes, keysLag: this.keyClock.lag }),
      operated: sources.operated,
      fact: (name) => {
        switch (name) {
          case 'identity':
            return JSON.stringify({ idPrefix, ...events.lines.stored });
          case 'definition':
            return JSON.stringify(sources.definition());
          case 'control':
            return JSON.stringify(sources.control());
          case 'stages':
            return JSON.stringify(this.stageRows());
          case 'history':
            return JSON.stringify(history.stored);
          case 'counted':
            return JSON.stringify(link.store.markedBy);
        }
      },
      live: () => this.live.capture(),
      version: () => history.current,
      emptyFeeds: () => this.emptyFeeds(),
    });
    core.storeIn(this.items, (stage) => this.prepare(stage));
    const leave = [link.flusher.watch(() => this.onTrouble()), link.flusher.unstored.watch((isFull) => core.suspend('full', isFull))];
    this.unwatch = () => {
      for (const each of leave) each();
    };
    this.onTrouble();
  }

  /** Starts to record every change. */
  begin(): void {
    const { core, journal, link } = this;
    journal.begin(link.facts === null);
    link.flusher.add(journal);
    core.keepWith(journal);
  }

  /** Undoes what was begun, when a start has to begin again. */
  abandon(): void {
    this.unwatch();
    this.journal.end();
    this.link.flusher.remove(this.journal);
    this.core.options.quarantine?.forget(this.core.scheduler);
  }

  /** The item of a row, as a new object. */
  toItem(row: StoredItem): Item {
    return toItem(row, this.references);
  }

  stageOf(no: number): Stage {
    return this.core.allStages.find((stage) => stage.no === no) ?? this.former.get(no) ?? this.formerStage(no, `stage ${no}`);
  }

  /** Makes a stage that the definition no longer has: its items show its name, and go on in the next one. Its tasks are never called. */
  formerStage(no: number, name: string, tasks: readonly TaskUse[] = []): Stage {
    const { core } = this;
    const definition = { ...(core.stages[0] as Stage).spec.definition, name, tasks: [...tasks], workers: 0, pull: false };
    const spec: StageSpec = {
      definition,
      tasks: [],
      secrets: [],
      skipIf: undefined,
      onSuccess: undefined,
      onFailure: undefined,
      onSkip: undefined,
      onPause: undefined,
    };
    const stage = new Stage(core.id, no, -1, spec, core.createRunner(spec), core.meter);
    stage.isRemoved = true;
    this.former.set(no, stage);
    this.prepare(stage);
    return stage;
  }

  /** Remembers a stage that a new definition no longer has: items that failed there show its name, and go on in its next stage. */
  keepFormer(stage: Stage): void {
    this.former.set(stage.no, stage);
  }

  get formerStages(): Iterable<Stage> {
    return this.former.values();
  }

  feedFrom(row: StoredFeed): Feed {
    const feed = new Feed(row.id, row.ordinal, this.stageOf(row.target), row.created, row.maker);
    feed.accepted = row.accepted;
    feed.duplicates = row.duplicates;
    feed.completed = row.completed;
    feed.failed = row.failed;
    feed.cancelled = row.cancelled;
    feed.firstSequence = row.first;
    feed.lastSequence = row.last;
    if (row.traces !== null) feed.traces = FeedTraces.from(row.traces);
    feed.isCancelled = (row.is_cancelled & FEED_CANCELLED) !== 0;
    feed.isComplete = (row.is_cancelled & UPLOAD_INCOMPLETE) === 0;
    // Its request ended with the process.
    feed.isOpen = false;
    feed.isTold = feed.isOver;
    feed.isOwed = (row.is_cancelled & HOOK_OWED) !== 0;
    // Where the hook is owed no longer, the time that the feed took stands.
    const above = Math.floor(row.is_cancelled / HOOK_CALLED_AGAIN);
    if (feed.isOwed) feed.calledAgain = above;
    else if (above > 0) feed.workedMs = above;
    return feed;
  }

  private feedOf(ordinal: number): Feed {
    const known = this.core.feeds.byOrdinal(ordinal) ?? this.oldFeeds.get(ordinal);
    if (known !== undefined) return known;
    const row = this.shelf.feed(ordinal);
    const feed = row === undefined ? new Feed(`feed ${ordinal}`, ordinal, this.stageOf(0), 0) : this.feedFrom(row);
    this.oldFeeds.set(ordinal, feed);
    if (this.oldFeeds.size > OLD_FEEDS) this.oldFeeds.delete(this.oldFeeds.keys().next().value as number);
    return feed;
  }

  private prepare(stage: Stage): void {
    const { core, items, journal, shelf, link } = this;
    stage.beyond = new Beyond(stage, {
      window: () => link.queueWindow ?? journal.window,
      unpin: (item) => items.unpin(item),
      read: (of, after, limit) => {
        const { rows, isAll } = shelf.queued(of.no, after.priority, after.ord, limit, BUFFER_CHARACTERS);
        const last = isAll ? undefined : rows.at(-1);
        return { items: this.load(rows), end: last === undefined ? null : { priority: last.priority, ord: last.ord } };
      },
    });
    stage.parkedRest = new ParkedRest(stage, {
      window: () => link.queueWindow ?? journal.window,
      unpin: (item) => items.unpin(item),
      read: (of, after, limit) => {
        const { rows, isAll } = shelf.parked(of.no, after.due, after.seq, limit, BUFFER_CHARACTERS);
        const last = isAll ? undefined : rows.at(-1);
        return { items: this.load(rows), end: last === undefined ? null : { due: last.due ?? last.updated, seq: last.seq } };
      },
    });
    if (core.keeper === journal) journal.touchFact('stages');
  }

  /** Brings the items of rows into memory, but for those that are there. */
  private load(rows: readonly StoredItem[]): Item[] {
    this.journal.noteSizes(rows);
    const found = rows.filter((row) => !this.items.isLive(row.seq)).map((row) => this.toItem(row));
    for (const item of found) this.items.pin(item);
    return found;
  }

  private stageRows(): StoredStages {
    const { core } = this;
    const former = [...this.former.values()].filter((stage) => stage.isRemoved);
    return [...core.stages, ...former].map(({ no, name, next, isRemoved, spec }) => ({
      no,
      name,
      next: next?.no ?? null,
      isRemoved,
      ...(isRemoved && { tasks: spec.definition.tasks }),
    }));
  }

  private emptyFeeds(): number[] {
    // Those that are not found now are found when the next items are removed.
    return this.core.feeds.forgotten === 0 ? [] : unlessUnreadable(() => this.shelf.emptyFeeds(EMPTY_FEEDS), []);
  }

  private onTrouble(): void {
    const { trouble } = this.link.flusher;
    this.core.admission.setTrouble(trouble);
    this.core.suspend('trouble', trouble !== null);
  }
}
