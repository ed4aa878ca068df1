/** What limiters count, hold and are told by operators is there after a restart, also after `kill -9`. */
import Database from 'better-sqlite3';
import { describe, expect, it } from 'vitest';
import type { LocalHost, TaskContext } from '../../src/engine/index.ts';
import { systemPorts } from '../../src/engine/ports.ts';
import type { LimiterSettings, Limits } from '../../src/schemas/limiter.ts';
import { audit } from '../../src/stores/sqlite/audit.ts';
import { backup } from '../../src/stores/sqlite/backup.ts';
import { expressionLanguage } from '../../tasks/index.ts';
import { countedIds, seededRandom, VirtualClock } from '../engine/virtual-clock.ts';
import { type Life, livesOf } from './durable-host.ts';

const SECOND = 1000;
const HOUR = 3600 * SECOND;
const ENDS = ['stop', 'crash'] as const;

/** `files`: what the definitions files say at each start. */
function world(files: Limits, run: (value: unknown, context: TaskContext) => unknown = (value) => value) {
  const clock = new VirtualClock();
  const starts: { id: string; at: number; weight: number; key: unknown }[] = [];
  const call = (value: unknown, context: TaskContext): unknown => {
    const { weight = 1, key } = (value ?? {}) as { weight?: number; key?: unknown };
    starts.push({ id: context.itemId, at: clock.monotonic(), weight, key });
    return run(value, context);
  };
  const ports = { ...systemPorts, clock, random: seededRandom(1), uniqueId: countedIds(), expressions: clock.awaiting(expressionLanguage) };
  const lives = livesOf({ call }, { ports }, (work) => clock.finish(work));
  const begin = async (now: Limits = files): Promise<Life> => {
    const life = await lives.begin({}, [], (host) => {
      for (const [name, settings] of Object.entries(now)) host.limiters.define(name, settings);
    });
    await clock.settle();
    return life;
  };
  const create = (host: LocalHost, limiter: string | string[], more: object = {}, id = 'p') =>
    clock.finish(host.create({ id, stages: [{ name: 'S', workers: 200, tasks: [{ task: 'call', limiter }] }], ...more }));
  const feed = async (host: LocalHost, items: unknown[], id = 'p'): Promise<void> => {
    await clock.finish(host.get(id).feed(items as never, {}));
    await clock.settle();
  };
  const limiter = async (host: LocalHost, name = 'api') => {
    const found = (await host.limiters.list()).find((each) => each.name === name);
    if (found === undefined) throw new Error(`no limiter ${name}`);
    return found;
  };
  return { clock, lives, starts, begin, create, feed, limiter };
}

const many = (count: number, value: object = {}) => Array.from({ length: count }, () => ({ ...value }));

/** The most weight that any window of that length has. */
function mostIn(starts: readonly { at: number; weight: number }[], windowMs: number): number {
  let most = 0;
  for (const { at } of starts) {
    const within = starts.filter((other) => other.at >= at && other.at < at + windowMs);
    most = Math.max(
      most,
      within.reduce((sum, { weight }) => sum + weight, 0),
    );
  }
  return most;
}

