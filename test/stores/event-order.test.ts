/**
 * The events of all pipelines, read by several readers while items move in random pipelines, pipelines come and go, and processes crash and stop at any
 * write: a reader that comes back with its last id gets what it has not seen, once, in the order in which all others see it.
 *
 *     ORDER_SEED=7 npx vitest run test/stores/event-order.test.ts      replays one seed
 *     ORDER_SEEDS=1000 npx vitest run …                                runs so many
 */
import Database from 'better-sqlite3';
import { describe, expect, it } from 'vitest';
import type { EventFilter, SluiceEvent } from '../../src/engine/index.ts';
import { systemPorts } from '../../src/engine/ports.ts';
import type { Store } from '../../src/engine/store.ts';
import { ALL } from '../conformance/world.ts';
import { Random } from '../engine/simulation/random.ts';
import { countedIds, VirtualClock } from '../engine/virtual-clock.ts';
import { type Life, livesOf } from './durable-host.ts';

const only = process.env.ORDER_SEED;
const seeds = only === undefined ? Array.from({ length: Number(process.env.ORDER_SEEDS ?? 3) }, (_, i) => i + 1) : [Number(only)];

const MOVES = { feed: 12, advance: 12, read: 16, create: 2, remove: 2, crash: 3, crashInWrite: 3, stop: 2 };
const MOVES_MADE = 50;
const PIPELINES = ['a', 'b', 'c', 'd'];
const NO_BOUND = { characters: Number.MAX_SAFE_INTEGER };

/** A client: it knows the id of the last event that it was sent, and nothing else. */
class Reader {
  cursor = 0;
  line = '';
  readonly seen: [seq: number, text: string][] = [];
  gaps = 0;
  readonly filter: EventFilter;

  constructor(filter: EventFilter) {
    this.filter = filter;
  }

  /** As http/sse does it. */
  read({ events }: Life['host'], scan: number): void {
    if (this.line === '') this.line = events.lines.current;
    expect(events.lines.current).toBe(this.line);
    expect(this.cursor).toBeLessThanOrEqual(events.newest);
    if (this.cursor + 1 < events.oldest) {
      this.gaps++;
      this.cursor = events.oldest - 1;
    }
    const page = events.read(this.cursor, scan, this.filter, { ...NO_BOUND });
    for (const event of page.events) this.seen.push([event.seq, textOf(event)]);
    this.cursor = page.cursor;
  }
}

function textOf({ seq: _, ...event }: SluiceEvent): string {
  return JSON.stringify(event);
}

class World {
  readonly random: Random;
  readonly clock = new VirtualClock();
  readonly lives;
  life!: Life;
  readonly readers = [
    new Reader(ALL),
    new Reader(ALL),
    new Reader({ ...ALL, pipelineId: new Set(['b']) }),
    new Reader({ ...ALL, pipelineId: new Set(['a', 'c']) }),
  ];
  private readonly removes: boolean;
  private heldWrite = Promise.withResolvers<void>();
  private holds = false;

  constructor(seed: number, { eventsKept = 50_000, removes = false }) {
    this.removes = removes;
    this.random = new Random(seed);
    const ports = { ...systemPorts, clock: this.clock, random: this.random.fork().next, uniqueId: countedIds(`s${seed}-`) };
    this.lives = livesOf(
      { step: (value) => (this.random.chance(0.3) ? new Promise((done) => this.clock.setTimer(() => done(value), 5)) : value) },
      { ports, eventsKept },
      (work) => this.clock.finish(work),
      (store) => this.holding(store),
    );
  }

  /** A store whose process may end when a write is in the file, and before anybody has heard so. */
  private holding(store: Store): Store {
    return new Proxy(store, {
      get: (target, name) => {
        if (name === 'write') {
          return async (writes: Parameters<Store['write']>[0]) => {
            await target.write(writes);
            if (this.holds) await this.heldWrite.promise;
          };
        }
        const value = Reflect.get(target, name);
        return typeof value === 'function' ? value.bind(target) : value;
      },
    });
  }

  async begin(): Promise<void> {
    this.life = await this.lives.begin();
  }

  ids(): Promise<string[]> {
    return this.clock.finish(this.life.host.list()).then((all) => all.map(({ definition }) => definition.id));
  }

  async create(id: string): Promise<void> {
    await this.clock.finish(this.life.host.create({ id, stages: [{ name: 'A', workers: 2, tasks: ['step'] }] }));
  }

