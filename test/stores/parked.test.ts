/** More parked retries than memory has room for: each comes back at its instant, once, through kills, cancels, reads that fail and set clocks. */
import { describe, expect, it } from 'vitest';
import type { TaskContext } from '../../src/engine/index.ts';
import { systemPorts } from '../../src/engine/ports.ts';
import { audit } from '../../src/stores/sqlite/audit.ts';
import { Random } from '../engine/simulation/random.ts';
import { countedIds, VirtualClock } from '../engine/virtual-clock.ts';
import { SEED } from '../seed.ts';
import { livesOf } from './durable-host.ts';
import { FailingStore } from './failing-store.ts';

const WINDOW = 16;
const ITEMS = 600;
/** More than may wait for the disk at a time. */
const MANY = 4000;
/** What is in memory of a queue and of the retries. */
const IN_MEMORY = 4 * WINDOW;
/** What waits for the disk at most besides. */
const UNSTORED = 3072;
const FIRST_SECONDS = 1000;
const SPREAD_SECONDS = 2000;
const HOUR = 3600;
const DAY = 24 * HOUR;

const stage = (name: string, workers = 4) => ({ name, workers, tasks: ['flaky'], taskAttempts: 2 });

/** A pipeline in which every item has failed once, and waits for as many seconds as its value says, in any order. */
async function parked(stages = [stage('A')], count = ITEMS) {
  const clock = new VirtualClock();
  const disk = new FailingStore();
  const random = new Random(SEED);
  const again = new Map<string, number>();
  const ran: string[] = [];
  const flaky = (value: unknown, { itemId, attempt, stage: at, retryAfter }: TaskContext): unknown => {
    if (at === 'A' && attempt === 1) throw retryAfter(value as number);
    ran.push(`${itemId} ${at}`);
    if (at === 'A') again.set(itemId, clock.seconds);
    return value;
  };
  const lives = livesOf(
    { flaky },
    { queueWindow: WINDOW, maxDeliveries: 1000, ports: { ...systemPorts, clock, uniqueId: countedIds('e-') } },
    (work) => clock.finish(work),
    (store) => disk.of(store),
  );
  const life = await lives.begin();
  await clock.finish(life.host.create({ id: 'p', stages }));
  const p = life.host.get('p');
  const waits = new Map<string, number>();
  for (let i = 0; i < count; i++) waits.set(`i${i}`, random.int(FIRST_SECONDS, FIRST_SECONDS + SPREAD_SECONDS));
  const items = [...waits].map(([id, value]) => ({ id, value }));
  for (let i = 0; i < count; i += 500) await clock.finish(p.feed(items.slice(i, i + 500), {}));
  await clock.settle();
  const { statusCounts } = await clock.finish(p.stats());
  expect(statusCounts.retrying).toBe(count);
  return { clock, disk, lives, life, p, waits, again, ran, ids: [...waits.keys()] };
}

const everyone = SPREAD_SECONDS + FIRST_SECONDS;

