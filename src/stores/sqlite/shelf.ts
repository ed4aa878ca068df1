import type { Database } from 'better-sqlite3';
import {
  GONE,
  SHORT_FIELDS,
  type Shelf,
  type ShelfQuery,
  STATUS_CODES,
  type StoredAnswer,
  type StoredEnds,
  type StoredEvents,
  type StoredFeed,
  type StoredItem,
  type StoredPage,
  type Texts,
} from '../../engine/store.ts';
import { decodeEvents, decodePairs } from './event-codec.ts';
import { type Reading, reading } from './reading.ts';
import { hasKey, keyOf } from './schema.ts';

const {
  queued: QUEUED,
  in_progress: IN_PROGRESS,
  completed: COMPLETED,
  failed: FAILED,
  retrying: RETRYING,
  cancelled: CANCELLED,
} = STATUS_CODES;

/** `passed`: characters of the texts that stand before its error. */
type Row = StoredItem & { passed: number };

/** Size of a row apart from its texts. */
const ROW_CHARACTERS = 200;
/** To go through a text without reading it costs a part of reading it. */
const PASSED_SHARE = 1 / 8;

/** Reads one pipeline, on a connection that only reads: it sees what was committed, and waits for nobody. */
export class SqliteShelf implements Shelf {
  private readonly db: Database;
  private readonly pipeline: number;
  private readonly base: number;
  private readonly columns: Record<Texts, string>;
  private readonly statements = new Map<string, Reading>();

  constructor(db: Database, pipeline: number) {
    this.db = db;
    this.pipeline = pipeline;
    this.base = keyOf(pipeline, 0);
    const short = `key - ${this.base} AS seq, ${SHORT_FIELDS.join(', ')}`;
    // Told from the head of the row, without reading the text.
    const sizes = `coalesce(octet_length(value), octet_length(fed), 0) AS size, coalesce(octet_length(value), 0) + coalesce(octet_length(fed), 0) AS passed`;
    // Columns after a long text are reached by reading through it: errors are read only where there are some.
    const error = `CASE WHEN status IN (${FAILED}, ${CANCELLED}) THEN error END AS error`;
    this.columns = {
      all: `${short}, ${sizes}, value, fed, metadata, error, route`,
      results: `${short}, ${sizes}, CASE WHEN status = ${COMPLETED} THEN value END AS value, CASE WHEN status IN (${COMPLETED}, ${FAILED}, ${CANCELLED}) THEN fed END AS fed, metadata, ${error}, NULL AS route`,
      inputs: `${short}, ${sizes}, NULL AS value, CASE WHEN status <> ${COMPLETED} THEN fed END AS fed, NULL AS metadata, ${error}, NULL AS route`,
      facts: `${short}, ${sizes}, NULL AS value, NULL AS fed, metadata, error, NULL AS route`,
      none: `${short}, ${sizes}, NULL AS value, NULL AS fed, NULL AS metadata, ${error}, NULL AS route`,
    };
  }

  bySequence(seq: number, texts: Texts): StoredItem | undefined {
    if (!hasKey(seq)) return undefined;
    return this.prepare(`SELECT ${this.columns[texts]} FROM items WHERE key = ?`).get(this.base + seq) as StoredItem | undefined;
  }

  byId(id: string, texts: Texts): StoredItem | undefined {
    const sql = `SELECT ${this.columns[texts]} FROM items WHERE pipeline = ? AND id = ? AND id IS NOT NULL AND status <> ${GONE}`;
    return this.prepare(sql).get(this.pipeline, id) as StoredItem | undefined;
  }

  page(query: ShelfQuery): StoredPage {
    const reached = this.boundOf(query);
    if (reached === undefined) return this.pageUpTo(query);
    const page = this.pageUpTo({ ...query, last: reached });
    return page.isAll ? { rows: page.rows, isAll: false, reached } : page;
  }

  private pageUpTo(query: ShelfQuery): StoredPage {
    const { statuses } = query;
    if (query.feed !== null || statuses === null) return pageOf(this.range(query, statuses), query);
    // Each status is in feed order in its index; together they are merged.
    const ranges = [...new Set(statuses)].map((status) => this.range(query, [status]));
    return pageOf(ranges.length === 1 ? (ranges[0] as Iterable<Row>) : inOrder(ranges, query.isDescending === true), query);
  }

