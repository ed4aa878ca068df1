/** How entries reach a node's file, and what it cannot go on from. */
import { describe, expect, it, onTestFinished } from 'vitest';
import { EntryFault, FORMAT, packEntry, UnknownFormat, unpackEntry } from '../../src/cluster/entry/entry.ts';
import { expectSameLog, type Following, follow } from '../../src/cluster/follower.ts';
import { LeftBehind, type Replica, TailLost } from '../../src/cluster/replica.ts';
import { StoreTrouble, type Writes } from '../../src/engine/store.ts';
import { VirtualClock } from '../engine/virtual-clock.ts';
import { noWrites } from '../stores/store-writes.ts';
import { FaultLog } from './fault-log.ts';
import { AT, claim, failingReplicaAt, logging, newFile, replicaAt, storeOn } from './replicas.ts';

const fact = (json: string): Writes => noWrites(1, { facts: [['a', json]] });
const factsOf = (replica: Replica): unknown => replica.store.pipelines()[0]?.facts;

/** An owner with a few entries: own, a pipeline, and so many facts. */
async function written(facts = 2) {
  const clock = new VirtualClock();
  const server = new FaultLog(clock);
  const owner = await replicaAt();
  await claim(server.link(), owner);
  const store = storeOn(server.link(), owner, clock);
  await store.write({ ...noWrites(), created: [{ pipeline: 1, id: 'p' }] });
  for (let i = 1; i <= facts; i++) await store.write(fact(String(i)));
  return { clock, server, owner, store };
}

/** A replica that follows; `lost` is why it does not any more. */
async function following(server: FaultLog, replica: Replica) {
  const told = logging();
  const lost: unknown[] = [];
  const positions: number[] = [];
  const options = {
    log: server.link(),
    replica,
    logger: told.logger,
    applied: (_: unknown, position: number) => void positions.push(position),
  };
  const following: Following = await follow({ ...options, lost: (why) => void lost.push(why) });
  onTestFinished(() => following.stop());
  return { following, lost, positions, errors: told.errors };
}

describe('a follower', () => {
  it('applies every entry in its order, and each at once', async () => {
    const { clock, server, store, owner } = await written();
    const replica = await replicaAt();
    const { positions } = await following(server, replica);
    await clock.settle();
    expect([positions, factsOf(replica)]).toEqual([[1, 2, 3, 4], { a: '2' }]);
    await store.write(fact('3'));
    await clock.settle();
    expect([factsOf(replica), replica.token]).toEqual([{ a: '3' }, owner.token]);
    expect(replica.ownership).toMatchObject({ epoch: 1, node: 'a', url: 'http://a' });
  });

  it('goes on from its file after a restart, and passes over what it has', async () => {
    const { clock, server, store } = await written();
    const file = newFile();
    const before = await replicaAt(file);
    const first = await following(server, before);
    await clock.settle();
    await first.following.stop();
    await before.close();
    await store.write(fact('3'));
    const replica = await replicaAt(file);
    expect(replica.position).toBe(4);
    const { positions } = await following(server, replica);
    await clock.settle();
    expect([positions, factsOf(replica)]).toEqual([[5], { a: '3' }]);
    const bytes = server.entries.get(3) as Uint8Array;
    await replica.apply({ position: 3, bytes }, unpackEntry(bytes));
    expect([replica.position, factsOf(replica)]).toEqual([5, { a: '3' }]);
  });

  it('stops when its disk fails, and goes on from there when it is asked to', async () => {
    const { clock, server } = await written();
    const { replica, disk } = await failingReplicaAt();
    disk.fault = 'the disk is full';
    const first = await following(server, replica);
    await clock.settle();
    expect([first.lost, replica.position]).toEqual([[new StoreTrouble('the disk is full')], 0]);
    disk.fault = null;
    await following(server, replica);
    await clock.settle();
    expect([replica.position, factsOf(replica)]).toEqual([4, { a: '2' }]);
  });

  it.each([
    ['of a later format', 0, FORMAT + 1, UnknownFormat],
    ['that is damaged', 1, 77, EntryFault],
  ] as const)('stops at an entry %s, without a part of it', async (_, place, byte, Fault) => {
    const { clock, server } = await written();
    (server.entries.get(4) as Uint8Array)[place] = byte;
    const replica = await replicaAt();
    const { lost } = await following(server, replica);
    await clock.settle();
    expect([lost, replica.position, factsOf(replica)]).toEqual([[expect.any(Fault)], 3, { a: '1' }]);
  });

  it.each([
    ['an ownership that was taken over', { kind: 'own' as const, node: 'b', url: 'http://b', at: AT, nonce: 1 }, 'while 5 holds'],
    ['one that has left', { kind: 'leave' as const, epoch: 1, at: AT }, 'while nobody owns'],
  ])('stops at an entry of %s: nobody can have appended it', async (_, ending, message) => {
    const { clock, server, owner } = await written();
    const end = packEntry({ ...ending, prev: owner.token });
    server.put(4, end);
    server.put(5, packEntry({ kind: 'beat', epoch: 1, node: 'a', url: 'http://a', at: AT, prev: unpackEntry(end).token }));
    const replica = await replicaAt();
    const { lost } = await following(server, replica);
    await clock.settle();
    expect(String(lost[0])).toContain(message);
    expect(replica.position).toBe(5);
  });
});