describe('more parked retries than memory has room for', () => {
  it('leave most of them in the store, and come back in the order of their instants, at them', async () => {
    const { clock, disk, lives, life, p, waits, again } = await parked();
    expect(p.core.index.size).toBeLessThan(IN_MEMORY);
    const sizes: number[] = [];
    disk.onWrite = () => void sizes.push(p.core.index.size);
    await clock.advance(everyone * 1000);
    expect([...again.keys()].toSorted()).toEqual([...waits.keys()].toSorted());
    for (const [id, wait] of waits) expect(again.get(id), id).toBeCloseTo(wait, 2);
    expect(Math.max(...sizes)).toBeLessThan(IN_MEMORY + WINDOW);
    expect((await clock.finish(p.stats())).statusCounts).toMatchObject({ completed: ITEMS, retrying: 0 });
    await life.stop();
    expect(audit(lives.file()).faults).toEqual([]);
  });

  it.each(['crash', 'stop'] as const)('wait for what was left of their waits after a %s, again and again', async (how) => {
    const { clock, lives, life, waits, again } = await parked();
    let now = life;
    for (let left = everyone; left > 0; left -= 500) {
      await clock.advance(500 * 1000);
      await now[how]();
      now = await lives.begin();
      const p = now.host.get('p');
      await clock.settle();
      expect(p.core.index.size).toBeLessThan(IN_MEMORY);
      const { retrying } = (await clock.finish(p.stats())).statusCounts;
      expect(retrying).toBe(ITEMS - again.size);
    }
    for (const [id, wait] of waits) expect(again.get(id), id).toBeCloseTo(wait, 1);
  });

  it('come back all at once, when all instants have passed', async () => {
    const { clock, disk, lives, life, again, ids } = await parked([stage('A')], MANY);
    await life.crash();
    const sizes: number[] = [];
    clock.block(everyone * 1000);
    const next = await lives.begin();
    disk.onWrite = () => void sizes.push(next.host.get('p').core.index.size);
    await clock.finish(next.host.get('p').join());
    expect([...again.keys()].toSorted()).toEqual(ids.toSorted());
    expect(Math.max(...sizes)).toBeLessThan(UNSTORED + IN_MEMORY);
  });

  it('can be cancelled, looked at and listed wherever they are', async () => {
    const { clock, p, life, waits, again, ids } = await parked();
    const random = new Random(SEED + 1);
    const cancelled = new Set(ids.filter(() => random.chance(0.3)));
    for (const id of cancelled) expect(await clock.finish(p.cancelItem(id))).toMatchObject({ status: 'cancelled', stage: 'A' });
    const { rows } = await clock.finish(p.items({ status: ['retrying'], after: 0, limit: ITEMS }));
    expect(rows.map(({ id }) => id)).toEqual(ids.filter((id) => !cancelled.has(id)));
    const kept = ids.find((id) => !cancelled.has(id)) as string;
    const { waitingFor } = await clock.finish(p.item(kept));
    const until = Date.parse((waitingFor as { until: string }).until);
    expect(until - clock.now()).toBeCloseTo(((waits.get(kept) as number) - clock.seconds) * 1000, -1);
    await clock.advance(everyone * 1000);
    expect(again.size).toBe(ITEMS - cancelled.size);
    expect((await clock.finish(p.stats())).statusCounts).toMatchObject({ cancelled: cancelled.size, completed: ITEMS - cancelled.size });
    await life.stop();
  });

  it('are late by no more than the time for which the store could not be read', async () => {
    const { clock, disk, p, waits, again } = await parked();
    disk.failsRead = (name) => name === 'parked';
    await clock.advance((FIRST_SECONDS + SPREAD_SECONDS / 2) * 1000);
    const before = again.size;
    expect(before).toBeLessThan(ITEMS / 4);
    const healed = clock.seconds;
    disk.heal();
    await clock.advance(everyone * 1000);
    expect(again.size).toBe(ITEMS);
    for (const [id, wait] of waits) {
      const at = again.get(id) as number;
      if (wait > healed) expect(at, id).toBeCloseTo(wait, 2);
      else expect(at, id).toBeLessThan(healed + 2);
    }
    expect((await clock.finish(p.stats())).statusCounts).toMatchObject({ completed: ITEMS });
  });

  it('move on in steps when their stage is removed, and none is tried there again', async () => {
    const { clock, disk, p, life, ran, ids } = await parked([stage('A'), stage('B')], MANY);
    const sizes: number[] = [];
    disk.onWrite = () => void sizes.push(p.core.index.size);
    await clock.finish(p.pauseStage('B'));
    const { moved } = await clock.finish(life.host.put('p', { stages: [stage('B')] }));
    expect(moved).toEqual([{ from: 'A', to: 'B', items: MANY, running: 0 }]);
    await clock.settle();
    expect(p.core.evacuation.ended()).toBeUndefined();
    expect(Math.max(...sizes)).toBeLessThan(UNSTORED + IN_MEMORY);
    await clock.finish(p.resumeStage('B'));
    await clock.finish(p.join());
    expect(ran.toSorted()).toEqual(ids.map((id) => `${id} B`).toSorted());
  });

  it('go on moving out of a removed stage after a crash in the middle of it', async () => {
    const { clock, disk, life, lives, ran, ids } = await parked([stage('A'), stage('B')]);
    let left = 2;
    disk.failsRead = (name) => name === 'parked' && --left < 0;
    await clock.finish(life.host.put('p', { stages: [stage('B')] }));
    await clock.settle();
    expect(life.host.get('p').core.evacuation.ended()).toBeDefined();
    await life.crash();
    disk.heal();
    const next = await lives.begin();
    await clock.finish(next.host.get('p').join());
    expect(ran.toSorted()).toEqual(ids.map((id) => `${id} B`).toSorted());
  });
});

