/** When a snapshot is made, what is trimmed then, and how a node gets its file from one. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { describe, expect, it } from 'vitest';
import { packEntry } from '../../src/cluster/entry/entry.ts';
import { follow } from '../../src/cluster/follower.ts';
import { NO_TOKEN, tokenOf } from '../../src/cluster/log/token.ts';
import { type Replica, replicaOf, seedPlace } from '../../src/cluster/replica.ts';
import { CannotRestore, openToFollow } from '../../src/cluster/restoring.ts';
import { Snapshotter, type SnapshotterOptions } from '../../src/cluster/snapshotting.ts';
import { silentLogger } from '../../src/engine/ports.ts';
import type { Writes } from '../../src/engine/store.ts';
import { openSqliteStore } from '../../src/stores/sqlite/index.ts';
import { removeSqliteReplica, setSqliteReplicaAside } from '../../src/stores/sqlite/lost.ts';
import { copyOfStore, openSqliteReplica } from '../../src/stores/sqlite/replica.ts';
import { VirtualClock } from '../engine/virtual-clock.ts';
import { noWrites } from '../stores/store-writes.ts';
import { contentOf } from './content.ts';
import { FaultLog } from './fault-log.ts';
import { FolderSnapshots } from './memory-snapshots.ts';
import { AT, claim, logging, newFile, replicaAt, storeOn } from './replicas.ts';

const fact = (json: string): Writes => noWrites(1, { facts: [['a', json]] });
const factsOf = (replica: Replica): unknown => replica.store.pipelines()[0]?.facts;

/** A log with an owner at position 2. */
async function owning() {
  const clock = new VirtualClock();
  const server = new FaultLog(clock);
  const file = newFile();
  const replica = await replicaAt(file);
  await claim(server.link(), replica);
  const store = storeOn(server.link(), replica, clock);
  await store.write({ ...noWrites(), created: [{ pipeline: 1, id: 'p' }] });
  const snapshots = new FolderSnapshots();
  const grow = async (count: number): Promise<void> => {
    for (let i = 0; i < count; i++) await store.write(fact(String(replica.position + 1)));
  };
  const snapshotter = (options: Partial<SnapshotterOptions> = {}): Snapshotter =>
    new Snapshotter({
      ...{ log: server.link(), snapshots, replica, beside: `${file}-snapshot`, logger: silentLogger, entries: 10 },
      ...options,
    });
  return { clock, server, file, replica, store, snapshots, grow, snapshotter };
}

/** What a node does at its start. */
function starting(server: FaultLog, snapshots: FolderSnapshots, file: string, logger = silentLogger): Promise<Replica> {
  return openToFollow({
    ...{ log: server.link(), snapshots, file, logger },
    openReplica: async (path) => replicaOf(await openSqliteReplica({ file: path, inProcess: true })),
    removeReplica: async (path) => removeSqliteReplica(path),
    setReplicaAside: async (path, position) => setSqliteReplicaAside(path, position),
  });
}

/** It starts, catches up, and is closed; returns what it has. */
async function startAndFollow(server: FaultLog, snapshots: FolderSnapshots, file: string, logger = silentLogger) {
  const replica = await starting(server, snapshots, file, logger);
  const began = replica.position;
  const following = await follow({ log: server.link(), replica, logger, lost: (why) => expect.fail(String(why)) });
  while (replica.position < server.last) await new Promise((resolve) => setImmediate(resolve));
  await following.stop();
  const found = { began, position: replica.position, token: replica.token, facts: factsOf(replica) };
  await replica.close();
  return found;
}

