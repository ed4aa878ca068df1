/** What is told of the past stays as it was told: while the service runs, after a restart, and when the clock was set in between. */
import { describe, expect, it } from 'vitest';
import type { TaskContext } from '../../src/engine/index.ts';
import { type Clock, systemPorts } from '../../src/engine/ports.ts';
import { countedIds, seededRandom, VirtualClock } from '../engine/virtual-clock.ts';
import { type Life, livesOf } from './durable-host.ts';

const HOUR = 3_600_000;

/** The same clock for another process, whose monotonic time begins somewhere else, in fractions. */
function clockOfProcess(clock: VirtualClock, began: number): Clock {
  return {
    now: () => clock.now(),
    monotonic: () => clock.monotonic() - began,
    setTimer: (fn, ms) => clock.setTimer(fn, ms),
    clearTimer: (timer) => clock.clearTimer(timer as never),
    defer: (fn) => clock.defer(fn),
  };
}

function world() {
  const clock = new VirtualClock();
  const held = Promise.withResolvers<string>();
  const tasks = {
    work: (value: unknown, { attempt }: TaskContext): unknown => {
      if (value === 'again' && attempt < 3) throw new Error('again');
      if (value === 'held') return held.promise;
      if (value === 'fails') throw new Error('no');
      return value;
    },
  };
  const ports = { ...systemPorts, clock: clock as Clock, random: seededRandom(1), uniqueId: countedIds() };
  const lives = livesOf(tasks, { ports, retentionMaxAgeSeconds: 20 * 365 * 24 * 3600 }, (work) => clock.finish(work));
  return {
    clock,
    release: () => held.resolve('let go'),
    begin: (began: number) => lives.begin({ ports: { ...ports, clock: clockOfProcess(clock, began) } }),
  };
}

/** All instants of the past that can be asked for. */
async function toldOf({ host }: Life, clock: VirtualClock) {
  const runtime = host.get('p');
  const items = await clock.finish(runtime.items({ limit: 100, after: 0 } as never));
  const details = await Promise.all(items.rows.map(({ id }) => clock.finish(runtime.item(id))));
  const feeds = await clock.finish(runtime.feeds({ limit: 100, after: 0 } as never));
  return {
    listed: items.rows.map(({ id, updatedAt }) => [id, updatedAt]),
    items: details.map(({ id, acceptedAt, updatedAt, history }) => [
      id,
      acceptedAt,
      updatedAt,
      ...history.map(({ timestamp }) => timestamp),
    ]),
    feeds: feeds.rows.map(({ feedId, createdAt }) => [feedId, createdAt]),
    events: runtime.events
      .read(0, 10_000, { types: new Set(['status', 'pipeline', 'feed', 'result', 'task']) })
      .events.map(({ seq, data }) => [seq, (data as { timestamp?: string }).timestamp]),
  };
}

const settings: [name: string, ms: number][] = [
  ['is not set', 0],
  ['is set an hour ahead', HOUR],
  ['is set an hour back', -HOUR],
  ['is set right by some milliseconds', 7],
  ['is set ten years back', -10 * 365 * 24 * HOUR],
];

describe.each(settings)('when the clock %s', (_, by) => {
  async function play() {
    const { clock, begin } = world();
    const life = await begin(0.37);
    await clock.finish(life.host.create({ id: 'p', stages: [{ name: 'A', tasks: ['work'], taskWaitSeconds: 30 }] }));
    for (const id of ['ends', 'fails', 'other']) {
      await clock.finish(life.host.get('p').run([{ id, value: id }], {}));
      await clock.advance(1234.5);
    }
    return { clock, begin, life };
  }

  it('nothing that was told changes while the service runs', async () => {
    const { clock, life } = await play();
    const told = await toldOf(life, clock);
    for (let i = 0; i < 3; i++) {
      clock.setWallBy(by);
      await clock.advance(60_000.25);
      await clock.finish(life.host.get('p').run([`new ${i}`], {}));
      const now = await toldOf(life, clock);
      expect(now.items.slice(0, 3)).toEqual(told.items);
      expect(now.listed.slice(0, 3)).toEqual(told.listed);
      expect(now.feeds.slice(0, 3)).toEqual(told.feeds);
      expect(now.events.slice(0, told.events.length)).toEqual(told.events);
    }
    await life.stop();
  });

  it.each(['stop', 'crash'] as const)('nothing that was told changes with a restart (%s)', async (how) => {
    const { clock, begin, life: first } = await play();
    let life = first;
    const told = await toldOf(life, clock);
    for (let i = 1; i <= 3; i++) {
      await life[how]();
      clock.setWallBy(by);
      await clock.advance(60_000.25);
      life = await begin(1000.111 * i);
      await clock.settle();
      clock.setWallBy(-by / 2);
      await clock.advance(1000.5);
      const now = await toldOf(life, clock);
      expect(now.items).toEqual(told.items);
      expect(now.listed).toEqual(told.listed);
      expect(now.feeds).toEqual(told.feeds);
      expect(now.events.slice(0, told.events.length)).toEqual(told.events);
    }
    await life.stop();
  });
});

describe.each(settings)('when the clock %s', (_, by) => {
  it.each(['stop', 'crash'] as const)(
    'an item that waits for its turn was accepted when it was, also once it has run (%s)',
    async (how) => {
      const { clock, begin, release } = world();
      let life = await begin(0.37);
      await clock.finish(life.host.create({ id: 'p', stages: [{ name: 'A', workers: 2, tasks: ['work'] }] }));
      await clock.finish(life.host.get('p').pause());
      await clock.finish(life.host.get('p').feed([{ id: 'x', value: 'held' }], {}));
      await clock.advance(5000.5);
      const { acceptedAt } = await clock.finish(life.host.get('p').item('x'));
      for (let i = 1; i <= 2; i++) {
        await life[how]();
        clock.setWallBy(by);
        await clock.advance(1000.25);
        life = await begin(1000.111 * i);
        clock.setWallBy(-by / 2);
        await clock.advance(1000.5);
      }
      await clock.finish(life.host.get('p').resume());
      await clock.finish(life.host.get('p').run(['another'], {}));
      clock.setWallBy(-by / 4);
      await clock.advance(1000.5);
      await clock.finish(life.host.get('p').run(['another'], {}));
      expect(await clock.finish(life.host.get('p').item('x'))).toMatchObject({ status: 'in_progress', acceptedAt });
      release();
      await clock.advance(1000.5);
      expect(await clock.finish(life.host.get('p').item('x'))).toMatchObject({ status: 'completed', acceptedAt });
      await life.stop();
    },
  );
});

it('an item that waits for its next attempt is told with one instant in lists, events, alone and after a restart', async () => {
  const { clock, begin } = world();
  let life = await begin(0.37);
  await clock.finish(life.host.create({ id: 'p', stages: [{ name: 'A', tasks: ['work'], taskWaitSeconds: 3000, taskAttempts: 3 }] }));
  await clock.advance(99.9);
  await clock.finish(life.host.get('p').feed([{ id: 'x', value: 'again' }], {}));
  await clock.advance(5000.1);
  const item = async () => clock.finish(life.host.get('p').item('x'));
  const first = await item();
  expect(first).toMatchObject({ status: 'retrying', updatedAt: first.history.at(-1)?.timestamp });
  for (let i = 1; i <= 3; i++) {
    await life.stop();
    await clock.advance(60_000.25);
    life = await begin(777.7 * i);
    expect(await item()).toMatchObject({
      status: 'retrying',
      updatedAt: first.updatedAt,
      waitingFor: first.waitingFor,
      acceptedAt: first.acceptedAt,
    });
  }
  await life.stop();
});
