import type { Database, Statement } from 'better-sqlite3';
import type { Shelf, ShelfQuery, StoredAnswer, StoredEnds, StoredEvents, StoredFeed, StoredItem } from '../../engine/store.ts';
import { decodeEvents, decodePairs } from './event-codec.ts';
import { keyOf } from './schema.ts';

const GONE = 7;
const FAILED = 3;

/** Reads one pipeline, on a connection that only reads: it sees what was committed, and waits for nobody. */
export class SqliteShelf implements Shelf {
  private readonly db: Database;
  private readonly pipeline: number;
  private readonly base: number;
  private readonly columns: string;
  private readonly statements = new Map<string, Statement<unknown[]>>();

  constructor(db: Database, pipeline: number) {
    this.db = db;
    this.pipeline = pipeline;
    this.base = keyOf(pipeline, 0);
    this.columns = `key - ${this.base} AS seq, id, feed, priority, stage, status, place, ord, task, attempts, deliveries, accepted, updated, due, last_event, value, fed, metadata, error, route`;
  }

  bySequence(seq: number): StoredItem | undefined {
    return this.prepare(`SELECT ${this.columns} FROM items WHERE key = ?`).get(this.base + seq) as StoredItem | undefined;
  }

  byId(id: string): StoredItem | undefined {
    const sql = `SELECT ${this.columns} FROM items WHERE pipeline = ? AND id = ? AND id IS NOT NULL AND status <> ${GONE}`;
    return this.prepare(sql).get(this.pipeline, id) as StoredItem | undefined;
  }

  page(query: ShelfQuery): StoredItem[] {
    const { statuses } = query;
    if (query.feed !== null || statuses === null) return this.range(query, statuses);
    // Each status is in feed order in its index; together they are merged.
    const found = statuses.flatMap((status) => this.range(query, [status]));
    if (statuses.length > 1) found.sort((a, b) => a.seq - b.seq);
    return query.limit < 0 ? found : found.slice(0, query.limit);
  }

  queued(stage: number, priority: number, ord: number, limit: number): StoredItem[] {
    const of = `SELECT ${this.columns} FROM items WHERE status = 0 AND pipeline = ? AND stage = ?`;
    const same = this.prepare(`${of} AND priority = ? AND ord > ? ORDER BY ord LIMIT ?`);
    const rows = same.all(this.pipeline, stage, priority, ord, limit) as StoredItem[];
    if (rows.length >= limit) return rows;
    const higher = this.prepare(`${of} AND priority > ? ORDER BY priority, ord LIMIT ?`);
    return [...rows, ...(higher.all(this.pipeline, stage, priority, limit - rows.length) as StoredItem[])];
  }

  queuedCounts(): { stage: number; place: number; count: number }[] {
    const sql = 'SELECT stage, place, count(*) AS count FROM items WHERE status = 0 AND pipeline = ? GROUP BY stage, place';
    return this.prepare(sql).all(this.pipeline) as { stage: number; place: number; count: number }[];
  }

  failures(limit: number): StoredItem[] {
    const sql = `SELECT ${this.columns} FROM items WHERE status = ${FAILED} AND key > ? AND key < ? ORDER BY key DESC LIMIT ?`;
    const rows = this.prepare(sql).all(this.base, keyOf(this.pipeline + 1, 0), limit) as StoredItem[];
    return rows.sort((a, b) => a.updated - b.updated || a.seq - b.seq);
  }

  feeds(): StoredFeed[] {
    const sql = 'SELECT *, key - ? AS ordinal FROM feeds WHERE key > ? AND key < ? AND is_forgotten = 0 ORDER BY key';
    return this.prepare(sql).all(this.base, this.base, keyOf(this.pipeline + 1, 0)) as StoredFeed[];
  }

  feed(ordinal: number): StoredFeed | undefined {
    return this.prepare('SELECT *, key - ? AS ordinal FROM feeds WHERE key = ?').get(this.base, this.base + ordinal) as
      | StoredFeed
      | undefined;
  }

  emptyFeeds(limit: number): number[] {
    const sql = `SELECT ordinal FROM (SELECT key - ? AS ordinal FROM feeds WHERE pipeline = ? AND is_forgotten = 1 ORDER BY key LIMIT ?)
      WHERE NOT EXISTS (SELECT 1 FROM items WHERE pipeline = ? AND feed = ordinal)`;
    const rows = this.prepare(sql).all(this.base, this.pipeline, limit, this.pipeline) as { ordinal: number }[];
    return rows.map(({ ordinal }) => ordinal);
  }

  answer(key: string): StoredAnswer | undefined {
    return this.prepare('SELECT * FROM answers WHERE pipeline = ? AND key = ?').get(this.pipeline, key) as StoredAnswer | undefined;
  }

  endsFrom(number: number): StoredEnds | undefined {
    const sql = 'SELECT first, last, at, pairs FROM ends WHERE pipeline = ? AND last >= ? ORDER BY last LIMIT 1';
    const row = this.prepare(sql).get(this.pipeline, number) as { first: number; last: number; at: number; pairs: Uint8Array } | undefined;
    return row === undefined ? undefined : { first: row.first, at: row.at, pairs: decodePairs(row.last - row.first + 1, row.pairs) };
  }

  events(): StoredEvents[] {
    const rows = this.prepare('SELECT first, last, cells, extras FROM events WHERE pipeline = ? ORDER BY last').all(this.pipeline) as {
      first: number;
      last: number;
      cells: Uint8Array;
      extras: string | null;
    }[];
    return rows.map(({ first, last, cells, extras }) => ({
      first,
      cells: decodeEvents(first, last - first + 1, cells),
      extras: extras === null ? [] : JSON.parse(extras),
    }));
  }

  private range({ feed, stages, after, last, limit }: ShelfQuery, statuses: readonly number[] | null): StoredItem[] {
    const { base } = this;
    const parts = ['key > ?', 'key <= ?'];
    const values: unknown[] = [base + after, Math.min(base + last, keyOf(this.pipeline + 1, 0) - 1)];
    if (statuses === null) parts.push(`status <> ${GONE}`);
    else if (statuses.length === 1) parts.push(`status = ${statuses[0]}`);
    else parts.push(`status IN (${statuses.join(', ')})`);
    // The planner is to take the index of feeds, and not to think of the others.
    if (feed !== null) parts[parts.length - 1] = `+${parts.at(-1)}`;
    if (feed !== null) {
      parts.push('pipeline = ?', 'feed = ?');
      values.push(this.pipeline, feed);
    }
    if (stages !== null) parts.push(`stage IN (${stages.map(Number).join(', ')})`);
    return this.prepare(`SELECT ${this.columns} FROM items WHERE ${parts.join(' AND ')} ORDER BY key LIMIT ?`).all(
      ...values,
      limit,
    ) as StoredItem[];
  }

  private prepare(sql: string): Statement<unknown[]> {
    let statement = this.statements.get(sql);
    if (statement === undefined) {
      statement = this.db.prepare<unknown[]>(sql);
      this.statements.set(sql, statement);
    }
    return statement;
  }
}
