/** The thread that writes can end by itself; what it wrote last is there once, whether it could say so or not. */
import { join } from 'node:path';
import type { Worker } from 'node:worker_threads';
import Database from 'better-sqlite3';
import { describe, expect, it, onTestFinished } from 'vitest';
import { ItemPacker, WRITE_NEW } from '../../src/engine/contract/item-row.ts';
import { type StoredItem, StoreTrouble, type Writes } from '../../src/engine/store.ts';
import { openSqliteStore } from '../../src/stores/sqlite/index.ts';
import { ThreadSink } from '../../src/stores/sqlite/thread-sink.ts';
import { Writer } from '../../src/stores/sqlite/writer.ts';
import { Random } from '../engine/simulation/random.ts';
import { folderWith } from '../loader/folder.ts';
import { SEED } from '../seed.ts';
import { noWrites } from './store-writes.ts';

const row = (seq: number): StoredItem => ({
  ...{ seq, id: `i${seq}`, feed: 0, priority: 0, stage: 1, status: 0, place: 1, ord: seq, task: 0, attempts: 0, deliveries: 0 },
  ...{ accepted: 0, updated: 0, due: null, last_event: 0, value: null, fed: '1', metadata: null, error: null, route: null, size: 1 },
});

/** Writes of so many new items, which would break a constraint if they were carried out twice. */
function writesOf(first: number, count: number): Writes {
  const packer = new ItemPacker();
  for (let i = 0; i < count; i++) packer.add(WRITE_NEW, row(first + i));
  return noWrites(1, { items: packer.take() });
}

async function newFile(): Promise<string> {
  const file = join(folderWith(), 'sluice.db');
  const store = await openSqliteStore({ file, inProcess: true });
  await store.write({ ...noWrites(), created: [{ pipeline: 1, id: 'p' }] });
  await store.close();
  return file;
}

const rowsIn = (file: string): number => {
  const db = new Database(file, { readonly: true });
  try {
    return db.prepare('SELECT count(*) FROM items').pluck().get() as number;
  } finally {
    db.close();
  }
};

async function sinkOn(file: string): Promise<{ sink: ThreadSink; end: () => Promise<unknown> }> {
  const sink = await ThreadSink.open(file);
  onTestFinished(() => sink.close());
  return { sink, end: () => (sink as unknown as { thread: Worker | null }).thread?.terminate() ?? Promise.resolve() };
}

/** As the flusher does, without its half second. */
async function writeAtLast(sink: ThreadSink, writes: Writes): Promise<number> {
  for (let tries = 1; ; tries++) {
    try {
      await sink.write(writes);
      return tries;
    } catch (error) {
      if (!(error instanceof StoreTrouble)) throw error;
    }
  }
}

describe('a writer', () => {
  it('carries out a write once, however often it is asked to', async () => {
    const file = await newFile();
    const writer = new Writer(file);
    const { applied } = writer;
    writer.apply(writesOf(1, 3), applied + 1);
    writer.apply(writesOf(1, 3), applied + 1);
    writer.close();
    const next = new Writer(file);
    expect(next.applied).toBe(applied + 1);
    next.apply(writesOf(1, 3), applied + 1);
    next.apply(writesOf(4, 3), applied + 2);
    next.close();
    expect(rowsIn(file)).toBe(6);
  });
});

describe('a thread that writes', () => {
  it('is replaced when it ends between two writes', async () => {
    const file = await newFile();
    const { sink, end } = await sinkOn(file);
    await sink.write(writesOf(1, 3));
    await end();
    expect(await writeAtLast(sink, writesOf(4, 3))).toBe(1);
    expect(rowsIn(file)).toBe(6);
  });

  it('is replaced when it ends in the middle of a write, which is there once in the end', async () => {
    const file = await newFile();
    const { sink, end } = await sinkOn(file);
    const random = new Random(SEED);
    const KILLS = 6;
    const ROWS = 400;
    // So large that the thread is ended long before it has written.
    const large = writeAtLast(sink, writesOf(KILLS * ROWS + 1, 20_000));
    await end();
    expect(await large).toBeGreaterThan(1);
    for (let i = 0; i < KILLS; i++) {
      const writing = writeAtLast(sink, writesOf(i * ROWS + 1, ROWS));
      for (let turns = random.int(0, 60); turns > 0; turns--) await new Promise((resolve) => setImmediate(resolve));
      await end();
      await writing;
    }
    expect(rowsIn(file)).toBe(KILLS * ROWS + 20_000);
  });

  it('rejects what will never succeed with the error itself, and goes on with the next write', async () => {
    const file = await newFile();
    const { sink } = await sinkOn(file);
    await sink.write(writesOf(1, 3));
    // The same rows in another transaction.
    await expect(sink.write(writesOf(1, 3))).rejects.toMatchObject({ code: 'SQLITE_CONSTRAINT_PRIMARYKEY' });
    await expect(sink.write(writesOf(1, 3))).rejects.not.toBeInstanceOf(StoreTrouble);
    await sink.write(writesOf(4, 1));
    expect(rowsIn(file)).toBe(4);
  });
});