  /** The sequence id of the last row that is looked at where an index has more than fit, and more of them than may be looked at; undefined where it has not. */
  private boundOf({ feed, statuses, stages, most, after, last, isDescending = false }: ShelfQuery): number | undefined {
    if (most === undefined || (stages === null && (feed === null || statuses === null))) return undefined;
    const ways = feed !== null || statuses === null ? [null] : [...new Set(statuses)];
    const [above, upTo] = isDescending ? [Math.max(0, last - 1), after - 1] : [after, last];
    const end = keyOf(this.pipeline + 1, 0) - 1;
    const reached = ways.flatMap((status) => {
      const parts = [...(feed === null ? [] : ['pipeline = ?', 'feed = ?']), ...(status === null ? [] : [`status = ${status}`])];
      const values = feed === null ? [] : [this.pipeline, feed];
      const sql = `SELECT key FROM items WHERE ${[...parts, 'key > ?', 'key <= ?'].join(' AND ')} ORDER BY key${isDescending ? ' DESC' : ''} LIMIT 1 OFFSET ?`;
      const row = this.prepare(sql).get(...values, this.base + above, Math.min(this.base + upTo, end), most - 1) as
        | { key: number }
        | undefined;
      return row === undefined ? [] : [row.key - this.base];
    });
    if (reached.length === 0) return undefined;
    return isDescending ? Math.max(...reached) : Math.min(...reached);
  }

  queued(stage: number, priority: number, ord: number, limit: number, characters: number): StoredPage {
    const of = `SELECT ${this.columns.all} FROM items WHERE status = ${QUEUED} AND pipeline = ? AND stage = ?`;
    const same = this.prepare(`${of} AND priority = ? AND ord > ? ORDER BY ord LIMIT ?`);
    const higher = this.prepare(`${of} AND priority > ? ORDER BY priority, ord LIMIT ?`);
    const { pipeline } = this;
    const most = limitOf(limit);
    function* rows(): Generator<Row> {
      yield* same.iterate(pipeline, stage, priority, ord, most) as Iterable<Row>;
      yield* higher.iterate(pipeline, stage, priority, most) as Iterable<Row>;
    }
    return pageOf(rows(), { limit, characters });
  }

  parked(stage: number, due: number, seq: number, limit: number, characters: number): StoredPage {
    const of = `SELECT ${this.columns.all} FROM items WHERE status = ${RETRYING} AND pipeline = ? AND stage = ?`;
    const same = this.prepare(`${of} AND due = ? AND key > ? ORDER BY key LIMIT ?`);
    const later = this.prepare(`${of} AND due > ? ORDER BY due, key LIMIT ?`);
    const { pipeline, base } = this;
    const most = limitOf(limit);
    function* rows(): Generator<Row> {
      yield* same.iterate(pipeline, stage, due, base + seq, most) as Iterable<Row>;
      yield* later.iterate(pipeline, stage, due, most) as Iterable<Row>;
    }
    return pageOf(rows(), { limit, characters });
  }

  suspects(): StoredItem[] {
    const sql = `SELECT ${this.columns.all} FROM items WHERE status = ${QUEUED} AND deliveries > 0 AND pipeline = ? ORDER BY key`;
    return this.prepare(sql).all(this.pipeline) as StoredItem[];
  }

  parkedCounts(): { stage: number; count: number }[] {
    const sql = `SELECT stage, count(*) AS count FROM items WHERE status = ${RETRYING} AND pipeline = ? GROUP BY stage`;
    return this.prepare(sql).all(this.pipeline) as { stage: number; count: number }[];
  }

  lowestTask(): number {
    const statuses = [QUEUED, IN_PROGRESS, FAILED, RETRYING].join(', ');
    const sql = `SELECT min(task) AS task FROM items WHERE status IN (${statuses}) AND key > ? AND key < ?`;
    return (this.prepare(sql).get(this.base, keyOf(this.pipeline + 1, 0)) as { task: number | null }).task ?? 0;
  }

  queuedCounts(): { stage: number; place: number; count: number }[] {
    const sql = `SELECT stage, place, count(*) AS count FROM items WHERE status = ${QUEUED} AND pipeline = ? GROUP BY stage, place`;
    return this.prepare(sql).all(this.pipeline) as { stage: number; place: number; count: number }[];
  }

