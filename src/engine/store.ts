/*
 * The port to a durable store: what the engine hands over to be kept, and what it asks for again. The engine decides what is written
 * and when; a store decides how. Texts are JSON; instants are milliseconds since the Unix epoch.
 *
 *     transitions ──▶ Journal (coalesced) ──capture──▶ Writes ──▶ Store.write: one transaction ──▶ answers go out, events are shown
 *
 * After a crash a store holds the effect of whole calls of `write`, in their order, and nothing else. It deletes what it is told to
 * delete, and decides nothing by itself.
 *
 * Words of this room and of durable/: **stored**: in the store, as of the last write. **Written**: handed over to it, stored or under way.
 * **Dirty**: changed since it was written. **Pinned**: an item whose object in memory is the truth about it; it is unpinned when the store
 * has all of it. **Kept**: not taken by retention; an item that is not is **gone**, its row is **emptied** while events name it, and then
 * **removed**. **Mark**: a note beside the database of what a worker runs, see {@link RunningMarks}. **Dropped**: a pipeline, with all that it has.
 */

import type { PackedItems, StoredItem } from './contract/item-row.ts';
import type { StoreUsage } from './contract/measurements.ts';

export type { StoredLines } from './contract/event-lines.ts';
export {
  attemptsCell,
  attemptsIn,
  errorsOf,
  GONE,
  type PackedItems,
  SHORT_FIELDS,
  STATUS_CODES,
  type StoredError,
  type StoredItem,
  unpackItems,
  WRITE_ALL,
  WRITE_GONE,
  WRITE_NEW,
  WRITE_STATE,
  WRITTEN_FIELDS,
  type WriteKind,
} from './contract/item-row.ts';
export type { StoreUsage };

/**
 * Which texts of items are read: `all`; `results`, what a result shows: the values of completed items, the fed values of failed and cancelled ones,
 * metadata and errors; `inputs`, the fed values of all that have not completed, and errors; `facts`, metadata, and errors of items in any status; `none`, errors only. The others are null. A value can be 16 MiB, so
 * nobody reads it for nothing.
 */
export type Texts = 'all' | 'results' | 'inputs' | 'facts' | 'none';

/** Rows in their order; `isAll`: no more fit the query. */
export interface StoredPage {
  rows: StoredItem[];
  isAll: boolean;
  /** The sequence id up to which it has looked, when that is why it ended: see `most` of {@link ShelfQuery}. */
  reached?: number;
}

/** Cancelled while its request still sent. */
export const FEED_CANCELLED = 1;
/** The body of its last request has not come to its end. */
export const UPLOAD_INCOMPLETE = 2;
/** It is done, and the hook of that has not been called to its end. */
export const HOOK_OWED = 4;
/** Times this: while that is so, how many starts have called that hook again, before it returned; else how long the feed was worked on, in milliseconds. */
export const HOOK_CALLED_AGAIN = 8;

export interface StoredFeed {
  ordinal: number;
  id: string;
  /** The number of the stage that its items come into. */
  target: number;
  created: number;
  accepted: number;
  duplicates: number;
  completed: number;
  failed: number;
  cancelled: number;
  first: number | null;
  last: number | null;
  /** Flags: {@link FEED_CANCELLED}, {@link UPLOAD_INCOMPLETE} and {@link HOOK_OWED}, and above them {@link HOOK_CALLED_AGAIN}. A version that knows the first ones alone reads those as before. */
  is_cancelled: number;
  /** 1: no longer listed; kept as long as its items are. */
  is_forgotten: number;
  maker: string | null;
  /** The places in traces of the requests that sent its items, as model/feed-traces.ts writes them; null without any. */
  traces: string | null;
}

/** The record of an idempotency key. */
export interface StoredAnswer {
  key: string;
  /** null in what the engine has not written yet, where the key is to be forgotten; a store never has such a row. */
  request: string | null;
  body: string;
  feed: string;
  answer: string | null;
  at: number;
}

/** Events `first`, `first` + 1 …: four numbers each, as event-log.ts says, and what only some of them have. */
export interface StoredEvents {
  first: number;
  cells: Float64Array;
  /** [place in this chunk, JSON] */
  extras: [number, string][];
}

