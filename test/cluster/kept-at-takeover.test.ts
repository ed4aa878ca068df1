/** Beside pipelines and items, whoever owns next has what is kept for all of them together. Each life is that of a node which is drawn anew. */
import { describe, expect, it } from 'vitest';
import { systemPorts } from '../../src/engine/ports.ts';
import { ALL } from '../conformance/world.ts';
import { Random } from '../engine/simulation/random.ts';
import { countedIds, seededRandom, VirtualClock } from '../engine/virtual-clock.ts';
import type { Life } from '../stores/durable-host.ts';
import { replicatedLives } from './replicated-lives.ts';

const TAKEOVERS = 4;
const FILES = { api: { limit: 10, perSeconds: 600 }, other: { limit: 5, perSeconds: 60 } };

function world() {
  const clock = new VirtualClock();
  const starts: unknown[] = [];
  const ports = { ...systemPorts, clock, random: seededRandom(1), uniqueId: countedIds() };
  const lives = replicatedLives(new Random(1))({ call: (value) => void starts.push(value) }, { ports }, (work) => clock.finish(work));
  const begin = async (): Promise<Life> => {
    const life = await lives.begin({}, [], (host) => {
      for (const [name, settings] of Object.entries(FILES)) host.limiters.define(name, settings);
    });
    await clock.settle();
    return life;
  };
  return { clock, starts, begin };
}

describe.each(['stop', 'crash'] as const)('a takeover (%s)', (how) => {
  it('keeps the windows of limiters, and what was changed of them by hand', async () => {
    const { clock, starts, begin } = world();
    let life = await begin();
    const stages = [{ name: 'S', workers: 30, tasks: [{ task: 'call', limiter: 'api' }] }];
    await clock.finish(life.host.create({ id: 'p', stages }));
    const changed = await clock.finish(life.host.limiters.change('other', { limit: 2 }));
    await clock.finish(life.host.get('p').feed(Array.from({ length: 25 }, (_, n) => ({ n })) as never, {}));
    await clock.settle();
    expect(starts).toHaveLength(10);
    for (let i = 0; i < TAKEOVERS; i++) {
      await life[how]();
      life = await begin();
      const limiters = await life.host.limiters.list();
      expect(limiters.find(({ name }) => name === 'api')).toMatchObject({ usedInWindow: 10, inUse: 0 });
      expect(limiters.find(({ name }) => name === 'other')).toMatchObject({ settings: changed.settings, defined: FILES.other });
    }
    expect(starts).toHaveLength(10);
  });

  it('keeps the ids of the events of all pipelines', async () => {
    const { clock, begin } = world();
    let life = await begin();
    let told: string[] = [];
    for (let i = 0; i < TAKEOVERS; i++) {
      await clock.finish(life.host.create({ id: `p${i}`, stages: [{ name: 'S', tasks: ['call'] }] }));
      await clock.finish(life.host.get(`p${i}`).feed([1, 2, 3], {}));
      await clock.finish(life.host.get(`p${i}`).join());
      const { events } = life.host;
      const page = events.read(0, events.newest, ALL, { characters: Number.MAX_SAFE_INTEGER }).events;
      const now = page.map((event) => `${events.lines.idOf(event.seq)} ${event.type}`);
      expect(now.slice(0, told.length)).toEqual(told);
      expect(now.length).toBeGreaterThan(told.length);
      told = now;
      await life[how]();
      life = await begin();
      const { lines } = life.host.events;
      expect(told.map((_, n) => lines.idOf(n + 1))).toEqual(told.map((event) => event.split(' ')[0]));
      expect(life.host.events.newest).toBeGreaterThanOrEqual(told.length);
    }
  });
});
