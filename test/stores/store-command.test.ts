import { spawnSync } from 'node:child_process';
import { existsSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { describe, expect, it } from 'vitest';
import { startServer } from '../e2e/server.ts';
import { folderWith } from '../loader/folder.ts';

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
    const folder = folderWith();
    const file = join(folder, 'sluice.db');
    const env = { STORE_URL: `file:${file}`, PIPELINES: folderWith() };
    const server = await startServer(env);
    await server.post('/pipelines', definition);
    await server.post('/pipelines/p/run', { items: Array.from({ length: 50 }, (_, i) => ({ id: `before-${i}`, value: i })) });
    await server.post('/pipelines/p/pause');
    await server.post('/pipelines/p/feed', { items: [{ id: 'waiting', value: 'w' }], feedId: 'late' });

    const target = join(folder, 'backup.db');
    expect(store(env, 'backup', target)).toMatchObject({ status: 0, stderr: '' });
    await server.post('/pipelines/p/feed', { items: [{ id: 'after', value: 'a' }] });
    expect(store(env, 'backup', target)).toMatchObject({ status: 78, stderr: expect.stringContaining('already exists') });
    await server.stop();

    // Restored as the README says: the old file away, the copy in its place.
    for (const suffix of ['', '-wal', '-shm']) rmSync(file + suffix, { force: true });
    renameSync(target, file);
    const restored = await startServer(env);
    expect((await restored.get('/pipelines/p/stats')).body).toMatchObject({ itemsFed: 51, itemsProcessed: 50, itemsInFlight: 1 });
    expect((await restored.get('/pipelines/p/items/after')).status).toBe(404);
    await restored.post('/pipelines/p/resume');
    await restored.post('/pipelines/p/feeds/late/wait?timeoutSeconds=20');
    expect((await restored.get('/pipelines/p/items/waiting')).body).toMatchObject({ status: 'completed', feedId: 'late' });
    await restored.stop();
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
    const file = join(folderWith(), 'sluice.db');
    const server = await startServer({ STORE_URL: `file:${file}`, PIPELINES: folderWith() });
    await server.post('/pipelines', definition);
    for (let i = 0; i < 5; i++) await server.post('/pipelines/p/run', { items: [i] });
    await server.stop();
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
