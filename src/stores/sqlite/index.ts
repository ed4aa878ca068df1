/**
 * The store of one machine: one SQLite file, its log beside it (WAL), every write a transaction that is on disk when it is answered.
 *
 *     main thread: reads (its own connection) ──┐
 *     writer thread: one transaction a flush ───┴─▶ sluice.db, sluice.db-wal
 *     main thread: what begins to run ──────────▶ sluice.db-running      who has the file ─▶ sluice.db-lock
 *
 * It knows rows and nothing of pipelines' ways; what is written and when is the engine's business (src/engine/durable/flusher.ts). It refuses
 * to open a file that another process has, that is damaged, or that a newer version wrote, and leaves such a file as it was.
 */
import { existsSync } from 'node:fs';
import { extname } from 'node:path';
import { Worker } from 'node:worker_threads';
import Database from 'better-sqlite3';
import { type Blame, type Shelf, type Store, type StoredPipeline, StoreTrouble, type Writes } from '../../engine/store.ts';
import { blameOf, forgetBlame, readBlame, writeBlame } from './blame.ts';
import { checkFile, FileLock, keepPrivate, marksOf, StoreFileError } from './file.ts';
import { MarksFile } from './marks.ts';
import { migrate, PIPELINES_MAX } from './schema.ts';
import { SqliteShelf } from './shelf.ts';
import { troubleOf } from './trouble.ts';
import { Writer } from './writer.ts';
import type { WriterMessage, WriterReply } from './writer-thread.ts';

export { blameOf } from './blame.ts';
export { StoreFileError } from './file.ts';

export interface SqliteStoreOptions {
  /** A path; its folder is made when it is not there. */
  file: string;
  /** Writes in this thread, at once: for tests that must not depend on another thread's pace. Default false. */
  inProcess?: boolean;
}

const READ_CACHE_KIB = 16 * 1024;

class SqliteStore implements Store {
  readonly kind = 'sqlite';
  readonly marks: MarksFile;
  readonly blamed: Blame | null | undefined;
  private readonly blamePath: string;
  private readonly lock: FileLock;
  private readonly reader: Database.Database;
  private readonly sink: Sink;

  constructor(parts: { file: string; lock: FileLock; reader: Database.Database; marks: MarksFile; sink: Sink }) {
    this.lock = parts.lock;
    this.reader = parts.reader;
    this.marks = parts.marks;
    this.blamePath = blameOf(parts.file);
    this.blamed = readBlame(this.blamePath);
    this.sink = parts.sink;
  }

  get marked() {
    return this.marks.found;
  }

  pipelines(): StoredPipeline[] {
    const rows = this.reader.prepare('SELECT pipeline, id FROM pipelines WHERE is_dropped = 0 ORDER BY pipeline').all();
    const facts = this.reader.prepare('SELECT name, json FROM facts WHERE pipeline = ?');
    return (rows as { pipeline: number; id: string }[]).map(({ pipeline, id }) => {
      const found = facts.all(pipeline) as { name: string; json: string }[];
      return { pipeline, id, facts: Object.fromEntries(found.map(({ name, json }) => [name, json])) };
    });
  }

  nextPipeline(after: number): number {
    const taken = this.reader.prepare('SELECT pipeline FROM pipelines').pluck().all() as number[];
    const highest = Math.max(after, ...taken);
    if (highest < PIPELINES_MAX) return highest + 1;
    throw new StoreTrouble('the store has run out of pipeline numbers');
  }

  shelf(pipeline: number): Shelf {
    return new SqliteShelf(this.reader, pipeline);
  }

  write(writes: Writes): Promise<void> {
    return this.sink.write(writes);
  }

  forgetMarked(): void {
    this.marks.clear();
    forgetBlame(this.blamePath);
  }

  blame(blame: Blame | null): void {
    writeBlame(this.blamePath, blame);
  }

  async close(): Promise<void> {
    this.reader.close();
    await this.sink.close();
    this.marks.close();
    forgetBlame(this.blamePath);
    this.lock.release();
  }
}

/**
 * Opens the store of a file; makes it when it is not there. Throws {@link StoreFileError} when the file cannot be used, and changes
 * nothing then.
 */
export async function openSqliteStore({ file, inProcess = false }: SqliteStoreOptions): Promise<Store> {
  const lock = new FileLock(file);
  try {
    checkFile(file);
    const writer = openWriter(file);
    keepPrivate(marksOf(file));
    const sink = inProcess ? new LocalSink(writer) : await threadSink(file, writer);
    const reader = new Database(file, { readonly: true });
    reader.pragma(`cache_size = -${READ_CACHE_KIB}`);
    return new SqliteStore({ file, lock, reader, marks: new MarksFile(marksOf(file)), sink });
  } catch (error) {
    lock.release();
    throw error;
  }
}

/** The file with the newest format. */
function openWriter(file: string): Writer {
  try {
    for (const path of [file, ...[`${file}-wal`, `${file}-shm`].filter((path) => existsSync(path))]) keepPrivate(path);
    const db = new Database(file);
    try {
      db.pragma('journal_mode = WAL');
      migrate(db);
      // The header of the file itself says the version, not only the log.
      db.pragma('wal_checkpoint(TRUNCATE)');
    } finally {
      db.close();
    }
    return new Writer(file);
  } catch (error) {
    throw new StoreFileError(`${file} cannot be opened: ${(error as Error).message}`);
  }
}

/** Executes writes, in this process or in a thread. */
interface Sink {
  write(writes: Writes): Promise<void>;
  close(): Promise<void>;
}

class LocalSink implements Sink {
  private readonly writer: Writer;

  constructor(writer: Writer) {
    this.writer = writer;
  }

  async write(writes: Writes): Promise<void> {
    try {
      this.writer.apply(writes);
    } catch (error) {
      const { code = '', message } = error as Error & { code?: string };
      throw troubleOf(code, message);
    }
    while (this.writer.dropSome());
  }

  async close(): Promise<void> {
    this.writer.close();
  }
}

class ThreadSink implements Sink {
  private readonly thread: Worker;
  private settle: { resolve: () => void; reject: (error: Error) => void } | null = null;
  private dead: StoreTrouble | null = null;

  constructor(thread: Worker) {
    this.thread = thread;
    thread.on('message', (reply: WriterReply) => {
      const { settle } = this;
      this.settle = null;
      if (reply.is === 'failed') settle?.reject(troubleOf(reply.code, reply.message));
      else settle?.resolve();
    });
    thread.on('error', (error) => this.die(error));
    thread.on('exit', () => this.die(new Error('the writer thread has ended')));
  }

  write(writes: Writes): Promise<void> {
    return this.send({ writes });
  }

  async close(): Promise<void> {
    await this.send('close').catch(() => undefined);
    await this.thread.terminate();
  }

  private send(message: WriterMessage): Promise<void> {
    if (this.dead !== null) return Promise.reject(this.dead);
    return new Promise((resolve, reject) => {
      this.settle = { resolve, reject };
      this.thread.postMessage(message);
    });
  }

  private die(error: unknown): void {
    this.dead ??= new StoreTrouble('its writer has ended', error);
    this.settle?.reject(this.dead);
    this.settle = null;
  }
}

async function threadSink(file: string, writer: Writer): Promise<Sink> {
  writer.close();
  // The extension is this file's: .ts in the sources, .js in what is built from them.
  const thread = new Worker(new URL(`./writer-thread${extname(import.meta.url)}`, import.meta.url), { workerData: { file } });
  await new Promise((resolve, reject) => {
    thread.once('online', resolve);
    thread.once('error', reject);
  });
  return new ThreadSink(thread);
}
