/** After a process that ran what is not stored, nothing is called before it is stored as what runs: so who ends the process is counted. */
import Database from 'better-sqlite3';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createTaskRegistry, type LocalHostOptions, type PipelineRuntime, type TaskContext } from '../../src/engine/index.ts';
import { silentLogger, systemPorts } from '../../src/engine/ports.ts';
import type { Store } from '../../src/engine/store.ts';
import type { StageDefinitionInput } from '../../src/schemas/definition.ts';
import { named } from '../conformance/world.ts';
import { countedIds, VirtualClock } from '../engine/virtual-clock.ts';
import { type Life, livesOf } from './durable-host.ts';

const QUEUED = 0;
const IN_PROGRESS = 1;
/** As its three calls find it: unknown, then stored with care, then known from the start, so that its mark tells that it runs. */
const FOUND = [null, IN_PROGRESS, QUEUED];
/** More lives than any test needs: an item that is not counted ends them all. */
const LIVES_MAX = 40;

/** `stage` is empty for the predicate. */
type Kills = (context: Pick<TaskContext, 'itemId' | 'stage' | 'attempt'>) => boolean;

/** A service that an item ends in the middle of its task, before anything else of that turn is done. */
function mortal(kills: Kills, options: Partial<LocalHostOptions> = {}, disk: (store: Store) => Store = (store) => store) {
  const clock = new VirtualClock();
  const warnings: string[] = [];
  let life: Life | null = null;
  let dying: Promise<void> | null = null;
  /** What each call found in the store, as `id:status`; null for an item that it does not know. */
  const calls: { id: string; stored: number | null; life: number }[] = [];
  let lived = 0;
  const called = (value: unknown, context: Parameters<Kills>[0]): unknown => {
    if (dying !== null) return new Promise(() => undefined);
    calls.push({ id: context.itemId, stored: storedStatus(lives.file(), context.itemId), life: lived });
    if (!kills(context)) return value;
    dying = (life as Life).crash();
    return new Promise(() => undefined);
  };
  const logger = { ...silentLogger, warn: (_fields: object, message: string) => void warnings.push(message) };
  const ports = { ...systemPorts, clock, logger, uniqueId: countedIds() };
  const declared = { description: '', paramsSchema: null, parseParams: (given: unknown) => given };
  const registry = createTaskRegistry([
    { ...declared, kind: 'task', name: 'work', run: called },
    { ...declared, kind: 'predicate', name: 'odd', run: (_value, { itemId }) => called(false, { itemId, stage: '', attempt: 0 }) },
  ]);
  const lives = livesOf({}, { ports, registry, maxDeliveries: 2, ...options }, (asked) => clock.finish(asked), disk);
  const stages = (stage: Partial<StageDefinitionInput> = {}): StageDefinitionInput[] => [
    { name: 'A', tasks: ['work'], taskAttempts: 1, ...stage },
  ];
  return {
    ...{ clock, calls, warnings, stages },
    begin: async (): Promise<Life> => {
      lived++;
      dying = null;
      return lives.begin({}, [], (_host, begun) => {
        life = begun;
      });
    },
    /** Lets everything happen; true when the process has ended by that. */
    hasDied: async (ms = 0): Promise<boolean> => {
      await clock.settle();
      if (dying === null) await clock.advance(ms);
      if (dying === null) return false;
      await dying;
      return true;
    },
    number: () => lived,
  };
}

function storedStatus(file: string, id: string): number | null {
  const db = new Database(file, { readonly: true });
  try {
    return (db.prepare('SELECT status FROM items WHERE id = ?').get(id) as { status: number } | undefined)?.status ?? null;
  } finally {
    db.close();
  }
}

type Mortal = ReturnType<typeof mortal>;

/** Has `ask` carried out in each life, as a client that was never answered does, until one does not end by it. Returns how many did. */
async function untilItLives(
  world: Mortal,
  ask: (p: PipelineRuntime) => Promise<unknown>,
  ms?: number,
): Promise<{ crashes: number; p: PipelineRuntime }> {
  for (let crashes = 0; crashes < LIVES_MAX; crashes++) {
    const { host } = await world.begin();
    if (!(await world.hasDied(ms))) {
      void ask(host.get('p')).catch(() => undefined);
      if (!(await world.hasDied(ms))) return { crashes, p: host.get('p') };
    }
  }
  return expect.fail(`it ended ${LIVES_MAX} lives`);
}

async function created(world: Mortal, stage?: Partial<StageDefinitionInput>): Promise<Life> {
  const life = await world.begin();
  await world.clock.finish(life.host.create({ id: 'p', stages: world.stages(stage) }));
  return life;
}

