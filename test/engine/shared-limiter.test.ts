import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { SharedPass } from '../../src/engine/limits/gate.ts';
import { SharedLimiter } from '../../src/engine/limits/shared-limiter.ts';
import { silentLogger } from '../../src/engine/ports.ts';
import { DueQueue } from '../../src/engine/time/due-queue.ts';
import type { LimiterSettings } from '../../src/schemas/limiter.ts';
import { expressionLanguage } from '../../tasks/index.ts';
import { seededRandom, VirtualClock } from './virtual-clock.ts';

interface Let {
  id: string;
  at: number;
  weight: number;
  key: unknown;
}

function world(settings: LimiterSettings) {
  const clock = new VirtualClock();
  const logged: object[] = [];
  const limiter = new SharedLimiter('l', settings, {
    clock,
    random: seededRandom(3),
    logger: { ...silentLogger, warn: (fields: object) => void logged.push(fields) },
    dues: new DueQueue(clock),
    expressions: clock.awaiting(expressionLanguage),
  });
  const gone: Let[] = [];
  const passes = new Map<string, SharedPass>();
  const claim = (
    id: string,
    value: { weight?: unknown; key?: unknown } = {},
    priority = 100,
    signal = new AbortController().signal,
    isLast = true,
  ) =>
    limiter.claim({ value, metadata: {}, priority }, signal, isLast).pass.then((pass) => {
      passes.set(id, pass);
      gone.push({ id, at: clock.seconds, weight: (value.weight as number | undefined) ?? 1, key: value.key });
    });
  const release = (id: string) => passes.get(id)?.release();
  const view = () => limiter.view((at) => `${(at - 1000) / 1000}`);
  return { clock, limiter, gone, claim, release, passes, view, logged, ids: () => gone.map(({ id }) => id) };
}

describe('a concurrency', () => {
  it('lets so many go, the next by priority when one has ended', async () => {
    const { clock, claim, release, ids, view } = world({ concurrency: 2 });
    for (const [id, priority] of [
      ['a', 5],
      ['b', 5],
      ['c', 5],
      ['urgent', 1],
    ] as const)
      void claim(id, {}, priority);
    await clock.settle();
    expect(ids()).toEqual(['a', 'b']);
    expect(view()).toMatchObject({ inUse: 2, waiting: 2, heldUntil: null });
    release('b');
    await clock.settle();
    expect(ids()).toEqual(['a', 'b', 'urgent']);
    for (const id of ['a', 'urgent']) release(id);
    await clock.settle();
    release('c');
    expect(view()).toMatchObject({ inUse: 0, waiting: 0 });
    expect(clock.pending).toBe(0);
  });

  it('passes over who has given up', async () => {
    const { clock, claim, release, ids } = world({ concurrency: 1 });
    const controller = new AbortController();
    void claim('a');
    const given = claim('b', {}, 1, controller.signal);
    void claim('c');
    await clock.settle();
    controller.abort(new Error('cancelled'));
    await expect(given).rejects.toThrow('cancelled');
    release('a');
    await clock.settle();
    expect(ids()).toEqual(['a', 'c']);
  });
});

