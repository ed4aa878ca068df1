/** The order of a write, and what each failure of the log makes of it. */
import { describe, expect, it } from 'vitest';
import { Deposed, SILENT_MS } from '../../src/cluster/appender.ts';
import { unpackEntry } from '../../src/cluster/entry/entry.ts';
import { follow } from '../../src/cluster/follower.ts';
import { LogConflict } from '../../src/cluster/log/log.ts';
import { type Replica, TailLost } from '../../src/cluster/replica.ts';
import type { ReplicatedStore } from '../../src/cluster/replicated-store.ts';
import { silentLogger } from '../../src/engine/ports.ts';
import { StoreTrouble, type Writes } from '../../src/engine/store.ts';
import { VirtualClock } from '../engine/virtual-clock.ts';
import { noWrites } from '../stores/store-writes.ts';
import { FaultLog } from './fault-log.ts';
import { AT, claim, contentOf, failingReplicaAt, LEASE_MS, newFile, replicaAt, storeOn } from './replicas.ts';

/** Sets a fact of pipeline 1. */
const fact = (json: string, name = 'a'): Writes => noWrites(1, { facts: [[name, json]] });
const created = (): Writes => ({ ...noWrites(), created: [{ pipeline: 1, id: 'p' }] });
const factIn = (replica: Replica, name = 'a'): string | undefined => replica.store.pipelines()[0]?.facts[name];

/** How a promise ends, without waiting for it. */
function fateOf(work: Promise<unknown>): { is: () => unknown } {
  let fate: unknown = 'pending';
  work.then(
    () => {
      fate = 'done';
    },
    (error: unknown) => {
      fate = error;
    },
  );
  return { is: () => fate };
}

/** A node that owns a log, with a pipeline. */
async function owning(maxBytes?: number) {
  const clock = new VirtualClock();
  const server = new FaultLog(clock, maxBytes);
  const link = server.link();
  const { replica, disk } = await failingReplicaAt();
  await claim(link, replica);
  const depositions: Deposed[] = [];
  const store = storeOn(link, replica, clock, { deposed: (error) => depositions.push(error) });
  await store.write(created());
  return { clock, server, link, replica, disk, store, depositions };
}

/** Another node, which has followed and takes over. */
async function takingOver(server: FaultLog, clock: VirtualClock, at = clock.now()): Promise<{ replica: Replica; store: ReplicatedStore }> {
  const replica = await replicaAt();
  const link = server.link();
  const following = await follow({ log: link, replica, logger: silentLogger, lost: () => undefined });
  while (replica.position < server.last) await new Promise((resolve) => setImmediate(resolve));
  await following.stop();
  await claim(link, replica, 'b', at);
  return { replica, store: storeOn(link, replica, clock, { node: 'b', url: 'http://b' }) };
}

const kindsOf = (server: FaultLog): string[] => [...server.entries.values()].map((bytes) => unpackEntry(bytes).kind);

describe('a write', () => {
  it('is in the log first, then in the file, then answered', async () => {
    const { clock, server, link, replica, disk, store } = await owning();
    server.isStalled = true;
    const fate = fateOf(store.write(fact('1')));
    await clock.settle();
    expect([link.asked.length, server.last, factIn(replica), fate.is()]).toEqual([3, 2, undefined, 'pending']);
    disk.fault = 'the disk is full';
    server.isStalled = false;
    await clock.settle();
    // The log has it, and the file has not: nobody is told that it is done.
    expect([server.last, factIn(replica), fate.is()]).toEqual([3, undefined, new StoreTrouble('the disk is full')]);
  });

  it('that the disk refused is tried again on the disk alone, and its place is in the file with it', async () => {
    const { link, server, replica, disk, store } = await owning();
    const writes = fact('1');
    disk.fault = 'the disk is full';
    await expect(store.write(writes)).rejects.toThrow(StoreTrouble);
    expect(replica.position).toBe(2);
    disk.fault = null;
    await store.write(writes);
    expect([link.appends, server.last, replica.position, factIn(replica)]).toEqual([3, 3, 3, '1']);
  });

  it.each(['ack lost', 'lands late', 'fails'] as const)(
    'whose append ends in "%s" is tried again with the same bytes, and is there once',
    async (fate) => {
      const { clock, server, link, replica, store } = await owning();
      link.fates.push(fate);
      const writes = fact('1');
      await expect(store.write(writes)).rejects.toMatchObject({ name: 'StoreTrouble', reason: 'its log cannot be written' });
      expect(factIn(replica)).toBeUndefined();
      if (fate === 'lands late') await clock.advance(link.lateMs);
      await store.write(writes);
      const [, , first, again] = link.asked;
      expect(again).toEqual(first);
      expect([server.last, factIn(replica)]).toEqual([3, '1']);
    },
  );

  it('that lands after it was tried again is refused by the log, and there once', async () => {
    const { clock, server, link, replica, store } = await owning();
    link.fates.push('lands late');
    const writes = fact('1');
    await expect(store.write(writes)).rejects.toThrow(StoreTrouble);
    await store.write(writes);
    await clock.advance(link.lateMs);
    await store.write(fact('2'));
    expect([server.last, replica.position, factIn(replica)]).toEqual([4, 4, '2']);
  });

  it.each(['ack late', 'lost'] as const)('without an answer ("%s") is given up after 0.3 of the lease, not before', async (how) => {
    const { clock, server, link, store } = await owning();
    link.fates.push(how);
    const writes = fact('1');
    const fate = fateOf(store.write(writes));
    await clock.advance(LEASE_MS * 0.3 - 1);
    expect(fate.is()).toBe('pending');
    await clock.advance(1);
    expect(fate.is()).toEqual(new StoreTrouble('its log does not answer'));
    await store.write(writes);
    expect(server.last).toBe(3);
  });

  it('is packed once, whatever it is tried', async () => {
    const { link, store, clock } = await owning();
    link.fates.push('fails', 'fails');
    const writes = fact('1');
    await expect(store.write(writes)).rejects.toThrow(StoreTrouble);
    // What is in the object now, and the clock, have no say any more.
    writes.pipelines[0]?.facts.push(['b', '2']);
    await clock.advance(500);
    await expect(store.write(writes)).rejects.toThrow(StoreTrouble);
    expect(link.asked.at(-1)).toEqual(link.asked.at(-2));
  });
});