describe('a clock that was set', () => {
  it.each([
    ['two hours back', -2 * HOUR],
    ['eight days ahead', 8 * DAY],
  ])('by %s between two processes moves none of them, in the store or in memory', async (_, seconds) => {
    const { clock, lives, life, waits, again, ids } = await parked();
    await life.crash();
    clock.setWallBy(seconds * 1000);
    let next = await lives.begin();
    await clock.settle();
    const last = ids.reduce((a, b) => ((waits.get(a) as number) > (waits.get(b) as number) ? a : b));
    const { waitingFor } = await clock.finish(next.host.get('p').item(last));
    const until = Date.parse((waitingFor as { until: string }).until);
    expect(until - clock.now()).toBeCloseTo((waits.get(last) as number) * 1000, -4);
    await clock.advance(FIRST_SECONDS * 1000);
    await next.crash();
    next = await lives.begin();
    await clock.advance(everyone * 1000);
    expect(again.size).toBe(ITEMS);
    for (const [id, wait] of waits) expect(Math.abs((again.get(id) as number) - wait), id).toBeLessThan(2);
  });

  it.each([
    ['fifty minutes slow', -50 * 60],
    ['fifty minutes fast', 50 * 60],
    ['a day slow', -DAY],
  ])('right after a start with one that is %s moves none of them, neither then nor at the next start', async (_, seconds) => {
    const { clock, lives, life, waits, again } = await parked();
    await life.crash();
    clock.setWallBy(seconds * 1000);
    const slow = await lives.begin();
    await clock.advance(60_000);
    clock.setWallBy(-seconds * 1000);
    await clock.finish(slow.host.get('p').feed([{ id: 'late', value: FIRST_SECONDS }], {}));
    await clock.advance(60_000);
    await slow.crash();
    await lives.begin();
    await clock.advance(everyone * 1000);
    // A clock that is fast by less than an hour can't be told from a stop of that time.
    const early = seconds > 0 ? seconds : 2;
    for (const [id, wait] of waits) {
      const at = again.get(id) as number;
      expect(at, id).toBeLessThan(wait + 2);
      expect(at, id).toBeGreaterThan(wait - early);
    }
    expect(Math.abs((again.get('late') as number) - FIRST_SECONDS - 60)).toBeLessThan(2);
  });

  it.each([
    ['back', -2 * HOUR],
    ['ahead', 8 * DAY],
  ])('%s while the service runs moves none of them', async (_, seconds) => {
    const { clock, p, waits, again } = await parked();
    clock.setWallBy(seconds * 1000);
    await clock.finish(p.feed([{ id: 'late', value: FIRST_SECONDS }], {}));
    await clock.advance(everyone * 1000);
    for (const [id, wait] of waits) expect(again.get(id), id).toBeCloseTo(wait, 2);
    expect(again.get('late')).toBeCloseTo(FIRST_SECONDS, 2);
  });
});
