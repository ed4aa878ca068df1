/** Items that ran in a crash run apart from each other until one run of theirs has ended, so that only the one that kills is condemned. */
import Database from 'better-sqlite3';
import { describe, expect, it } from 'vitest';
import type { LocalHostOptions, TaskContext } from '../../src/engine/index.ts';
import { systemPorts } from '../../src/engine/ports.ts';
import { ended, inTime, named, reaches } from '../conformance/world.ts';
import { VirtualClock } from '../engine/virtual-clock.ts';
import { type Life, type Lives, livesOf } from './durable-host.ts';

interface Trial {
  lives: Lives;
  /** Goes on, life after life, until all items have ended; returns how many lives ended by a crash. */
  untilEnded: (life: Life, counts: Record<string, number>) => Promise<number>;
}

/** Lives that end as soon as one of these items has begun beside all that begin with it. */
function trial(killers: ReadonlySet<string>, options: Partial<LocalHostOptions>): Trial {
  let killed = Promise.withResolvers<void>();
  let isDead = false;
  const work = (value: unknown, { itemId }: TaskContext): unknown => {
    if (isDead) return new Promise(() => undefined);
    if (!killers.has(itemId)) return new Promise((resolve) => setImmediate(() => resolve(value)));
    // What is begun in this turn is beside it.
    queueMicrotask(() => {
      isDead = true;
      killed.resolve();
    });
    return new Promise(() => undefined);
  };
  const lives = livesOf({ work }, options);
  const untilEnded = async (first: Life, counts: Record<string, number>): Promise<number> => {
    let life = first;
    for (let crashes = 0; ; crashes++) {
      const { host } = life;
      const all = Promise.all(Object.entries(counts).map(([id, count]) => ended(host.get(id), count))).then(() => true);
      if (await Promise.race([all, killed.promise.then(() => false)])) return crashes;
      await life.crash();
      killed = Promise.withResolvers();
      isDead = false;
      life = await lives.begin();
    }
  };
  return { lives, untilEnded };
}

const stage = (workers: number) => [{ name: 'A', workers, tasks: ['work'] }];
const ids = (prefix: string, count: number): string[] => Array.from({ length: count }, (_, i) => `${prefix}${i}`);

/** The ids of the items that have failed, with their errors. */
async function failures(file: string): Promise<[string, string][]> {
  const db = new Database(file, { readonly: true });
  try {
    const rows = db.prepare('SELECT id, error FROM items WHERE status = 3 ORDER BY key').all() as { id: string; error: string }[];
    return rows.map(({ id, error }) => [id, JSON.parse(error).type]);
  } finally {
    db.close();
  }
}

describe('beside an item that ends the process', () => {
  it.each([
    { maxDeliveries: 2, workers: 10, crashes: 2 },
    { maxDeliveries: 5, workers: 10, crashes: 5 },
    // More than sixteen at once are tried in groups.
    { maxDeliveries: 2, workers: 60, crashes: 3 },
    { maxDeliveries: 5, workers: 60, crashes: 5 },
    { maxDeliveries: 1, workers: 60, crashes: 3 },
  ])('fifty others complete, %j', async ({ maxDeliveries, workers, crashes }) => {
    const { lives, untilEnded } = trial(new Set(['poison']), { maxDeliveries });
    const life = await lives.begin();
    await life.host.create({ id: 'p', stages: stage(workers) });
    const items = ids('i', 50);
    await life.host.get('p').feed(named(...items.slice(0, 7), 'poison', ...items.slice(7)), {});
    expect(await untilEnded(life, { p: 51 })).toBe(crashes);
    expect(await failures(lives.file())).toEqual([['poison', 'PoisonItem']]);
  });

  it('those of other pipelines and stages complete, too', async () => {
    const { lives, untilEnded } = trial(new Set(['poison']), { maxDeliveries: 2 });
    const life = await lives.begin();
    for (const id of ['p', 'q', 'r'])
      await life.host.create({ id, stages: ['A', 'B'].map((name) => ({ name, workers: 3, tasks: ['work'] })) });
    for (const id of ['q', 'r']) await life.host.get(id).feed(named(...ids(id, 20)), {});
    await life.host.get('p').feed(named('x', 'poison', 'y'), {});
    expect(await untilEnded(life, { p: 3, q: 20, r: 20 })).toBe(2);
    expect(await failures(lives.file())).toEqual([['poison', 'PoisonItem']]);
  });

  it('and of a second one, all others complete', async () => {
    const { lives, untilEnded } = trial(new Set(['poison 1', 'poison 2', 'poison 3']), { maxDeliveries: 2 });
    const life = await lives.begin();
    await life.host.create({ id: 'p', stages: stage(10) });
    await life.host.get('p').feed(named('poison 1', ...ids('i', 25), 'poison 2', 'poison 3', ...ids('j', 25)), {});
    await untilEnded(life, { p: 53 });
    expect((await failures(lives.file())).map(([id]) => id)).toEqual(['poison 1', 'poison 2', 'poison 3']);
  });
});

describe('a process that is killed from outside', () => {
  it.each([2, 10, 40])('five times in a row condemns none of the %i items that ran', async (count) => {
    const gate = { isOpen: false };
    const held = (value: unknown): unknown => (gate.isOpen ? value : new Promise(() => undefined));
    const lives = livesOf({ held });
    let life = await lives.begin();
    await life.host.create({ id: 'p', stages: [{ name: 'A', workers: count, tasks: ['held'] }] });
    await life.host.get('p').feed(named(...ids('i', count)), {});
    for (let kill = 0; kill < 5; kill++) {
      await expect.poll(async () => (await life.host.get('p').stats()).statusCounts.in_progress).toBeGreaterThan(0);
      await life.crash();
      life = await lives.begin();
    }
    expect(life.host.storeHealth.recovered).toMatchObject({ poisoned: 0 });
    gate.isOpen = true;
    await life.crash();
    life = await lives.begin();
    await ended(life.host.get('p'), count);
    expect(await failures(lives.file())).toEqual([]);
  });
});