describe('an owner in whose place another has written', () => {
  it('is deposed for ever, is told so before anybody else, and asks the log for nothing more', async () => {
    const { clock, server, link, store, depositions } = await owning();
    await takingOver(server, clock);
    const error = await store.write(fact('1')).catch((why: unknown) => [why, depositions.length]);
    expect(error).toEqual([expect.any(Deposed), 1]);
    const { appends } = link;
    for (const again of [() => store.write(fact('2')), () => store.beat(), () => store.leave(), () => store.write(fact('1'))]) {
      await expect(again()).rejects.toBe(depositions[0]);
    }
    expect([link.appends, depositions.length]).toEqual([appends, 1]);
    expect(kindsOf(server)).toEqual(['own', 'batch', 'own']);
  });

  it('finds it out when its place was trimmed away, too', async () => {
    const { clock, server, store } = await owning();
    const other = await takingOver(server, clock);
    await other.store.write(fact('1'));
    server.trim(server.last);
    await expect(store.write(fact('2'))).rejects.toThrow('the log has gone on to entry 4 without this node');
  });

  it('writes nothing after it has seen that by following', async () => {
    const { clock, server, link, replica, store } = await owning();
    await takingOver(server, clock);
    const following = await follow({ log: link, replica, logger: silentLogger, lost: () => undefined });
    await clock.settle();
    expect(replica.ownership.node).toBe('b');
    await expect(store.write(fact('1'))).rejects.toThrow(Deposed);
    await following.stop();
    expect(kindsOf(server)).toEqual(['own', 'batch', 'own']);
  });

  it('is deposed when the log has lost what it has, and says that this is why', async () => {
    const { server, store } = await owning();
    await store.write(fact('1'));
    server.loseTail(2);
    await expect(store.write(fact('2'))).rejects.toMatchObject({ name: 'Deposed', cause: expect.any(TailLost) });
    expect(server.last).toBe(1);
  });

  it('is deposed when the log has lost its last entry and grown again as far, and its next one is not taken', async () => {
    const { clock, server, store } = await owning();
    const before = server.last;
    await store.beat();
    server.loseTail(1);
    await takingOver(server, clock);
    expect(server.last).toBe(before + 1);
    await expect(store.beat()).rejects.toMatchObject({ name: 'Deposed', cause: expect.any(TailLost) });
    expect(kindsOf(server)).toEqual(['own', 'batch', 'own']);
  });

  it('leaves a log that can be followed when its append was under way while that lost its end', async () => {
    const { clock, server, link, store } = await owning();
    await store.beat();
    link.fates.push('lands late');
    await expect(store.beat()).rejects.toThrow(StoreTrouble);
    server.loseTail(1);
    await takingOver(server, clock);
    // By now its position would be the next one.
    await clock.advance(link.lateMs);
    expect(kindsOf(server)).toEqual(['own', 'batch', 'own']);
    const other = await replicaAt();
    const following = await follow({ log: server.link(), replica: other, logger: silentLogger, lost: (why) => expect.fail(String(why)) });
    await clock.settle();
    await following.stop();
    expect(other.position).toBe(server.last);
  });

  it('goes on after a refusal that nothing explains', async () => {
    const { server, link, store, replica } = await owning();
    const put = server.put.bind(server);
    // Something was there for a moment, and is gone.
    server.put = () => {
      server.put = put;
      throw new LogConflict('there was something');
    };
    const writes = fact('1');
    await expect(store.write(writes)).rejects.toThrow('its log refuses entries');
    await store.write(writes);
    expect([link.appends, factIn(replica)]).toEqual([4, '1']);
  });

  it('is in trouble, and no more, while the place cannot be read', async () => {
    const { link, server, store } = await owning();
    link.fates.push('ack lost');
    const writes = fact('1');
    await expect(store.write(writes)).rejects.toThrow(StoreTrouble);
    link.isBlind = true;
    await expect(store.write(writes)).rejects.toThrow('its log cannot be read');
    link.isBlind = false;
    await store.write(writes);
    expect(server.last).toBe(3);
  });
});

