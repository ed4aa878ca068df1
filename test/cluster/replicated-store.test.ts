/** The order of a write, and what each failure of the log makes of it. */
import { describe, expect, it } from 'vitest';
import { SILENT_MS } from '../../src/cluster/appender.ts';
import { follow } from '../../src/cluster/follower.ts';
import { silentLogger } from '../../src/engine/ports.ts';
import { StoreTrouble, type Writes } from '../../src/engine/store.ts';
import { VirtualClock } from '../engine/virtual-clock.ts';
import { noWrites } from '../stores/store-writes.ts';
import { contentOf } from './content.ts';
import { FaultLog } from './fault-log.ts';
import { created, fact, factIn, fateOf, kindsOf, owning, takingOver } from './owners.ts';
import { AT, claim, LEASE_MS, newFile, replicaAt, storeOn } from './replicas.ts';

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
