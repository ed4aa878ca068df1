/**
 * The end of a node's copy that its log does not go on from: it is removed, or set aside when it has what the log has lost.
 *
 *     sluice.db, sluice.db-wal ──▶ sluice.db.lost-1042, sluice.db.lost-1042-wal        1042: the last entry that it has
 *
 * Of several, the one that has come furthest is kept: a log that loses its end again and again takes no more of the disk than once.
 */
import { existsSync, readdirSync, renameSync, rmSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { compactingOf, marksOf, ownPathOf } from './file.ts';
import { FileLock, syncFolder } from './lock.ts';

const LOST = '.lost-';

/** Removes a file that nobody has open, with everything that stands beside it but its lock. Throws a StoreFileError while somebody has. */
export function removeSqliteReplica(given: string): void {
  alone(given, remove);
}

/**
 * Renames a file that nobody has open, and that has come as far as `position`; returns the path of the one that is kept. Throws a StoreFileError while somebody has it open.
 */
export function setSqliteReplicaAside(given: string, position: number): string {
  return alone(given, (file) => {
    const others = setAside(file);
    const furthest = others.find((other) => other.position >= position);
    if (furthest !== undefined) {
      remove(file);
      return furthest.path;
    }
    const path = `${file}${LOST}${position}`;
    // What its last close could not bring into the file is in its log.
    if (existsSync(`${file}-wal`)) renameSync(`${file}-wal`, `${path}-wal`);
    renameSync(file, path);
    remove(file);
    // Not before this one has its name.
    for (const other of others) remove(other.path);
    return path;
  });
}

/** The copies that were set aside, the one that has come furthest first. */
function setAside(file: string): { position: number; path: string }[] {
  const prefix = basename(file) + LOST;
  return readdirSync(dirname(file))
    .filter((name) => name.startsWith(prefix) && /^\d+$/.test(name.slice(prefix.length)))
    .map((name) => ({ position: Number(name.slice(prefix.length)), path: join(dirname(file), name) }))
    .sort((a, b) => b.position - a.position);
}

function remove(file: string): void {
  for (const path of [file, `${file}-wal`, `${file}-shm`, `${file}-journal`, marksOf(file), compactingOf(file)])
    rmSync(path, { force: true });
}

function alone<T>(given: string, work: (file: string) => T): T {
  const file = ownPathOf(given);
  const lock = new FileLock(file);
  try {
    const done = work(file);
    syncFolder(dirname(file));
    return done;
  } finally {
    lock.release();
  }
}