describe('a beat', () => {
  it('keeps the ownership, and moves the file on', async () => {
    const { server, replica, store, clock } = await owning();
    await clock.advance(100);
    await store.beat();
    expect([kindsOf(server), replica.position]).toEqual([['own', 'batch', 'beat'], 3]);
    expect(store.confirmedAt).toBe(clock.monotonic());
  });

  it('settles a write whose fate is not known, and makes no other entry before', async () => {
    const { server, link, replica, store } = await owning();
    link.fates.push('fails');
    const writes = fact('1');
    await expect(store.write(writes)).rejects.toThrow(StoreTrouble);
    await store.beat();
    expect([kindsOf(server), factIn(replica)]).toEqual([['own', 'batch', 'batch'], '1']);
    // The write finds that it is done.
    await store.write(writes);
    expect([server.last, link.appends]).toEqual([3, 4]);
  });

  it('confirms the instant at which its entry was not there yet, when the answer was lost', async () => {
    const { link, store, clock } = await owning();
    await clock.advance(100);
    const asked = clock.monotonic();
    link.fates.push('ack lost');
    await expect(store.beat()).rejects.toThrow(StoreTrouble);
    await clock.advance(LEASE_MS);
    // By now another node may own: its entry would come after this one.
    await store.beat();
    expect(store.confirmedAt).toBe(asked);
  });

  it('tells of a log that has not answered for half a second, and when it does again', async () => {
    const { server, store, clock } = await owning();
    const told: (string | null)[] = [];
    store.watch((trouble) => told.push(trouble?.reason ?? null));
    server.isStalled = true;
    const beat = store.beat();
    await clock.advance(SILENT_MS - 1);
    expect(told).toEqual([]);
    await clock.advance(1);
    expect(told).toEqual(['its log does not answer']);
    server.isStalled = false;
    await beat;
    expect(told).toEqual(['its log does not answer', null]);
  });
});

describe('a transaction that is too long for an entry', () => {
  const long = (): Writes => noWrites(1, { facts: [['a', 'x'.repeat(1000)]] });

  it('is appended in parts, and is there with the last one, for the owner and for followers', async () => {
    const { clock, server, link, replica, store } = await owning(400);
    const file = newFile();
    const other = await replicaAt(file);
    const seen: [number, boolean][] = [];
    const following = await follow({
      ...{ log: server.link(), replica: other, logger: silentLogger, lost: () => undefined },
      applied: (_, position) => seen.push([position, factIn(other) !== undefined]),
    });
    link.fates.push('ack lost');
    const writes = long();
    await expect(store.write(writes)).rejects.toThrow(StoreTrouble);
    await store.write(writes);
    await clock.settle();
    await following.stop();
    expect(seen).toEqual([
      [1, false],
      [2, false],
      [3, false],
      [4, false],
      [5, false],
      [6, true],
    ]);
    expect([replica.position, factIn(replica)?.length]).toEqual([6, 1000]);
    expect(other.token).toBe(replica.token);
  });

  it('has no other entry between its parts: a beat sends the next one', async () => {
    const { server, link, store, replica } = await owning(400);
    const writes = long();
    link.fates.push('fails');
    await expect(store.write(writes)).rejects.toThrow(StoreTrouble);
    for (let i = 0; i < 4; i++) await store.beat();
    expect([kindsOf(server).slice(2), factIn(replica)?.length]).toEqual([['batch', 'batch', 'batch', 'batch'], 1000]);
    await store.write(writes);
    await store.beat();
    expect(kindsOf(server).slice(6)).toEqual(['beat']);
  });

  it('that a dead owner has left half is ignored by all, and so by its own file', async () => {
    const { clock, server, link, replica, store } = await owning(400);
    link.fates.push('ack lost', 'lost');
    const writes = long();
    await expect(store.write(writes)).rejects.toThrow(StoreTrouble);
    void store.write(writes).catch(() => undefined);
    await clock.settle();
    const other = await takingOver(server, clock);
    await other.store.write(fact('1', 'b'));
    expect(other.replica.store.pipelines()[0]?.facts).toEqual({ b: '1' });
    const following = await follow({ log: link, replica, logger: silentLogger, lost: (why) => expect.fail(String(why)) });
    await clock.settle();
    await following.stop();
    expect([replica.token, replica.store.pipelines()]).toEqual([other.replica.token, other.replica.store.pipelines()]);
  });

  it('leaves the file before its first part, until it is whole', async () => {
    const clock = new VirtualClock();
    const log = new FaultLog(clock, 400).link();
    const file = newFile();
    const replica = await replicaAt(file);
    await claim(log, replica);
    const store = storeOn(log, replica, clock);
    await store.write(created());
    log.fates.push('ack lost');
    const writes = long();
    await expect(store.write(writes)).rejects.toThrow(StoreTrouble);
    await expect(store.beat()).resolves.toBeUndefined();
    expect(replica.position).toBe(3);
    await replica.close();
    expect((await replicaAt(file)).position).toBe(2);
  });
});

