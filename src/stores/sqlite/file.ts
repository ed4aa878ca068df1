import { closeSync, fchmodSync, fstatSync, mkdirSync, openSync, readSync } from 'node:fs';
import { dirname } from 'node:path';
import Database from 'better-sqlite3';
import { MarksFile } from './marks.ts';
import { APPLICATION_ID, MIGRATIONS } from './schema.ts';

/** Why a file cannot be used as a store. Starting again without a change is useless; the file is as it was. */
export class StoreFileError extends Error {
  override name = 'StoreFileError';
}

const HEADER_BYTES = 100;
const MAGIC = 'SQLite format 3\0';
/** Where the header of a file says what made it, and which version. */
const USER_VERSION_AT = 60;
const APPLICATION_ID_AT = 68;
/** Files up to this size are read through before they are used: a tenth of a second or two. */
const CHECKED_BYTES = 64 * 1024 * 1024;

/** Values, metadata and results are nobody else's to read. */
const FILE_MODE = 0o600;
const FOLDER_MODE = 0o700;

export const lockOf = (file: string): string => `${file}-lock`;
export const marksOf = (file: string): string => `${file}-running`;

/** Throws {@link StoreFileError} unless the file is a store that this version can use, or is not there yet. Nothing is written. */
export function checkFile(file: string): 'new' | 'known' {
  const header = readHeader(file);
  if (header === null || header.length === 0) return 'new';
  if (header.length < HEADER_BYTES || header.toString('latin1', 0, MAGIC.length) !== MAGIC) {
    throw new StoreFileError(`${file} is not an SQLite database. Name another file in STORE_URL, or move this one away.`);
  }
  if (header.readUInt32BE(APPLICATION_ID_AT) !== APPLICATION_ID) {
    throw new StoreFileError(`${file} is a database, but not one that Sluice created. Name another file in STORE_URL.`);
  }
  const version = header.readUInt32BE(USER_VERSION_AT);
  if (version > MIGRATIONS.length) {
    throw new StoreFileError(
      `${file} was written by a newer version of Sluice (its format is ${version}, this one knows ${MIGRATIONS.length}). Start that version, or restore a backup from before the upgrade.`,
    );
  }
  expectWhole(file);
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

function readHeader(file: string): Buffer | null {
  let fd: number;
  try {
    fd = openSync(file, 'r');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw new StoreFileError(`${file} cannot be read: ${(error as Error).message}`);
  }
  try {
    if (!fstatSync(fd).isFile()) throw new StoreFileError(`${file} is not a file`);
    const header = Buffer.alloc(HEADER_BYTES);
    return header.subarray(0, readSync(fd, header, 0, HEADER_BYTES, 0));
  } finally {
    closeSync(fd);
  }
}

function expectWhole(file: string): void {
  let faults: string[];
  try {
    const db = new Database(file, { readonly: true, fileMustExist: true });
    try {
      const bytes = (db.pragma('page_count', { simple: true }) as number) * (db.pragma('page_size', { simple: true }) as number);
      faults = bytes > CHECKED_BYTES ? [] : (db.pragma('quick_check(3)') as { quick_check: string }[]).map((row) => row.quick_check);
      // A larger one is read where a start reads it anyway.
      db.prepare('SELECT count(*) FROM facts').get();
    } finally {
      db.close();
    }
  } catch (error) {
    faults = [(error as Error).message];
  }
  if (faults.length > 0 && faults[0] !== 'ok') {
    throw new StoreFileError(
      `${file} is damaged: ${faults.join('; ')}. Restore a backup; "npm run store -- check ${file}" gives the details.`,
    );
  }
}

/** For as long as it is open no other process gets one of the same file; the system lets go of it when this one ends, however it ends. */
export class FileLock {
  private readonly db: Database.Database;

  /** Throws {@link StoreFileError} when another process has it, or the folder cannot be written. */
  constructor(file: string) {
    try {
      mkdirSync(dirname(file), { recursive: true, mode: FOLDER_MODE });
      keepPrivate(lockOf(file));
      this.db = new Database(lockOf(file), { timeout: 0 });
    } catch (error) {
      throw new StoreFileError(`The folder of ${file} cannot be written: ${(error as Error).message}`);
    }
    try {
      this.db.exec('BEGIN EXCLUSIVE');
    } catch (error) {
      this.db.close();
      if ((error as { code?: string }).code !== 'SQLITE_BUSY') {
        throw new StoreFileError(`The folder of ${file} cannot be written: ${(error as Error).message}`);
      }
      const other = MarksFile.processOf(marksOf(file));
      throw new StoreFileError(`${file} is in use by another process${other === null ? '' : ` (${other})`}. One file serves one Sluice.`);
    }
  }

  release(): void {
    this.db.close();
  }
}
