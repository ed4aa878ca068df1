import type { Database } from 'better-sqlite3';

/** `SLUI`: what the header of a file of ours says that it is. */
export const APPLICATION_ID = 0x534c5549;

/**
 * One step a version, each from the one before; a step that was released never changes again.
 *
 * Keys of items and feeds hold the pipeline in their upper bits, so that everything of a pipeline lies together and a page is a
 * range of them. In every index the key comes last by itself: `by_status` is in feed order within a status.
 */
export const MIGRATIONS: readonly string[] = [
  `
  CREATE TABLE pipelines (pipeline INTEGER PRIMARY KEY, id TEXT NOT NULL, is_dropped INTEGER NOT NULL DEFAULT 0) STRICT;
  CREATE TABLE facts (pipeline INTEGER NOT NULL, name TEXT NOT NULL, json TEXT NOT NULL, PRIMARY KEY (pipeline, name)) STRICT, WITHOUT ROWID;
  CREATE TABLE items (
    key INTEGER PRIMARY KEY,
    pipeline INTEGER NOT NULL,
    id TEXT,
    feed INTEGER NOT NULL,
    priority INTEGER NOT NULL,
    stage INTEGER NOT NULL,
    status INTEGER NOT NULL,
    place INTEGER NOT NULL,
    ord INTEGER NOT NULL,
    task INTEGER NOT NULL,
    attempts INTEGER NOT NULL,
    deliveries INTEGER NOT NULL,
    accepted INTEGER NOT NULL,
    updated INTEGER NOT NULL,
    due INTEGER,
    last_event INTEGER NOT NULL,
    value TEXT,
    fed TEXT,
    metadata TEXT,
    error TEXT,
    route TEXT
  ) STRICT;
  CREATE INDEX by_status ON items (status);
  CREATE INDEX by_feed ON items (pipeline, feed);
  CREATE INDEX by_turn ON items (pipeline, stage, priority, ord, place) WHERE status = 0;
  CREATE UNIQUE INDEX by_id ON items (pipeline, id) WHERE id IS NOT NULL AND status <> 7;
  CREATE TABLE feeds (
    key INTEGER PRIMARY KEY,
    pipeline INTEGER NOT NULL,
    id TEXT NOT NULL,
    target INTEGER NOT NULL,
    created INTEGER NOT NULL,
    accepted INTEGER NOT NULL,
    duplicates INTEGER NOT NULL,
    completed INTEGER NOT NULL,
    failed INTEGER NOT NULL,
    cancelled INTEGER NOT NULL,
    first INTEGER,
    last INTEGER,
    is_cancelled INTEGER NOT NULL,
    is_forgotten INTEGER NOT NULL
  ) STRICT;
  CREATE INDEX forgotten_feeds ON feeds (pipeline) WHERE is_forgotten = 1;
  CREATE TABLE answers (
    pipeline INTEGER NOT NULL,
    key TEXT NOT NULL,
    request TEXT NOT NULL,
    body TEXT NOT NULL,
    feed TEXT NOT NULL,
    answer TEXT,
    at INTEGER NOT NULL,
    PRIMARY KEY (pipeline, key)
  ) STRICT;
  CREATE INDEX answers_by_age ON answers (pipeline, at);
  CREATE TABLE ends (pipeline INTEGER NOT NULL, first INTEGER NOT NULL, last INTEGER NOT NULL, at INTEGER NOT NULL, pairs BLOB NOT NULL, PRIMARY KEY (pipeline, last)) STRICT, WITHOUT ROWID;
  CREATE TABLE events (pipeline INTEGER NOT NULL, first INTEGER NOT NULL, last INTEGER NOT NULL, cells BLOB NOT NULL, extras TEXT, PRIMARY KEY (pipeline, last)) STRICT, WITHOUT ROWID;
  `,
  // Whose key made it; nobody's, when it was made without one or by an older version.
  'ALTER TABLE feeds ADD COLUMN maker TEXT',
  // What a start takes into memory of the queues: few rows, so it costs the others nothing.
  'CREATE INDEX begun ON items (pipeline) WHERE status = 0 AND (task > 0 OR route IS NOT NULL)',
  // Retries are read by the instant at which they come back. The first versions left out that of one that was due at once.
  `
  UPDATE items SET due = updated WHERE status = 4 AND due IS NULL;
  CREATE INDEX by_due ON items (pipeline, stage, due) WHERE status = 4;
  DROP INDEX begun;
  `,
  // Those that ran in a crash, which a start keeps apart: few rows, so it costs the others nothing.
  'CREATE INDEX suspects ON items (pipeline) WHERE status = 0 AND deliveries > 0',
  // The places in traces of the requests that sent a feed, so that its items are linked to them after a restart too.
  'ALTER TABLE feeds ADD COLUMN traces TEXT',
];

const PIPELINE_UNIT = 2 ** 36;
/** So that a key is a whole number that JavaScript can say. */
export const PIPELINES_MAX = 2 ** 17 - 1;

/** The name of the fact that says which number was given last to a pipeline, whether or not that one is still there. */
export const NUMBERED = 'numbered';

/**
 * The next number after `last` that is not taken: the numbers are gone through to the last before the first is given again, so what still names a
 * removed pipeline names no other. Undefined when all are taken.
 */
export function nextNumber(last: number, taken: ReadonlySet<number>, most = PIPELINES_MAX): number | undefined {
  for (let step = 1; step <= most; step++) {
    const number = ((last + step - 1) % most) + 1;
    if (!taken.has(number)) return number;
  }
  return undefined;
}

/** Whether a row of a pipeline can have this number; the keys beyond are the next pipeline's. */
export function hasKey(seq: number): boolean {
  return seq >= 0 && seq < PIPELINE_UNIT;
}

export function keyOf(pipeline: number, seq: number): number {
  if (!hasKey(seq)) throw new RangeError(`the number ${seq} of an item or a feed has no place in this store`);
  return pipeline * PIPELINE_UNIT + seq;
}

/** Brings a file to the version given, from nothing or from whatever it has. One transaction: cut short at any point, it has not begun. */
export function migrate(db: Database, target = MIGRATIONS.length): void {
  const found = db.pragma('user_version', { simple: true }) as number;
  if (found >= target && db.pragma('application_id', { simple: true }) === APPLICATION_ID) return;
  db.transaction(() => {
    db.pragma(`application_id = ${APPLICATION_ID}`);
    for (const step of MIGRATIONS.slice(found, target)) db.exec(step);
    if (found < target) db.pragma(`user_version = ${target}`);
  }).immediate();
}