describe('the next owner', () => {
  const running = (): Writes =>
    noWrites(1, {
      facts: [['counters', '{"lastSequence":7}']],
      items: {
        count: 1,
        cells: Float64Array.of(2, 7, 1, 1, 0, 70, 0, 1, 0, AT, -1, 3, AT, 1, 100),
        texts: ['1', null, null, null, null, null],
      },
    });

  it('after one that died finds what was running, once, by the epoch in which it was; ids that tasks may have seen are not given again', async () => {
    const { clock, server, store } = await owning();
    await store.write(running());
    const { store: next } = await takingOver(server, clock);
    expect(next.isUncertain).toBe(true);
    expect(next.marked).toEqual([
      { pipeline: 1, seq: 7, ord: 70 },
      { pipeline: 1, seq: 7 + 2 ** 18, ord: -1 },
    ]);
    expect(next.markedBy).toBe('epoch 1');
  });

  it('after one that left finds nothing running, and nothing is uncertain', async () => {
    const { clock, server, store } = await owning();
    await store.write(running());
    await store.leave();
    const { store: next } = await takingOver(server, clock);
    expect([next.isUncertain, next.marked, next.markedBy]).toEqual([false, [], null]);
  });

  it('leaves once, and writes nothing after that', async () => {
    const { server, link, store } = await owning();
    link.fates.push('ack lost');
    await expect(store.leave()).rejects.toThrow(StoreTrouble);
    await store.leave();
    await store.leave();
    await expect(store.write(fact('1'))).rejects.toThrow('this node has left');
    expect(kindsOf(server)).toEqual(['own', 'batch', 'leave']);
  });

  it('the first of a log is certain', async () => {
    const { store } = await owning();
    expect([store.isUncertain, store.marked, store.markedBy]).toEqual([false, [], null]);
  });

  it('goes on from the last instant of the log, when its clock is behind', async () => {
    const { clock, server, store } = await owning();
    await clock.advance(5000);
    await store.write(fact('1'));
    const last = clock.now();
    clock.setWallBy(-60_000);
    const { replica, store: next } = await takingOver(server, clock);
    await next.write(fact('2'));
    expect(replica.ownership.at).toBe(last);
    const instants = [...server.entries.values()].map((bytes) => unpackEntry(bytes).at).slice(3);
    expect(instants).toEqual([clock.now(), last]);
  });
});

it('a file is the same on the owner and on who follows, byte for byte of its rows', async () => {
  const clock = new VirtualClock();
  const server = new FaultLog(clock);
  const [own, other] = [newFile(), newFile()];
  const replica = await replicaAt(own);
  await claim(server.link(), replica);
  const store = storeOn(server.link(), replica, clock);
  await store.write(created());
  const cells = Float64Array.of(8 + 2 ** 33, AT + 0.7, 1.23456789, 5 + 2 ** 41, 67, AT + 1.2, 1, 5);
  await store.write(
    noWrites(1, { events: { first: 2, cells, extras: [[1, '{"a":1}']] }, ends: { first: 1, at: AT, pairs: Float64Array.of(5, 3) } }),
  );
  const follower = await replicaAt(other);
  const following = await follow({ log: server.link(), replica: follower, logger: silentLogger, lost: () => undefined });
  await clock.settle();
  await following.stop();
  expect(contentOf(other)).toEqual(contentOf(own));
});
