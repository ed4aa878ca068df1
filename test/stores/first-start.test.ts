/** A first start that is cut short, at any point, is a first start the next time; and nobody else's file is taken for one. */
import { copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { describe, expect, it, vi } from 'vitest';
import { audit } from '../../src/stores/sqlite/audit.ts';
import { openSqliteStore, StoreFileError } from '../../src/stores/sqlite/index.ts';
import { folderWith } from '../loader/folder.ts';
import { noWrites } from './store-writes.ts';

const SUFFIXES = ['', '-wal', '-shm', '-journal'];

/** What `kill -9` would leave of a file now. */
function keep(file: string, folder: string): void {
  mkdirSync(folder);
  for (const suffix of SUFFIXES) if (existsSync(file + suffix)) copyFileSync(file + suffix, join(folder, `sluice.db${suffix}`));
}

/**
 * What there is of a new store after each call of SQLite while it is opened. With `spills`, what is written reaches the file in the middle of
 * its transaction, as it does in the middle of a commit.
 */
async function statesOfFirstStart(spills: boolean): Promise<string[]> {
  const folder = folderWith();
  const file = join(folder, 'sluice.db');
  const states: string[] = [];
  const note = (): void => {
    const state = join(folder, `state-${states.length}`);
    keep(file, state);
    states.push(join(state, 'sluice.db'));
  };
  const { exec, pragma } = Database.prototype;
  const executed = vi.spyOn(Database.prototype, 'exec').mockImplementation(function (this: Database.Database, sql) {
    for (const statement of sql.split(/(?<=;)\s+(?=CREATE)/)) {
      exec.call(this, statement);
      note();
    }
    return this;
  });
  const asked = vi.spyOn(Database.prototype, 'pragma').mockImplementation(function (this: Database.Database, text, options) {
    if (spills) {
      pragma.call(this, 'cache_size = 1');
      pragma.call(this, 'cache_spill = 1');
    }
    const answer = pragma.call(this, text, options);
    note();
    return answer;
  });
  const store = await openSqliteStore({ file, inProcess: true });
  asked.mockRestore();
  executed.mockRestore();
  await store.close();
  return states;
}

/** It comes up, keeps what it is given, and is whole. */
async function expectFirstStart(file: string): Promise<void> {
  const store = await openSqliteStore({ file, inProcess: true });
  expect(store.pipelines(), file).toEqual([]);
  await store.write({ ...noWrites(), created: [{ pipeline: 1, id: 'p' }] });
  await store.close();
  const next = await openSqliteStore({ file, inProcess: true });
  expect(next.pipelines().map(({ id }) => id)).toEqual(['p']);
  await next.close();
}

async function expectRefused(file: string, message: RegExp): Promise<void> {
  const before = readFileSync(file);
  await expect(openSqliteStore({ file, inProcess: true })).rejects.toThrow(message);
  await expect(openSqliteStore({ file, inProcess: true })).rejects.toBeInstanceOf(StoreFileError);
  expect(readFileSync(file).equals(before)).toBe(true);
}

/** A file, left by `make` as by a process that is killed then. */
function leftBy(make: (db: Database.Database) => void): string {
  const folder = folderWith();
  const file = join(folder, 'left.db');
  const db = new Database(file);
  make(db);
  keep(file, join(folder, 'killed'));
  db.close();
  return join(folder, 'killed', 'sluice.db');
}

describe('a first start', () => {
  it.each([false, true])('that was cut short at any step begins anew, in the middle of its writing: %s', async (spills) => {
    const states = await statesOfFirstStart(spills);
    expect(states.length).toBeGreaterThan(10);
    const journals = states.filter((file) => existsSync(`${file}-journal`) && readFileSync(file).length > 0);
    if (spills) expect(journals.length, 'states with half a transaction in the file').toBeGreaterThan(0);
    for (const file of states) await expectFirstStart(file);
    expect(audit(states.at(-1) as string).pipelines).toHaveLength(1);
  });

  it.each([0, 16, 50, 99, 100, 511, 512, 4095, 4096])(
    'is one on a file with the first %i bytes of a database without tables',
    async (length) => {
      const file = leftBy((db) => db.pragma('journal_mode = WAL'));
      for (const suffix of ['-wal', '-shm']) if (existsSync(file + suffix)) truncateSync(file + suffix, 0);
      truncateSync(file, length);
      await expectFirstStart(file);
    },
  );

  it('is one where an earlier version was killed at its first step, or its second', async () => {
    const first = leftBy((db) => db.pragma('journal_mode = WAL'));
    const second = leftBy((db) => {
      db.pragma('journal_mode = WAL');
      db.pragma(`application_id = ${0x534c5549}`);
    });
    expect(readFileSync(first).length).toBeGreaterThan(0);
    for (const file of [first, second]) await expectFirstStart(file);
  });

  it('leaves no more than a start does that was not cut short', async () => {
    const file = (await statesOfFirstStart(true)).at(-4) as string;
    await expectFirstStart(file);
    expect(readdirSync(join(file, '..')).sort()).toEqual(['sluice.db', 'sluice.db-lock', 'sluice.db-running']);
  });
});

describe('what is no first start', () => {
  it("somebody else's database, of which only the log has the tables", async () => {
    const file = leftBy((db) => {
      db.pragma('journal_mode = WAL');
      db.exec('CREATE TABLE birds (name TEXT)');
    });
    expect(readFileSync(`${file}-wal`).length).toBeGreaterThan(0);
    await expectRefused(file, /is a database, but not one that Sluice created/);
  });

  it("somebody else's database, which says what it is and has no tables yet, or no more", async () => {
    await expectRefused(
      leftBy((db) => db.pragma('application_id = 7')),
      /not one that Sluice created/,
    );
    await expectRefused(
      leftBy((db) => db.exec('CREATE TABLE birds (name TEXT); DROP TABLE birds')),
      /not one that Sluice created/,
    );
  });

  it('a newer version, which only the log says', async () => {
    const folder = folderWith();
    const file = join(folder, 'newer.db');
    await (await openSqliteStore({ file })).close();
    const db = new Database(file);
    db.pragma('user_version = 999');
    keep(file, join(folder, 'killed'));
    db.close();
    await expectRefused(join(folder, 'killed', 'sluice.db'), /written by a newer version/);
  });

  it('text that begins like a database', async () => {
    const file = join(folderWith(), 'text.db');
    writeFileSync(file, 'SQLite format 4 is not out yet');
    await expectRefused(file, /is not an SQLite database/);
  });
});
