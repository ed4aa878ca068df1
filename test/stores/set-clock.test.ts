/** A wall clock that was set while the service was down, to another hour or another week, moves neither what waits nor what is kept. */
import { describe, expect, it } from 'vitest';
import type { LocalHostOptions, TaskContext } from '../../src/engine/index.ts';
import { systemPorts } from '../../src/engine/ports.ts';
import { audit } from '../../src/stores/sqlite/audit.ts';
import { countedIds, seededRandom, VirtualClock } from '../engine/virtual-clock.ts';
import { type Life, livesOf } from './durable-host.ts';

const SECOND = 1000;
const HOUR = 3600 * SECOND;
const DAY = 24 * HOUR;
const WAIT_SECONDS = 60;

const settings: [name: string, ms: number][] = [
  ['an hour back', -HOUR],
  ['eight days ahead', 8 * DAY],
  ['forty years back', -40 * 365 * DAY],
  ['an hour ahead', HOUR],
  ['a year ahead', 365 * DAY],
];

function world(options: Partial<LocalHostOptions> = {}) {
  const clock = new VirtualClock();
  const begun: { id: string; attempt: number; at: number }[] = [];
  const flaky = (value: unknown, { itemId, attempt }: TaskContext): unknown => {
    begun.push({ id: itemId, attempt, at: clock.seconds });
    if (value === 'fails' && attempt < 3) throw new Error('again');
    return value;
  };
  const ports = { ...systemPorts, clock, random: seededRandom(1), uniqueId: countedIds() };
  const lives = livesOf({ flaky }, { ports, ...options }, (work) => clock.finish(work));
  const timesOf = (id: string): number[] => begun.filter((one) => one.id === id).map(({ at }) => at);
  return { clock, lives, timesOf };
}

const definition = { id: 'p', stages: [{ name: 'A', tasks: ['flaky'], taskWaitSeconds: WAIT_SECONDS, taskAttempts: 3 }] };

describe.each(settings)('a clock that is set by %s at a start', (_, ms) => {
  it.each(['stop', 'crash'] as const)('moves no parked retry: it waits what was left of its wait (%s)', async (how) => {
    const { clock, lives, timesOf } = world();
    let life = await lives.begin();
    await clock.finish(life.host.create(definition));
    await clock.finish(life.host.get('p').feed([{ id: 'x', value: 'fails' }], {}));
    await clock.advance(10 * SECOND);
    // What is written last tells the time.
    await clock.finish(life.host.get('p').feed([{ id: 'y', value: 'ends' }], {}));
    await clock.settle();
    const first = timesOf('x')[0] as number;
    await life[how]();
    clock.setWallBy(ms);
    life = await lives.begin();
    await clock.settle();
    expect(await clock.finish(life.host.get('p').item('x'))).toMatchObject({ status: 'retrying', attempts: 1 });
    const { waitingFor } = await clock.finish(life.host.get('p').item('x'));
    const until = Date.parse((waitingFor as { until: string }).until);
    expect(until - clock.now()).toBeCloseTo(50 * SECOND, -2);
    // Another start by the same clock changes nothing.
    await life[how]();
    life = await lives.begin();
    await clock.advance(45 * SECOND);
    expect(timesOf('x')).toHaveLength(1);
    await clock.advance(10 * SECOND);
    expect(timesOf('x')).toHaveLength(2);
    expect((timesOf('x')[1] as number) - first).toBeCloseTo(WAIT_SECONDS, 0);
    // What is parked now goes by the clock of now, which is set right again.
    await clock.advance(10 * SECOND);
    await life.stop();
    clock.setWallBy(-ms);
    life = await lives.begin();
    await clock.advance(WAIT_SECONDS * SECOND);
    expect(timesOf('x')).toHaveLength(3);
    expect(await clock.finish(life.host.get('p').item('x'))).toMatchObject({ status: 'completed' });
    await life.stop();
    expect(audit(lives.file()).faults).toEqual([]);
  });

  it('removes no result before its age, and keeps none longer', async () => {
    const { clock, lives } = world({ retentionMaxAgeSeconds: (7 * DAY) / SECOND });
    let life = await lives.begin();
    const feed = async (id: string): Promise<void> => {
      await clock.finish(life.host.get('p').feed([{ id, value: 'ends' }], {}));
      await clock.settle();
    };
    const kept = async (): Promise<string[]> => {
      const { rows } = await clock.finish(life.host.get('p').results({ status: 'completed', after: 0, limit: 100 }));
      return rows.map(({ id }) => id);
    };
    await clock.finish(life.host.create(definition));
    await feed('a');
    await clock.advance(2 * DAY);
    await feed('b');
    await life.stop();
    clock.setWallBy(ms);
    life = await lives.begin();
    await feed('c');
    expect(await kept()).toEqual(['a', 'b', 'c']);
    // Twice more, back and forth.
    for (const by of [-ms, ms]) {
      await life.stop();
      clock.setWallBy(by);
      life = await lives.begin();
      await feed(`d${by === ms}`);
      expect(await kept()).toEqual(expect.arrayContaining(['a', 'b', 'c']));
    }
    await clock.advance(4 * DAY);
    await feed('e');
    expect(await kept()).toEqual(expect.arrayContaining(['a', 'b']));
    await clock.advance(1.5 * DAY);
    await feed('f');
    expect(await kept()).toEqual(expect.not.arrayContaining(['a']));
    expect(await kept()).toEqual(expect.arrayContaining(['b', 'c']));
    await clock.advance(2 * DAY);
    await feed('g');
    expect(await kept()).toEqual(['e', 'f', 'g']);
  });
});

