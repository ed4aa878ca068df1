import Database from 'better-sqlite3';
import {
  GONE,
  OF_STORE,
  type PackedItems,
  type PipelineWrites,
  STATUS_CODES,
  StoreTrouble,
  unpackItems,
  WRITE_ALL,
  WRITE_GONE,
  WRITE_NEW,
  WRITE_STATE,
  WRITTEN_FIELDS,
  type Writes,
} from '../../engine/store.ts';
import { droppedIn, dropStep } from './dropping.ts';
import { encodeEvents, encodePairs } from './event-codec.ts';
import { disown } from './owner.ts';
import { PLACE, placeOf } from './place.ts';
import { Presence } from './presence.ts';
import { keyOf, NUMBERED } from './schema.ts';

const CACHE_KIB = 32 * 1024;
/** Pages of the log after which it is copied into the file. */
const CHECKPOINT_PAGES = 4000;
const BUSY_MS = 2000;
/** The number of the last write. */
const WRITTEN = 'written';

const FEED_FIELDS = [
  'target',
  'created',
  'accepted',
  'duplicates',
  'completed',
  'failed',
  'cancelled',
  'first',
  'last',
  'is_cancelled',
  'is_forgotten',
  'maker',
  'traces',
];

const set = (fields: readonly string[]): string => fields.map((field) => `${field} = ?`).join(', ');
const placeholders = (fields: readonly string[]): string => fields.map(() => '?').join(', ');
const NEW_FIELDS = ['pipeline', ...WRITTEN_FIELDS[WRITE_NEW], 'key'];

/**
 * The connection that writes, once the file is open: before that, and closed again, another one brings it to the newest format. Each
 * {@link Writer.apply} is one transaction, on disk when it returns.
 */
export class Writer {
  readonly db: Database.Database;
  private readonly statements;
  private readonly dropping: number[];
  private readonly presence: Presence;
  /** The number of the last write that the file has; 0 before the first. */
  applied: number;
  /** The last place that the file has, where it is a node's copy; null before the first. */
  place: string | null;

  /** `isReplica`: it is a node's copy of what a log has, so it can lose its last transactions in a power cut. */
  constructor(file: string, isReplica = false) {
    const db = new Database(file, { timeout: BUSY_MS });
    this.db = db;
    db.pragma('journal_mode = WAL');
    db.pragma(`synchronous = ${isReplica ? 'NORMAL' : 'FULL'}`);
    db.pragma(`cache_size = -${CACHE_KIB}`);
    db.pragma(`wal_autocheckpoint = ${CHECKPOINT_PAGES}`);
    this.statements = {
      begin: db.prepare('BEGIN IMMEDIATE'),
      commit: db.prepare('COMMIT'),
      rollback: db.prepare('ROLLBACK'),
      create: db.prepare('INSERT INTO pipelines (pipeline, id) VALUES (?, ?)'),
      drop: db.prepare('UPDATE pipelines SET is_dropped = 1 WHERE pipeline = ?'),
      fact: db.prepare('INSERT INTO facts (pipeline, name, json) VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET json = excluded.json'),
      removeFact: db.prepare('DELETE FROM facts WHERE pipeline = ? AND name = ?'),
      newItem: db.prepare(`INSERT INTO items (${NEW_FIELDS.join(', ')}) VALUES (${placeholders(NEW_FIELDS)})`),
      state: db.prepare(`UPDATE items SET ${set(WRITTEN_FIELDS[WRITE_STATE])} WHERE key = ?`),
      all: db.prepare(`UPDATE items SET ${set(WRITTEN_FIELDS[WRITE_ALL])} WHERE key = ?`),
      gone: db.prepare(`UPDATE items SET ${set(WRITTEN_FIELDS[WRITE_GONE])} WHERE key = ?`),
      empty: db.prepare(`UPDATE items SET status = ${GONE}, value = NULL, fed = NULL, metadata = NULL, error = NULL WHERE key = ?`),
      shift: db.prepare(`UPDATE items SET due = due + ?, updated = updated + ? WHERE status = ${STATUS_CODES.retrying} AND pipeline = ?`),
      remove: db.prepare('DELETE FROM items WHERE key = ?'),
      feed: db.prepare(
        `INSERT INTO feeds (key, pipeline, id, ${FEED_FIELDS.join(', ')}) VALUES (?, ?, ?, ${placeholders(FEED_FIELDS)})
         ON CONFLICT DO UPDATE SET ${FEED_FIELDS.map((field) => `${field} = excluded.${field}`).join(', ')}`,
      ),
      removeFeed: db.prepare('DELETE FROM feeds WHERE key = ?'),
      answer: db.prepare('INSERT OR REPLACE INTO answers (pipeline, key, request, body, feed, answer, at) VALUES (?, ?, ?, ?, ?, ?, ?)'),
      removeAnswer: db.prepare('DELETE FROM answers WHERE pipeline = ? AND key = ?'),
      ends: db.prepare('INSERT INTO ends (pipeline, first, last, at, pairs) VALUES (?, ?, ?, ?, ?)'),
      removeEnds: db.prepare('DELETE FROM ends WHERE pipeline = ? AND last <= ?'),
      events: db.prepare('INSERT INTO events (pipeline, first, last, cells, extras) VALUES (?, ?, ?, ?, ?)'),
      removeEvents: db.prepare('DELETE FROM events WHERE pipeline = ? AND last <= ?'),
    };
    this.dropping = droppedIn(db);
    this.applied = Number(db.prepare('SELECT json FROM facts WHERE pipeline = ? AND name = ?').pluck().get(OF_STORE, WRITTEN) ?? 0);
    this.place = placeOf(db);
    // It was read, so its log is there.
    this.presence = new Presence(file);
  }

