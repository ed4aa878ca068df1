/** What waits for the disk is bounded for all pipelines of a host together, and each of them has its turn. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Unstored } from '../../src/engine/durable/unstored.ts';
import { systemPorts } from '../../src/engine/ports.ts';
import { countedIds, VirtualClock } from '../engine/virtual-clock.ts';
import { SEED as seed } from '../seed.ts';
import { livesOf, unstoredOf } from './durable-host.ts';
import { FailingStore } from './failing-store.ts';

const LARGE = 300_000;
const PIPELINES = 10;
const WORKERS = 16;
const ITEMS = 40;

async function manyPipelines() {
  const clock = new VirtualClock();
  const disk = new FailingStore();
  const ran = new Map<string, number>();
  const large = 'x'.repeat(LARGE);
  const make = (value: unknown, { pipeline }: { pipeline: string }) => {
    ran.set(pipeline, (ran.get(pipeline) ?? 0) + 1);
    return `${String(value)} ${large}`;
  };
  const lives = livesOf(
    { make },
    { ports: { ...systemPorts, clock, uniqueId: countedIds() } },
    (work) => clock.finish(work),
    (store) => disk.of(store),
  );
  const { host } = await lives.begin();
  const ids = Array.from({ length: PIPELINES }, (_, i) => `p${i}`);
  for (const id of ids) {
    const stages = [{ name: 'A', tasks: ['make'], workers: WORKERS }];
    await clock.finish(host.create({ id, retention: { maxItems: 2 }, stages }, { start: false }));
    await clock.finish(
      host.get(id).feed(
        Array.from({ length: ITEMS }, (_, n) => n),
        {},
      ),
    );
  }
  const total = () => [...ran.values()].reduce((sum, count) => sum + count, 0);
  const unstored = () => unstoredOf(host);
  return { clock, disk, ran, host, ids, total, unstored };
}

describe('results of 300 kB of ten pipelines', () => {
  it('are made no more while the disk does not answer: the bound is one for all', async () => {
    const { clock, disk, host, ids, total, unstored } = await manyPipelines();
    disk.hangs = true;
    const starting = ids.map((id) =>
      host
        .get(id)
        .start()
        .catch(() => undefined),
    );
    await clock.advance(4000);
    // Three megabytes that are being written, and three that wait; workers that have an item and find it full do not begin.
    expect(total()).toBeGreaterThan(9);
    expect(total() * LARGE).toBeLessThan(2 * (3 * 2 ** 20 + LARGE));
    expect(unstored()).toMatchObject({ isFull: true });
    disk.hangs = false;
    await clock.finish(Promise.all(starting));
    for (const id of ids) expect(await clock.finish(host.get(id).join())).toMatchObject({ done: true });
    await clock.settle();
    expect(unstored()).toMatchObject({ items: 0, characters: 0, isFull: false });
    expect(total()).toBe(PIPELINES * ITEMS);
  });

  it('give each pipeline its turn', async () => {
    const { clock, host, ids, ran, total } = await manyPipelines();
    for (const id of ids) void host.get(id).start();
    const spreads: number[] = [];
    while (total() < (PIPELINES * ITEMS) / 2) {
      await clock.advance(0);
      const counts = ids.map((id) => ran.get(id) ?? 0);
      spreads.push(Math.max(...counts) - Math.min(...counts));
    }
    for (const id of ids) await clock.finish(host.get(id).join());
    // None is ahead by more than the items that its workers can begin in two turns.
    expect(Math.max(...spreads)).toBeLessThanOrEqual(2 * WORKERS);
  });

  it('of a pipeline that is removed are waited for no more', async () => {
    const { clock, disk, host, ids, unstored } = await manyPipelines();
    disk.hangs = true;
    const starting = ids.slice(0, 2).map((id) =>
      host
        .get(id)
        .start()
        .catch(() => undefined),
    );
    await clock.advance(100);
    const removing = host.remove('p0', 'force').catch(() => undefined);
    await clock.advance(100);
    disk.hangs = false;
    await clock.finish(Promise.all([...starting, removing]));
    expect(await clock.finish(host.get('p1').join())).toMatchObject({ done: true });
    await clock.settle();
    expect(unstored()).toMatchObject({ items: 0, characters: 0, isFull: false });
  });
});

interface Watching {
  /** When it was told to pause; null while it may go on. */
  heldSince: number | null;
  leave: () => void;
}

