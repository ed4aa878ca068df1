import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { keyOf, migrate } from '../src/stores/sqlite/schema.ts';

const ROWS_A_TRANSACTION = 1000;

/** Rows a second at which better-sqlite3 inserts the rows of these texts, in our tables, and then updates each to its end, in transactions of 1 000. */
export function sqliteAlone(texts: readonly string[]): number {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-bench-'));
  const db = new Database(join(folder, 'alone.db'));
  db.pragma('journal_mode = WAL');
  db.pragma('synchronous = FULL');
  migrate(db);
  const insert = db.prepare(
    `INSERT INTO items (key, pipeline, feed, priority, stage, status, place, ord, task, attempts, deliveries, accepted, updated, last_event, fed)
     VALUES (?, 1, 1, 100, 1, 0, 1, ?, 0, 0, 0, ?, ?, ?, ?)`,
  );
  const update = db.prepare(
    'UPDATE items SET stage = 3, status = 2, place = 0, ord = ?, attempts = 1, updated = ?, last_event = ? WHERE key = ?',
  );
  const base = keyOf(1, 0);
  const now = Date.now();
  const before = performance.now();
  const inTransactions = (act: (i: number) => void): void => {
    for (let from = 0; from < texts.length; from += ROWS_A_TRANSACTION) {
      db.exec('BEGIN');
      for (let i = from; i < Math.min(texts.length, from + ROWS_A_TRANSACTION); i++) act(i);
      db.exec('COMMIT');
    }
  };
  inTransactions((i) => insert.run(base + i + 1, i + 1, now, now, i * 9, texts[i]));
  inTransactions((i) => update.run(i + 1, now + 5, i * 9 + 9, base + i + 1));
  const seconds = (performance.now() - before) / 1000;
  db.close();
  rmSync(folder, { recursive: true });
  return texts.length / seconds;
}
