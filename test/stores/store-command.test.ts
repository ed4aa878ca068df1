import { spawnSync } from 'node:child_process';
import { existsSync, renameSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import Database from 'better-sqlite3';
import { describe, expect, it, vi } from 'vitest';
import { storeCommand } from '../../src/store-command.ts';
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

/** The same in this process. */
async function command(env: Record<string, string>, ...args: string[]): Promise<{ status: number; text: string }> {
  let text = '';
  const collect = (line: unknown): boolean => {
    text += String(line);
    return true;
  };
  for (const stream of [process.stdout, process.stderr]) vi.spyOn(stream, 'write').mockImplementation(collect);
  for (const name of ['STORE_URL', 'CLUSTER_KEY']) vi.stubEnv(name, env[name]);
  try {
    return { status: await storeCommand(args, 'store'), text };
  } finally {
    vi.restoreAllMocks();
    vi.unstubAllEnvs();
  }
}

describe('no command shows a password', () => {
  const away = 'postgres://root:geheim@127.0.0.1:1/db?schema=mine&password=geheim';
  it.each([
    [['compact'], away, /STORE_URL begins with postgres: and this command needs a file: URL/],
    [['remove', 'p'], away, /STORE_URL begins with postgres: and this command needs a file: URL/],
    [['compact'], away.replace('postgres', 'PostgreSQL'), /STORE_URL begins with postgresql: and/],
    [['compact'], 'mysql://root:geheim@db/x', /STORE_URL mysql: is not a store/],
    [['backup', '/tmp/none/x.db'], 'mysql://root:geheim@db/x', /STORE_URL mysql: is not a store/],
    [['backup', '/tmp/not-there/of-nobody/x.db'], away, /There is no folder/],
    [
      ['check'],
      away,
      /its database cannot be reached: postgres:[/][/]127[.]0[.]0[.]1:1[/]db[?]schema=mine cannot be used now: .*ECONNREFUSED/,
    ],
    [['check', 'mysql://root:geheim@db/x'], 'memory:', /check needs a path, a file: URL or a postgres: URL, not mysql:/],
    [['check', 'postgress:root:geheim@db/x'], 'memory:', /not postgress:/],
    [['migrate', 'mysql://root:geheim@db/x', away], 'memory:', /migrate needs a file: URL and a postgres: URL/],
    [['migrate', 'file:./not-there.db', away], 'memory:', /not-there.db does not exist/],
  ])('%j with STORE_URL=%s, and none asks for the key of the cluster', async (args, STORE_URL, told) => {
    const { status, text } = await command({ STORE_URL }, ...args);
    expect([status, text]).toEqual([78, expect.stringMatching(told)]);
    expect(text).not.toMatch(/geheim|root|CLUSTER_KEY/);
  });

  it('check takes the URL of a file as well', async () => {
    const missing = join(folderWith(), 'none.db');
    expect(await command({ STORE_URL: 'memory:' }, 'check', `file:${missing}`)).toMatchObject({
      status: 78,
      text: expect.stringContaining(`${missing} does not exist`),
    });
  });
});