  async move(): Promise<void> {
    const { random, clock, life } = this;
    const ids = await this.ids();
    const id = random.pick(PIPELINES);
    const has = ids.includes(id);
    switch (random.weighted(MOVES)) {
      case 'feed':
        if (has)
          void life.host
            .get(id)
            .feed(
              Array.from({ length: random.int(1, 6) }, (_, i) => i),
              {},
            )
            .catch(() => undefined);
        if (random.chance(0.5)) await clock.settle();
        return;
      case 'advance':
        return clock.advance(random.int(1, 12));
      case 'read':
        random.pick(this.readers).read(life.host, random.int(1, 40));
        return;
      case 'create':
        if (!has) await this.create(id);
        return;
      case 'remove':
        if (!has || !this.removes || !random.chance(0.3)) return;
        return clock.finish(life.host.remove(id, 'force'));
      case 'crashInWrite':
        this.holds = true;
        if (has)
          void life.host
            .get(id)
            .feed(['x', 'y'], {})
            .catch(() => undefined);
        await clock.settle();
        await this.end('crash');
        return;
      case 'crash':
        return this.end('crash');
      case 'stop':
        return this.end('stop');
    }
  }

  private async end(how: 'crash' | 'stop'): Promise<void> {
    const ended = this.life[how]();
    this.holds = false;
    this.heldWrite.resolve();
    this.heldWrite = Promise.withResolvers();
    await ended;
    await this.begin();
  }
}

async function simulate(seed: number, options: { eventsKept?: number; removes?: boolean }): Promise<World> {
  const world = new World(seed, options);
  await world.begin();
  for (const id of ['a', 'b']) await world.create(id);
  for (let i = 0; i < MOVES_MADE; i++) await world.move();
  await world.clock.advance(1000);
  for (const reader of world.readers) while (reader.cursor < world.life.host.events.newest) reader.read(world.life.host, 50);
  return world;
}

/** Each reader has seen what its filter lets through of the one order, from its last gap on without a hole. */
function check({ readers }: World): void {
  const order = new Map<number, string>();
  for (const [seq, text] of readers.flatMap(({ seen }) => seen)) {
    expect(text).toBe(order.get(seq) ?? text);
    order.set(seq, text);
  }
  for (const { seen } of readers) for (const [i, [seq]] of seen.slice(1).entries()) expect(seq).toBeGreaterThan(seen[i]?.[0] as number);
}

describe('the common order of events', () => {
  it('begins anew, with other ids, after a version that kept none has written events', async () => {
    const lives = livesOf({ step: (value) => value });
    let life = await lives.begin();
    for (const id of ['a', 'b']) await life.host.create({ id, stages: [{ name: 'A', tasks: ['step'] }] });
    const { lines, newest } = life.host.events;
    expect(newest).toBeGreaterThan(0);
    await life.stop();
    const db = new Database(lives.file());
    db.prepare("UPDATE facts SET json = json_remove(json, '$.areOrdered') WHERE name = 'counters' AND pipeline = 2").run();
    db.close();
    life = await lives.begin();
    expect(life.host.events.lines.has(lines.current, 1)).toBe(false);
    const begun = life.host.events.newest;
    expect(begun).toBeLessThan(newest);
    await life.host.get('b').run([{ id: 'x' }], {});
    const told = life.host.events.read(begun, 100, ALL).events;
    expect(told.map(({ seq }) => seq)).toEqual(told.map((_, i) => begun + i + 1));
    const { lines: second, newest: last } = life.host.events;
    await life.stop();
    life = await lives.begin();
    expect(life.host.events.lines.current).toBe(second.current);
    expect(life.host.events.newest).toBeGreaterThanOrEqual(last);
  });

  it.each(seeds)('is one for all readers, over crashes and stops, with seed %i', async (seed) => {
    const world = await simulate(seed, {});
    check(world);
    const [first, second, b, others] = world.readers as [Reader, Reader, Reader, Reader];
    for (const { gaps } of world.readers) expect(gaps).toBe(0);
    expect(first.seen.map(([seq]) => seq)).toEqual(first.seen.map((_, i) => i + 1));
    expect(second.seen).toEqual(first.seen);
    const of = (ids: string[]) => first.seen.filter(([, text]) => ids.includes(JSON.parse(text).data.pipelineId));
    expect(b.seen).toEqual(of(['b']));
    expect(others.seen).toEqual(of(['a', 'c']));
    const { host } = world.life;
    for (const id of await world.ids()) {
      const own = host.get(id).events.read(0, Number.MAX_SAFE_INTEGER, ALL, { ...NO_BOUND }).events;
      const told = own.map(({ type, data }) => JSON.stringify({ type, data: { pipelineId: id, ...data } }));
      expect(of([id]).map(([, text]) => text)).toEqual(told);
    }
  });

  it.each(seeds)('is one also where pipelines come and go, with gaps and without repeats, with seed %i', async (seed) => {
    check(await simulate(seed, { removes: true }));
  });

  it.each(seeds)('has no hole where events are no longer kept, but one gap, with seed %i', async (seed) => {
    check(await simulate(seed, { eventsKept: 64, removes: seed % 2 === 0 }));
  });
});
