/**
 * Whether a file is a store of its own, or a node's copy of what a log has: that one says up to which place, in the transaction that brought it there. Neither is opened
 * as the other: a store that took writes of its own would not be a copy any more, and a copy knows less than its log.
 */
import Sqlite, { type Database } from 'better-sqlite3';
import { OF_STORE } from '../../engine/store.ts';
import { OPENING_BUSY_MS, StoreFileError } from './file.ts';

/** The fact of the store itself that is the place, in whatever words the log's side has for it. */
export const PLACE = 'place';

/** null: it is no copy, or a new one. */
export function placeOf(db: Database): string | null {
  const found = db.prepare('SELECT json FROM facts WHERE pipeline = ? AND name = ?').pluck().get(OF_STORE, PLACE);
  return (found as string | undefined) ?? null;
}

/** The place of a file that is known to be one of ours. */
export function placeIn(file: string): string | null {
  const db = new Sqlite(file, { readonly: true, timeout: OPENING_BUSY_MS });
  try {
    return placeOf(db);
  } finally {
    db.close();
  }
}

/** Throws {@link StoreFileError} for a copy. */
export function expectStore(file: string): void {
  if (placeIn(file) === null) return;
  throw new StoreFileError(
    `${file} is a node's copy of what its log in PostgreSQL has. Give STORE_URL that of PostgreSQL, or name another file; "npm run store -- migrate" makes a store of one machine of it.`,
  );
}

/** Throws {@link StoreFileError} for a store that has anything. */
export function expectCopy(file: string): void {
  const db = new Sqlite(file, { readonly: true, timeout: OPENING_BUSY_MS });
  try {
    if (placeOf(db) !== null || db.prepare('SELECT 1 FROM pipelines UNION ALL SELECT 1 FROM items LIMIT 1').get() === undefined) return;
  } finally {
    db.close();
  }
  throw new StoreFileError(
    `${file} is the store of one machine, and no copy of a log. "npm run store -- migrate" moves it to PostgreSQL; to begin without it, name another folder in DATA_DIR.`,
  );
}
