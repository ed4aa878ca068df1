/** A node's copy of what a log has: its place is in the file with the changes, whatever ends between them; and it is no store of its own. */
import { copyFileSync, existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import Database from 'better-sqlite3';
import { describe, expect, it, onTestFinished } from 'vitest';
import type { ReplicaFile } from '../../src/cluster/replica.ts';
import { ItemPacker, WRITE_NEW } from '../../src/engine/contract/item-row.ts';
import { StoreTrouble, type Writes } from '../../src/engine/store.ts';
import { audit } from '../../src/stores/sqlite/audit.ts';
import { openSqliteStore } from '../../src/stores/sqlite/index.ts';
import { removeSqliteReplica, setSqliteReplicaAside } from '../../src/stores/sqlite/lost.ts';
import { copyOfStore, openSqliteReplica, type SqliteReplica, storeOfCopy } from '../../src/stores/sqlite/replica.ts';
import { Writer } from '../../src/stores/sqlite/writer.ts';
import { contentOf } from '../cluster/content.ts';
import { EVERYTHING } from '../conformance/world.ts';
import { folderWith } from '../loader/folder.ts';
import { livesOf } from './durable-host.ts';
import { noWrites } from './store-writes.ts';

const newFile = (name = 'node.db'): string => join(folderWith(), name);
const created = (): Writes => ({ ...noWrites(), created: [{ pipeline: 1, id: 'p' }] });
const fact = (json: string): Writes => noWrites(1, { facts: [['a', json]] });

async function opened(file: string, inProcess = false): Promise<SqliteReplica> {
  const replica = await openSqliteReplica({ file, inProcess });
  onTestFinished(() => replica.close().catch(() => undefined));
  return replica;
}

/** New items, which would break a constraint if they were written twice. */
function itemsOf(first: number, count: number): Writes {
  const packer = new ItemPacker();
  const texts = { id: null, value: null, fed: '1', metadata: null, error: null, route: null };
  const numbers = {
    feed: 0,
    priority: 0,
    stage: 1,
    status: 0,
    place: 1,
    task: 0,
    attempts: 0,
    deliveries: 0,
    accepted: 0,
    updated: 0,
    due: null,
  };
  for (let seq = first; seq < first + count; seq++) packer.add(WRITE_NEW, { seq, ord: seq, last_event: 0, ...numbers, ...texts });
  return noWrites(1, { items: packer.take() });
}

function countIn(file: string): number {
  const db = new Database(file, { readonly: true });
  try {
    return db.prepare('SELECT count(*) FROM items').pluck().get() as number;
  } finally {
    db.close();
  }
}

describe('a node’s file', () => {
  it('is what the cluster’s port asks for', async () => {
    const file: ReplicaFile = await opened(newFile(), true);
    expect([file.place, file.store.marked, file.store.markedBy]).toEqual([null, [], null]);
  });

  it('has the place of the last transaction, which it is opened with again', async () => {
    const file = newFile();
    const replica = await opened(file);
    await replica.write(created(), 'one');
    await replica.write(fact('1'), 'two');
    await replica.write(null, 'three');
    expect(replica.place).toBe('three');
    expect(replica.store.pipelines()).toEqual([{ pipeline: 1, id: 'p', facts: { a: '1' } }]);
    await replica.close();
    expect((await opened(file)).place).toBe('three');
  });

  it('writes what it has already not again, nor a part of what fails', async () => {
    const file = newFile();
    const replica = await opened(file);
    await replica.write(created(), 'one');
    await replica.write(itemsOf(1, 3), 'two');
    await replica.write(itemsOf(1, 3), 'two');
    await expect(replica.write({ ...itemsOf(4, 3), created: [{ pipeline: 1, id: 'p' }] }, 'three')).rejects.toThrow('UNIQUE');
    expect([replica.place, countIn(file)]).toEqual(['two', 3]);
    await replica.write(itemsOf(4, 3), 'three');
    expect([replica.place, countIn(file)]).toEqual(['three', 6]);
  });

  it('has everything once when its thread ends in the middle', async () => {
    const file = newFile();
    const replica = await opened(file);
    await replica.write(created(), 'one');
    const end = (): Promise<unknown> =>
      (replica as unknown as { parts: { sink: { thread: { terminate(): Promise<unknown> } | null } } }).parts.sink.thread?.terminate() ??
      Promise.resolve();
    for (let i = 0; i < 4; i++) {
      const writes = itemsOf(i * 500 + 1, 500);
      const place = `${i}`;
      const first = replica.write(writes, place);
      for (let turns = 0; turns < i * 9; turns++) await new Promise((resolve) => setImmediate(resolve));
      await end();
      await first.catch(async (error: unknown) => {
        expect(error).toBeInstanceOf(StoreTrouble);
        await replica.write(writes, place);
      });
      expect([replica.place, countIn(file)]).toEqual([place, (i + 1) * 500]);
    }
  });

  it('can be read, and not written past its log', async () => {
    const replica = await opened(newFile());
    await expect(replica.store.write(fact('1'))).rejects.toThrow('changes with its log alone');
  });

  it('tells when it was removed under its node', async () => {
    const file = newFile();
    const replica = await opened(file);
    const told = new Promise((resolve) => replica.store.watch?.(resolve));
    rmSync(file);
    expect(await told).toEqual(new StoreTrouble('the file has been removed'));
    await expect(replica.write(created(), 'one')).rejects.toThrow(StoreTrouble);
  });
});

describe('a copy of it', () => {
  it.each([true, false])('has the place at which it was begun, while more is written (in this thread: %s)', async (inProcess) => {
    const file = newFile();
    const replica = await opened(file, inProcess);
    await replica.write(created(), '0');
    await replica.write(itemsOf(1, 2000), '1');
    const target = newFile('copy.db');
    let isCopied = false;
    const copying = replica.copyTo(target).finally(() => {
      isCopied = true;
    });
    let count = 1;
    do {
      count++;
      await replica.write(itemsOf(count * 2000, 1), `${count}`);
    } while (!isCopied);
    const place = Number(await copying);
    expect(place).toBeLessThanOrEqual(count);
    expect(countIn(target)).toBe(2000 + place - 1);
    const copy = await opened(target);
    expect(copy.place).toBe(`${place}`);
  });

  it('is not written over a file, nor into a folder that is not there', async () => {
    const replica = await opened(newFile());
    await expect(replica.copyTo(newFile('no/folder.db'))).rejects.toMatchObject({ name: 'StoreTrouble' });
    const target = newFile('there.db');
    await replica.copyTo(target);
    await expect(replica.copyTo(target)).rejects.toMatchObject({ cause: { message: expect.stringContaining('already exists') } });
  });
});

describe('a file of one kind', () => {
  it('is not opened as one of the other', async () => {
    const [copy, plain] = [newFile(), newFile('plain.db')];
    const replica = await opened(copy);
    await replica.write(created(), 'one');
    await replica.close();
    const store = await openSqliteStore({ file: plain });
    await store.write(created());
    await store.close();
    await expect(openSqliteStore({ file: copy })).rejects.toThrow(/is a node's copy of what its log in PostgreSQL has/);
    await expect(openSqliteReplica({ file: plain })).rejects.toThrow(/is the store of one machine, and no copy of a log/);
    expect(() => copyOfStore(copy, newFile('x.db'), 'x')).toThrow(/is a node's copy/);
    expect(() => storeOfCopy(plain, newFile('y.db'))).toThrow(/is the store of one machine/);
  });

  it('becomes a copy when nothing was ever in it', async () => {
    const file = newFile();
    await (await openSqliteStore({ file })).close();
    expect((await opened(file)).place).toBeNull();
  });

  it('is removed with all that stands beside it, and not while a node has it', async () => {
    const file = newFile();
    const replica = await opened(file);
    await replica.write(created(), 'one');
    expect(() => removeSqliteReplica(file)).toThrow(/is in use by another process/);
    await replica.close();
    removeSqliteReplica(file);
    expect([existsSync(file), existsSync(`${file}-wal`), (await opened(file)).place]).toEqual([false, false, null]);
  });
});

describe('a copy that is set aside', () => {
  const names = (file: string): string[] => readdirSync(dirname(file)).filter((name) => name.includes('.lost-'));
  const written = async (file: string, place: string): Promise<void> => {
    const replica = await opened(file);
    await replica.write(created(), place);
    await replica.close();
  };

  it('has another name, and everything that it had; not while a node has it', async () => {
    const file = newFile();
    const replica = await opened(file);
    await replica.write(created(), 'one');
    expect(() => setSqliteReplicaAside(file, 7)).toThrow(/is in use by another process/);
    await replica.close();
    const kept = setSqliteReplicaAside(file, 7);
    expect([kept, existsSync(file), existsSync(`${file}-wal`)]).toEqual([`${file}.lost-7`, false, false]);
    expect([(await opened(kept)).place, (await opened(file)).place]).toEqual(['one', null]);
  });

  it('takes along what its last close could not bring into the file', async () => {
    const file = newFile();
    const replica = await opened(file);
    await replica.write(created(), 'one');
    const [left, log] = [readFileSync(file), readFileSync(`${file}-wal`)];
    await replica.close();
    // Another file than the one that this process still is said to have.
    rmSync(file);
    writeFileSync(file, left);
    writeFileSync(`${file}-wal`, log);
    expect((await opened(setSqliteReplicaAside(file, 7))).place).toBe('one');
  });

  it('is the only one: the one that has come furthest', async () => {
    const file = newFile();
    for (const [position, kept] of [
      [7, 7],
      [9, 9],
      [8, 9],
      [9, 9],
      [10, 10],
    ] as const) {
      await written(file, `${position}`);
      expect(setSqliteReplicaAside(file, position)).toBe(`${file}.lost-${kept}`);
      expect([names(file), existsSync(file)]).toEqual([[`${basename(file)}.lost-${kept}`], false]);
    }
    expect((await opened(`${file}.lost-10`)).place).toBe('10');
  });
});

describe('the store of one machine as a node’s copy, and back', () => {
  it('loses nothing: items, ids of events, feeds, keys, results', async () => {
    const lives = livesOf({ pass: (value) => value });
    const life = await lives.begin();
    await life.host.create({ id: 'p', stages: [{ name: 'A', tasks: ['pass'] }] });
    const p = life.host.get('p');
    const idempotency = { key: 'k', request: 'feed', body: 'b' };
    const receipt = await p.feed(
      [
        { id: 'x', value: 1 },
        { id: 'y', value: 2 },
      ],
      { feedId: 'f', idempotency },
    );
    await p.waitForFeed('f', { timeoutSeconds: 5, signal: new AbortController().signal });
    const { lines, newest } = p.events;
    await life.stop();
    const plain = lives.file();
    const [copy, back] = [newFile(), newFile('back.db')];
    copyOfStore(plain, copy, 'a place');
    const replica = await opened(copy);
    expect(replica.place).toBe('a place');
    await replica.close();
    storeOfCopy(copy, back);
    expect(contentOf(back)).toEqual(contentOf(plain));
    expect(audit(back).faults).toEqual([]);

    const next = livesOf({ pass: (value) => value }, {}, undefined, (store) => store);
    copyFileSync(back, next.file());
    const { host } = await next.begin();
    const again = host.get('p');
    expect([again.events.lines.current, again.events.newest >= newest]).toEqual([lines.current, true]);
    expect(
      await again.feed(
        [
          { id: 'x', value: 1 },
          { id: 'y', value: 2 },
        ],
        { feedId: 'f', idempotency },
      ),
    ).toMatchObject({ ids: receipt.ids });
    expect((await again.results({ ...EVERYTHING, status: 'all' })).rows.map(({ id, value }) => [id, value])).toEqual([
      ['x', 1],
      ['y', 2],
    ]);
  });

  it('is refused while a service works with it', async () => {
    const file = newFile('plain.db');
    const store = await openSqliteStore({ file });
    expect(() => copyOfStore(file, newFile('x.db'), 'x')).toThrow(/is in use by another process/);
    await store.close();
    const replica = await opened(newFile('copy.db'));
    expect(() => storeOfCopy((replica as unknown as { parts: { file: string } }).parts.file, newFile('y.db'))).toThrow(
      /is in use by another process/,
    );
  });
});

it('a writer syncs a store of its own with each transaction, and a copy not', async () => {
  const [plain, copy] = [newFile('plain.db'), newFile('copy.db')];
  await (await openSqliteStore({ file: plain, inProcess: true })).close();
  await (await openSqliteReplica({ file: copy, inProcess: true })).close();
  const levels = [new Writer(plain), new Writer(copy, true)].map((writer) => {
    const level = writer.db.pragma('synchronous', { simple: true });
    writer.close();
    return level;
  });
  expect(levels).toEqual([2, 1]);
});
