/** What stands at the path of the store and is none, each with the real process: a clear message, exit code 78, the file as it was. */
import { copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { describe, expect, it } from 'vitest';
import { startInVain, startServer } from '../e2e/server.ts';
import { folderWith } from '../loader/folder.ts';

const definition = { id: 'p', stages: [{ name: 'A', tasks: ['hash'] }] };

async function expectRefused(file: string, message: RegExp): Promise<void> {
  const before = existsSync(file) ? readFileSync(file) : null;
  const folder = folderWith();
  const ended = await startInVain({ STORE_URL: `file:${file}`, PIPELINES: folder });
  expect(ended).toMatchObject({ code: 78, signal: null });
  expect(ended.message).toMatch(message);
  expect(ended.message).not.toMatch(/\n\s+at /);
  expect(ended.log.filter(({ msg }) => msg === 'listening')).toEqual([]);
  if (before !== null) expect(readFileSync(file).equals(before)).toBe(true);
}

/** A store with a hundred items in it, whose service has stopped. */
async function storeWithItems(): Promise<string> {
  const file = join(folderWith(), 'sluice.db');
  const server = await startServer({ STORE_URL: `file:${file}`, PIPELINES: folderWith() });
  await server.post('/pipelines', definition);
  await server.post('/pipelines/p/run', { items: Array.from({ length: 100 }, (_, i) => ({ id: `i${i}`, value: `${i}`.repeat(100) })) });
  await server.stop();
  return file;
}

describe('a start refuses', () => {
  it('a file that is no database', async () => {
    const file = join(folderWith(), 'notes.db');
    writeFileSync(file, 'remember the milk\n'.repeat(20));
    await expectRefused(file, /notes\.db is not an SQLite database/);
    writeFileSync(file, 'short');
    await expectRefused(file, /notes\.db is not an SQLite database/);
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
    const inItsPlace = await startInVain({ STORE_URL: `file:${join(folder, 'sluice.db')}`, PIPELINES: folderWith() });
    expect(inItsPlace).toMatchObject({ code: 78 });
    expect(inItsPlace.message).toMatch(/sluice\.db is not a file/);
    const ended = await startInVain({ STORE_URL: 'file:/proc/sluice.db', PIPELINES: folderWith() });
    expect(ended).toMatchObject({ code: 78 });
    expect(ended.message).toMatch(/The folder of \/proc\/sluice\.db cannot be written/);
  });

  it('a file that another process has, and leaves that one alone', async () => {
    const file = join(folderWith(), 'sluice.db');
    const first = await startServer({ STORE_URL: `file:${file}`, PIPELINES: folderWith() });
    await first.post('/pipelines', definition);
    const ended = await startInVain({ STORE_URL: `file:${file}`, PIPELINES: folderWith() });
    expect(ended).toMatchObject({ code: 78 });
    expect(ended.message).toContain(`in use by another process (${first.pid})`);
    expect((await first.post('/pipelines/p/run', { items: ['x'] })).status).toBe(200);
    await first.stop();
  });
});

describe('a start', () => {
  it('makes the folder and the file, and leaves nothing but the file behind when it stops', async () => {
    const folder = join(folderWith(), 'deep', 'data');
    const server = await startServer({ STORE_URL: `file:${join(folder, 'sluice.db')}`, PIPELINES: folderWith() });
    await server.stop();
    expect(readdirSync(folder).sort()).toEqual(['sluice.db', 'sluice.db-lock', 'sluice.db-running']);
  });

  it('takes the file of a service that was killed while it wrote', async () => {
    const file = await storeWithItems();
    const server = await startServer({ STORE_URL: `file:${file}`, PIPELINES: folderWith() });
    await server.post('/pipelines/p/feed', { items: [1, 2, 3] });
    const copy = join(folderWith(), 'copy.db');
    server.signal('SIGKILL');
    await server.exited;
    for (const suffix of ['', '-wal', '-shm']) copyFileSync(file + suffix, copy + suffix);
    const next = await startServer({ STORE_URL: `file:${copy}`, PIPELINES: folderWith() });
    await next.post('/pipelines/p/join', {});
    expect((await next.get('/pipelines/p/stats')).body).toMatchObject({ itemsFed: 103, itemsProcessed: 103 });
    await next.stop();
  });
});
