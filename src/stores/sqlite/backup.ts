import { existsSync, rmSync } from 'node:fs';
import Database from 'better-sqlite3';
import { checkFile, keepPrivate, StoreFileError } from './file.ts';
import { markCopy } from './lineage.ts';

/**
 * Writes a copy of a store to a file that is not there yet, while the service works with it or not: what was committed when it began.
 * Returns its size in bytes. Throws {@link StoreFileError}.
 */
export function backup(file: string, target: string): number {
  if (checkFile(file) === 'new') throw new StoreFileError(`${file} does not exist`);
  expectNoFile(target);
  const db = new Database(file, { readonly: true, fileMustExist: true });
  try {
    // SQLite writes into a file that is empty as into one that is not there.
    keepPrivate(target);
    db.prepare('VACUUM INTO ?').run(target);
    asCopy(target);
  } catch (error) {
    rmSync(target, { force: true });
    throw new StoreFileError(`${target} cannot be written: ${(error as Error).message}`);
  } finally {
    db.close();
  }
  return checkedSize(target);
}

/** Throws {@link StoreFileError} when there is such a file. */
export function expectNoFile(target: string): void {
  if (existsSync(target)) throw new StoreFileError(`${target} already exists; a backup never replaces a file`);
}

/** Has a start on the copy know that it is another file than its original. */
function asCopy(target: string): void {
  const db = new Database(target);
  try {
    markCopy(db);
  } finally {
    db.close();
  }
}

function checkedSize(target: string): number {
  const db = new Database(target, { readonly: true });
  try {
    return (db.pragma('page_count', { simple: true }) as number) * (db.pragma('page_size', { simple: true }) as number);
  } finally {
    db.close();
  }
}