describe.each(ENDS)('a window (%s)', (how) => {
  it('counts across restarts: what was used is not free again, and comes free when it would have', async () => {
    const { clock, starts, begin, create, feed, limiter } = world({ api: { limit: 10, perSeconds: 600 } });
    let life = await begin();
    await create(life.host, 'api');
    await feed(life.host, many(25));
    expect(starts).toHaveLength(10);
    for (let restarts = 0; restarts < 3; restarts++) {
      await life[how]();
      await clock.advance(30 * SECOND);
      life = await begin();
      expect(starts).toHaveLength(10);
      expect(await limiter(life.host)).toMatchObject({ usedInWindow: 10, inUse: 0 });
    }
    const { nextAt } = await limiter(life.host);
    expect(Date.parse(nextAt as string) - clock.now()).toBeCloseTo(510 * SECOND, -3);
    await clock.advance(509 * SECOND);
    expect(starts).toHaveLength(10);
    await clock.advance(2 * SECOND);
    expect(starts).toHaveLength(20);
    await life.stop();
  });

  it('is never exceeded, whatever weights begin when, before and after', async () => {
    const random = seededRandom(7);
    const settings: LimiterSettings = { limit: 20, perSeconds: 60, weight: 'value.weight' };
    const { clock, starts, begin, create, feed } = world({ api: settings });
    let life = await begin();
    await create(life.host, 'api');
    for (let round = 0; round < 12; round++) {
      for (let i = 0; i < 4; i++) {
        await feed(
          life.host,
          Array.from({ length: 6 }, () => ({ weight: Math.ceil(random() * 8) / 2 })),
        );
        await clock.advance(random() * 9 * SECOND);
      }
      await life[how]();
      life = await begin();
    }
    await clock.advance(3 * HOUR);
    expect(starts).toHaveLength(12 * 24);
    expect(mostIn(starts, 60 * SECOND)).toBeLessThanOrEqual(20);
    await life.stop();
  });

  it('counts for each key, and of a task’s limiters for each', async () => {
    const { clock, starts, begin, create, feed, limiter } = world({
      each: { limit: 2, perSeconds: 600, key: 'value.key' },
      total: { limit: 5, perSeconds: 60 },
    });
    let life = await begin();
    await create(life.host, ['each', 'total']);
    for (const key of ['a', 'b\u0000 "\ud800', { c: 1 }]) await feed(life.host, many(4, { key }));
    expect(starts).toHaveLength(5);
    await life[how]();
    life = await begin();
    expect(await limiter(life.host, 'each')).toMatchObject({
      usedInWindow: 5,
      keys: [{}, {}, {}],
    });
    expect(starts).toHaveLength(5);
    await clock.advance(3 * HOUR);
    expect(starts).toHaveLength(12);
    expect(mostIn(starts, 60 * SECOND)).toBeLessThanOrEqual(5);
    const byKey = Map.groupBy(starts, ({ key }) => JSON.stringify(key));
    expect([...byKey.values()].map((of) => mostIn(of, 600 * SECOND))).toEqual([2, 2, 2]);
    await life.stop();
  });

  it('takes as much room after many starts as after few, and is told late by no more than a 64th of it', async () => {
    const { clock, starts, begin, create, feed, limiter, lives } = world({ api: { limit: 1000, perSeconds: 640 } });
    let life = await begin();
    await create(life.host, 'api');
    for (let i = 0; i < 100; i++) {
      await feed(life.host, many(10));
      await clock.advance(3 * SECOND);
    }
    await feed(life.host, many(1));
    expect(starts).toHaveLength(1000);
    await life[how]();
    const db = new Database(lives.file(), { readonly: true });
    const rows = db.prepare("SELECT length(json) AS size FROM facts WHERE pipeline = 0 AND name LIKE 'limiter api%'").all() as {
      size: number;
    }[];
    db.close();
    expect(rows).toHaveLength(1);
    expect(rows[0]?.size).toBeLessThan(2000);
    life = await begin();
    expect(await limiter(life.host)).toMatchObject({ usedInWindow: 1000 });
    const late = Date.parse((await limiter(life.host)).nextAt as string) - clock.now() - 340 * SECOND;
    expect(late).toBeGreaterThanOrEqual(0);
    expect(late).toBeLessThanOrEqual(11 * SECOND);
    await life.stop();
  });

  it.each([
    ['an hour back', -HOUR],
    ['a minute ahead and a day', 24 * HOUR + 60 * SECOND],
  ])('goes on as it was when the clock is set by %s meanwhile', async (_what, ms) => {
    const { clock, starts, begin, create, feed, limiter } = world({ api: { limit: 2, perSeconds: 600 } });
    let life = await begin();
    await create(life.host, 'api');
    await feed(life.host, many(5));
    await life[how]();
    clock.setWallBy(ms);
    for (let again = 0; again < 2; again++) {
      life = await begin();
      expect(Date.parse((await limiter(life.host)).nextAt as string) - clock.now()).toBeCloseTo(600 * SECOND, -3);
      if (again === 0) await life[how]();
    }
    await clock.advance(598 * SECOND);
    expect(starts).toHaveLength(2);
    await clock.advance(4 * SECOND);
    expect(starts).toHaveLength(4);
    await life.stop();
  });
});