describe('a rate', () => {
  it('never lets more begin in any window, whatever comes when and however heavy', async () => {
    const arrival = fc.record({
      afterMs: fc.integer({ min: 0, max: 400 }),
      weight: fc.integer({ min: 0, max: 7 }),
      key: fc.constantFrom('a', 'b'),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(arrival, { maxLength: 60 }), fc.integer({ min: 1, max: 4 }), async (arrivals, concurrency) => {
        const limit = 5;
        const { clock, claim, release, gone } = world({ concurrency, limit, perSeconds: 1, key: 'value.key', weight: 'weight' });
        const running: Promise<void>[] = [];
        for (const [i, { afterMs, weight, key }] of arrivals.entries()) {
          await clock.advance(afterMs);
          const id = String(i);
          running.push(
            claim(id, { weight, key }).then(() => {
              clock.setTimer(() => release(id), (i * 37) % 300);
            }),
          );
        }
        await clock.finish(Promise.all(running));
        expect(gone).toHaveLength(arrivals.length);
        for (const key of ['a', 'b']) {
          const starts = gone.filter((one) => one.key === key);
          for (const { at, weight } of starts) {
            const window = starts.filter((other) => other.at >= at && Math.round(1000 * (other.at - at)) < 1000);
            const sum = window.reduce((total, one) => total + one.weight, 0);
            // What is heavier than the limit goes with nothing but weightless ones beside it.
            if (sum > limit) expect(window.filter((one) => one.weight > 0)).toHaveLength(1);
            expect(weight).toBeLessThanOrEqual(7);
          }
        }
      }),
      { numRuns: 100 },
    );
  });

  it('lets the next go as soon as the window allows it', async () => {
    const { clock, claim, gone } = world({ limit: 2, perSeconds: 10 });
    void claim('a');
    await clock.advance(4000);
    for (const id of ['b', 'c', 'd']) void claim(id);
    await clock.advance(60_000);
    expect(gone.map(({ id, at }) => [id, at])).toEqual([
      ['a', 0],
      ['b', 4],
      ['c', 10],
      ['d', 14],
    ]);
  });

  it('counts weights that are fractions without losing any to rounding', async () => {
    const { clock, claim, gone } = world({ limit: 1, perSeconds: 1, weight: 'value.weight' });
    for (let i = 0; i < 10; i++) void claim(String(i), { weight: 0.1 });
    await clock.settle();
    expect(gone).toHaveLength(10);
  });

  it.each([5, 10, 300])('counts from when the execution really begins, %i s after it was let go', async (seconds) => {
    const { clock, claim, passes, gone, view } = world({ limit: 1, perSeconds: 10 });
    void claim('a', {}, 100, undefined, false);
    void claim('b');
    await clock.advance(seconds * 1000);
    // Its place is taken until then, however long that is.
    expect(view()).toMatchObject({ inUse: 1, waiting: 1 });
    passes.get('a')?.begin();
    passes.get('a')?.begin();
    await clock.advance(20_000);
    expect(gone.map(({ at }) => at)).toEqual([0, seconds + 10]);
  });

  it('gives the place back of one that never begins', async () => {
    const { clock, claim, release, gone, view } = world({ limit: 2, perSeconds: 10, weight: 'value.weight' });
    void claim('a', { weight: 2 }, 100, undefined, false);
    void claim('b', { weight: 1 });
    await clock.advance(50_000);
    release('a');
    await clock.settle();
    expect(gone.map(({ id, at }) => [id, at])).toEqual([
      ['a', 0],
      ['b', 50],
    ]);
    release('b');
    expect(view()).toMatchObject({ inUse: 0, waiting: 0 });
    expect(clock.pending).toBe(0);
  });
});

describe('a key', () => {
  it('has the limits for itself, and is found in metadata, value or the value’s members', async () => {
    const { clock, claim, ids, view } = world({ concurrency: 1, key: '[key, value.key]' });
    for (const [id, key] of [
      ['a1', 'a'],
      ['a2', 'a'],
      ['b1', 'b'],
      ['n1', undefined],
      ['n2', undefined],
    ] as const)
      void claim(id, { key });
    await clock.settle();
    expect(ids()).toEqual(['a1', 'b1', 'n1']);
    expect(view()).toMatchObject({ inUse: 3, waiting: 2 });
    expect(view().keys.map(({ key, waiting }) => [key, waiting])).toEqual([
      ['["a","a"]', 1],
      ['[]', 1],
      ['["b","b"]', 0],
    ]);
  });

  it('that nobody uses any more is forgotten', async () => {
    const { clock, claim, release, limiter } = world({ concurrency: 1, limit: 1, perSeconds: 1, key: 'value.key' });
    for (let i = 0; i < 1000; i++) {
      await claim(String(i), { key: i });
      release(String(i));
      if (i % 50 === 0) await clock.advance(1000);
    }
    expect((limiter as unknown as { buckets: Map<string, unknown> }).buckets.size).toBeLessThan(200);
  });

  it.each([
    [{ key: '$error("no key")' }, 'the key of the limiter "l" fails'],
    [{ weight: '"heavy"', limit: 1, perSeconds: 1 }, 'the weight of "l" must be a number of 0 or more, not "heavy"'],
    [{ weight: '0-1', limit: 1, perSeconds: 1 }, 'must be a number of 0 or more, not -1'],
  ])('or weight like %j that cannot be told is a permanent error', async (settings, message) => {
    const { claim } = world({ concurrency: 1, ...settings });
    await expect(claim('a')).rejects.toMatchObject({ permanent: true, message: expect.stringContaining(message) });
  });
});

