import { spawnSync } from 'node:child_process';
import { existsSync, renameSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import Database from 'better-sqlite3';
import { describe, expect, it } from 'vitest';
import { folderWith } from '../loader/folder.ts';
import { livesOf } from './durable-host.ts';

const definition = { id: 'p', stages: [{ name: 'A', workers: 2, tasks: ['hash'] }] };

function store(env: Record<string, string>, ...args: string[]): { status: number | null; stdout: string; stderr: string } {
  const { status, stdout, stderr } = spawnSync(process.execPath, ['src/store.ts', ...args], {
    env: { PATH: process.env.PATH, ...env },
    encoding: 'utf8',
  });
  return { status, stdout, stderr };
}

describe('store backup', () => {
  it('copies the store of a live service, and a service starts from the copy with everything that was acknowledged before', async () => {
    const lives = livesOf({ hash: (value) => value });
    const file = lives.file();
    const env = { STORE_URL: `file:${file}` };
    const { host, stop } = await lives.begin();
    await host.create(definition);
    const live = host.get('p');
    await live.run(
      Array.from({ length: 50 }, (_, i) => ({ id: `before-${i}`, value: i })),
      {},
    );
    await live.pause();
    await live.feed([{ id: 'waiting', value: 'w' }], { feedId: 'late' });

    const target = join(dirname(file), 'backup.db');
    expect(store(env, 'backup', target)).toMatchObject({ status: 0, stderr: '' });
    await live.feed([{ id: 'after', value: 'a' }], {});
    expect(store(env, 'backup', target)).toMatchObject({ status: 78, stderr: expect.stringContaining('already exists') });
    await stop();

    // Restored as the README says: the old file away, the copy in its place.
    for (const suffix of ['', '-wal', '-shm']) rmSync(file + suffix, { force: true });
    renameSync(target, file);
    const next = await lives.begin();
    const restored = next.host.get('p');
    expect(await restored.stats()).toMatchObject({ itemsFed: 51, itemsProcessed: 50, itemsInFlight: 1 });
    await expect(restored.item('after')).rejects.toMatchObject({ code: 'item-not-found' });
    await restored.resume();
    await restored.join();
    expect(await restored.item('waiting')).toMatchObject({ status: 'completed', feedId: 'late' });
    await next.stop();
    expect(store(env, 'check')).toMatchObject({ status: 0, stdout: expect.stringContaining('51 fed, 51 completed') });
  });

  it('says what is missing', () => {
    const nowhere = join(folderWith(), 'none.db');
    expect(store({ STORE_URL: `file:${nowhere}` }, 'backup', `${nowhere}2`)).toMatchObject({
      status: 78,
      stderr: expect.stringContaining('does not exist'),
    });
    expect(existsSync(nowhere)).toBe(false);
    expect(store({ STORE_URL: 'memory:' }, 'check')).toMatchObject({
      status: 78,
      stderr: expect.stringContaining('The store is not a file'),
    });
    expect(store({}, 'mend')).toMatchObject({ status: 64 });
  });
});

describe('store check', () => {
  it('finds counters that do not agree with what is there, and events that are missing', async () => {
    const lives = livesOf({ hash: (value) => value });
    const file = lives.file();
    const { host, stop } = await lives.begin();
    await host.create(definition);
    for (let i = 0; i < 5; i++) await host.get('p').run([i], {});
    await stop();
    expect(store({}, 'check', file)).toMatchObject({ status: 0, stderr: '' });

    const db = new Database(file);
    db.exec("UPDATE facts SET json = json_set(json, '$.processed', 4) WHERE name = 'counters'");
    db.exec('DELETE FROM events WHERE last = (SELECT max(last) FROM events WHERE last < (SELECT max(last) FROM events))');
    db.close();
    const { status, stderr, stdout } = store({}, 'check', file);
    expect(status).toBe(1);
    expect(stderr).toMatch(/p: 5 were fed; 4 completed/);
    expect(stderr).toMatch(/p: events before \d+ are missing/);
    expect(stdout).toContain('2 faults.');
  });
});
