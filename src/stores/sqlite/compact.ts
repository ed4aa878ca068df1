/**
 * Gives the disk what a store no longer needs. SQLite uses the pages of what was deleted again, and never gives them back by itself: a file stays
 * as large as it ever was.
 *
 *     sluice.db + -wal ──1──▶ sluice.db ──2──▶ sluice.db-compacting ──3──▶ sluice.db
 *
 * 1. What the log holds is copied into the file, and the log is gone for good, as is what dropped pipelines have left. 2. A copy without free pages
 * is written beside it, checked against it, and synced. 3. The copy takes its place, in one step.
 *
 * Cut short before that step, at whatever point, the file is there with everything; after it, the copy is. Nobody else can write meanwhile: the store's
 * own lock is held, and SQLite's. The copy is the same file to whoever starts with it: the same format, the same life (see lineage.ts), the same owner.
 */
import { chownSync, closeSync, fsyncSync, openSync, renameSync, statfsSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import Database from 'better-sqlite3';
import { droppedIn, dropStep } from './dropping.ts';
import { checkFile, compactingOf, forgetCompacting, keepPrivate, OPENING_BUSY_MS, ownPathOf, StoreFileError } from './file.ts';
import { FileLock, lockOf, syncFolder } from './lock.ts';
import { disown, expectAlone } from './owner.ts';
import { diskTroubleOf } from './trouble.ts';

/** Bytes of the file, with its log. */
export interface Compaction {
  before: number;
  after: number;
}

/** More than the pages in use: pages are filled anew, and a disk has uses of its own for a little. */
const ROOM_FACTOR = 1.02;
const ROOM_BYTES = 1024 * 1024;

/**
 * Compacts the store of a file that no process works with. `roomIn` tells how many bytes can be written into a folder. Throws
 * {@link StoreFileError} when the file cannot be used, is in use, is damaged, or there is too little room, and a StoreTrouble when the disk fails;
 * the store then has everything that it had.
 */
export function compact(given: string, roomIn: (folder: string) => number = freeBytesIn): Compaction {
  const file = ownPathOf(given);
  // A lock is not made beside what is not there.
  if (checkFile(file) === 'new') throw new StoreFileError(`${file} does not exist`);
  const lock = new FileLock(file);
  try {
    expectAlone(file, checkFile(file));
    forgetCompacting(file);
    const before = bytesOf(file) + bytesOf(`${file}-wal`);
    try {
      replace(file, roomIn);
    } catch (error) {
      forgetCompacting(file);
      if (error instanceof StoreFileError) throw error;
      throw diskTroubleOf(error, dirname(file)) ?? new StoreFileError(`${file} cannot be compacted: ${(error as Error).message}`);
    }
    return { before, after: bytesOf(file) };
  } finally {
    lock.release();
  }
}

function replace(file: string, roomIn: (folder: string) => number): void {
  const [folder, target] = [dirname(file), compactingOf(file)];
  const db = new Database(file, { fileMustExist: true, timeout: OPENING_BUSY_MS });
  try {
    for (const pipeline of droppedIn(db)) while (!dropStep(db, pipeline));
    toOneFile(db, file);
    // A log that came back after a power cut would be taken for the copy's.
    syncFolder(folder);
    expectWhole(db, file);
    const needed = Math.ceil(bytesInUse(db) * ROOM_FACTOR) + ROOM_BYTES;
    const room = roomIn(folder);
    if (room < needed) {
      throw new StoreFileError(
        `${folder} has ${room} bytes free, and compacting ${file} needs ${needed}. Make room, or write a backup to another disk and put it in the place of the file.`,
      );
    }
    keepPrivate(target);
    db.prepare('VACUUM INTO ?').run(target);
    expectSame(db, target);
    settle(file, target);
    renameSync(target, file);
    syncFolder(folder);
  } finally {
    db.close();
  }
}

/** With everything in the file itself, and nobody else able to write or read until the connection is closed. */
function toOneFile(db: Database.Database, file: string): void {
  try {
    db.pragma('journal_mode = DELETE');
    db.pragma('locking_mode = EXCLUSIVE');
    // The first write takes the lock.
    disown(db);
    db.exec('BEGIN EXCLUSIVE; COMMIT');
  } catch (error) {
    if (!(error as { code?: string }).code?.startsWith('SQLITE_BUSY')) throw error;
    throw new StoreFileError(`${file} is open in another program, such as one that copies it. End that first.`);
  }
}

function expectWhole(db: Database.Database, file: string): void {
  const found = (db.pragma('quick_check(3)') as { quick_check: string }[]).map((row) => row.quick_check);
  if (found[0] === 'ok') return;
  throw new StoreFileError(
    `${file} is damaged: ${found.join('; ')}. Restore a backup; "npm run store -- check ${file}" gives the details.`,
  );
}

function bytesInUse(db: Database.Database): number {
  const numberOf = (name: string): number => db.pragma(name, { simple: true }) as number;
  return (numberOf('page_count') - numberOf('freelist_count')) * numberOf('page_size');
}

/** A copy that lacks anything never takes the place of its original. */
function expectSame(db: Database.Database, target: string): void {
  const copy = new Database(target, { readonly: true });
  try {
    expectWhole(copy, target);
    for (const name of ['application_id', 'user_version']) {
      if (db.pragma(name, { simple: true }) !== copy.pragma(name, { simple: true }))
        throw new StoreFileError(`${target} has another ${name}`);
    }
    const tables = db.prepare("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name").pluck().all() as string[];
    for (const table of tables) {
      const count = `SELECT count(*) FROM "${table}"`;
      const [rows, copied] = [db.prepare(count).pluck().get(), copy.prepare(count).pluck().get()];
      if (rows !== copied) throw new StoreFileError(`${target} has ${copied} rows in ${table}, in place of ${rows}`);
    }
  } finally {
    copy.close();
  }
}

/** On disk whole, and of the same user as the file, as is the lock: root may compact what belongs to the service. */
function settle(file: string, target: string): void {
  const { uid, gid } = statSync(file);
  for (const path of [target, lockOf(file)]) {
    const made = statSync(path);
    if (made.uid !== uid || made.gid !== gid) chownSync(path, uid, gid);
  }
  const fd = openSync(target, 'r+');
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}

function bytesOf(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.size ?? 0;
}

function freeBytesIn(folder: string): number {
  const { bavail, bsize } = statfsSync(folder);
  return bavail * bsize;
}