describe('a hold', () => {
  it('lets nobody of the key go until it ends, then one by one with random gaps', async () => {
    const { clock, claim, passes, gone, view } = world({ concurrency: 100, key: 'value.key' });
    void claim('first', { key: 'a' });
    await clock.settle();
    passes.get('first')?.hold(30);
    for (let i = 0; i < 20; i++) void claim(`w${i}`, { key: 'a' });
    void claim('other', { key: 'b' });
    await clock.settle();
    expect(gone.map(({ id }) => id)).toEqual(['first', 'other']);
    expect(view()).toMatchObject({ heldUntil: '30', waiting: 20 });
    await clock.advance(29_999);
    expect(gone).toHaveLength(2);
    await clock.advance(20_000);
    const times = gone.slice(2).map(({ at }) => at);
    expect(times).toHaveLength(20);
    expect(Math.min(...times)).toBeGreaterThanOrEqual(30);
    expect(view().heldUntil).toBeNull();
  });

  it('spreads those who waited over a tenth of it', async () => {
    const { clock, claim, passes, gone } = world({ concurrency: 100 });
    void claim('first');
    for (let i = 0; i < 19; i++) void claim(`r${i}`);
    await clock.settle();
    passes.get('first')?.hold(30);
    for (let i = 0; i < 20; i++) void claim(`w${i}`);
    await clock.advance(60_000);
    const times = gone.slice(20).map(({ at }) => at);
    expect(new Set(times).size).toBe(20);
    const spread = Math.max(...times) - 30;
    expect(spread).toBeGreaterThan(0.5);
    expect(spread).toBeLessThan(6);
  });

  it('is not shortened by a shorter one', async () => {
    const { clock, claim, passes, gone } = world({ concurrency: 9 });
    void claim('a');
    await clock.settle();
    passes.get('a')?.hold(30);
    passes.get('a')?.hold(1);
    void claim('b');
    await clock.advance(29_000);
    expect(gone).toHaveLength(1);
  });
});

