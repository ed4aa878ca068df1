/** A store that cannot be read, for a while or once: it holds the work, says so, and nothing is half done. */
import { describe, expect, it, vi } from 'vitest';
import { SluiceError } from '../../src/engine/index.ts';
import { systemPorts } from '../../src/engine/ports.ts';
import type { Store } from '../../src/engine/store.ts';
import { ALL, EVERYTHING } from '../conformance/world.ts';
import { collectingLogger, type LogLine } from '../engine/harness.ts';
import { countedIds, VirtualClock } from '../engine/virtual-clock.ts';
import { livesOf } from './durable-host.ts';
import { FailingStore } from './failing-store.ts';

const FAULT = 'the disk reports an error';
const READ_FAULT = `${FAULT} when it is read`;
const UNAVAILABLE = { code: 'store-unavailable', retryAfterSeconds: 5 };

const stage = (name: string, more: object = {}) => ({ name, tasks: ['step'], workers: 2, ...more });

async function world(stages: object[] = [stage('A'), stage('B')]) {
  const clock = new VirtualClock();
  const disk = new FailingStore();
  const lines: LogLine[] = [];
  const ran: string[] = [];
  const failed: unknown[] = [];
  const blamed: unknown[] = [];
  const step = (value: unknown, { itemId, stage: at }: { itemId: string; stage: string }) => {
    ran.push(`${itemId} ${at}`);
    return new Promise((resolve) => clock.setTimer(() => resolve(value), 10));
  };
  const ports = {
    ...systemPorts,
    clock,
    uniqueId: countedIds('r-'),
    logger: collectingLogger(lines),
    fail: (error: unknown) => void failed.push(error),
  };
  const lives = livesOf(
    { step },
    { queueWindow: 4, ports },
    (work) => clock.finish(work),
    (store) => {
      vi.spyOn(store as Store, 'blame').mockImplementation((blame) => void blamed.push(blame));
      return disk.of(store);
    },
  );
  const life = await lives.begin();
  await clock.finish(life.host.create({ id: 'p', stages }));
  const p = life.host.get('p');
  const ids = (count: number, from = 0) => Array.from({ length: count }, (_, i) => ({ id: `i${from + i}`, value: from + i }));
  const told = (message: string) => lines.filter((line) => line.message === message);
  /** The next read that this lets through fails. */
  const failAt = (nth: number) => {
    let left = nth;
    disk.failsRead = () => --left === 0;
  };
  return { clock, disk, ran, failed, blamed, life, lives, p, ids, told, failAt };
}

