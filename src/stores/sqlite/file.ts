import { closeSync, existsSync, fchmodSync, fstatSync, lstatSync, openSync, readlinkSync, readSync, realpathSync, rmSync } from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import Database from 'better-sqlite3';
import { APPLICATION_ID, MIGRATIONS } from './schema.ts';
import { diskTroubleOf } from './trouble.ts';

/** Why a file cannot be used as a store. Starting again without a change is useless; the file is as it was. */
export class StoreFileError extends Error {
  override name = 'StoreFileError';
}

const HEADER_BYTES = 100;
const MAGIC = 'SQLite format 3\0';
/** Where the header of a file says how large its pages are, whether it ever had a table, what made it, and which version. */
const PAGE_SIZE_AT = 16;
const SCHEMA_COOKIE_AT = 40;
const APPLICATION_ID_AT = 68;
/** Files up to this size are read through before they are used: a tenth of a second or two. */
const CHECKED_BYTES = 64 * 1024 * 1024;
const LINKS_MAX = 40;
/** How long a start waits at a time, in the event loop, for a file that another program has locked. */
export const OPENING_BUSY_MS = 250;

/** Values, metadata and results are nobody else's to read. */
const FILE_MODE = 0o600;

export const marksOf = (file: string): string => `${file}-running`;
/** The copy that `store compact` writes beside a file, until it takes its place (see compact.ts). */
export const compactingOf = (file: string): string => `${file}-compacting`;

/** Removes what a compaction that was cut short has left. Only the holder of the lock may. */
export function forgetCompacting(file: string): void {
  for (const suffix of ['', '-journal']) rmSync(compactingOf(file) + suffix, { force: true });
}

/**
 * The file's own path, whatever symbolic links lead to it: what stands beside a store is named after it, so that every way to a file finds the
 * same lock. Links to what is not there yet are followed too, as SQLite does.
 */
export function ownPathOf(file: string): string {
  let path = resolve(file);
  for (let links = 0; links < LINKS_MAX; links++) {
    try {
      return realpathSync(path);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') return path;
    }
    try {
      path = join(realpathSync(dirname(path)), basename(path));
    } catch {
      // Its folder is not there: nothing leads anywhere yet.
      return path;
    }
    if (!lstatSync(path, { throwIfNoEntry: false })?.isSymbolicLink()) return path;
    path = resolve(dirname(path), readlinkSync(path));
  }
  return path;
}

/**
 * Throws {@link StoreFileError} unless the file is a store that this version can use, or is `new`: not there, or without any table, as a start
 * that was cut short leaves it. Throws a StoreTrouble when the disk does not let it be read now. Nothing is written, but for what SQLite takes
 * back of a transaction that was cut short.
 */
export function checkFile(file: string): 'new' | 'known' {
  if (existsSync(`${file}-journal`) && isOurs(readHeader(file))) rollBack(file);
  const header = readHeader(file);
  if (header === null || header.size === 0) return 'new';
  if (header.toString('latin1', 0, MAGIC.length) !== MAGIC) {
    throw new StoreFileError(`${file} is not an SQLite database. Name another file in STORE_URL, or move this one away.`);
  }
  if (!isOurs(header)) throw notOurs(file);
  if (header.size < Math.max(HEADER_BYTES, pageSizeOf(header))) return 'new';
  const { isBlank, applicationId, version, faults } = look(file);
  if (faults.length > 0 && faults[0] !== 'ok') {
    throw new StoreFileError(
      `${file} is damaged: ${faults.join('; ')}. Restore a backup; "npm run store -- check ${file}" gives the details.`,
    );
  }
  if (isBlank && (applicationId === 0 || applicationId === APPLICATION_ID)) return 'new';
  if (applicationId !== APPLICATION_ID) throw notOurs(file);
  if (version > MIGRATIONS.length) {
    throw new StoreFileError(
      `${file} was written by a newer version of Sluice (its format is ${version}, this one knows ${MIGRATIONS.length}). Start that version, or restore a backup from before the upgrade.`,
    );
  }
  return 'known';
}