describe('a hold that a server asks for', () => {
  const YEAR = 31_536_000;

  it.each([
    [{}, YEAR, 300],
    [{}, 300.5, 300],
    [{}, 299.5, 299.5],
    [{ maxHoldSeconds: 20 }, YEAR, 20],
    [{ maxHoldSeconds: YEAR }, YEAR, YEAR],
    [{ maxHoldSeconds: 0 }, YEAR, 0],
  ])('of a limiter with %j for %d s lasts %d s', async (settings, asked, seconds) => {
    const { clock, claim, passes, gone } = world({ concurrency: 9, ...settings });
    void claim('a');
    await clock.settle();
    passes.get('a')?.hold(asked);
    void claim('b');
    await clock.advance(seconds * 1000 - 1);
    expect(gone).toHaveLength(1);
    await clock.advance(6000);
    expect(gone[1]?.at).toBeGreaterThanOrEqual(seconds);
  });

  it('is none with `onRetryAfter: item`', async () => {
    const { clock, claim, passes, ids, view, logged, limiter } = world({ concurrency: 9, onRetryAfter: 'item' });
    void claim('a');
    await clock.settle();
    passes.get('a')?.hold(60);
    void claim('b');
    await clock.settle();
    expect(ids()).toEqual(['a', 'b']);
    expect(view().heldUntil).toBeNull();
    expect(logged).toEqual([]);
    limiter.change({ onRetryAfter: 'hold' });
    passes.get('b')?.hold(60);
    expect(view().heldUntil).toBe('60');
  });

  it('is lifted by a change, and whoever waits goes on at once, as far as the limits allow it', async () => {
    const { clock, claim, passes, ids, limiter, view } = world({ concurrency: 5, key: 'value.key' });
    for (const key of ['x', 'y']) void claim(key, { key });
    await clock.settle();
    for (const key of ['x', 'y']) passes.get(key)?.hold(200);
    for (let i = 0; i < 9; i++) void claim(`x${i}`, { key: 'x' });
    void claim('y0', { key: 'y' });
    await clock.settle();
    expect(ids()).toEqual(['x', 'y']);
    limiter.change({ heldUntil: null });
    await clock.settle();
    expect(ids()).toEqual(['x', 'y', 'x0', 'x1', 'x2', 'x3', 'y0']);
    expect(view()).toMatchObject({ heldUntil: null, waiting: 5 });
    // What runs may be told to wait again.
    passes.get('x0')?.hold(30);
    expect(view().heldUntil).toBe('30');
  });

  it('leaves no timer when it is lifted, nor in the ramp after it', async () => {
    const { clock, claim, passes, ids, limiter } = world({ concurrency: 9 });
    void claim('a');
    await clock.settle();
    passes.get('a')?.hold(100);
    for (const id of ['b', 'c', 'd']) void claim(id);
    await clock.advance(100_000);
    limiter.change({ heldUntil: null });
    await clock.settle();
    expect(ids()).toEqual(['a', 'b', 'c', 'd']);
    expect(clock.pending).toBe(0);
  });

  it('is shortened when `maxHoldSeconds` is', async () => {
    const { clock, claim, passes, limiter, view } = world({ concurrency: 9 });
    void claim('a');
    await clock.settle();
    passes.get('a')?.hold(YEAR);
    expect(view().heldUntil).toBe('300');
    limiter.change({ maxHoldSeconds: 50 });
    expect(view()).toMatchObject({ heldUntil: '50', settings: { maxHoldSeconds: 50 } });
    limiter.change({ maxHoldSeconds: null });
    expect(view()).toMatchObject({ heldUntil: '50', settings: { maxHoldSeconds: 300 } });
  });

  it('is logged once if it is over 10 s, and again when it is prolonged by as much', async () => {
    const { clock, claim, passes, logged } = world({ concurrency: 9, key: 'value.key' });
    void claim('a', { key: 'k' });
    await clock.settle();
    const hold = (seconds: number) => passes.get('a')?.hold(seconds);
    hold(10);
    expect(logged).toEqual([]);
    hold(YEAR);
    expect(logged).toEqual([{ limiter: 'l', key: 'k', seconds: 300, askedSeconds: YEAR }]);
    await clock.advance(5000);
    hold(YEAR);
    expect(logged).toHaveLength(1);
    await clock.advance(5001);
    hold(300);
    expect(logged).toHaveLength(2);
    await clock.advance(300_000);
    hold(11);
    expect(logged.at(-1)).toEqual({ limiter: 'l', key: 'k', seconds: 11, askedSeconds: 11 });
  });
});

describe('a change', () => {
  it('takes effect at once for those who wait', async () => {
    const { clock, claim, limiter, ids } = world({ concurrency: 1 });
    for (const id of ['a', 'b', 'c']) void claim(id);
    await clock.settle();
    limiter.change({ concurrency: 2 });
    await clock.settle();
    expect(ids()).toEqual(['a', 'b']);
    limiter.change({ concurrency: null, limit: 10, perSeconds: 1 });
    await clock.settle();
    expect(ids()).toEqual(['a', 'b', 'c']);
  });

  it('that would leave no limit, or half of one, is refused', () => {
    const { limiter, view } = world({ concurrency: 1 });
    expect(() => limiter.change({ concurrency: null })).toThrow('needs "concurrency"');
    expect(() => limiter.change({ limit: 1 })).toThrow('needs both');
    expect(view().settings).toEqual({ concurrency: 1, maxHoldSeconds: 300, onRetryAfter: 'hold' });
  });
});

describe('more keys than are limited each for itself', () => {
  it('share one limit, which is stricter and never laxer', async () => {
    const { clock, claim, release, gone } = world({ limit: 1, perSeconds: 3600, key: 'key' });
    for (let i = 0; i < 100_000; i++) void claim(`i${i}`, { key: `k${i}` });
    await clock.settle();
    expect(gone).toHaveLength(100_000);
    for (const key of ['new', 'newer', 'k7']) void claim(key, { key });
    await clock.settle();
    expect(gone.slice(100_000).map(({ id }) => id)).toEqual(['new']);
    // Keys whose window is over and whose items have ended are forgotten, and there is room for others.
    for (const { id } of gone) release(id);
    await clock.advance(3_600_000);
    expect(gone.slice(100_001).map(({ id }) => id)).toEqual(expect.arrayContaining(['newer', 'k7']));
    for (const key of ['a', 'b', 'c']) void claim(key, { key });
    await clock.settle();
    expect(gone.slice(100_003).map(({ id }) => id)).toEqual(['a', 'b', 'c']);
  });
});
