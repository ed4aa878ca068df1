/** What waits for the disk is bounded for all pipelines of a host together, and each of them has its turn. */
import { describe, expect, it } from 'vitest';
import { Unstored } from '../../src/engine/durable/unstored.ts';
import { systemPorts } from '../../src/engine/ports.ts';
import { countedIds, VirtualClock } from '../engine/virtual-clock.ts';
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

describe('what is not stored', () => {
  it('lets on in turn those who fill it again', () => {
    const unstored = new Unstored();
    const order: number[] = [];
    for (let i = 0; i < 5; i++) {
      unstored.watch((isFull) => {
        if (isFull) return;
        order.push(i);
        unstored.add(4000, 0);
      });
    }
    unstored.add(4000, 0);
    for (let i = 0; i < 7; i++) unstored.remove(4000, 0);
    expect(order).toEqual([0, 1, 2, 3, 4, 0, 1]);
  });
});