describe('an item that ends the process in the turn in which it is fed', () => {
  it.each([
    ['its id', (p: PipelineRuntime) => p.feed(named('bad'), {})],
    ['its Idempotency-Key', (p: PipelineRuntime) => p.feed(named('bad'), { idempotency: { key: 'k', request: 'feed', body: 'b' } })],
    ['a run of its id', (p: PipelineRuntime) => p.run(named('bad'), {})],
  ])('does so once more than others do, though the client comes again with %s', async (_how, ask) => {
    const world = mortal(({ itemId }) => itemId === 'bad');
    const first = await created(world);
    await first.stop();
    const { crashes, p } = await untilItLives(world, ask);
    expect(crashes).toBe(3);
    expect(world.calls.map(({ stored }) => stored)).toEqual(FOUND);
    expect(await world.clock.finish(p.item('bad'))).toMatchObject({ status: 'failed', error: { type: 'PoisonItem' } });
  });

  it('takes nobody with it who was beside it or comes after it', async () => {
    const world = mortal(({ itemId }) => itemId === 'bad', { maxDeliveries: 3 });
    const first = await created(world, { workers: 3 });
    await first.stop();
    const ids = ['a', 'b', 'bad', 'c', 'd'];
    const { crashes, p } = await untilItLives(world, (p) => p.feed(named(...ids), {}));
    expect(crashes).toBeLessThanOrEqual(4);
    const statuses = await Promise.all(ids.map(async (id) => (await world.clock.finish(p.item(id))).status));
    expect(statuses).toEqual(['completed', 'completed', 'failed', 'completed', 'completed']);
  });

  it('is counted too when it does so in its predicate, before any task', async () => {
    const world = mortal(({ stage }) => stage === '');
    const first = await created(world, { skipIf: 'odd' });
    await first.stop();
    const { crashes } = await untilItLives(world, (p) => p.feed(named('bad'), {}));
    expect(crashes).toBe(3);
    expect(world.calls.map(({ stored }) => stored)).toEqual(FOUND);
  });

  it('is counted too when its pipeline was not stored either', async () => {
    const world = mortal(({ itemId }) => itemId === 'bad');
    let crashes = 0;
    for (; crashes < LIVES_MAX; crashes++) {
      const { host } = await world.begin();
      if (await world.hasDied()) continue;
      void host.create({ id: 'p', stages: world.stages() }).catch(() => undefined);
      void host
        .get('p')
        .feed(named('bad'), {})
        .catch(() => undefined);
      if (!(await world.hasDied())) break;
    }
    expect(crashes).toBe(3);
    expect(world.calls.map(({ stored }) => stored)).toEqual(FOUND);
  });
});

describe('an item that ends the process as it begins anew', () => {
  it('after a wait for its next attempt, is counted from the second time on', async () => {
    const world = mortal(({ attempt }) => {
      if (attempt === 1) throw new Error('not yet');
      return true;
    });
    const first = await created(world, { taskAttempts: 2, taskWaitSeconds: 1 });
    await world.clock.finish(first.host.get('p').feed(named('bad'), {}));
    expect(await world.hasDied(1000)).toBe(true);
    const { crashes, p } = await untilItLives(world, async () => undefined, 1000);
    expect(crashes).toBe(2);
    expect(await world.clock.finish(p.item('bad'))).toMatchObject({ status: 'failed', error: { type: 'PoisonItem' } });
  });

  it('when it is retried after its end, is counted from the second time on', async () => {
    const world = mortal(() => {
      if (world.number() > 1) return true;
      throw new Error('no');
    });
    const first = await created(world);
    await world.clock.finish(first.host.get('p').feed(named('bad'), {}));
    await world.clock.settle();
    await first.stop();
    const { crashes, p } = await untilItLives(world, async (p) => {
      if ((await p.item('bad')).error?.type !== 'PoisonItem') await p.retryItem('bad');
    });
    expect(crashes).toBe(3);
    expect(await world.clock.finish(p.item('bad'))).toMatchObject({ status: 'failed', error: { type: 'PoisonItem' } });
  });
});