describe('suspects', () => {
  it('run one at a time, while others run beside them', async () => {
    const running = new Set<string>();
    let release = Promise.withResolvers<void>();
    const held = (value: unknown, { itemId }: TaskContext): Promise<unknown> => {
      running.add(itemId);
      return release.promise.then(() => {
        running.delete(itemId);
        return value;
      });
    };
    const lives = livesOf({ held });
    let life = await lives.begin();
    await life.host.create({ id: 'p', stages: [{ name: 'A', workers: 3, tasks: ['held'] }] });
    await life.host.get('p').feed(named('a', 'b', 'c', 'd', 'e'), {});
    await reaches(life.host.get('p'), 'c', 'in_progress');
    await life.crash();
    running.clear();
    release = Promise.withResolvers();
    life = await lives.begin();
    // An item is in progress before its mark is on disk, and its task is called after that.
    await inTime(async () => running.size >= 3);
    expect([...running]).toEqual(['a', 'd', 'e']);
    const { queueSizes } = await life.host.get('p').stats();
    expect(queueSizes).toEqual({ A: 2 });
    release.resolve();
    await ended(life.host.get('p'), 5);
  });

  it('are none any more after a run that ended, also by an error: the next crash is their first', async () => {
    let runs = 0;
    // In each life but the last it runs twice: the first run fails, the second one is cut short.
    const fails = (): unknown => {
      if (++runs % 2 === 0) return new Promise(() => undefined);
      throw new Error('not this time');
    };
    const lives = livesOf({ fails }, { maxDeliveries: 2 });
    let life = await lives.begin();
    const stages = [{ name: 'A', tasks: ['fails'], taskAttempts: 9, taskWaitSeconds: 0.001 }];
    await life.host.create({ id: 'p', stages });
    await life.host.get('p').feed(named('a'), {});
    for (let round = 1; round <= 4; round++) {
      await expect.poll(() => runs).toBe(2 * round);
      await life.crash();
      life = await lives.begin();
      expect(life.host.storeHealth.recovered).toMatchObject({ running: 1, poisoned: 0 });
    }
  });

  it('that would be condemned next run with nothing beside them, for a minute at most', async () => {
    const clock = new VirtualClock();
    const begun: string[] = [];
    const held = (_value: unknown, { itemId }: TaskContext): Promise<unknown> => {
      begun.push(itemId);
      return new Promise(() => undefined);
    };
    const lives = livesOf({ held }, { maxDeliveries: 2, ports: { ...systemPorts, clock } }, (work) => clock.finish(work));
    let life = await lives.begin();
    for (const id of ['p', 'q']) {
      await clock.finish(life.host.create({ id, stages: [{ name: 'A', workers: 2, tasks: ['held'] }] }));
      await clock.finish(life.host.get(id).feed(named(`${id}1`, `${id}2`, `${id}3`), {}));
    }
    await clock.settle();
    expect(begun.sort()).toEqual(['p1', 'p2', 'q1', 'q2']);
    await life.crash();
    begun.length = 0;
    life = await lives.begin();
    await clock.settle();
    expect(begun).toEqual(['p1']);
    await clock.advance(59_000);
    expect(begun).toEqual(['p1']);
    await clock.advance(1_000);
    expect(begun).toEqual(['p1', 'p3', 'q3']);
  });

  it('of a stage that is paused keep nobody waiting', async () => {
    let isHeld = true;
    const held = (value: unknown): unknown => (isHeld ? new Promise(() => undefined) : value);
    const lives = livesOf({ held }, { maxDeliveries: 2 });
    let life = await lives.begin();
    for (const id of ['p', 'q']) {
      await life.host.create({ id, stages: [{ name: 'A', workers: 2, tasks: ['held'] }] });
      await life.host.get(id).feed(named('a', 'b', 'c'), {});
      await reaches(life.host.get(id), 'b', 'in_progress');
    }
    await life.host.get('p').pauseStage('A');
    await life.crash();
    isHeld = false;
    life = await lives.begin();
    await ended(life.host.get('q'), 3);
    expect((await life.host.get('p').stats()).queueSizes).toEqual({ A: 3 });
    await life.host.get('p').cancelItem('b');
    await life.host.get('p').resumeStage('A');
    await ended(life.host.get('p'), 3);
    expect((await life.host.get('p').stats()).statusCounts).toMatchObject({ completed: 2, cancelled: 1 });
  });

  it('go on with a stage that is gone, and with a pipeline that is removed', async () => {
    let isHeld = true;
    const held = (value: unknown): unknown => (isHeld ? new Promise(() => undefined) : value);
    const lives = livesOf({ held });
    let life = await lives.begin();
    const stages = ['A', 'B'].map((name) => ({ name, workers: 3, tasks: ['held'] }));
    for (const id of ['p', 'q', 'r']) {
      await life.host.create({ id, stages });
      await life.host.get(id).feed(named('a', 'b', 'c'), {});
      await reaches(life.host.get(id), 'c', 'in_progress');
    }
    await life.crash();
    life = await lives.begin();
    // The first one of p runs; all others wait.
    await reaches(life.host.get('p'), 'a', 'in_progress');
    await life.host.put('q', { stages: stages.slice(1) });
    isHeld = false;
    await life.host.remove('p', 'force');
    for (const id of ['q', 'r']) {
      await ended(life.host.get(id), 3);
      expect((await life.host.get(id).stats()).statusCounts).toMatchObject({ completed: 3 });
    }
  });
});