describe('what is not stored', () => {
  it('lets on in turn those who fill it again', async () => {
    const clock = new VirtualClock();
    const unstored = new Unstored(clock);
    const order: number[] = [];
    for (let i = 0; i < 5; i++) {
      unstored.watch((isFull) => {
        if (isFull) return;
        order.push(i);
        unstored.add(4000, 0);
      });
    }
    unstored.add(4000, 0);
    for (let i = 0; i < 7; i++) {
      unstored.remove(4000, 0);
      await clock.settle();
    }
    expect(order).toEqual([0, 1, 2, 3, 4, 0, 1]);
  });

  it('lets on as many in a turn as fit', () => {
    const defers: (() => void)[] = [];
    const clock = new VirtualClock();
    clock.defer = (fn) => void defers.push(fn);
    const unstored = new Unstored(clock);
    let told = 0;
    for (let i = 0; i < 10; i++) {
      unstored.watch((isFull) => {
        if (isFull) return;
        told++;
        clock.block(2);
      });
    }
    unstored.add(4000, 0);
    unstored.remove(4000, 0);
    const inTurns: number[] = [];
    for (let turn = defers.shift(); turn !== undefined; turn = defers.shift()) {
      const before = told;
      turn();
      inTurns.push(told - before);
    }
    // Six milliseconds are the first that are more than five.
    expect(inTurns.filter((count) => count > 0)).toEqual([3, 3, 3, 1]);
  });

  it('forgets nobody, whoever comes and goes and whatever fills it meanwhile', async () => {
    const step = fc.oneof(
      fc.record({
        is: fc.constant('add' as const),
        items: fc.integer({ min: 0, max: 4000 }),
        characters: fc.integer({ min: 0, max: 4_000_000 }),
      }),
      fc.record({ is: fc.constant('remove' as const), share: fc.double({ min: 0, max: 1, noNaN: true }) }),
      // Who comes may take on so many as soon as it is let on, and take so long over it.
      fc.record({ is: fc.constant('watch' as const), fills: fc.integer({ min: 0, max: 2000 }), ms: fc.integer({ min: 0, max: 8 }) }),
      fc.record({ is: fc.constant('leave' as const), which: fc.nat() }),
      fc.record({ is: fc.constant('turn' as const) }),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 60 }), async (steps) => {
        const clock = new VirtualClock();
        const unstored = new Unstored(clock);
        const watching: Watching[] = [];
        let calls = 0;
        let isOver = false;
        const watch = (fills: number, ms: number): void => {
          const one: Watching = { heldSince: null, leave: () => undefined };
          watching.push(one);
          one.leave = unstored.watch((isFull) => {
            expect(watching).toContain(one);
            expect(isFull).toBe(one.heldSince === null);
            if (isFull) {
              one.heldSince = ++calls;
              return;
            }
            // None goes on before another one that has paused for longer.
            expect(one.heldSince).toBe(Math.min(...watching.map(({ heldSince }) => heldSince ?? Number.POSITIVE_INFINITY)));
            one.heldSince = null;
            clock.block(ms);
            if (!isOver) unstored.add(fills, 0);
          });
        };
        const removeShare = (share: number): void =>
          unstored.remove(Math.ceil(unstored.items * share), Math.ceil(unstored.characters * share));
        const expectHeld = (): void => {
          if (unstored.isFull) for (const { heldSince } of watching) expect(heldSince).not.toBeNull();
        };
        for (const given of steps) {
          if (given.is === 'add') unstored.add(given.items, given.characters);
          else if (given.is === 'remove') removeShare(given.share);
          else if (given.is === 'watch') watch(given.fills, given.ms);
          else if (given.is === 'leave') watching.splice(given.which % (watching.length + 1), 1)[0]?.leave();
          else await clock.settle();
          expectHeld();
        }
        isOver = true;
        removeShare(1);
        await clock.settle();
        expect(watching.filter(({ heldSince }) => heldSince !== null)).toEqual([]);
      }),
      { seed, numRuns: 500 },
    );
  });
});