/** Items in the order of their end, counted from 1: sequence id and last event of each. */
export interface StoredEnds {
  first: number;
  at: number;
  pairs: Float64Array;
}

/** The changes of one pipeline. */
export interface PipelineWrites {
  pipeline: number;
  items: PackedItems | null;
  feeds: StoredFeed[];
  /** Ordinals. */
  removedFeeds: number[];
  /** New ones, and those that take the place of what the key had. */
  answers: StoredAnswer[];
  /** Keys. */
  removedAnswers: string[];
  ends: StoredEnds | null;
  /** Ends up to this one are needed no more. */
  endsBefore: number;
  /** Sequence ids whose value goes ({@link GONE}), and those that go altogether; before `items`, which may have their ids. */
  emptied: number[];
  removed: number[];
  events: StoredEvents | null;
  /** Events up to this one are needed no more. */
  eventsBefore: number;
  /**
   * So many milliseconds are added to `due` and `updated` of all items that are parked in the store, before `items`; 0: they stay. The clock was
   * set between two processes.
   */
  parkedShift: number;
  /** JSON by name; null: there is no such fact any more. */
  facts: [string, string | null][];
}

/** One transaction. */
export interface Writes {
  pipelines: PipelineWrites[];
  created: { pipeline: number; id: string }[];
  /** Everything of these pipelines goes, in steps; they are not there any more at once. */
  dropped: number[];
}

/** Stands for the store itself in {@link PipelineWrites}, whose pipelines are numbered from 1: it has facts alone. */
export const OF_STORE = 0;

/**
 * The fact of {@link OF_STORE} that has the lines of the common order of all events, as {@link StoredLines}; the names of those that hold that order begin so. The fact `identity`
 * of a pipeline has the lines of its own events. A store that finds that it may lack events which readers were told of, once, puts a `next` into all of them.
 */
export const ORDER = 'order';

/** The fact of {@link OF_STORE} that says which definitions it was last loaded from; the embedder's, who compares it. */
export const FILES = 'files';

export interface StoredPipeline {
  pipeline: number;
  id: string;
  facts: Record<string, string>;
}

export interface ShelfQuery {
  statuses: readonly number[] | null;
  feed: number | null;
  stages: readonly number[] | null;
  /** Sequence ids from, exclusive, and to, inclusive, in the order of the page. */
  after: number;
  last: number;
  /** The highest sequence id first. */
  isDescending?: boolean;
  limit: number;
  /** So many rows are looked at, whether they fit or not, where no index has those that do; by default all. */
  most?: number | undefined;
  /** The page ends with the row that makes its texts this long; it has one row at least. */
  characters: number;
  texts: Texts;
}

/**
 * The stored state of one pipeline, as of the last write. Every method answers at once; a page costs the same wherever it stands. Each throws
 * {@link StoreTrouble} when it cannot be read now; any other error is a fault, which ends the process.
 */
export interface Shelf {
  bySequence(seq: number, texts: Texts): StoredItem | undefined;
  byId(id: string, texts: Texts): StoredItem | undefined;
  /** Ascending by sequence id unless asked otherwise, without those that are {@link GONE} unless asked for. No row after the end of the page is held in memory but one. */
  page(query: ShelfQuery): StoredPage;
  /** The items that wait in a stage after a place in its order: by priority, then `ord`; ends as a page does. */
  queued(stage: number, priority: number, ord: number, limit: number, characters: number): StoredPage;
  /** The items that are parked in a stage after a place in their order: by `due`, then sequence id; ends as a page does. */
  parked(stage: number, due: number, seq: number, limit: number, characters: number): StoredPage;
  /** The queued items with `deliveries`, by sequence id. */
  suspects(): StoredItem[];
  parkedCounts(): { stage: number; count: number }[];
  /** The lowest `task` of all items that have not ended well or been cancelled; 0 when there are none. It looks at each of them. */
  lowestTask(): number;
  queuedCounts(): { stage: number; place: number; count: number }[];
  /** The newest failures that are still kept, oldest first, without their values. */
  failures(limit: number): StoredItem[];
  feeds(): StoredFeed[];
  feed(ordinal: number): StoredFeed | undefined;
  /** The feeds among the oldest `limit` forgotten ones whose items are all gone. */
  emptyFeeds(limit: number): number[];
  answer(key: string): StoredAnswer | undefined;
  /** Bytes of the answer that a key has, 0 for none as yet; undefined when there is no such key. */
  answerSize(key: string): number | undefined;
  /** How many keys there are, and the bytes of all their answers. */
  answerTotals(): { count: number; bytes: number };
  /** The oldest keys by `at`, oldest first. */
  oldestAnswers(limit: number): { key: string; at: number; bytes: number }[];
  /** The chunk that holds an end, or the next one. */
  endsFrom(number: number): StoredEnds | undefined;
  events(): StoredEvents[];
}