describe('care', () => {
  const WARNING = 'the process before ran items that are not stored as such; for ten minutes no task is called before its item is stored';
  const uncertain = (store: Store): Store => new Proxy(store, { get: (of, name) => (name === 'isUncertain' ? true : bound(of, name)) });
  const bound = (of: object, name: string | symbol): unknown => {
    const value = Reflect.get(of, name);
    return typeof value === 'function' ? value.bind(of) : value;
  };
  const feed = async (world: Mortal, { host }: Life, id: string): Promise<number | null | undefined> => {
    await world.clock.finish(host.get('p').feed(named(id), {}));
    await world.clock.settle();
    return world.calls.findLast((call) => call.id === id)?.stored;
  };

  it('is taken for ten minutes, and costs nothing before and after', async () => {
    const world = mortal(({ itemId }) => itemId === 'bad');
    const first = await created(world);
    expect(await feed(world, first, 'before')).toBeNull();
    void first.host.get('p').feed(named('bad'), {});
    expect(await world.hasDied()).toBe(true);
    const second = await world.begin();
    expect(world.warnings.filter((message) => message === WARNING)).toHaveLength(1);
    expect(await feed(world, second, 'at once')).toBe(IN_PROGRESS);
    await world.clock.advance(599_000);
    expect(await feed(world, second, 'later')).toBe(IN_PROGRESS);
    await world.clock.advance(1000);
    expect(await feed(world, second, 'after')).toBeNull();
  });

  it('is not taken after a stop, nor after a crash in which all that ran was stored', async () => {
    const world = mortal(() => false);
    const first = await created(world);
    await feed(world, first, 'a');
    await first.stop();
    const second = await world.begin();
    expect(await feed(world, second, 'b')).toBeNull();
    await second.crash();
    const third = await world.begin();
    expect(await feed(world, third, 'c')).toBeNull();
    expect(world.warnings).not.toContain(WARNING);
  });

  it('is taken when the store says that its past is uncertain', async () => {
    const world = mortal(() => false, {}, uncertain);
    const life = await created(world);
    expect(await feed(world, life, 'a')).toBe(IN_PROGRESS);
    expect(world.warnings).toContain(WARNING);
  });

  it('holds what is cancelled, taken back or moved meanwhile no longer, and begins nothing that is not stored', async () => {
    const world = mortal(() => false, {}, uncertain);
    const { host } = await created(world, { workers: 2 });
    const p = host.get('p');
    const fed = p.feed(named('cancelled', 'kept', 'queued'), {});
    const asked = [
      p.cancelItem('cancelled'),
      p.pauseStage('A'),
      p.resumeStage('A'),
      host.put('p', { stages: world.stages({ name: 'B' }) }),
    ];
    await world.clock.finish(Promise.all([fed, ...asked]));
    await world.clock.settle();
    expect(world.calls.map(({ id, stored }) => [id, stored])).toEqual([
      ['kept', IN_PROGRESS],
      ['queued', IN_PROGRESS],
    ]);
    const statuses = await Promise.all(['cancelled', 'kept', 'queued'].map(async (id) => (await world.clock.finish(p.item(id))).status));
    expect(statuses).toEqual(['cancelled', 'completed', 'completed']);
  });
});

describe('any items, of which some end the process in any of their calls, fed until they are acknowledged', () => {
  it('end, those that kill by PoisonItem and the others well, after so many crashes as they may count', { timeout: 60_000 }, async () => {
    const itemOf = fc.record({ kills: fc.constantFrom('never', 'never', 'A', 'B'), attempt: fc.integer({ min: 1, max: 2 }) });
    await fc.assert(
      fc.asyncProperty(
        fc.array(itemOf, { minLength: 1, maxLength: 5 }),
        fc.record({
          workers: fc.integer({ min: 1, max: 3 }),
          maxDeliveries: fc.integer({ min: 1, max: 3 }),
          retry: fc.constantFrom('per_task', 'per_stage'),
        }),
        async (items, { workers, maxDeliveries, retry }) => {
          const planOf = (id: string) => items[Number(id.slice(1))] as (typeof items)[number];
          const world = mortal(
            ({ itemId, stage, attempt }) => {
              const { kills, attempt: when } = planOf(itemId);
              if (kills !== stage) return false;
              if (attempt < when) throw new Error('not yet');
              return true;
            },
            { maxDeliveries },
          );
          const stage = { workers, retry, taskAttempts: 2, stageAttempts: 2, taskWaitSeconds: 0.01 } as const;
          const first = await world.begin();
          await world.clock.finish(
            first.host.create({ id: 'p', stages: [...world.stages(stage), ...world.stages({ ...stage, name: 'B' })] }),
          );
          await first.stop();
          const ids = items.map((_, i) => `i${i}`);
          const { crashes, p } = await untilItLives(world, (p) => p.feed(named(...ids), {}), 1000);
          const killers = items.filter(({ kills }) => kills !== 'never').length;
          // Each is counted `maxDeliveries` times, twice as often beside others, and twice it was not known that it ran: fed, and begun anew.
          expect(crashes).toBeLessThanOrEqual(killers * (2 * maxDeliveries + 2));
          for (const id of ids) {
            const { status, error } = await world.clock.finish(p.item(id));
            expect([id, status, error?.type]).toEqual([
              id,
              ...(planOf(id).kills === 'never' ? ['completed', undefined] : ['failed', 'PoisonItem']),
            ]);
          }
        },
      ),
      { numRuns: 8 },
    );
  });
});