describe('a log that has lost its end', () => {
  /** A follower that has more than the log has after that, and is stopped. */
  async function ahead(lost: number) {
    const { clock, server, owner, store } = await written(3);
    const replica = await replicaAt();
    const { following: first } = await following(server, replica);
    await clock.settle();
    await first.stop();
    server.loseTail(lost);
    return { clock, server, owner, store, replica };
  }

  it('is noticed by who has more, and said loudly', async () => {
    const { server, replica } = await ahead(1);
    const told = logging();
    const followed = follow({ log: server.link(), replica, logger: told.logger, lost: () => undefined });
    await expect(followed).rejects.toThrow(new TailLost('the log ends at entry 4, and this node has applied entry 5'));
    expect(told.errors).toEqual([expect.stringContaining('the log has lost entries that were acknowledged')]);
  });

  it('is noticed when the log has grown again as far, and further', async () => {
    const { server, replica } = await ahead(2);
    const other = await replicaAt();
    const { following: followed } = await following(server, other);
    while (other.position < server.last) await new Promise((resolve) => setImmediate(resolve));
    await followed.stop();
    await claim(server.link(), other, 'b');
    await storeOn(server.link(), other, new VirtualClock(), { node: 'b' }).beat();
    expect(server.last).toBe(5);
    const told = logging();
    await expect(expectSameLog(server.link(), replica, told.logger)).rejects.toThrow(
      'entry 5 of the log is another one than this node has applied',
    );
    expect(told.errors).toHaveLength(1);
  });

  it('is noticed while it is followed, by the token of the entry before', async () => {
    const { clock, server, owner } = await written(3);
    const replica = await replicaAt();
    const { lost, errors } = await following(server, replica);
    await clock.settle();
    const token = unpackEntry(server.entries.get(4) as Uint8Array).token;
    server.loseTail(1);
    server.put(4, packEntry({ kind: 'own', node: 'b', url: 'http://b', at: AT, nonce: 1, prev: token }));
    server.put(5, packEntry({ kind: 'beat', epoch: 5, node: 'b', url: 'http://b', at: AT, prev: owner.token.replace(/./, 'f') }));
    await clock.settle();
    expect([lost, errors.length, replica.position]).toEqual([[expect.any(TailLost)], 1, 5]);
  });

  it('is not thought of when nothing is lost', async () => {
    const { server, replica } = await ahead(0);
    await expect(expectSameLog(server.link(), replica, logging().logger)).resolves.toBeUndefined();
    server.trim(4);
    await expect(expectSameLog(server.link(), replica, logging().logger)).resolves.toBeUndefined();
    await expect(expectSameLog(new FaultLog(new VirtualClock()).link(), await replicaAt(), logging().logger)).resolves.toBeUndefined();
  });
});

describe('a log that was trimmed', () => {
  it('is told from one that has lost its end: the follower is left behind', async () => {
    const { server } = await written(3);
    server.trim(3);
    const told = logging();
    const followed = follow({ log: server.link(), replica: await replicaAt(), logger: told.logger, lost: () => undefined });
    await expect(followed).rejects.toThrow(new LeftBehind('the log begins at entry 4, and this node has applied entry 0'));
    expect(told.errors).toEqual([]);
  });

  it('that begins with a seed leaves behind who has no snapshot of it', async () => {
    const clock = new VirtualClock();
    const server = new FaultLog(clock);
    server.put(0, packEntry({ kind: 'seed', at: AT, prev: '0'.repeat(32) }));
    const { lost } = await following(server, await replicaAt());
    await clock.settle();
    expect(lost).toEqual([expect.any(LeftBehind)]);
  });
});