/** The `ord` in a mark of an item that does not run any more, but whose id was given to tasks. No item has it. */
export const ENDED = -1;

/** Which item each worker has begun last, noted before its task is called: it outlives the process, not the machine. */
export interface RunningMarks {
  /** `ord` says which stay of the item in a queue led to this, or {@link ENDED}. */
  set(slot: number, pipeline: number, seq: number, ord: number): void;
  /** Returns when what was set is out of this process. */
  write(): void;
}

/** The item that ended the process before, or held its event loop until it was ended. */
export interface Blame {
  pipeline: string;
  sequenceId: number;
}

/**
 * Why a store cannot write, or read, now. Trying again later makes sense. `reason` is told to callers, also those without a key: it MUST be words of Sluice's own, without the address
 * of a server, a path, or another program's text. Those belong to the cause, which only logs show.
 */
export class StoreTrouble extends Error {
  override name = 'StoreTrouble';
  readonly reason: string;
  constructor(reason: string, cause?: unknown) {
    super(reason, { cause });
    this.reason = reason;
  }
}

export interface Store {
  /** For logs and `/readyz`. */
  readonly kind: string;
  pipelines(): StoredPipeline[];
  /** The facts of {@link OF_STORE} whose names begin so. */
  facts(prefix: string): Record<string, string>;
  /**
   * The number for a new pipeline: the one after `after`, which is what this method has returned last in this process, or 0 before the first time; then
   * it is the one after the last that a write has created. A number that any pipeline had is not given again, whether or not that one was dropped,
   * until all others were.
   */
  nextPipeline(after: number): number;
  shelf(pipeline: number): Shelf;
  /**
   * Atomic and durable when it resolves. When it rejects with {@link StoreTrouble}, the same object MUST be written again before any other, and is
   * carried out once; any other error is a fault, which ends the process. Calls MUST NOT overlap.
   */
  write(writes: Writes): Promise<void>;
  /**
   * Calls `told` when the store finds out by itself, without a write, that it cannot write, and with `null` when that is over. To be called once;
   * a store that looks at nothing by itself has none.
   */
  watch?(told: (trouble: StoreTrouble | null) => void): void;
  /** The room that it takes, as of now. A store that cannot tell has none. */
  usage?(): Promise<StoreUsage>;
  readonly marks: RunningMarks;
  /** The items that were running when the previous process ended without closing the store. */
  readonly marked: readonly { pipeline: number; seq: number; ord: number }[];
  /**
   * True when that process may have run items that are not among them: it was killed before it had written that they ran, and left no other mark. Where the marks
   * themselves show as much, a store need not say it.
   */
  readonly isUncertain?: boolean;
  /** The process that left them, by an id that no other has; null when that is not known, as of an earlier version. */
  readonly markedBy: string | null;
  /**
   * True when events that readers were told of may be missing whenever somebody begins to write to it, whether or not that was noticed: new ones are then of
   * a line of their own, see contract/event-lines.ts.
   */
  readonly mayLackEvents?: boolean;
  /** The item that ended the previous process, `null` for none of its items; undefined if that is not known. */
  readonly blamed: Blame | null | undefined;
  /** Before this process ends: who ends it. Synchronous. */
  blame(blame: Blame | null): void;
  /** The marks of the process before are accounted for, and who was blamed: what they count is stored. */
  forgetMarked(): void;
  /** After the last write. Nothing counts as running any more. */
  close(): Promise<void>;
}
