/** A host that is thrown away while it works, since another one has its store now: it begins nothing, writes nothing and tells nobody of a success. */
import { join } from 'node:path';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { describe, expect, it, onTestFinished } from 'vitest';
import { createLocalHost, type LocalHost, type PipelineRuntime, type TaskContext, type TaskHandler } from '../../src/engine/index.ts';
import { systemPorts } from '../../src/engine/ports.ts';
import type { Store } from '../../src/engine/store.ts';
import { openSqliteStore } from '../../src/stores/sqlite/index.ts';
import { ALL, EVERYTHING } from '../conformance/world.ts';
import { Random } from '../engine/simulation/random.ts';
import { folderWith } from '../loader/folder.ts';
import { SEED } from '../seed.ts';
import { HOST, registryOf } from './durable-host.ts';

const REFUSED = { code: 'store-unavailable', message: expect.stringContaining('another node owns the pipelines now') };

/** One store, and the hosts that have it one after the other. */
async function succession(tasks: Record<string, TaskHandler>, hooks: Record<string, TaskHandler> = {}) {
  const real = await openSqliteStore({ file: join(folderWith(), 'sluice.db'), inProcess: true });
  let count = 0;
  let newest: LocalHost | null = null;
  let held: Promise<void> | null = null;
  const writers: number[] = [];
  const unhandled: unknown[] = [];
  const onUnhandled = (error: unknown): void => void unhandled.push(error);
  process.on('unhandledRejection', onUnhandled);
  onTestFinished(async () => {
    process.off('unhandledRejection', onUnhandled);
    await newest?.abandon();
    await real.close();
  });
  const registry = registryOf(tasks, hooks);
  return {
    /** Who has written, in this order. */
    writers,
    unhandled,
    /** The next writes are stored, and end only when this does. */
    hold: (until: Promise<void> | null) => {
      held = until;
    },
    next: async (): Promise<LocalHost> => {
      const number = count++;
      const store = new Proxy(real, {
        get: (target, name) => {
          if (name === 'write') {
            return async (writes: Parameters<Store['write']>[0]) => {
              writers.push(number);
              await target.write(writes);
              if (held !== null) await held;
            };
          }
          const value = Reflect.get(target, name);
          return typeof value === 'function' ? value.bind(target) : value;
        },
      });
      const host = createLocalHost({ ...HOST, registry, ports: systemPorts, store, keepsHistory: true });
      newest = host;
      await host.recover();
      host.goOn();
      return host;
    },
  };
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** A task that holds whoever comes, for ever; it ignores its signal but for noting the reason. */
function createTrap() {
  const reasons: unknown[] = [];
  const waiting: { count: number; resolve: () => void }[] = [];
  let held = 0;
  return {
    reasons,
    task: (_: unknown, { signal }: TaskContext): Promise<never> => {
      held++;
      for (const { count, resolve } of waiting) if (held >= count) resolve();
      signal.addEventListener('abort', () => reasons.push(signal.reason));
      return new Promise(() => undefined);
    },
    /** Resolves when it has held so many in all. */
    holds: (count: number): Promise<void> => new Promise((resolve) => (held >= count ? resolve() : waiting.push({ count, resolve }))),
  };
}

/** How a promise ends, without anybody waiting for it. */
function endOf(asked: Promise<unknown>): { is: unknown } {
  const end: { is: unknown } = { is: 'pending' };
  asked.then(
    () => {
      end.is = 'answered';
    },
    (error: unknown) => {
      end.is = error;
    },
  );
  return end;
}

/** A pipeline with whatever can be under way: retries, limits of both kinds, a hook, a full stage. */
const BUSY = {
  id: 'busy',
  limits: { shared: { concurrency: 2, limit: 40, perSeconds: 1 } },
  onDone: 'told',
  stages: [
    { name: 'A', workers: 3, tasks: [{ task: 'flaky', limiter: 'shared' }], taskWaitSeconds: 0.01, taskAttempts: 20 },
    { name: 'B', workers: 2, tasks: ['slow'], queueCapacity: 1, taskRateLimits: { slow: { limit: 30, perSeconds: 0.2 } } },
    { name: 'C', workers: 1, tasks: ['pass'] },
  ],
};

describe('an abandoned host', () => {
  it('leaves everything to the next one, fifty times in a row and in the middle of work', { timeout: 60_000 }, async () => {
    const random = new Random(SEED);
    let owner = 0;
    const begunBy: number[] = [];
    const begins = (): void => void begunBy.push(owner);
    const { next, writers, unhandled } = await succession(
      {
        flaky: (value, { attempt }: TaskContext) => {
          begins();
          if (attempt < 2 && random.chance(0.3)) throw new Error('again');
          return value;
        },
        slow: async (value) => {
          begins();
          await turn();
          return value;
        },
        pass: (value) => value,
      },
      { told: () => undefined },
    );
    const acknowledged = new Set<string>();
    for (; owner < 50; owner++) {
      const host = await next();
      if (owner === 0) await host.create(BUSY);
      const busy = host.get('busy');
      const ids = Array.from({ length: 4 }, (_, i) => `${owner}-${i}`);
      const fed = endOf(
        busy
          .feed(
            ids.map((id) => ({ id })),
            {},
          )
          .then(() => ids.map((id) => acknowledged.add(id))),
      );
      const waits = [busy.waitForItems({ itemIds: [...acknowledged].slice(0, 3), returnWhen: 'ALL_COMPLETED' }), host.list()].map(endOf);
      for (let i = random.int(0, 12); i > 0; i--) await turn();
      const had = [begunBy.length, writers.length];
      const shown = host.events.newest;
      await host.abandon();
      for (let i = 0; i < 3; i++) await turn();
      expect([begunBy.length, writers.length, host.events.newest]).toEqual([...had, shown]);
      for (const { is } of [fed, ...waits]) if (is !== 'answered') expect(is).toMatchObject(REFUSED);
    }
    const host = await next();
    expect(acknowledged.size).toBeGreaterThan(20);
    await host.get('busy').waitForItems({ itemIds: [...acknowledged], returnWhen: 'ALL_COMPLETED' });
    const { rows } = await host.get('busy').results({ ...EVERYTHING, status: 'completed' });
    expect(new Set(rows.map(({ id }) => id))).toEqual(new Set([...acknowledged, ...rows.map(({ id }) => id)]));
    const { events } = host.events.read(0, Number.MAX_SAFE_INTEGER, ALL);
    expect(events.map(({ seq }) => seq)).toEqual(events.map((_, i) => i + 1));
    expect(writers).toEqual([...writers].sort((a, b) => a - b));
    expect(unhandled).toEqual([]);
  });

  it('aborts what runs, and says why', async () => {
    const trap = createTrap();
    const { next, unhandled } = await succession({ held: trap.task });
    const host = await next();
    await host.create({ id: 'p', stages: [{ name: 'A', workers: 2, tasks: ['held'] }] });
    await host.get('p').feed([1, 2, 3], {});
    await trap.holds(2);
    await host.abandon();
    await turn();
    expect(trap.reasons).toEqual(Array(2).fill(expect.objectContaining({ name: 'AbortedError', message: REFUSED.message })));
    expect(unhandled).toEqual([]);
    const successor = await next();
    await trap.holds(4);
    expect((await successor.get('p').stats()).stageStats.A).toMatchObject({ inProgressItems: 2, pendingItems: 1 });
  });

  it('answers all who wait, and all who come, with the reason', async () => {
    const trap = createTrap();
    const { next, unhandled } = await succession({ held: trap.task });
    const host = await next();
    const stage = (name: string) => ({ name, tasks: ['held'] });
    for (const id of ['p', 'q', 'r', 's']) await host.create({ id, backlogCapacity: 1, stages: [stage('A')] });
    const p = host.get('p');
    const [q, r] = [host.get('q'), host.get('r')];
    await p.feed([{ id: 'running' }], { feedId: 'first' });
    for (const each of [q, r, host.get('s')]) await each.feed([{ id: 'running' }], {});
    await trap.holds(4);
    await p.feed([{ id: 'queued' }], {});
    const writer = await p.openFeed({ feedId: 'long' });
    const { signal } = new AbortController();
    const follow = async (): Promise<void> => {
      for await (const _ of p.followFeed('first', { status: 'all', after: 0, signal }));
    };
    const read = async (): Promise<unknown> => (await host.get('s').openRun({ waitSeconds: 10 }, [{ id: 'run' }])).read();
    const waiting = Object.entries({
      room: p.feed([{ id: 'no room' }], { waitSeconds: 60 }),
      push: writer.push([{ id: 'pushed' }]),
      run: q.run([{ id: 'with room' }], {}),
      read: read(),
      follow: follow(),
      feed: p.waitForFeed('first', { timeoutSeconds: 60, signal }),
      items: p.waitForItems({ itemIds: ['running'], returnWhen: 'ALL_COMPLETED', timeoutSeconds: 60 }),
      join: q.join(60),
      shutdown: r.shutdown('graceful', 60),
      remove: host.remove('s', 'drain'),
    }).map(([name, asked]) => [name, endOf(asked)] as const);
    for (let i = 0; i < 5; i++) await turn();
    expect(waiting.map(([name, { is }]) => [name, is])).toEqual(waiting.map(([name]) => [name, 'pending']));
    await host.abandon();
    for (let i = 0; i < 5; i++) await turn();
    for (const [name, { is }] of waiting) expect([name, is]).toMatchObject([name, REFUSED]);

    const later: Partial<Record<keyof PipelineRuntime, () => unknown>> = {
      describe: () => p.describe(),
      feed: () => p.feed([1], {}),
      openFeed: () => p.openFeed({}),
      run: () => p.run([1], {}),
      feedView: () => p.feedView('first'),
      feeds: () => p.feeds(EVERYTHING),
      cancelFeed: () => p.cancelFeed('first'),
      cancelItem: () => p.cancelItem('running'),
      pause: () => p.pause(),
      tune: () => p.tune('A', { workers: 2 }),
      stats: () => p.stats(),
      workerStates: () => p.workerStates(),
      workerMetrics: () => p.workerMetrics(),
      snapshot: () => p.snapshot(),
      history: () => p.history({ seconds: 60, points: 5 }),
      results: () => p.results({ ...EVERYTHING, status: 'all' }),
      item: () => p.item('running'),
      join: () => p.join(1),
      waitForFeed: () => p.waitForFeed('first', { timeoutSeconds: 60, signal }),
    };
    for (const [name, ask] of Object.entries(later)) {
      await expect(Promise.resolve(ask()), name).rejects.toMatchObject(REFUSED);
    }
    await expect(writer.end()).rejects.toMatchObject(REFUSED);
    for (const ask of [
      () => host.list(),
      () => host.snapshots(),
      () => host.limiters.list(),
      () => host.create({ id: 'new', stages: [stage('A')] }),
      () => host.put('p', { id: 'p', stages: [stage('B')] }),
      () => host.remove('p', 'force'),
      () => host.load({ id: 'new', stages: [stage('A')] }),
    ]) {
      await expect(ask()).rejects.toMatchObject(REFUSED);
    }
    expect(host.storeHealth.trouble).toBe('another node owns the pipelines now');
    expect(await host.shutdown('graceful', 60)).toMatchObject({ finished: 0, notKept: 0 });
    expect(unhandled).toEqual([]);
  });

  it('tells nobody of a write that was under way, and says when it has ended', async () => {
    const { next, hold, writers } = await succession({ pass: (value) => value });
    const host = await next();
    await host.create({ id: 'p', stages: [{ name: 'A', tasks: ['pass'] }] });
    const { promise, resolve } = Promise.withResolvers<void>();
    const before = [host.events.newest, host.get('p').events.newest];
    hold(promise);
    const fed = endOf(host.get('p').feed([{ id: 'x' }], {}));
    for (let i = 0; i < 3; i++) await turn();
    const written = writers.length;
    const unused = endOf(host.abandon());
    await turn();
    expect(fed.is).toMatchObject(REFUSED);
    expect(unused.is).toBe('pending');
    hold(null);
    resolve();
    for (let i = 0; i < 3; i++) await turn();
    expect(unused.is).toBe('answered');
    expect([host.events.newest, host.get('p').events.newest]).toEqual(before);
    expect(writers).toHaveLength(written);
    // It is there all the same: its client asks again, and finds it.
    const successor = await next();
    expect(await successor.get('p').feed([{ id: 'x' }], {})).toMatchObject({ accepted: 0, duplicates: 1 });
  });

  it('is not kept in memory', async () => {
    setFlagsFromString('--expose-gc');
    const gc = runInNewContext('gc') as () => void;
    const { next } = await succession(
      { flaky: (value) => value, slow: () => new Promise(() => undefined), pass: (value) => value },
      { told: () => undefined },
    );
    const refs: WeakRef<object>[] = [];
    const live = async (isFirst: boolean): Promise<void> => {
      const host = await next();
      if (isFirst) await host.create(BUSY);
      await host.get('busy').feed(
        Array.from({ length: 50 }, (_, i) => i),
        {},
      );
      await turn();
      refs.push(new WeakRef(host), new WeakRef(host.get('busy')));
      await host.abandon();
    };
    for (let i = 0; i < 5; i++) await live(i === 0);
    for (let i = 0; i < 50 && refs.slice(0, -2).some((ref) => ref.deref() !== undefined); i++) {
      await turn();
      gc();
    }
    expect(refs.slice(0, -2).filter((ref) => ref.deref() !== undefined)).toEqual([]);
  });
});