describe.each(ENDS)('a hold (%s)', (how) => {
  const held = (seconds: number) =>
    world({ api: { concurrency: 5, maxHoldSeconds: 7200 } }, (_value, { itemId }) => {
      if (itemId === 'asks') throw Object.assign(new Error('slow down'), { status: 429, retryAfterSeconds: seconds });
      return 'fine';
    });

  it('lasts until its instant, whatever starts in between', async () => {
    const { clock, starts, begin, create, feed, limiter } = held(900);
    let life = await begin();
    await create(life.host, 'api');
    await feed(life.host, [{ id: 'asks', value: 1 }]);
    const { heldUntil } = await limiter(life.host);
    await feed(life.host, [{ id: 'waits', value: 1 }]);
    for (let restarts = 0; restarts < 2; restarts++) {
      await life[how]();
      await clock.advance(60 * SECOND);
      life = await begin();
      const now = (await limiter(life.host)).heldUntil as string;
      expect(Math.abs(Date.parse(now) - Date.parse(heldUntil as string))).toBeLessThan(5);
    }
    expect((await clock.finish(life.host.get('p').item('waits'))).waitingFor).toMatchObject({ reason: 'rate-limit', limiter: 'api' });
    await clock.advance(770 * SECOND);
    expect(starts.map(({ id }) => id)).toEqual(['asks']);
    await clock.advance(30 * SECOND);
    expect(starts.map(({ id }) => id)).toContain('waits');
    await life.stop();
  });

  it('that was ended by hand does not come back', async () => {
    const { clock, starts, begin, create, feed, limiter } = held(900);
    let life = await begin();
    await create(life.host, 'api');
    await feed(life.host, [{ id: 'asks', value: 1 }]);
    await clock.finish(life.host.limiters.change('api', { heldUntil: null }));
    await life[how]();
    life = await begin();
    expect(await limiter(life.host)).toMatchObject({ heldUntil: null });
    await feed(life.host, [{ id: 'goes', value: 1 }]);
    expect(starts.map(({ id }) => id)).toEqual(['asks', 'goes']);
    await life.stop();
  });
});

describe.each(ENDS)('what was changed by hand (%s)', (how) => {
  const files = { api: { limit: 5, perSeconds: 60 } };

  it('is in effect after a restart, until it is undone', async () => {
    const { clock, begin, limiter, starts, create, feed } = world(files);
    let life = await begin();
    const changed = await clock.finish(life.host.limiters.change('api', { limit: 2, concurrency: 9, onRetryAfter: 'item' }));
    await life[how]();
    life = await begin();
    expect(await limiter(life.host)).toMatchObject({ settings: changed.settings, defined: files.api });
    await create(life.host, 'api');
    await feed(life.host, many(5));
    expect(starts).toHaveLength(2);
    await clock.finish(life.host.limiters.reset('api'));
    await clock.settle();
    expect(starts).toHaveLength(5);
    await life[how]();
    life = await begin();
    expect((await limiter(life.host)).settings).toEqual({ ...files.api, maxHoldSeconds: 300, onRetryAfter: 'hold' });
    await life.stop();
  });

  it('is over when the file says something else than it did then', async () => {
    const { clock, begin, limiter } = world(files);
    let life = await begin();
    await clock.finish(life.host.limiters.change('api', { limit: 2 }));
    await life[how]();
    life = await begin({ api: { limit: 6, perSeconds: 60 } });
    expect((await limiter(life.host)).settings).toMatchObject({ limit: 6 });
    await life[how]();
    life = await begin();
    expect((await limiter(life.host)).settings).toMatchObject({ limit: 5 });
    await life.stop();
  });
});

