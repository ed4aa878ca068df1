import { closeSync, fsyncSync, mkdirSync, openSync } from 'node:fs';
import { dirname } from 'node:path';
import Database from 'better-sqlite3';
import { keepPrivate, marksOf, StoreFileError } from './file.ts';
import { MarksFile } from './marks.ts';
import { diskTroubleOf } from './trouble.ts';

const FOLDER_MODE = 0o700;

export const lockOf = (file: string): string => `${file}-lock`;

/** Codes of systems that do not sync folders, or not this one for us. */
const UNSYNCED = ['EACCES', 'EINVAL', 'EISDIR', 'ENOTSUP', 'EPERM'];

/** A new folder is certain to be there after a power cut once the folder that lists it is synced. SQLite does that for the files in it. */
function makeFolder(folder: string): void {
  const first = mkdirSync(folder, { recursive: true, mode: FOLDER_MODE });
  if (first === undefined) return;
  for (let made = folder; made.length >= first.length; made = dirname(made)) syncFolder(dirname(made));
}

/** Makes the folder of a file of the store where it is not there. Throws {@link StoreFileError}, and a StoreTrouble when the disk is full. */
export function makeFolderOf(file: string): void {
  try {
    makeFolder(dirname(file));
  } catch (error) {
    throw cannotWrite(file, error);
  }
}

function cannotWrite(file: string, error: unknown): Error {
  return diskTroubleOf(error, dirname(file)) ?? new StoreFileError(`The folder of ${file} cannot be written: ${(error as Error).message}`);
}

/** Has what was made, renamed and removed in a folder survive a power cut. */
export function syncFolder(folder: string): void {
  try {
    const fd = openSync(folder, 'r');
    try {
      fsyncSync(fd);
    } finally {
      closeSync(fd);
    }
  } catch (error) {
    if (!UNSYNCED.includes((error as NodeJS.ErrnoException).code ?? '')) throw error;
  }
}

/** The refusal when two processes want one file. */
export function inUse(file: string, other: number | null): StoreFileError {
  return new StoreFileError(`${file} is in use by another process${other === null ? '' : ` (${other})`}. One file serves one Sluice.`);
}

/** For as long as it is open no other process gets one of the same file; the system lets go of it when this one ends, however it ends. */
export class FileLock {
  private readonly db: Database.Database;

  /** Throws {@link StoreFileError} when another process has it, or the folder cannot be written, and a StoreTrouble when the disk is full. */
  constructor(file: string) {
    try {
      makeFolder(dirname(file));
      keepPrivate(lockOf(file));
      this.db = new Database(lockOf(file), { timeout: 0 });
    } catch (error) {
      throw cannotWrite(file, error);
    }
    try {
      this.db.exec('BEGIN EXCLUSIVE');
    } catch (error) {
      this.db.close();
      throw (error as { code?: string }).code === 'SQLITE_BUSY'
        ? inUse(file, MarksFile.processOf(marksOf(file)))
        : cannotWrite(file, error);
    }
  }

  release(): void {
    this.db.close();
  }
}