const ended = { id: 'p', stages: [{ name: 'A', tasks: ['flaky'] }] };

function keyed() {
  const { clock, lives } = world();
  let life: Life | undefined;
  /** Ends the life before, if there is one; the clock is set by so much until the next one. */
  const begin = async (how: 'stop' | 'crash', ms: number): Promise<void> => {
    const isFirst = life === undefined;
    await life?.[how]();
    clock.setWallBy(ms);
    life = await lives.begin();
    if (isFirst) await clock.finish(life.host.create(ended));
  };
  /** Whether a request under this key is answered as one that came before. */
  const isKnown = async (key: string): Promise<boolean> => {
    const idempotency = { key, request: 'feed', body: 'one item' };
    const receipt = await clock.finish(Promise.resolve((life as Life).host.get('p').feed([key], { idempotency })));
    await clock.settle();
    return receipt.replayed === true;
  };
  return { clock, begin, isKnown };
}

describe.each(settings)('an idempotency key, when a clock is set by %s', (_, ms) => {
  it.each(['stop', 'crash'] as const)('between two processes, is forgotten when it is a day old, and not before (%s)', async (how) => {
    const { clock, begin, isKnown } = keyed();
    await begin(how, 0);
    expect(await isKnown('first')).toBe(false);
    await clock.advance(10 * HOUR);
    expect(await isKnown('second')).toBe(false);
    // Back and forth, and once more.
    for (const by of [ms, -ms, ms]) {
      await begin(how, by);
      // Whoever is too old goes when another one comes.
      await isKnown(`with ${by}`);
      expect(await isKnown('first')).toBe(true);
      expect(await isKnown('second')).toBe(true);
    }
    await clock.advance(13 * HOUR);
    expect(await isKnown('another')).toBe(false);
    expect(await isKnown('first')).toBe(true);
    await clock.advance(2 * HOUR);
    expect(await isKnown('first')).toBe(false);
    expect(await isKnown('second')).toBe(true);
    await clock.advance(8 * HOUR);
    await isKnown('the last');
    await begin(how, 0);
    expect(await isKnown('second')).toBe(true);
    await clock.advance(2 * HOUR);
    expect(await isKnown('second')).toBe(false);
  });

  it('while the service runs, is forgotten when it is a day old, and not before', async () => {
    const { clock, begin, isKnown } = keyed();
    await begin('stop', 0);
    expect(await isKnown('first')).toBe(false);
    clock.setWallBy(ms);
    expect(await isKnown('another')).toBe(false);
    expect(await isKnown('first')).toBe(true);
    await clock.advance(23 * HOUR);
    expect(await isKnown('a third')).toBe(false);
    await begin('stop', 0);
    expect(await isKnown('first')).toBe(true);
    await clock.advance(2 * HOUR);
    expect(await isKnown('first')).toBe(false);
    expect(await isKnown('a third')).toBe(true);
  });
});

describe('a clock that goes right', () => {
  it('counts the time of a stop against waits', async () => {
    const { clock, lives, timesOf } = world();
    let life = await lives.begin();
    await clock.finish(life.host.create(definition));
    await clock.finish(life.host.get('p').feed([{ id: 'x', value: 'fails' }], {}));
    await clock.settle();
    await life.stop();
    clock.block(40 * SECOND);
    life = await lives.begin();
    await clock.advance(15 * SECOND);
    expect(timesOf('x')).toHaveLength(1);
    await clock.advance(10 * SECOND);
    expect(timesOf('x')).toHaveLength(2);
  });
});
