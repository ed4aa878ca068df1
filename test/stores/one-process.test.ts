/** One file serves one process, whatever it is called by and whatever is done to the files beside it; and one that is taken away is missed. */
import { copyFileSync, linkSync, mkdirSync, renameSync, rmSync, statSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { describe, expect, it, onTestFinished } from 'vitest';
import { createLocalHost, createTaskRegistry, type LocalHost } from '../../src/engine/index.ts';
import { silentLogger, systemPorts } from '../../src/engine/ports.ts';
import { backup } from '../../src/stores/sqlite/backup.ts';
import { openSqliteStore, StoreFileError } from '../../src/stores/sqlite/index.ts';
import { folderWith } from '../loader/folder.ts';
import { noWrites } from './store-writes.ts';

const inProcess = true;

async function openedAt(file: string): Promise<void> {
  const store = await openSqliteStore({ file, inProcess });
  onTestFinished(() => store.close());
}

const refusalOf = (file: string): Promise<Error> =>
  openSqliteStore({ file, inProcess }).then(
    async (store) => {
      await store.close();
      return expect.fail(`${file} was opened`);
    },
    (error: Error) => {
      expect(error).toBeInstanceOf(StoreFileError);
      return error;
    },
  );

const IN_USE = /is in use by another process \(\d+\)/;

describe('a second process is refused', () => {
  it('at a symbolic link to the file, to its folder, and to a link', async () => {
    const folder = folderWith();
    const file = join(folder, 'data', 'sluice.db');
    mkdirSync(join(folder, 'other'));
    await openedAt(file);
    symlinkSync(file, join(folder, 'other', 'link.db'));
    symlinkSync('link.db', join(folder, 'other', 'again.db'));
    symlinkSync('../data', join(folder, 'other', 'folder'));
    for (const path of ['link.db', 'again.db', 'folder/sluice.db']) {
      expect((await refusalOf(join(folder, 'other', path))).message).toMatch(IN_USE);
    }
  });

  it('where the first one came by a link, of which the end was not there yet', async () => {
    const folder = folderWith();
    mkdirSync(join(folder, 'data'));
    symlinkSync('data/sluice.db', join(folder, 'link.db'));
    await openedAt(join(folder, 'link.db'));
    expect((await refusalOf(join(folder, 'data', 'sluice.db'))).message).toMatch(IN_USE);
  });

  it('at a hard link, and a start when the first one is gone too: the log is beside one name only', async () => {
    const folder = folderWith();
    const file = join(folder, 'sluice.db');
    const store = await openSqliteStore({ file, inProcess });
    mkdirSync(join(folder, 'other'));
    const other = join(folder, 'other', 'sluice.db');
    linkSync(file, other);
    expect((await refusalOf(other)).message).toMatch(/has other names \(hard links, 2 in all\)/);
    await store.close();
    expect((await refusalOf(other)).message).toMatch(/has other names/);
    rmSync(other);
    await openedAt(file);
  });

  it('when somebody has removed the lock, and all that is beside the file but its log', async () => {
    const file = join(folderWith(), 'sluice.db');
    await openedAt(file);
    rmSync(`${file}-lock`);
    expect((await refusalOf(file)).message).toMatch(IN_USE);
    for (const suffix of ['-lock', '-running']) rmSync(`${file}${suffix}`);
    expect((await refusalOf(file)).message).toMatch(IN_USE);
  });

  it('at the place where the file was moved to', async () => {
    const folder = folderWith();
    const file = join(folder, 'sluice.db');
    await openedAt(file);
    renameSync(file, join(folder, 'moved.db'));
    expect((await refusalOf(join(folder, 'moved.db'))).message).toMatch(IN_USE);
  });

  it('at a path with white space at its end, which SQLite does not see', async () => {
    const file = join(folderWith(), 'sluice.db');
    await openedAt(file);
    for (const path of [`${file} `, `${file}\n`, ` ${file}`])
      expect((await refusalOf(path)).message).toMatch(/begins or ends with white space/);
  });
});

describe('a process is not refused', () => {
  it('at a backup or a copy of the file that another one works with', async () => {
    const folder = folderWith();
    const file = join(folder, 'sluice.db');
    await openedAt(file);
    backup(file, join(folder, 'backup.db'));
    copyFileSync(file, join(folder, 'copy.db'));
    for (const name of ['backup.db', 'copy.db']) await openedAt(join(folder, name));
  });

  it('at a file whose process has ended without a word, when its number is used again, or its machine has started again', async () => {
    const folder = folderWith();
    const file = join(folder, 'sluice.db');
    await openedAt(file);
    for (const [path, value] of [
      ['$.startedAt', '1'],
      ['$.machine', 'another'],
      ['$.pid', 2 ** 22 + 1],
    ]) {
      const left = join(folder, `left ${path}.db`);
      copyFileSync(file, left);
      const db = new Database(left);
      db.prepare("UPDATE facts SET json = json_set(json, '$.ino', ?, ?, ?) WHERE name = 'process'").run(statSync(left).ino, path, value);
      db.close();
      await openedAt(left);
    }
  });

  it('at a path that SQLite would take for no file at all', async () => {
    const folder = folderWith();
    const before = process.cwd();
    process.chdir(folder);
    onTestFinished(() => process.chdir(before));
    const store = await openSqliteStore({ file: ':memory:', inProcess });
    await store.write({ ...noWrites(), created: [{ pipeline: 1, id: 'p' }] });
    await store.close();
    const next = await openSqliteStore({ file: join(folder, ':memory:'), inProcess });
    expect(next.pipelines()).toHaveLength(1);
    await next.close();
  });
});

interface Watched {
  host: LocalHost;
  file: string;
  end: () => Promise<void>;
  /** The reason of the next trouble. */
  trouble: () => Promise<string>;
  over: () => Promise<unknown>;
}

/** A host on a file, with its real writer, which tells of trouble. */
async function watchedHost(): Promise<Watched> {
  const file = join(folderWith(), 'sluice.db');
  const told = { trouble: Promise.withResolvers<string>(), over: Promise.withResolvers<void>() };
  const logger = {
    ...silentLogger,
    error: (fields: object) => told.trouble.resolve((fields as { reason: string }).reason),
    info: (_fields: object, message: string) => message === 'the store is writable again' && told.over.resolve(),
  };
  const host = createLocalHost({
    ...{ maxStages: 9, maxWorkersPerStage: 9, retentionMaxItems: 9, retentionMaxAgeSeconds: 9, backlogCapacity: 9, eventsKept: 99 },
    hookTimeoutSeconds: 9,
    registry: createTaskRegistry([
      { kind: 'task', name: 'pass', description: '', paramsSchema: null, parseParams: (given) => given, run: (value) => value },
    ]),
    ports: { ...systemPorts, logger },
    store: await openSqliteStore({ file }),
  });
  await host.recover();
  host.goOn();
  let ended: Promise<void> | undefined;
  const end = (): Promise<void> => {
    ended ??= host.shutdown('force', 1).then(() => host.close());
    return ended;
  };
  onTestFinished(end);
  await host.create({ id: 'p', stages: [{ name: 'A', tasks: ['pass'] }] });
  await host.get('p').run(['before'], {});
  return { host, file, end, trouble: () => told.trouble.promise, over: () => told.over.promise };
}

describe('while it runs, a service', () => {
  it('notices that its file was removed, though nothing is written, and goes on when it is back', async () => {
    const { host, file, trouble, over } = await watchedHost();
    renameSync(file, `${file}.away`);
    expect(await trouble()).toBe('the file has been removed');
    expect(host.storeHealth.trouble).toBe('the file has been removed');
    await expect(host.get('p').feed(['x'], {})).rejects.toMatchObject({ code: 'store-unavailable' });
    renameSync(`${file}.away`, file);
    await over();
    expect(host.storeHealth.trouble).toBeNull();
    expect((await host.get('p').run(['after'], {})).results).toHaveLength(1);
  });

  it('notices that another file stands in its place, and takes nothing more until its own does', async () => {
    const { host, file, trouble } = await watchedHost();
    copyFileSync(file, `${file}.copy`);
    renameSync(`${file}.copy`, file);
    expect(await trouble()).toBe('the file has been replaced');
    await expect(host.get('p').feed(['x'], {})).rejects.toMatchObject({ code: 'store-unavailable' });
  });

  it('acknowledges nothing that would go to a file which nobody finds, from the moment it is away', async () => {
    const { host, file } = await watchedHost();
    rmSync(file);
    await expect(host.get('p').feed(['x'], {})).rejects.toMatchObject({ code: 'store-unavailable' });
  });

  it('notices that its log was removed, and loses nothing when it is stopped', async () => {
    const { file, end, trouble } = await watchedHost();
    rmSync(`${file}-wal`);
    expect(await trouble()).toBe('its log (-wal) has been removed');
    await end();
    const db = new Database(file, { readonly: true });
    expect(db.prepare('SELECT count(*) FROM items WHERE status = 2').pluck().get()).toBe(1);
    db.close();
  });

  it('misses its folder', async () => {
    const { file, trouble } = await watchedHost();
    const folder = join(file, '..');
    renameSync(folder, `${folder}-away`);
    onTestFinished(() => rmSync(`${folder}-away`, { recursive: true }));
    expect(await trouble()).toBe('the file has been removed');
  });
});
