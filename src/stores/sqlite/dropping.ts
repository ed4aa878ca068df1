import type { Database } from 'better-sqlite3';
import { keyOf } from './schema.ts';

/** Rows of a dropped pipeline that go in one step. */
const DROP_STEP = 2000;

/** The pipelines that were dropped and still have rows. */
export function droppedIn(db: Database): number[] {
  return db.prepare('SELECT pipeline FROM pipelines WHERE is_dropped = 1').pluck().all() as number[];
}

/** Deletes some of what a dropped pipeline has left, in one transaction; whether that was the last of it. */
export function dropStep(db: Database, pipeline: number): boolean {
  const [from, to] = [keyOf(pipeline, 0), keyOf(pipeline + 1, 0)];
  return db.transaction(() => {
    for (const table of ['items', 'feeds']) {
      const { changes } = db
        .prepare(`DELETE FROM ${table} WHERE key IN (SELECT key FROM ${table} WHERE key >= ? AND key < ? LIMIT ${DROP_STEP})`)
        .run(from, to);
      if (changes > 0) return false;
    }
    for (const table of ['answers', 'ends', 'events', 'facts', 'pipelines'])
      db.prepare(`DELETE FROM ${table} WHERE pipeline = ?`).run(pipeline);
    return true;
  })();
}