describe('a store that cannot be read', () => {
  it('costs no worker: those who find nothing go on when it can be read again', async () => {
    const { clock, disk, p, ids, ran, told, life } = await world();
    await clock.finish(p.feed(ids(60), {}));
    disk.readFault = FAULT;
    await clock.advance(2000);
    const before = ran.length;
    expect(before).toBeLessThan(60);
    expect(life.host.storeHealth.trouble).toBe(READ_FAULT);
    await clock.advance(5000);
    expect(ran.length).toBe(before);
    disk.heal();
    await clock.advance(500);
    expect(life.host.storeHealth.trouble).toBeNull();
    expect(await clock.finish(p.join())).toMatchObject({ done: true });
    expect(new Set(ran).size).toBe(120);
    expect(ran).toHaveLength(120);
    // In the order in which they were fed, as if nothing had happened.
    expect(ran.filter((at) => at.endsWith('A'))).toEqual(ids(60).map(({ id }) => `${id} A`));
    expect(told('the store is not readable; feeding is refused until it is')).toHaveLength(1);
    expect(told('the store is readable again')).toHaveLength(1);
  });

  it.each(Array.from({ length: 40 }, (_, i) => i + 1))('whichever read of 60 items fails once, all of them run: the %ith', async (nth) => {
    const { clock, p, ids, ran, failAt } = await world();
    await clock.finish(p.feed(ids(60), {}));
    failAt(nth);
    expect(await clock.finish(p.join())).toMatchObject({ done: true });
    expect(ran).toHaveLength(120);
    expect(new Set(ran).size).toBe(120);
  });

  it('refuses what would change something, and what would have to be read', async () => {
    const { clock, disk, p, ids, life } = await world();
    await clock.finish(p.feed(ids(3), {}));
    await clock.advance(100);
    disk.readFault = FAULT;
    await expect(clock.finish(p.results({ ...EVERYTHING, status: 'all' }))).rejects.toMatchObject(UNAVAILABLE);
    await clock.settle();
    await expect(clock.finish(p.feed([1], {}))).rejects.toMatchObject({ ...UNAVAILABLE, details: { accepted: 0 } });
    await expect(clock.finish(p.cancelItem('i0'))).rejects.toMatchObject(UNAVAILABLE);
    await expect(clock.finish(p.item('i9'))).rejects.toMatchObject(UNAVAILABLE);
    // Numbers are in memory.
    expect(await clock.finish(p.stats())).toMatchObject({ itemsFed: 3 });
    expect(await clock.finish(life.host.shutdown('graceful', 5))).toMatchObject({ timedOut: false, notKept: 0 });
  });

  it.each([1, 2, 3, 5, 8, 13, 20])('accepts all of a request or none of it, when its %ith read fails', async (nth) => {
    const { clock, p, ids, failAt, disk } = await world();
    await clock.finish(p.feed(ids(10), {}));
    await clock.advance(1000);
    failAt(nth);
    const answer = await clock.finish(p.feed(ids(20, 5), {}).catch((error: SluiceError) => error));
    disk.heal();
    await clock.advance(1000);
    const { itemsFed } = await clock.finish(p.stats());
    if (answer instanceof SluiceError) {
      expect(answer).toMatchObject(UNAVAILABLE);
      expect(itemsFed).toBe(10);
    } else expect(itemsFed).toBe(25);
    expect(await clock.finish(p.feed(ids(20, 5), {}))).toMatchObject({ accepted: answer instanceof SluiceError ? 15 : 0 });
  });

  it.each([1, 2, 3, 5, 8, 9, 10])(
    'accepts all items without ids or none, where callers made up ids like theirs, when its %ith read fails',
    async (nth) => {
      const { clock, p, failAt, disk } = await world();
      const { ids: [generated = ''] = [] } = await clock.finish(Promise.resolve(p.feed([0], {})));
      const like = (sequenceId: number) => generated.replace(/1$/, `${sequenceId}`);
      const lookalikes = [4, 6, 7].map((sequenceId) => ({ id: like(sequenceId), value: 'made up' }));
      await clock.finish(Promise.resolve(p.feed(lookalikes, {})));
      await clock.advance(1000);
      // Another one comes with the items.
      const given = [{ id: like(9), value: 'made up' }, 1, 2, 3, 4, 5];
      failAt(nth);
      const answer = await clock.finish(Promise.resolve(p.feed(given, {})).catch((error: SluiceError) => error));
      disk.heal();
      await clock.advance(1000);
      const { itemsFed, itemsInFlight } = await clock.finish(p.stats());
      expect(itemsInFlight).toBe(0);
      expect(itemsFed).toBe(answer instanceof SluiceError ? 4 : 10);
      const receipt = answer instanceof SluiceError ? await clock.finish(Promise.resolve(p.feed(given, {}))) : answer;
      if (answer instanceof SluiceError) expect(answer).toMatchObject({ ...UNAVAILABLE, details: { accepted: 0 } });
      // The lookalikes were items 2, 3 and 5, and the one that comes with these is item 8.
      expect(receipt).toMatchObject({ accepted: 6, ids: [9, 10, 11, 12, 13, 14].map(like) });
      await clock.advance(1000);
      const { rows } = await clock.finish(p.results({ ...EVERYTHING, status: 'all' }));
      expect(new Set(rows.map(({ id }) => id)).size).toBe(10);
    },
  );

  it.each([1, 2, 3, 4, 6, 9, 12])('leaves a definition as it was, or replaces it whole, when the %ith read fails', async (nth) => {
    const { clock, p, ids, ran, failAt, disk, life } = await world([stage('A'), stage('B'), stage('C')]);
    const before = await clock.finish(p.describe());
    await clock.finish(p.pauseStage('A'));
    await clock.finish(p.feed(ids(40), {}));
    failAt(nth);
    const put = () => clock.finish(life.host.put('p', { stages: [stage('C'), stage('B', { workers: 3 })] }));
    const answer = await put().catch((error: SluiceError) => error);
    disk.heal();
    await clock.advance(1000);
    const after = await clock.finish(p.describe());
    if (answer instanceof SluiceError) {
      expect(answer).toMatchObject(UNAVAILABLE);
      expect(after.definition).toEqual(before.definition);
      expect((await clock.finish(p.stats())).queueSizes).toEqual({ A: 40, B: 0, C: 0 });
      await put();
    }
    expect(await clock.finish(p.join())).toMatchObject({ done: true });
    expect(ran.filter((at) => at.endsWith('A'))).toEqual([]);
    expect(ran).toHaveLength(80);
    expect(new Set(ran).size).toBe(80);
  });

  it('shows events later, and none less', async () => {
    const { clock, p, ids, disk, life, lives } = await world();
    await clock.finish(p.feed(ids(5), {}));
    expect(await clock.finish(p.join())).toMatchObject({ done: true });
    await life.stop();
    // What its events refer to is in memory no more.
    const again = (await lives.begin()).host.get('p');
    disk.readFault = FAULT;
    const read = () => again.events.read(0, Number.MAX_SAFE_INTEGER, ALL).events.map(({ seq }) => seq);
    expect(read).toThrow(expect.objectContaining(UNAVAILABLE));
    disk.heal();
    expect(read()).toEqual(Array.from({ length: again.events.newest }, (_, i) => i + 1));
  });

  it('is tried again by what failed, and what has changed is written meanwhile', async () => {
    const { clock, p, ids, disk, life } = await world();
    await clock.finish(p.feed(ids(12), {}));
    disk.readFault = FAULT;
    await clock.advance(1000);
    expect(life.host.storeHealth.trouble).toBe(READ_FAULT);
    expect(life.host.notStored()).toEqual({ count: 0, ids: [] });
    const { writes } = disk;
    await clock.advance(10_000);
    expect(disk.writes).toBe(writes);
    disk.fault = FAULT;
    disk.readFault = null;
    await clock.advance(500);
    // Read again, and not written, once there is something to write.
    expect(await clock.finish(p.feed([1], {}).catch((error: SluiceError) => error))).toMatchObject(UNAVAILABLE);
    expect(life.host.storeHealth.trouble).toBe(FAULT);
  });
});

