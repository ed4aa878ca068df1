/** What stands at the path of the store and is none: a clear message, the file as it was; and exit code 78 of the process. */
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { describe, expect, it } from 'vitest';
import { openSqliteStore, StoreFileError } from '../../src/stores/sqlite/index.ts';
import { startInVain, startServer } from '../e2e/server.ts';
import { folderWith } from '../loader/folder.ts';
import { type Life, livesOf } from './durable-host.ts';

const definition = { id: 'p', stages: [{ name: 'A', tasks: ['hash'] }] };

/** Why the store is not opened, as the service says it when it ends with 78. */
async function refusalOf(file: string): Promise<string> {
  const refused = await openSqliteStore({ file }).then(
    async (store) => {
      await store.close();
      return expect.fail(`${file} was opened`);
    },
    (error: unknown) => error,
  );
  expect(refused).toBeInstanceOf(StoreFileError);
  return (refused as StoreFileError).message;
}

async function expectRefused(file: string, message: RegExp): Promise<void> {
  const before = existsSync(file) ? readFileSync(file) : null;
  expect(await refusalOf(file)).toMatch(message);
  if (before !== null) expect(readFileSync(file).equals(before)).toBe(true);
}

async function withItems({ host }: Life): Promise<void> {
  await host.create(definition);
  await host.get('p').run(
    Array.from({ length: 100 }, (_, i) => ({ id: `i${i}`, value: `${i}`.repeat(100) })),
    {},
  );
}

/** A store with a hundred items in it, whose service has stopped. */
async function storeWithItems(): Promise<string> {
  const lives = livesOf({ hash: (value) => value });
  const life = await lives.begin();
  await withItems(life);
  await life.stop();
  return lives.file();
}

describe('a start refuses', () => {
  it('a file that is no database', async () => {
    const file = join(folderWith(), 'notes.db');
    writeFileSync(file, 'remember the milk\n'.repeat(20));
    await expectRefused(file, /notes\.db is not an SQLite database/);
    writeFileSync(file, 'short');
    await expectRefused(file, /notes\.db is not an SQLite database/);
  });

  it('with exit code 78, one message and no stack, before it listens', async () => {
    const file = join(folderWith(), 'notes.db');
    const text = 'remember the milk\n'.repeat(20);
    writeFileSync(file, text);
    const ended = await startInVain({ STORE_URL: `file:${file}`, PIPELINES: folderWith() });
    expect(ended).toMatchObject({ code: 78, signal: null });
    expect(ended.message).toMatch(/notes\.db is not an SQLite database/);
    expect(ended.message).not.toMatch(/\n\s+at /);
    expect(ended.log.filter(({ msg }) => msg === 'listening')).toEqual([]);
    expect(readFileSync(file, 'utf8')).toBe(text);
  });

  it('a database of something else', async () => {
    const file = join(folderWith(), 'other.db');
    const db = new Database(file);
    db.exec('CREATE TABLE birds (name TEXT)');
    db.close();
    await expectRefused(file, /other\.db is a database, but not one that Sluice created/);
  });

  it('a file of a newer version', async () => {
    const file = await storeWithItems();
    const db = new Database(file);
    db.pragma('user_version = 999');
    db.close();
    await expectRefused(file, /written by a newer version of Sluice \(its format is 999, this one knows \d+\)/);
  });

  it('a damaged file, wherever the damage is', async () => {
    const whole = await storeWithItems();
    const { length } = readFileSync(whole);
    // The page that lists the tables, and the heads of others.
    for (const at of [100, 4096, Math.floor(length / 8192) * 4096]) {
      const file = join(folderWith(), 'damaged.db');
      const bytes = readFileSync(whole);
      bytes.fill(0xa5, at, at + 2000);
      writeFileSync(file, bytes);
      await expectRefused(file, /damaged\.db is damaged/);
    }
    const cut = join(folderWith(), 'cut.db');
    writeFileSync(cut, readFileSync(whole).subarray(0, length - 8192));
    await expectRefused(cut, /cut\.db is damaged/);
  });

  it('a folder in its place, and one that cannot be written', async () => {
    const folder = folderWith();
    mkdirSync(join(folder, 'sluice.db'));
    expect(await refusalOf(join(folder, 'sluice.db'))).toMatch(/sluice\.db is not a file/);
    expect(await refusalOf('/proc/sluice.db')).toMatch(/The folder of \/proc\/sluice\.db cannot be written/);
  });

  it('a file that another process has, and leaves that one alone', async () => {
    const file = join(folderWith(), 'sluice.db');
    const first = await startServer({ STORE_URL: `file:${file}`, PIPELINES: folderWith() });
    await first.post('/pipelines', definition);
    expect(await refusalOf(file)).toContain(`in use by another process (${first.pid})`);
    expect((await first.post('/pipelines/p/run', { items: ['x'] })).status).toBe(200);
    await first.stop();
  });
});

describe('a start', () => {
  it('makes the folder and the file, and leaves nothing but the file behind when it stops', async () => {
    const folder = join(folderWith(), 'deep', 'data');
    const store = await openSqliteStore({ file: join(folder, 'sluice.db') });
    await store.close();
    expect(readdirSync(folder).sort()).toEqual(['sluice.db', 'sluice.db-lock', 'sluice.db-running']);
  });

  it('takes the file of a service that was killed while it wrote', async () => {
    const lives = livesOf({ hash: (value) => value });
    const first = await lives.begin();
    await withItems(first);
    await first.host.get('p').feed([1, 2, 3], {});
    const shm = readFileSync(`${lives.file()}-shm`);
    await first.crash();
    // The system leaves that one as well.
    writeFileSync(`${lives.file()}-shm`, shm);
    const next = await lives.begin();
    const runtime = next.host.get('p');
    await runtime.join();
    expect(await runtime.stats()).toMatchObject({ itemsFed: 103, itemsProcessed: 103 });
    await next.stop();
  });
});
