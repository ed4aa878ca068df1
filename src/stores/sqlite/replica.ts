/**
 * A node's copy of what a log has, in one SQLite file. Each transaction has its place in the log, so the file is always as of one place.
 *
 * It is never synced on its own account (synchronous=NORMAL): a power cut takes its last transactions, and the log has them.
 */
import { extname } from 'node:path';
import { Worker } from 'node:worker_threads';
import Database from 'better-sqlite3';
import { OF_STORE, type Store, StoreTrouble, type Writes } from '../../engine/store.ts';
import { backup } from './backup.ts';
import type { CopyReply } from './copy-thread.ts';
import { keepPrivate, ownPathOf, StoreFileError } from './file.ts';
import { type OpenFile, openWith, SqliteReads, type SqliteStoreOptions } from './index.ts';
import { FileLock } from './lock.ts';
import { expectAlone } from './owner.ts';
import { expectCopy, expectStore, PLACE, placeIn, placeOf } from './place.ts';
import { migrate } from './schema.ts';
import type { Told } from './sinks.ts';

/** A transaction without changes: the copy moves on in the log. */
const nothing = (): Writes => ({ pipelines: [], created: [], dropped: [] });

/** Its reads. What runs, and who ended a process, is not noted here: on the next node nobody would find it. */
class CopyReads extends SqliteReads implements Store {
  override readonly kind = 'sqlite-copy';
  readonly marks = { set: (): void => undefined, write: (): void => undefined };
  readonly marked = [];
  readonly markedBy = null;
  readonly blamed = undefined;
  private readonly sink: OpenFile['sink'];

  constructor(parts: OpenFile) {
    super(parts);
    this.sink = parts.sink;
  }

  write(): Promise<void> {
    return Promise.reject(new Error(`${this.file} changes with its log alone`));
  }

  watch(told: Told): void {
    this.sink.watch(told);
  }

  blame(): void {}

  forgetMarked(): void {}

  async close(): Promise<void> {}
}

export class SqliteReplica {
  readonly store: Store;
  private readonly parts: OpenFile;
  private readonly inProcess: boolean;
  private last: string | null;
  private closing: Promise<void> | null = null;

  constructor(parts: OpenFile, inProcess: boolean) {
    this.parts = parts;
    this.inProcess = inProcess;
    this.store = new CopyReads(parts);
    this.last = placeOf(parts.reader);
  }

  /** The place that came with the last {@link SqliteReplica.write} that the file has; null: it is new. */
  get place(): string | null {
    return this.last;
  }

  /** In one transaction; a place that the file has already is not written again. Rejects with a {@link StoreTrouble} when trying again makes sense. Calls MUST NOT overlap. */
  async write(writes: Writes | null, place: string): Promise<void> {
    await this.parts.sink.write(writes ?? nothing(), place);
    this.last = place;
  }

  /** Writes a copy to a path where there is nothing yet, as of the instant at which it begins; resolves with its place. */
  async copyTo(path: string): Promise<string | null> {
    const { file } = this.parts;
    if (this.inProcess) backup(file, path);
    else await copyInThread(file, path);
    return placeIn(path);
  }

  /** Idempotent. */
  close(): Promise<void> {
    this.closing ??= this.end();
    return this.closing;
  }

  private async end(): Promise<void> {
    const { reader, sink, lock } = this.parts;
    reader.close();
    await sink.close();
    lock.release();
  }
}

/** Opens a node's copy; makes it when it is not there. Throws {@link StoreFileError}, also for the store of one machine, and {@link StoreTrouble}. */
export function openSqliteReplica(options: SqliteStoreOptions): Promise<SqliteReplica> {
  return openWith(options, 'copy', (parts) => new SqliteReplica(parts, options.inProcess === true));
}

/**
 * Makes a node's copy of the store of one machine: a new file that has everything, at a place in a log. No service may work with the store. Throws {@link StoreFileError};
 * the store is as it was.
 */
export function copyOfStore(store: string, target: string, place: string): void {
  withFile(store, expectStore, () => {
    backup(store, target);
    change(target, (db) => {
      migrate(db);
      setPlace(db, place);
    });
  });
}

/** Makes the store of one machine of a node's copy: a new file that has everything. The ids of its events go on. No node may work with the copy. */
export function storeOfCopy(copy: string, target: string): void {
  withFile(copy, expectCopy, () => {
    backup(copy, target);
    change(target, (db) => {
      migrate(db);
      setPlace(db, null);
    });
  });
}

function withFile(file: string, expectKind: (file: string) => void, work: () => void): void {
  const path = ownPathOf(file);
  const lock = new FileLock(path);
  try {
    expectAlone(path, 'known');
    expectKind(path);
    work();
  } finally {
    lock.release();
  }
}

/** Without the note that it is a copy of another file: it goes on in its place. */
function change(file: string, how: (db: Database.Database) => void): void {
  keepPrivate(file);
  const db = new Database(file);
  try {
    db.transaction(() => {
      how(db);
      db.prepare("DELETE FROM facts WHERE pipeline = ? AND name IN ('life', 'process')").run(OF_STORE);
    })();
  } finally {
    db.close();
  }
}

function setPlace(db: Database.Database, place: string | null): void {
  if (place === null) db.prepare('DELETE FROM facts WHERE pipeline = ? AND name = ?').run(OF_STORE, PLACE);
  else db.prepare('INSERT OR REPLACE INTO facts (pipeline, name, json) VALUES (?, ?, ?)').run(OF_STORE, PLACE, place);
}

async function copyInThread(file: string, target: string): Promise<void> {
  // The extension is this file's: .ts in the sources, .js in what is built from them.
  const thread = new Worker(new URL(`./copy-thread${extname(import.meta.url)}`, import.meta.url), { workerData: { file, target } });
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  thread.on('error', (error) => reject(new StoreTrouble('its copy cannot be written', error)));
  thread.on('exit', (code) => reject(new StoreTrouble('its copy cannot be written', new Error(`the thread has ended with ${code}`))));
  thread.on('message', (reply: CopyReply) => {
    if ('bytes' in reply) resolve();
    else reject(new StoreTrouble('its copy cannot be written', new StoreFileError(reply.message)));
  });
  await promise.finally(() => thread.terminate());
}