/**
 * The files of a store, whatever the umask: made before SQLite makes them, or tightened when they are there. The log and the shared memory
 * beside a database get its mode from SQLite. A file that belongs to somebody else stays as it is.
 */
export function keepPrivate(path: string): void {
  const fd = openSync(path, 'a', FILE_MODE);
  try {
    if ((fstatSync(fd).mode & 0o077) !== 0) fchmodSync(fd, FILE_MODE);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EPERM') throw error;
  } finally {
    closeSync(fd);
  }
}

type Header = Buffer & { size: number };

function notOurs(file: string): StoreFileError {
  return new StoreFileError(`${file} is a database, but not one that Sluice created. Name another file in STORE_URL.`);
}

/** By its header alone: one of ours, or one that no table was ever made in, which may have become ours in its log. */
function isOurs(header: Header | null): boolean {
  if (header === null) return false;
  const applicationId = header.readUInt32BE(APPLICATION_ID_AT);
  return applicationId === APPLICATION_ID || (applicationId === 0 && header.readUInt32BE(SCHEMA_COOKIE_AT) === 0);
}

function pageSizeOf(header: Header): number {
  const size = header.readUInt16BE(PAGE_SIZE_AT);
  return size === 1 ? 65_536 : size;
}

/** Zeros stand for what is not there. */
function readHeader(file: string): Header | null {
  let fd: number;
  try {
    fd = openSync(file, 'r');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw diskTroubleOf(error, dirname(file)) ?? new StoreFileError(`${file} cannot be read: ${(error as Error).message}`);
  }
  try {
    const stats = fstatSync(fd);
    if (!stats.isFile()) throw new StoreFileError(`${file} is not a file`);
    const header = Buffer.alloc(HEADER_BYTES);
    readSync(fd, header, 0, HEADER_BYTES, 0);
    return Object.assign(header, { size: stats.size });
  } finally {
    closeSync(fd);
  }
}

/** Lets SQLite take back what a process had begun to write when it was ended. */
function rollBack(file: string): void {
  try {
    const db = new Database(file, { timeout: OPENING_BUSY_MS });
    try {
      db.pragma('user_version');
    } finally {
      db.close();
    }
  } catch (error) {
    throw diskTroubleOf(error, dirname(file)) ?? new StoreFileError(`${file} cannot be opened: ${(error as Error).message}`);
  }
}

interface Look {
  isBlank: boolean;
  applicationId: number;
  version: number;
  faults: string[];
}

/** Reads what SQLite says of a file together with its log. */
function look(file: string): Look {
  const found: Look = { isBlank: false, applicationId: APPLICATION_ID, version: 0, faults: [] };
  try {
    const db = new Database(file, { readonly: true, fileMustExist: true, timeout: OPENING_BUSY_MS });
    try {
      const numberOf = (name: string): number => db.pragma(name, { simple: true }) as number;
      found.applicationId = numberOf('application_id');
      found.version = numberOf('user_version');
      found.isBlank = numberOf('schema_version') === 0;
      // The details of somebody else's file, or of a later format, are not ours to judge.
      if (found.isBlank || found.applicationId !== APPLICATION_ID || found.version > MIGRATIONS.length) return found;
      const bytes = numberOf('page_count') * numberOf('page_size');
      found.faults = bytes > CHECKED_BYTES ? [] : (db.pragma('quick_check(3)') as { quick_check: string }[]).map((row) => row.quick_check);
      // A larger one is read where a start reads it anyway.
      db.prepare('SELECT count(*) FROM facts').get();
    } finally {
      db.close();
    }
  } catch (error) {
    const trouble = diskTroubleOf(error, dirname(file));
    if (trouble !== null) throw trouble;
    found.faults = [(error as Error).message];
  }
  return found;
}
