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
import { existsSync, statSync, truncateSync } from 'node:fs';
import { stat, statfs } from 'node:fs/promises';
import { dirname } from 'node:path';
import Database from 'better-sqlite3';
import {
  type Blame,
  OF_STORE,
  type Shelf,
  type Store,
  type StoredPipeline,
  StoreTrouble,
  type StoreUsage,
  type Writes,
} from '../../engine/store.ts';
import { blameOf, forgetBlame, readBlame, writeBlame } from './blame.ts';
import { checkFile, forgetCompacting, keepPrivate, marksOf, OPENING_BUSY_MS, ownPathOf, StoreFileError } from './file.ts';
import { beginLife } from './lineage.ts';
import { FileLock } from './lock.ts';
import { MarksFile } from './marks.ts';
import { expectAlone, own } from './owner.ts';
import { expectCopy, expectStore } from './place.ts';
import { reading } from './reading.ts';
import { migrate, NUMBERED, nextNumber } from './schema.ts';
import { SqliteShelf } from './shelf.ts';
import { LocalSink, type Sink } from './sinks.ts';
import { ThreadSink } from './thread-sink.ts';
import { diskTroubleOf } from './trouble.ts';
import { Writer } from './writer.ts';

export { StoreFileError } from './file.ts';

export interface SqliteStoreOptions {
  /** A path; its folder is made when it is not there. */
  file: string;
  /** Writes in this thread, at once: for tests that must not depend on another thread's pace. Default false. */
  inProcess?: boolean;
}

/** The smallest page of a database. */
const PAGE_BYTES_MIN = 512;
const READ_CACHE_KIB = 16 * 1024;

/** The reads of a file, on a connection that only reads. */
export class SqliteReads {
  readonly kind: string = 'sqlite';
  protected readonly file: string;
  protected readonly reader: Database.Database;

  constructor({ file, reader }: Pick<OpenFile, 'file' | 'reader'>) {
    this.file = file;
    this.reader = reader;
  }

  pipelines(): StoredPipeline[] {
    const rows = reading(this.reader, 'SELECT pipeline, id FROM pipelines WHERE is_dropped = 0 ORDER BY pipeline').all();
    const facts = reading(this.reader, 'SELECT name, json FROM facts WHERE pipeline = ?');
    return (rows as { pipeline: number; id: string }[]).map(({ pipeline, id }) => {
      const found = facts.all(pipeline) as { name: string; json: string }[];
      return { pipeline, id, facts: Object.fromEntries(found.map(({ name, json }) => [name, json])) };
    });
  }

  facts(prefix: string): Record<string, string> {
    const rows = reading(this.reader, 'SELECT name, json FROM facts WHERE pipeline = ? AND name >= ? AND name < ?').all(
      OF_STORE,
      prefix,
      prefix.slice(0, -1) + String.fromCharCode(prefix.charCodeAt(prefix.length - 1) + 1),
    ) as { name: string; json: string }[];
    return Object.fromEntries(rows.map(({ name, json }) => [name, json]));
  }

  nextPipeline(after: number): number {
    const rows = reading(this.reader, 'SELECT pipeline FROM pipelines').all() as { pipeline: number }[];
    const taken = new Set(rows.map(({ pipeline }) => pipeline));
    // A version that noted none has made the file.
    const { [NUMBERED]: noted = String(Math.max(0, ...taken)) } = this.facts(NUMBERED);
    const last = after === 0 ? Number(noted) : after;
    const next = nextNumber(last, taken);
    if (next !== undefined) return next;
    throw new StoreTrouble('the store has run out of pipeline numbers');
  }

  shelf(pipeline: number): Shelf {
    return new SqliteShelf(this.reader, pipeline);
  }

  async usage(): Promise<StoreUsage> {
    const { file } = this;
    const [database, log, disk] = await Promise.all([stat(file), stat(`${file}-wal`), statfs(dirname(file))]);
    return {
      files: [
        { file: 'database', bytes: database.size },
        { file: 'log', bytes: log.size },
      ],
      diskFreeBytes: disk.bavail * disk.bsize,
    };
  }
}

class SqliteStore extends SqliteReads implements Store {
  readonly marks: MarksFile;
  readonly blamed: Blame | null | undefined;
  private readonly blamePath: string;
  private readonly lock: FileLock;
  private readonly sink: Sink;