describe('a store with a fault that trying again does not mend', () => {
  const broken = new TypeError('no such column: nothing');

  it('ends the process with its reason, when it is read', async () => {
    const { clock, p, ids, failed, blamed, disk } = await world();
    await clock.finish(p.feed(ids(60), {}));
    disk.failsRead = () => {
      throw broken;
    };
    await clock.advance(1000);
    expect(failed).toEqual([broken]);
    // It is no item's doing.
    expect(blamed).toEqual([null]);
    const { writes } = disk;
    await clock.advance(10_000);
    expect(failed).toHaveLength(1);
    expect(disk.writes).toBe(writes);
    await expect(clock.finish(p.feed([1], {}))).rejects.toMatchObject(UNAVAILABLE);
  });

  it('ends the process with its reason, when it is written; what was to be stored is refused', async () => {
    const { clock, p, ids, failed, blamed, disk } = await world();
    disk.onWrite = () => {
      throw broken;
    };
    await expect(clock.finish(p.feed(ids(3), {}))).rejects.toMatchObject(UNAVAILABLE);
    await clock.advance(10_000);
    expect(failed).toEqual([broken]);
    expect(blamed).toEqual([null]);
  });
});

describe('a start', () => {
  it.each(Array.from({ length: 12 }, (_, i) => i + 1))(
    'waits for a store that cannot be read, from the %ith read on, and finds what was there',
    async (nth) => {
      const { clock, p, ids, ran, disk, life, lives } = await world();
      await clock.finish(p.pauseStage('A'));
      await clock.finish(p.feed(ids(30), {}));
      await life.crash();
      let left = nth;
      disk.failsRead = () => --left <= 0;
      clock.setTimer(() => disk.heal(), 1700);
      const { host } = await lives.begin();
      const again = host.get('p');
      await clock.advance(2500);
      expect(await clock.finish(again.stats())).toMatchObject({ itemsFed: 30, itemsInFlight: 30, queueSizes: { A: 30, B: 0 } });
      await clock.finish(again.resumeStage('A'));
      expect(await clock.finish(again.join())).toMatchObject({ done: true });
      expect(ran).toHaveLength(60);
      expect(new Set(ran).size).toBe(60);
    },
  );

  it.each([1, 2, 3, 4, 5, 6])(
    'waits, and keeps the order of the events of all pipelines, when the %ith read of what no shelf has fails',
    async (nth) => {
      const { clock, p, ids, disk, life, lives } = await world();
      await clock.finish(p.feed(ids(30), {}));
      await clock.finish(p.join());
      const { events } = life.host;
      const before = { newest: events.newest, oldest: events.oldest, id: events.lines.idOf(events.newest) };
      await life.crash();
      let left = nth;
      disk.failsWhole = () => --left === 0;
      const { host } = await lives.begin();
      expect(left).toBeLessThanOrEqual(0);
      const { newest, oldest, lines } = host.events;
      expect({ newest, oldest, id: lines.idOf(newest) }).toEqual(before);
      await clock.finish(host.get('p').feed(ids(1, 30), {}));
      const { events: read } = host.events.read(newest, 100, ALL, { characters: Number.MAX_SAFE_INTEGER });
      expect(read[0]).toMatchObject({ seq: newest + 1, data: { itemId: 'i30', status: 'queued' } });
    },
  );
});