describe('a snapshot', () => {
  it('is made when the log has grown by so many entries, and not before', async () => {
    const { grow, snapshotter, snapshots, replica } = await owning();
    const keeper = snapshotter();
    await grow(7);
    expect([replica.position, await keeper.look('follower')]).toEqual([9, false]);
    await grow(1);
    expect([await keeper.look('follower'), snapshots.kept]).toEqual([true, [10]]);
    await grow(9);
    expect(await keeper.look('follower')).toBe(false);
  });

  it('that cannot be made is told of once, until one can be', async () => {
    const { snapshotter, snapshots } = await owning();
    const { logger, warnings } = logging();
    const keeper = snapshotter({ logger });
    const newest = snapshots.newest.bind(snapshots);
    for (let time = 0; time < 2; time++) {
      snapshots.newest = () => Promise.reject(new Error('no answer'));
      for (let i = 0; i < 5; i++) expect(await keeper.look('follower')).toBe(false);
      snapshots.newest = newest;
      await keeper.look('follower');
    }
    expect(warnings).toHaveLength(2);
  });

  it('is made when they have so many bytes', async () => {
    const { grow, snapshotter, snapshots, store } = await owning();
    const keeper = snapshotter({ bytes: 2000 });
    await keeper.look('follower');
    await grow(2);
    expect(await keeper.look('follower')).toBe(false);
    await store.write(fact(JSON.stringify('x'.repeat(2000))));
    expect([await keeper.look('follower'), snapshots.kept]).toEqual([true, [5]]);
  });

  it('is left to followers, until the log has grown four times as much', async () => {
    const { grow, snapshotter, snapshots } = await owning();
    const keeper = snapshotter();
    await grow(37);
    expect(await keeper.look('owner')).toBe(false);
    await grow(1);
    expect([await keeper.look('owner'), snapshots.kept]).toEqual([true, [40]]);
  });

  it('trims the log up to the one before, and never without one', async () => {
    const { grow, snapshotter, server } = await owning();
    const keeper = snapshotter();
    await grow(8);
    await keeper.look('follower');
    expect(server.first).toBe(1);
    await grow(10);
    await keeper.look('follower');
    expect([server.first, server.last]).toEqual([11, 20]);
  });

  it.each(['the copy', 'the put'])('that fails by %s trims nothing, is told of, and is made later', async (what) => {
    const { grow, snapshotter, server, snapshots, replica, file } = await owning();
    const told = logging();
    const keeper = snapshotter({ logger: told.logger });
    await grow(18);
    await keeper.look('follower');
    await grow(10);
    const { copyTo } = replica;
    if (what === 'the put') snapshots.fault = new Error('the connection was cut');
    else replica.copyTo = () => Promise.reject(new Error('the disk is full'));
    expect(await keeper.look('follower')).toBe(false);
    expect([server.first, snapshots.kept, told.warnings.length, existsSync(`${file}-snapshot`)]).toEqual([1, [20], 1, false]);
    replica.copyTo = copyTo;
    expect([await keeper.look('follower'), server.first]).toEqual([true, 21]);
  });

  it('is made by one at a time, and not when another node was faster', async () => {
    const { grow, snapshotter, snapshots, server } = await owning();
    const held = Promise.withResolvers<void>();
    snapshots.hold = held.promise;
    await grow(8);
    const keeper = snapshotter();
    const looks = [keeper.look('follower'), keeper.look('follower')];
    const other = snapshotter({ beside: newFile('other') });
    held.resolve();
    expect(await Promise.all(looks)).toEqual([true, true]);
    expect([snapshots.kept, await other.look('follower'), server.first]).toEqual([[10], false, 1]);
  });
});