  constructor(parts: OpenFile & { marks: MarksFile }) {
    super(parts);
    this.lock = parts.lock;
    this.marks = parts.marks;
    this.blamePath = blameOf(parts.file);
    this.blamed = readBlame(this.blamePath);
    this.sink = parts.sink;
  }

  get marked() {
    return this.marks.found;
  }

  get markedBy() {
    return this.marks.foundOf;
  }

  write(writes: Writes): Promise<void> {
    return this.sink.write(writes);
  }

  watch(told: (trouble: StoreTrouble | null) => void): void {
    this.sink.watch(told);
  }

  forgetMarked(): void {
    // In this order: cut short in between, the marks still say whose they are, so that they are not counted again.
    forgetBlame(this.blamePath);
    this.marks.clear();
  }

  blame(blame: Blame | null): void {
    writeBlame(this.blamePath, blame);
  }

  async close(): Promise<void> {
    this.reader.close();
    await this.sink.close();
    // A start that came to nothing leaves to the next one what it has not accounted for.
    if (this.marks.isCleared) forgetBlame(this.blamePath);
    this.marks.close();
    this.lock.release();
  }
}

/** Where it is noted who ended the process, see blame.ts. */
export function blamePathOf(file: string): string {
  return blameOf(ownPathOf(file));
}

/**
 * Opens the store of a file; makes it when it is not there. Throws {@link StoreFileError} when the file cannot be used, and changes
 * nothing then; throws {@link StoreTrouble} when that is the disk's fault, and trying again makes sense.
 */
export async function openSqliteStore(options: SqliteStoreOptions): Promise<Store> {
  return openWith(options, 'store', (parts, life) => {
    keepPrivate(marksOf(parts.file));
    return new SqliteStore({ ...parts, marks: new MarksFile(marksOf(parts.file), life) });
  });
}

/** A file as it is open. */
export interface OpenFile {
  file: string;
  lock: FileLock;
  reader: Database.Database;
  sink: Sink;
}

/** Opens a file as a store of its own, or as a node's copy of what a log has. `make` is given the number of its life, which a copy has not. */
export async function openWith<T>(
  { file: given, inProcess = false }: SqliteStoreOptions,
  as: 'store' | 'copy',
  make: (parts: OpenFile, life: number) => T,
): Promise<T> {
  // SQLite would open another file than the one that is locked.
  if (given !== given.trim()) throw new StoreFileError(`The path "${given}" of the store begins or ends with white space`);
  const file = ownPathOf(given);
  const lock = new FileLock(file);
  const opened: { close(): unknown }[] = [];
  try {
    const is = checkFile(file);
    expectAlone(file, is);
    if (is === 'known') (as === 'store' ? expectStore : expectCopy)(file);
    forgetCompacting(file);
    const isCopy = as === 'copy';
    const life = prepare(file, is, isCopy);
    const sink = inProcess ? new LocalSink(new Writer(file, isCopy)) : await ThreadSink.open(file, isCopy);
    opened.push(sink);
    const reader = new Database(file, { readonly: true });
    opened.push(reader);
    reader.pragma(`cache_size = -${READ_CACHE_KIB}`);
    return make({ file, lock, reader, sink }, life);
  } catch (error) {
    for (const each of opened.reverse()) await each.close();
    lock.release();
    if (error instanceof StoreFileError) throw error;
    throw diskTroubleOf(error, dirname(file)) ?? new StoreFileError(`${file} cannot be opened: ${(error as Error).message}`);
  }
}

/** The file with the newest format, and with this process as the one that works with it; returns the number of its life. */
function prepare(file: string, is: 'new' | 'known', isCopy: boolean): number {
  for (const path of [file, ...[`${file}-wal`, `${file}-shm`].filter((path) => existsSync(path))]) keepPrivate(path);
  // The beginning of a first page: SQLite would take it for a damaged one.
  if (is === 'new' && statSync(file).size < PAGE_BYTES_MIN) truncateSync(file);
  const db = new Database(file, { timeout: OPENING_BUSY_MS });
  try {
    // A new file gets its tables and its mark in one transaction; cut short, it is a new file still.
    if (is === 'known') db.pragma('journal_mode = WAL');
    migrate(db);
    db.pragma('journal_mode = WAL');
    own(db, file);
    // The ids of events in a copy are those of its log, whichever file it came from.
    const life = isCopy ? 0 : beginLife(db, MarksFile.lifeOf(marksOf(file)));
    // The header of the file itself says the version, not only the log.
    db.pragma('wal_checkpoint(TRUNCATE)');
    return life;
  } finally {
    db.close();
  }
}