  /** Why what is written would reach nobody; null when all is well. */
  fault(): string | null {
    return this.presence.fault();
  }

  /**
   * Throws what SQLite throws, or a {@link StoreTrouble} when its files are not there any more; then nothing of it is kept. Each write has the
   * number after the one before, or in a copy the next `place`; one that the file has already, because nobody was left to hear so, is not carried out again.
   */
  apply(writes: Writes, number: number, place: string | null = null): void {
    if (place === null ? number === this.applied : place === this.place) return;
    const { statements, db } = this;
    const fault = this.fault();
    if (fault !== null) throw new StoreTrouble(fault);
    statements.begin.run();
    try {
      for (const { pipeline, id } of writes.created) statements.create.run(pipeline, id);
      const numbered = writes.created.at(-1)?.pipeline;
      if (numbered !== undefined) statements.fact.run(OF_STORE, NUMBERED, String(numbered));
      for (const pipeline of writes.pipelines) this.applyPipeline(pipeline);
      for (const pipeline of writes.dropped) statements.drop.run(pipeline);
      if (place === null) statements.fact.run(OF_STORE, WRITTEN, String(number));
      else statements.fact.run(OF_STORE, PLACE, place);
      statements.commit.run();
    } catch (error) {
      // A full disk ends the transaction by itself.
      if (db.inTransaction) statements.rollback.run();
      throw error;
    }
    if (place === null) this.applied = number;
    else this.place = place;
    this.dropping.push(...writes.dropped);
  }

  /** Deletes some of what dropped pipelines have left; whether there is more. */
  dropSome(): boolean {
    const { db, dropping } = this;
    const pipeline = dropping[0];
    if (pipeline === undefined) return false;
    if (dropStep(db, pipeline)) dropping.shift();
    return dropping.length > 0;
  }

  close(): void {
    try {
      if (this.fault() === null) disown(this.db);
    } catch {
      // The record counts for nothing once this process has ended.
    }
    this.db.close();
  }

  private applyPipeline(writes: PipelineWrites): void {
    const { statements } = this;
    const { pipeline, items, ends, events } = writes;
    for (const row of writes.feeds) {
      const values = FEED_FIELDS.map((field) => (row as unknown as Record<string, unknown>)[field]);
      statements.feed.run(keyOf(pipeline, row.ordinal), pipeline, row.id, ...values);
    }
    // Before the items: an id of one that goes may be a new one's already.
    for (const seq of writes.emptied) statements.empty.run(keyOf(pipeline, seq));
    for (const seq of writes.removed) statements.remove.run(keyOf(pipeline, seq));
    if (writes.parkedShift !== 0) statements.shift.run(writes.parkedShift, writes.parkedShift, pipeline);
    if (items !== null) this.applyItems(pipeline, items);
    for (const ordinal of writes.removedFeeds) statements.removeFeed.run(keyOf(pipeline, ordinal));
    if (ends !== null) {
      statements.ends.run(pipeline, ends.first, ends.first + ends.pairs.length / 2 - 1, ends.at, encodePairs(ends.pairs));
    }
    statements.removeEnds.run(pipeline, writes.endsBefore);
    if (events !== null) {
      const last = events.first + events.cells.length / 4 - 1;
      const extras = events.extras.length === 0 ? null : JSON.stringify(events.extras);
      statements.events.run(pipeline, events.first, last, encodeEvents(events), extras);
    }
    statements.removeEvents.run(pipeline, writes.eventsBefore);
    for (const key of writes.removedAnswers) statements.removeAnswer.run(pipeline, key);
    for (const { key, request, body, feed, answer, at } of writes.answers)
      statements.answer.run(pipeline, key, request, body, feed, answer, at);
    for (const [name, json] of writes.facts) {
      if (json === null) statements.removeFact.run(pipeline, name);
      else statements.fact.run(pipeline, name, json);
    }
  }

  private applyItems(pipeline: number, items: PackedItems): void {
    const { newItem, all, state, gone } = this.statements;
    unpackItems(items, (kind, values) => {
      values[values.length - 1] = keyOf(pipeline, values.at(-1) as number);
      if (kind === WRITE_NEW) newItem.run(pipeline, ...values);
      else if (kind === WRITE_STATE) state.run(...values);
      else if (kind === WRITE_ALL) all.run(...values);
      else gone.run(...values);
    });
  }
}
