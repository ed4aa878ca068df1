/** A stage that is removed over a backlog: its items go on in steps, each once, through kills and reads that fail. */
import { describe, expect, it } from 'vitest';
import { systemPorts } from '../../src/engine/ports.ts';
import { countedIds, VirtualClock } from '../engine/virtual-clock.ts';
import { livesOf } from './durable-host.ts';
import { FailingStore } from './failing-store.ts';

const WINDOW = 64;
/** More than may wait for the disk at a time. */
const ITEMS = 4000;
/** What waits for the disk at most, and what is in memory of two queues. */
const IN_MEMORY = 3072 + 8 * WINDOW;

const stage = (name: string, workers = 4) => ({ name, workers, tasks: ['step'] });

async function backlog() {
  const clock = new VirtualClock();
  const disk = new FailingStore();
  const ran: string[] = [];
  const step = (value: unknown, { itemId, stage: at }: { itemId: string; stage: string }) => {
    ran.push(`${itemId} ${at}`);
    return value;
  };
  const lives = livesOf(
    { step },
    { queueWindow: WINDOW, maxDeliveries: 1000, ports: { ...systemPorts, clock, uniqueId: countedIds('e-') } },
    (work) => clock.finish(work),
    (store) => disk.of(store),
  );
  const life = await lives.begin();
  await clock.finish(life.host.create({ id: 'p', stages: [stage('A'), stage('B')] }));
  const p = life.host.get('p');
  await clock.finish(p.pauseStage('A'));
  await clock.finish(p.pauseStage('B'));
  const items = Array.from({ length: ITEMS }, (_, i) => ({ id: `i${i}`, value: i }));
  for (let i = 0; i < ITEMS; i += 500) await clock.finish(p.feed(items.slice(i, i + 500), {}));
  return { clock, disk, ran, lives, life, p, ids: items.map(({ id }) => id) };
}

const inB = (ids: readonly string[]) => ids.map((id) => `${id} B`);

/** From now on the disk lets through so many reads of queues, and no more: what moves stands still in the middle. */
function allow(disk: FailingStore, reads: number): void {
  let left = reads;
  disk.failsRead = (name) => name === 'queued' && --left < 0;
}

describe('a stage that is removed over a backlog', () => {
  it('tells at once how many items move, moves them in order, and has few of them in memory at a time', async () => {
    const { clock, disk, ran, life, p, ids } = await backlog();
    const sizes: number[] = [];
    disk.onWrite = () => void sizes.push(p.core.index.size);
    const { moved } = await clock.finish(life.host.put('p', { stages: [stage('B')] }));
    expect(moved).toEqual([{ from: 'A', to: 'B', items: ITEMS, running: 0 }]);
    await clock.settle();
    expect(p.core.evacuation.ended()).toBeUndefined();
    // Some steps, until the store has them.
    expect(sizes.length).toBeGreaterThan(2);
    expect(Math.max(...sizes)).toBeLessThan(IN_MEMORY);
    expect(p.core.index.size).toBeLessThan(4 * WINDOW);
    expect((await clock.finish(p.stats())).queueSizes).toEqual({ B: ITEMS });
    await clock.finish(p.resumeStage('B'));
    expect(await clock.finish(p.join())).toMatchObject({ done: true });
    expect(ran).toEqual(inB(ids));
  });

  it.each(['crash', 'stop'] as const)(
    'goes on after a %s in the middle of it, and no item meets a stage twice or the one that is gone',
    async (how) => {
      const { clock, disk, ran, life, lives, ids } = await backlog();
      allow(disk, 3);
      await clock.finish(life.host.put('p', { stages: [stage('B')] }));
      let now = life;
      for (let i = 0; i < 3; i++) {
        await clock.settle();
        const { core } = now.host.get('p');
        expect(core.evacuation.ended()).toBeDefined();
        expect(core.ledger.inFlight).toBe(ITEMS);
        expect(core.allStages.reduce((sum, { waiting }) => sum + waiting, 0)).toBe(ITEMS);
        await now[how]();
        allow(disk, 3);
        now = await lives.begin();
      }
      disk.heal();
      await clock.advance(500);
      const p = now.host.get('p');
      expect(p.core.evacuation.ended()).toBeUndefined();
      await clock.finish(p.resumeStage('B'));
      expect(await clock.finish(p.join())).toMatchObject({ done: true });
      expect(ran.toSorted()).toEqual(inB(ids).toSorted());
    },
  );

  it('is waited for by the next definition, so that nothing goes by another one than it was told', async () => {
    const { clock, disk, ran, life, p, ids } = await backlog();
    allow(disk, 3);
    await clock.finish(life.host.put('p', { stages: [stage('B')] }));
    await clock.settle();
    disk.heal();
    await clock.advance(500);
    allow(disk, 2);
    const back = life.host.put('p', { stages: [stage('A'), stage('B')] });
    await clock.settle();
    disk.heal();
    const { changes } = await clock.finish(back);
    expect(changes).toContainEqual({ stage: 'A', change: 'added' });
    expect(p.core.evacuation.ended()).toBeUndefined();
    await clock.finish(p.resumeStage('B'));
    expect(await clock.finish(p.join())).toMatchObject({ done: true });
    expect(ran).toEqual(inB(ids));
  });

  it('waits while the store cannot be written', async () => {
    const { clock, disk, ran, life, p, ids } = await backlog();
    allow(disk, 3);
    await clock.finish(life.host.put('p', { stages: [stage('B')] }));
    await clock.settle();
    disk.fault = 'the disk reports an error';
    disk.failsRead = () => false;
    await clock.advance(5000);
    // As much as waits for the disk, and no more.
    expect(p.core.evacuation.ended()).toBeDefined();
    expect(p.core.index.size).toBeLessThan(IN_MEMORY);
    disk.heal();
    await clock.advance(500);
    await clock.finish(p.resumeStage('B'));
    expect(await clock.finish(p.join())).toMatchObject({ done: true });
    expect(ran).toEqual(inB(ids));
  });

  it('ends a cancelled item where it waits', async () => {
    const { clock, disk, ran, life, p, ids } = await backlog();
    const last = ids.at(-1) as string;
    disk.hangs = true;
    const put = life.host.put('p', { stages: [stage('B')] });
    await clock.settle();
    expect(p.core.evacuation.ended()).toBeDefined();
    const cancelled = p.cancelItem(last);
    await clock.settle();
    disk.hangs = false;
    await clock.finish(put);
    expect(await clock.finish(cancelled)).toMatchObject({ status: 'cancelled', stage: 'A' });
    await clock.finish(p.resumeStage('B'));
    expect(await clock.finish(p.join())).toMatchObject({ done: true });
    expect(ran).toEqual(inB(ids.slice(0, -1)));
  });
});
