/** Everything moves from a file to PostgreSQL and back, and nothing is lost or done twice. */
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { packEntry } from '../../src/cluster/entry/entry.ts';
import { openPostgres } from '../../src/cluster/postgres/index.ts';
import type { PipelineRuntime } from '../../src/engine/index.ts';
import { silentLogger } from '../../src/engine/ports.ts';
import { backupFromPostgres, lookAtPostgres, moveFromPostgres } from '../../src/migration/from-postgres.ts';
import { moveToPostgres } from '../../src/migration/to-postgres.ts';
import { audit } from '../../src/stores/sqlite/audit.ts';
import { openSqliteStore } from '../../src/stores/sqlite/index.ts';
import { livesOf } from '../stores/durable-host.ts';
import { contentOf } from './content.ts';
import { BEGINNING } from './places.ts';
import { runOnce } from './postgres-binaries.ts';
import { ownOnPostgres } from './postgres-node.ts';
import { findPostgres, ownSchema } from './postgres-service.ts';
import { newFile } from './replicas.ts';

const found = await findPostgres();
const service = found ?? 'postgres://nowhere/';

const tasks = {
  double: (value: unknown) => {
    if (value === 'bad') throw new Error('cannot double that');
    return Number(value) * 2;
  },
};
const definition = { id: 'p', stages: [{ name: 'A', tasks: ['double'], taskAttempts: 1 }] };

function store(env: Record<string, string>, ...args: string[]): { status: number | null; stdout: string; stderr: string } {
  const { status, stdout, stderr } = spawnSync(process.execPath, ['src/store.ts', ...args], {
    env: { PATH: process.env.PATH, ...env },
    encoding: 'utf8',
  });
  return { status, stdout, stderr };
}

const ALL = new Set(['status', 'task', 'result', 'pipeline', 'feed'] as const);
/** Durations are kept so exactly. */
const inMicroseconds = (key: string, value: unknown): unknown =>
  key === 'durationSeconds' && typeof value === 'number' ? value.toFixed(6) : value;
const eventIdsOf = ({ events }: PipelineRuntime): string[] =>
  events
    .read(0, 1_000_000, { types: ALL })
    .events.map(({ seq, type, data }) => `${events.lines.idOf(seq)} ${type} ${JSON.stringify(data, inMicroseconds)}`);

describe('a place that nothing can be written to', () => {
  const away = 'postgres://127.0.0.1:1/db';

  it('is told before the server is asked', async () => {
    const taken = newFile('taken.db');
    writeFileSync(taken, '');
    const below = `${taken}/back.db`;
    await expect(moveFromPostgres(away, taken)).rejects.toThrow(`${taken} already exists. Name a file that is not there yet`);
    await expect(moveFromPostgres(away, below)).rejects.toThrow(`The folder of ${below} cannot be written: `);
    await expect(backupFromPostgres(away, taken)).rejects.toThrow(`${taken} already exists; a backup never replaces a file`);
    await expect(backupFromPostgres(away, below)).rejects.toThrow(`${taken} cannot be written: `);
    const nowhere = newFile('none/back.db');
    await expect(backupFromPostgres(away, nowhere)).rejects.toThrow(`There is no folder ${dirname(nowhere)}. Make it first.`);
    expect(existsSync(dirname(nowhere))).toBe(false);
  });
});

