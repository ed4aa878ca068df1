/**
 * Which process works with a file, written in the file itself: a lock is found by its name, and can be removed, or missed by a file that has
 * moved. It counts only for the file that it was written to (a backup has the record of its original) and for as long as that process lives.
 * Where the system does not tell when a process began (Linux does), there is only the lock.
 */
import { readFileSync, readlinkSync, statSync } from 'node:fs';
import Sqlite, { type Database } from 'better-sqlite3';
import { OF_STORE } from '../../engine/store.ts';
import { OPENING_BUSY_MS, StoreFileError } from './file.ts';
import { inUse } from './lock.ts';

interface Owner {
  pid: number;
  /** Numbers of processes are used again; together with these one means one process. */
  machine: string;
  startedAt: string;
  dev: number;
  ino: number;
}

const NAME = 'process';
/** The fields of `/proc/…/stat` after the name, which can contain anything: when the process began, in ticks since the machine did. */
const STARTED_AT = 19;

function startedAtOf(pid: number): string | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[STARTED_AT] ?? null;
  } catch {
    return null;
  }
}

let known: { machine: string; startedAt: string } | null = null;

/**
 * The start of the machine together with the names under which it knows processes here, and when this one began; null where the system does not tell. Neither changes
 * while a process lives, and Linux computes both anew for whoever asks.
 */
function here(): { machine: string; startedAt: string } | null {
  if (known !== null) return known;
  const [found, startedAt] = [machine(), startedAtOf(process.pid)];
  // Not for ever: a process can be out of file descriptors for a moment.
  if (found !== null && startedAt !== null) known = { machine: found, startedAt };
  return known;
}

function machine(): string | null {
  try {
    return `${readFileSync('/proc/sys/kernel/random/boot_id', 'latin1').trim()} ${readlinkSync('/proc/self/ns/pid')}`;
  } catch {
    return null;
  }
}

/** The process that works with this file, if it says so and is alive. */
export function ownerOf(db: Database, file: string): number | null {
  const json = db.prepare('SELECT json FROM facts WHERE pipeline = ? AND name = ?').pluck().get(OF_STORE, NAME) as string | undefined;
  if (json === undefined) return null;
  const owner = JSON.parse(json) as Owner;
  const { dev, ino } = statSync(file);
  const isAlive = owner.machine === here()?.machine && owner.startedAt === startedAtOf(owner.pid);
  return isAlive && owner.dev === dev && owner.ino === ino ? owner.pid : null;
}

/** From now on this process works with the file. */
export function own(db: Database, file: string): void {
  const self = here();
  if (self === null) return;
  const { dev, ino } = statSync(file);
  const owner: Owner = { pid: process.pid, ...self, dev, ino };
  db.prepare('INSERT OR REPLACE INTO facts (pipeline, name, json) VALUES (?, ?, ?)').run(OF_STORE, NAME, JSON.stringify(owner));
}

/** Before the file is closed. */
export function disown(db: Database): void {
  db.prepare('DELETE FROM facts WHERE pipeline = ? AND name = ?').run(OF_STORE, NAME);
}

/** Throws {@link StoreFileError} unless, whatever its lock says, no process works with the file, and it is found under one name only, since that is where its log is. */
export function expectAlone(file: string, is: 'new' | 'known'): void {
  const { nlink = 1 } = statSync(file, { throwIfNoEntry: false }) ?? {};
  if (nlink > 1) {
    throw new StoreFileError(
      `${file} has other names (hard links, ${nlink} in all). What is beside a store is found by its name: remove the others, and keep the one that the service ran with.`,
    );
  }
  if (is === 'new') return;
  const db = new Sqlite(file, { readonly: true, timeout: OPENING_BUSY_MS });
  try {
    const owner = ownerOf(db, file);
    if (owner !== null) throw inUse(file, owner);
  } finally {
    db.close();
  }
}