describe('a node that starts', () => {
  it('with an empty disk takes the newest snapshot, and follows from there', async () => {
    const { grow, snapshotter, snapshots, server, replica } = await owning();
    await grow(8);
    await snapshotter().look('follower');
    await grow(3);
    const found = await startAndFollow(server, snapshots, newFile());
    expect(found).toEqual({ began: 10, position: 13, token: replica.token, facts: { a: '13' } });
  });

  it('without any snapshot goes through the whole log', async () => {
    const { grow, snapshots, server } = await owning();
    await grow(3);
    expect(await startAndFollow(server, snapshots, newFile())).toMatchObject({ began: 0, position: 5, facts: { a: '5' } });
  });

  it('goes on with its own file, whatever snapshots there are', async () => {
    const { grow, snapshotter, snapshots, server } = await owning();
    const file = newFile();
    await startAndFollow(server, snapshots, file);
    await grow(8);
    await snapshotter().look('follower');
    expect(await startAndFollow(server, snapshots, file)).toMatchObject({ began: 2, position: 10 });
  });

  it('that was away for a day, while the log was trimmed past its place, takes the newest snapshot', async () => {
    const { grow, snapshotter, snapshots, server, file: ofOwner } = await owning();
    const file = newFile();
    await startAndFollow(server, snapshots, file);
    const keeper = snapshotter();
    for (let day = 0; day < 3; day++) {
      await grow(10);
      await keeper.look('follower');
    }
    expect(server.first).toBeGreaterThan(3);
    expect(await startAndFollow(server, snapshots, file)).toMatchObject({ began: 32, facts: { a: '32' } });
    expect(contentOf(file)).toEqual(contentOf(ofOwner));
    expect(existsSync(`${file}-restored`)).toBe(false);
  });

  it('with entries that the log has lost sets its file aside, says loudly where, and takes what the log has', async () => {
    const { grow, snapshotter, snapshots, server } = await owning();
    await grow(8);
    await snapshotter().look('follower');
    await grow(3);
    const file = newFile();
    await startAndFollow(server, snapshots, file);
    server.loseTail(2);
    const told = logging();
    expect(await startAndFollow(server, snapshots, file, told.logger)).toMatchObject({ began: 10, position: 11, facts: { a: '11' } });
    const kept = `${file}.lost-13`;
    expect(told.errors).toEqual([
      expect.stringContaining('the log has lost entries that were acknowledged'),
      expect.stringContaining(`is kept as ${kept}`),
    ]);
    expect((await replicaAt(kept)).store.pipelines()[0]?.facts).toEqual({ a: '13' });
  });

  it('with nothing that the log has lost leaves no file behind', async () => {
    const { grow, snapshotter, snapshots, server } = await owning();
    const file = newFile();
    await startAndFollow(server, snapshots, file);
    await grow(10);
    await snapshotter().look('follower');
    server.trim(server.last);
    expect(await startAndFollow(server, snapshots, file)).toMatchObject({ began: 12 });
    expect(readdirSync(dirname(file)).filter((name) => name.includes('.lost-'))).toEqual([]);
  });

  it('leaves the file with what the log has lost where it is when no snapshot fits', async () => {
    const { grow, snapshotter, snapshots, server } = await owning();
    await grow(8);
    await snapshotter().look('follower');
    await grow(2);
    const file = newFile();
    await startAndFollow(server, snapshots, file);
    server.trim(8);
    server.loseTail(3);
    for (let i = 0; i < 2; i++) await expect(starting(server, snapshots, file)).rejects.toThrow(CannotRestore);
    expect((await replicaAt(file)).store.pipelines()[0]?.facts).toEqual({ a: '12' });
    expect(readdirSync(dirname(file)).filter((name) => name.includes('.lost-'))).toEqual([]);
  });

  it('goes through the whole log when there is no snapshot but one that has more than the log', async () => {
    const { grow, snapshotter, snapshots, server } = await owning();
    await grow(8);
    await snapshotter().look('follower');
    server.loseTail(3);
    const told = logging();
    expect(await startAndFollow(server, snapshots, newFile(), told.logger)).toMatchObject({ began: 0, position: 7, facts: { a: '7' } });
    expect(told.warnings).toEqual([]);
  });

  it('passes over snapshots that have what the log has lost, also when the log has grown past them', async () => {
    const { grow, snapshotter, snapshots, server, replica, clock } = await owning();
    await grow(8);
    await snapshotter().look('follower');
    server.trim(8);
    await grow(10);
    await snapshotter().look('follower');
    server.loseTail(5);
    // Two newer ones, of which one has a place that the log has not got any more.
    expect([snapshots.kept, server.last]).toEqual([[10, 20], 15]);
    expect(await startAndFollow(server, snapshots, newFile())).toMatchObject({ began: 10, position: 15 });

    const next = await starting(server, snapshots, newFile('next'));
    const following = await follow({ log: server.link(), replica: next, logger: silentLogger, lost: (why) => expect.fail(String(why)) });
    while (next.position < server.last) await new Promise((resolve) => setImmediate(resolve));
    await following.stop();
    await claim(server.link(), next);
    const store = storeOn(server.link(), next, clock);
    while (next.position < 25) await store.write(fact(`"other ${next.position}"`));
    const told = logging();
    expect(await startAndFollow(server, snapshots, newFile(), told.logger)).toMatchObject({ began: 10, position: 25 });
    expect(told.warnings).toEqual(['a snapshot does not fit the log']);
    await Promise.all([replica.close(), next.close()]);
  });

  it('that has applied what the log has lost, and does not know it, makes no snapshot', async () => {
    const { grow, snapshotter, snapshots, server } = await owning();
    await grow(18);
    const told = logging();
    server.loseTail(5);
    // This node has not heard of it, and makes none.
    expect(await snapshotter({ logger: told.logger }).look('follower')).toBe(false);
    expect([snapshots.kept, server.first]).toEqual([[], 1]);
    expect(told.warnings).toEqual([expect.stringContaining('a snapshot cannot be made now')]);
  });

  it.each([
    ['there is no snapshot', false],
    ['no snapshot fits it', true],
  ])('says that it cannot, when the log is trimmed and %s', async (why, hasSnapshot) => {
    const { grow, snapshotter, snapshots, server } = await owning();
    await grow(8);
    if (hasSnapshot) await snapshotter().look('follower');
    await grow(2);
    server.trim(hasSnapshot ? 8 : 5);
    if (hasSnapshot) server.loseTail(3);
    const first = hasSnapshot ? 9 : 6;
    await expect(starting(server, snapshots, newFile())).rejects.toThrow(new CannotRestore(`the log begins at entry ${first}, and ${why}`));
  });

  it('keeps the file that it has until the snapshot is there', async () => {
    const { grow, snapshotter, snapshots, server } = await owning();
    const file = newFile();
    const { position } = await startAndFollow(server, snapshots, file);
    await grow(10);
    await snapshotter().look('follower');
    server.trim(server.last);
    snapshots.fault = new Error('the connection was cut');
    const before = readFileSync(file);
    await expect(starting(server, snapshots, file)).rejects.toThrow('the connection was cut');
    expect(readFileSync(file)).toEqual(before);
    const replica = await replicaAt(file);
    expect(replica.position).toBe(position);
  });

  it('does nothing to its file while the log does not answer', async () => {
    const { snapshots, server } = await owning();
    const file = newFile();
    await startAndFollow(server, snapshots, file);
    const link = server.link();
    link.isBlind = true;
    server.link = () => link;
    await expect(starting(server, snapshots, file)).rejects.toThrow('the connection was cut');
    link.isBlind = false;
    expect(await startAndFollow(server, snapshots, file)).toMatchObject({ began: 2 });
  });
});

describe('a log that begins with the store of one machine', () => {
  it('has all of it on every node, and goes on', async () => {
    const plain = newFile('plain.db');
    const store = await openSqliteStore({ file: plain, inProcess: true });
    await store.write({ ...fact('1'), created: [{ pipeline: 1, id: 'p' }] });
    await store.close();
    const server = new FaultLog(new VirtualClock());
    const snapshots = new FolderSnapshots();
    // In this order: a log with entries always has the snapshot that they follow.
    const seed = packEntry({ kind: 'seed', at: AT, prev: NO_TOKEN });
    const copy = newFile('seed.db');
    copyOfStore(plain, copy, seedPlace(tokenOf(seed), AT));
    await snapshots.put(1, copy);
    server.put(0, seed);

    const file = newFile();
    expect(await startAndFollow(server, snapshots, file)).toMatchObject({ began: 1, facts: { a: '1' } });
    const replica = await replicaAt(file);
    await claim(server.link(), replica);
    const owner = storeOn(server.link(), replica, new VirtualClock());
    expect(owner.isUncertain).toBe(false);
    await owner.write(fact('2'));
    expect(await startAndFollow(server, snapshots, newFile())).toMatchObject({ began: 1, position: 3, facts: { a: '2' } });
  });
});
