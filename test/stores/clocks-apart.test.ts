/** Hosts that have one store one after the other, on machines whose clocks are apart: no instant goes back, and nothing waits for the difference. */
import { describe, expect, it } from 'vitest';
import type { TaskContext } from '../../src/engine/index.ts';
import { systemPorts } from '../../src/engine/ports.ts';
import { HostClock } from '../../src/engine/time/host-clock.ts';
import { ALL, EVERYTHING } from '../conformance/world.ts';
import { Random } from '../engine/simulation/random.ts';
import { countedIds, VirtualClock } from '../engine/virtual-clock.ts';
import { SEED } from '../seed.ts';
import { type Life, livesOf } from './durable-host.ts';

const SECOND = 1000;
const WAIT_SECONDS = 30;
const WINDOW_SECONDS = 20;

const DEFINITION = {
  id: 'p',
  limits: { shared: { limit: 1, perSeconds: WINDOW_SECONDS } },
  stages: [
    { name: 'A', workers: 4, tasks: ['flaky'], taskWaitSeconds: WAIT_SECONDS, taskAttempts: 3 },
    { name: 'B', workers: 4, tasks: [{ task: 'limited', limiter: 'shared' }] },
  ],
};

async function simulate(seed: number) {
  const random = new Random(seed);
  const clock = new VirtualClock();
  const begun = new Map<string, number[]>();
  const limited: { at: number; life: number }[] = [];
  let life = 0;
  const flaky = (value: unknown, { itemId, attempt }: TaskContext): unknown => {
    begun.set(itemId, [...(begun.get(itemId) ?? []), clock.seconds]);
    if (value === 'fails' && attempt < 3) throw new Error('again');
    return value;
  };
  const limitedTask = (value: unknown): unknown => {
    limited.push({ at: clock.seconds, life });
    return value;
  };
  const ports = { ...systemPorts, clock, random: random.fork().next, uniqueId: countedIds(`s${seed}-`) };
  const lives = livesOf({ flaky, limited: limitedTask }, { ports }, (work) => clock.finish(work));
  let current: Life = await lives.begin();
  await clock.finish(current.host.create(DEFINITION));
  /** By how far the clock of this life is ahead of the true one, and the seconds in which nobody worked so far. */
  let apart = 0;
  let down = 0;
  for (; life < 6; life++) {
    for (let i = random.int(1, 3); i > 0; i--) {
      await clock.finish(current.host.get('p').feed([{ id: `${life}-${i}`, value: random.pick(['fails', 'ends']) }], {}));
      await clock.advance(random.int(0, 15 * SECOND));
    }
    await current[random.pick(['crash', 'stop'] as const)]();
    const next = random.int(-120, 120) * SECOND;
    clock.setWallBy(next - apart);
    apart = next;
    const stop = random.int(0, 8);
    clock.block(stop * SECOND);
    down += stop;
    current = await lives.begin();
  }
  await clock.advance(1000 * SECOND);
  return { host: current.host, clock, begun, limited, down };
}

describe('a store that goes from one machine to another whose clock is up to two minutes apart', () => {
  it.each([1, 2].map((n) => SEED + n))('tells no instant that is before an earlier one, with seed %i', async (seed) => {
    const { host, clock, begun, down } = await simulate(seed);
    const p = host.get('p');
    const { events } = p.events.read(0, Number.MAX_SAFE_INTEGER, ALL, { characters: Number.MAX_SAFE_INTEGER });
    const told = events.flatMap(({ data }) => ('timestamp' in data ? [data.timestamp] : []));
    expect(told.length).toBeGreaterThan(50);
    expect(told).toEqual([...told].sort());
    const feeds = await clock.finish(p.feeds(EVERYTHING));
    expect(feeds.rows.map(({ createdAt }) => createdAt)).toEqual(feeds.rows.map(({ createdAt }) => createdAt).sort());
    const items = await clock.finish(p.items(EVERYTHING));
    const ended = new Map(events.flatMap(({ type, data }) => (type === 'status' && data.final ? [[data.itemId, data.timestamp]] : [])));
    for (const { id, status, updatedAt } of items.rows) expect([status, updatedAt]).toEqual(['completed', ended.get(id)]);
    // While nobody worked, or the clock stood still for the next one, no wait can be over; beyond that none is late.
    for (const at of begun.values()) {
      for (const [i, again] of at.slice(1).entries()) expect(again - (at[i] as number)).toBeLessThanOrEqual(WAIT_SECONDS + down + 1);
    }
  });

  it('starts no execution too soon in a window when the next clock is behind', async () => {
    const clock = new VirtualClock();
    const at: number[] = [];
    const ports = { ...systemPorts, clock, uniqueId: countedIds('s-') };
    const limited = (value: unknown): unknown => {
      at.push(clock.seconds);
      return value;
    };
    const lives = livesOf({ flaky: (value) => value, limited }, { ports }, (work) => clock.finish(work));
    let life = await lives.begin();
    await clock.finish(life.host.create(DEFINITION));
    for (const behind of [-5, -90, -5]) {
      await clock.finish(life.host.get('p').feed([{ id: `${behind}${at.length}` }, { id: `${behind}${at.length}x` }], {}));
      await clock.advance(3 * SECOND);
      await life.crash();
      clock.setWallBy(behind * SECOND);
      clock.block(2 * SECOND);
      life = await lives.begin();
    }
    await clock.advance(1000 * SECOND);
    expect(at).toHaveLength(6);
    for (const [i, next] of at.slice(1).entries()) expect(next - (at[i] as number)).toBeGreaterThanOrEqual(WINDOW_SECONDS - 0.001);
  });
});

describe('the clock of a host', () => {
  it('goes on from the last write, at the pace of its machine', () => {
    const own = new VirtualClock();
    const clock = new HostClock(own);
    const last = own.now() + 5 * SECOND;
    clock.startAfter(last);
    expect(clock.now()).toBe(last);
    own.block(700);
    expect(clock.now()).toBe(last + 700);
  });

  it('is that of its machine when that is ahead, or the other was set wrong', () => {
    const own = new VirtualClock();
    const clock = new HostClock(own);
    for (const instant of [0, own.now() - 1, own.now() + 3_600 * SECOND]) {
      clock.startAfter(instant);
      expect(clock.now()).toBe(own.now());
    }
  });
});