describe.each(ENDS)('limiters that pipelines define (%s)', (how) => {
  it('are there after a restart, with their windows, until no definition has them', async () => {
    const { clock, starts, begin, create, feed, limiter } = world({});
    let life = await begin();
    await create(life.host, 'api', { limits: { api: { limit: 1, perSeconds: 600 } } });
    await create(life.host, 'api', {}, 'q');
    await feed(life.host, many(2));
    await life[how]();
    life = await begin();
    expect((await life.host.list()).map(({ state }) => state)).toEqual(['running', 'running']);
    await feed(life.host, many(1), 'q');
    expect(starts).toHaveLength(1);
    expect(await limiter(life.host)).toMatchObject({
      waiting: 2,
      waiters: [
        { pipelineId: 'p', stage: 'S', count: 1 },
        { pipelineId: 'q', stage: 'S', count: 1 },
      ],
    });
    await expect(clock.finish(life.host.remove('p', 'force'))).rejects.toMatchObject({ code: 'limiter-in-use' });
    await clock.finish(life.host.remove('q', 'force'));
    await clock.finish(life.host.remove('p', 'force'));
    expect(await life.host.limiters.list()).toEqual([]);
    await life[how]();
    life = await begin();
    expect(await life.host.limiters.list()).toEqual([]);
    // Defined again within its window it counts what it did before.
    await create(life.host, 'api', { limits: { api: { limit: 1, perSeconds: 600 } } });
    await feed(life.host, many(1));
    expect(starts).toHaveLength(1);
    await clock.advance(601 * SECOND);
    expect(starts).toHaveLength(2);
    await life.stop();
  });

  it('give way to a file that defines one otherwise', async () => {
    const { begin, create, limiter } = world({});
    let life = await begin();
    await create(life.host, 'api', { limits: { api: { concurrency: 1 } } });
    await life[how]();
    life = await begin({ api: { concurrency: 2 } });
    expect((await limiter(life.host)).defined).toEqual({ concurrency: 2 });
    expect(await life.host.get('p').describe()).toMatchObject({ state: 'running', definition: { limits: { api: { concurrency: 1 } } } });
    await life[how]();
    life = await begin();
    expect((await limiter(life.host)).defined).toEqual({ concurrency: 1 });
    await life.stop();
  });
});

it('a pipeline whose limiter is gone goes on by the same definition once another one defines it', async () => {
  const { clock, starts, begin, create, feed } = world({ api: { concurrency: 1 } });
  let life = await begin();
  await create(life.host, 'api');
  await life.stop();
  life = await begin({});
  expect(await life.host.get('p').describe()).toMatchObject({ state: 'stopped', stateReason: expect.stringContaining('no limiter "api"') });
  await feed(life.host, many(1));
  await create(life.host, 'api', { limits: { api: { concurrency: 1 } } }, 'q');
  const { definition } = await life.host.get('p').describe();
  await clock.finish(life.host.put('p', definition));
  await clock.settle();
  expect(await life.host.get('p').describe()).toMatchObject({ state: 'running', stateReason: null });
  expect(starts).toHaveLength(1);
  await life.stop();
});

it('the store commands know what is kept: check counts it, a backup has it', async () => {
  const { clock, begin, create, feed, lives } = world({ api: { limit: 1, perSeconds: 600 }, other: { concurrency: 1 } });
  const life = await begin();
  await create(life.host, 'api');
  await feed(life.host, many(3));
  await clock.finish(life.host.limiters.change('other', { concurrency: 3 }));
  const copy = `${lives.file()}.copy`;
  backup(lives.file(), copy);
  for (const file of [lives.file(), copy]) expect(audit(file)).toMatchObject({ limiters: { changed: 1, windows: 1 }, faults: [] });
  await life.stop();
});