  failures(limit: number): StoredItem[] {
    const sql = `SELECT ${this.columns.none} FROM items WHERE status = ${FAILED} AND key > ? AND key < ? ORDER BY key DESC LIMIT ?`;
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

  answerSize(key: string): number | undefined {
    const sql = 'SELECT coalesce(octet_length(answer), 0) AS bytes FROM answers WHERE pipeline = ? AND key = ?';
    return (this.prepare(sql).get(this.pipeline, key) as { bytes: number } | undefined)?.bytes;
  }

  answerTotals(): { count: number; bytes: number } {
    const sql = 'SELECT count(*) AS count, coalesce(sum(octet_length(answer)), 0) AS bytes FROM answers WHERE pipeline = ?';
    return this.prepare(sql).get(this.pipeline) as { count: number; bytes: number };
  }

  oldestAnswers(limit: number): { key: string; at: number; bytes: number }[] {
    const sql = 'SELECT key, at, coalesce(octet_length(answer), 0) AS bytes FROM answers WHERE pipeline = ? ORDER BY at LIMIT ?';
    return this.prepare(sql).all(this.pipeline, limit) as { key: string; at: number; bytes: number }[];
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

  private range(
    { feed, stages, after, last, texts, limit, isDescending = false }: ShelfQuery,
    statuses: readonly number[] | null,
  ): Iterable<Row> {
    const { base } = this;
    const end = keyOf(this.pipeline + 1, 0);
    const parts = isDescending ? ['key < ?', 'key >= ?', 'key > ?'] : ['key > ?', 'key <= ?'];
    const values: unknown[] = isDescending
      ? [Math.min(base + after, end), base + last, base]
      : [base + after, Math.min(base + last, end - 1)];
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
    const sql = `SELECT ${this.columns[texts]} FROM items WHERE ${parts.join(' AND ')} ORDER BY key${isDescending ? ' DESC' : ''} LIMIT ?`;
    return this.prepare(sql).iterate(...values, limitOf(limit)) as Iterable<Row>;
  }

  private prepare(sql: string): Reading {
    let statement = this.statements.get(sql);
    if (statement === undefined) {
      statement = reading(this.db, sql);
      this.statements.set(sql, statement);
    }
    return statement;
  }
}

/** Steps through rows until the page is full: what comes after it is not read, but for the one row that shows that there is more. */
function pageOf(source: Iterable<Row>, { limit, characters }: { limit: number; characters: number }): StoredPage {
  const rows: StoredItem[] = [];
  let left = characters;
  for (const row of source) {
    if (rows.length >= limit || (left <= 0 && rows.length > 0)) return { rows, isAll: false };
    rows.push(row);
    left -= costOf(row);
  }
  return { rows, isAll: true };
}

/** For SQLite: with the row that shows that there is more; negative for none. */
function limitOf(limit: number): number {
  return limit < Number.MAX_SAFE_INTEGER ? limit + 1 : -1;
}

function costOf({ status, value, fed, metadata, error, passed }: Row): number {
  const read = (value?.length ?? 0) + (fed?.length ?? 0);
  const skipped = status === FAILED || status === CANCELLED || metadata !== null ? passed - read : 0;
  return ROW_CHARACTERS + read + (metadata?.length ?? 0) + (error?.length ?? 0) + Math.max(0, skipped) * PASSED_SHARE;
}

/** Rows of several ranges, each in the order of their sequence ids, as one in that order. */
function* inOrder(ranges: readonly Iterable<Row>[], isDescending: boolean): Generator<Row> {
  const sign = isDescending ? -1 : 1;
  const open = ranges.map((range) => range[Symbol.iterator]());
  try {
    const heads = open.map((rows) => rows.next());
    for (;;) {
      let first = -1;
      for (const [i, head] of heads.entries()) {
        if (head.done === true) continue;
        if (first < 0 || sign * (head.value.seq - (heads[first] as IteratorYieldResult<Row>).value.seq) < 0) first = i;
      }
      if (first < 0) return;
      yield (heads[first] as IteratorYieldResult<Row>).value;
      heads[first] = (open[first] as Iterator<Row>).next();
    }
  } finally {
    // A statement that is not stepped to its end stays busy.
    for (const rows of open) rows.return?.();
  }
}