describe.skipIf(found === null)('store migrate', () => {
  /** A schema that goes when everything that was begun after it has ended. */
  const newPlace = (): ReturnType<typeof ownSchema> => {
    const made = ownSchema(service);
    onTestFinished(() => made.drop());
    return made;
  };

  /** A file with finished, failed and waiting items, whose service has been stopped. */
  async function stoppedStore() {
    const lives = livesOf(tasks);
    const { host, stop } = await lives.begin();
    await host.create(definition);
    const pipeline = host.get('p');
    await pipeline.run([1, 2, 3, 'bad'], { idempotency: { key: 'first', request: 'run', body: '1' }, feedId: 'done' });
    await pipeline.pause();
    await pipeline.feed([{ id: 'waiting', value: 21 }], { feedId: 'late' });
    const events = eventIdsOf(pipeline);
    await stop();
    return { lives, file: lives.file(), events };
  }

  it('moves a file to PostgreSQL and back, row by row', async () => {
    const place = newPlace();
    const { file } = await stoppedStore();
    const before = contentOf(file);
    const back = newFile('back.db');
    await moveToPostgres(file, place.url);
    await moveFromPostgres(place.url, back);
    expect(contentOf(back)).toEqual(before);
    expect(contentOf(file)).toEqual(before);
    // Nothing is left beside either.
    for (const folder of [dirname(file), dirname(back)]) {
      expect(readdirSync(folder).filter((name) => /moving|^[.]sluice/.test(name))).toEqual([]);
    }
  });

  it('is a command that takes two URLs, and check reads through what it has made', async () => {
    const place = newPlace();
    const { file } = await stoppedStore();
    expect(store({}, 'migrate', `file:${file}`, place.url)).toMatchObject({
      status: 0,
      stderr: '',
      stdout: expect.stringContaining('has been moved to postgres://'),
    });
    expect(store({ STORE_URL: place.url }, 'check')).toMatchObject({
      status: 0,
      stderr: '',
      stdout: expect.stringMatching(
        /entries 1 to 1; the newest snapshot is 1[.].*p [(]paused[)]: 5 fed, 1 queued, 3 completed, 1 failed.*All is well/s,
      ),
    });
  });

  it('is the same command for the way back', async () => {
    const place = newPlace();
    const { file } = await stoppedStore();
    await moveToPostgres(file, place.url);
    const back = newFile('of/no/folder/back.db');
    expect(store({}, 'migrate', place.url, `file:${back}`)).toMatchObject({
      status: 0,
      stderr: '',
      stdout: expect.stringContaining(`has been moved to ${back}, up to entry 1`),
    });
    expect(contentOf(back)).toEqual(contentOf(file));
  });

  it('keeps items, results, feeds, keys, and events with their ids, on the way and after it', async () => {
    const place = newPlace();
    const { file, events } = await stoppedStore();
    await moveToPostgres(file, place.url);
    const node = await ownOnPostgres(place.url, tasks);
    const moved = node.host.get('p');
    expect(eventIdsOf(moved).slice(0, events.length)).toEqual(events);
    const again = await moved.run([1, 2, 3, 'bad'], { idempotency: { key: 'first', request: 'run', body: '1' }, feedId: 'done' });
    expect(again).toMatchObject({ replayed: true });
    await moved.resume();
    await moved.join();
    await moved.feed([{ id: 'on-the-way', value: 50 }], {});
    await moved.join();
    expect(await moved.stats()).toMatchObject({ itemsFed: 6, itemsProcessed: 5, itemsFailed: 1 });
    const onTheWay = eventIdsOf(moved);
    await node.stop();

    const lives = livesOf(tasks);
    await moveFromPostgres(place.url, lives.file());
    const { host, stop } = await lives.begin();
    const back = host.get('p');
    expect(eventIdsOf(back).slice(0, onTheWay.length)).toEqual(onTheWay);
    expect(await back.item('waiting')).toMatchObject({ status: 'completed', value: 42, feedId: 'late' });
    expect(await back.item('on-the-way')).toMatchObject({ value: 100 });
    await back.feed(
      [
        { id: 'waiting', value: 21 },
        { id: 'new', value: 4 },
      ],
      { onDuplicate: 'skip' },
    );
    await back.join();
    expect(await back.stats()).toMatchObject({ itemsFed: 7, itemsProcessed: 6, itemsFailed: 1 });
    await stop();
    expect(audit(lives.file()).faults).toEqual([]);
  });

  it('goes on after it was cut short, and begins nothing in between', async () => {
    const place = newPlace();
    const { file } = await stoppedStore();
    const { backbone } = await openPostgres({ url: place.url, logger: silentLogger });
    await backbone.log.append(BEGINNING, packEntry({ kind: 'seed', at: Date.now(), prev: BEGINNING.token }));
    await backbone.close();
    await expect(ownOnPostgres(place.url, tasks)).rejects.toThrow(/begins after a snapshot/);
    await expect(lookAtPostgres(place.url, dirname(file), async () => undefined)).rejects.toThrow(/begins after a snapshot/);
    await moveToPostgres(file, place.url);
    const node = await ownOnPostgres(place.url, tasks);
    expect(await node.host.get('p').stats()).toMatchObject({ itemsFed: 5 });
  });

  it('refuses a schema that has data, and leaves both as they are', async () => {
    const place = newPlace();
    const { file } = await stoppedStore();
    await moveToPostgres(file, place.url);
    const [before] = await runOnce(
      service,
      `select count(*)::int as entries, (select count(*)::int from ${place.schema}.snapshots) from ${place.schema}.log`,
    );
    await expect(moveToPostgres(file, place.url)).rejects.toThrow(/has data already/);
    const [after] = await runOnce(
      service,
      `select count(*)::int as entries, (select count(*)::int from ${place.schema}.snapshots) from ${place.schema}.log`,
    );
    expect(after).toEqual(before);
  });

  it('refuses the store of a service that runs, and of one that was killed', async () => {
    const place = newPlace();
    const lives = livesOf({ double: () => new Promise(() => undefined) });
    const { host, crash } = await lives.begin();
    await host.create(definition);
    await host.get('p').feed([1], {});
    const running = store({}, 'migrate', `file:${lives.file()}`, place.url);
    expect(running).toMatchObject({ status: 78, stderr: expect.stringContaining('in use by another process') });
    await crash();
    await expect(moveToPostgres(lives.file(), place.url)).rejects.toThrow(/was killed while it worked/);
  });

  it('refuses to move back while a node is there, or to a file that is there', async () => {
    const place = newPlace();
    const { file } = await stoppedStore();
    await moveToPostgres(file, place.url);
    const { backbone } = await openPostgres({ url: place.url, logger: silentLogger });
    await backbone.presence.announce({ name: 'node-1', url: '', role: 'owner', position: 1, hands: 0, version: '', format: 1 });
    const back = newFile('back.db');
    await expect(moveFromPostgres(place.url, back)).rejects.toThrow(/in use by node-1/);
    await backbone.presence.leave('node-1');
    await backbone.close();
    expect(existsSync(back)).toBe(false);
    await expect(moveFromPostgres(place.url, file)).rejects.toThrow(/already exists/);
    await moveFromPostgres(place.url, back);
    expect(existsSync(back)).toBe(true);
  });

  it.for([
    ['file:/nowhere/a.db', 'POSTGRES', 78, 'does not exist'],
    ['POSTGRES', 'POSTGRES', 78, 'needs a file: URL and a postgres: URL'],
    ['POSTGRES', 'file:/tmp/none.db', 78, 'has no data of Sluice'],
    ['postgres://db/x?schema=No', 'file:/tmp/none.db', 78, 'cannot be the schema'],
    ['POSTGRES', '', 64, 'migrate FROM TO'],
  ] as const)('says what it needs: %s to %s', ([from, to, status, text]) => {
    const place = newPlace();
    const given = [from, to].map((url) => (url === 'POSTGRES' ? place.url : url)).filter((url) => url !== '');
    expect(store({}, 'migrate', ...given)).toMatchObject({ status, stderr: expect.stringContaining(text) });
  });

  it('backup writes what PostgreSQL has, while a node works, and a start with it gives what comes next other ids', async () => {
    const place = newPlace();
    const { file, events } = await stoppedStore();
    await moveToPostgres(file, place.url);
    const node = await ownOnPostgres(place.url, tasks);
    await node.host.get('p').resume();
    await node.host.get('p').join();
    const lives = livesOf(tasks);
    expect(store({ STORE_URL: place.url }, 'backup', lives.file())).toMatchObject({ status: 0, stderr: '' });
    expect(store({ STORE_URL: place.url }, 'backup', lives.file())).toMatchObject({
      status: 78,
      stderr: expect.stringContaining('already exists'),
    });
    expect(store({}, 'check', lives.file())).toMatchObject({ status: 0, stdout: expect.stringContaining('5 fed, 4 completed, 1 failed') });
    const { host, stop } = await lives.begin();
    expect(eventIdsOf(host.get('p')).slice(0, events.length)).toEqual(events);
    expect(host.get('p').events.lines.current).not.toBe(node.host.get('p').events.lines.current);
    expect(events[0]?.startsWith(host.get('p').events.lines.current)).toBe(false);
    await stop();
  });

  it('a move of a backup does so, too', async () => {
    const [place, other] = [newPlace(), newPlace()];
    const { file } = await stoppedStore();
    await moveToPostgres(file, place.url);
    const copy = newFile('copy.db');
    await backupFromPostgres(place.url, copy);
    await moveToPostgres(copy, other.url);
    const node = await ownOnPostgres(place.url, tasks);
    const restored = await ownOnPostgres(other.url, tasks);
    expect(await restored.host.get('p').stats()).toMatchObject({ itemsFed: 5 });
    expect(restored.host.get('p').events.lines.current).not.toBe(node.host.get('p').events.lines.current);
  });

  it('a store file is opened by no node, and a node’s file by no service', async () => {
    const place = newPlace();
    const { file } = await stoppedStore();
    await moveToPostgres(file, place.url);
    await expect(ownOnPostgres(place.url, tasks, file)).rejects.toThrow(/no copy of a log/);
    const own = newFile();
    const node = await ownOnPostgres(place.url, tasks, own);
    await node.stop();
    await expect(openSqliteStore({ file: own, inProcess: true })).rejects.toThrow(/copy of what its log/);
  });
});
