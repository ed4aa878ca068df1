/** One task under several shared limits: requests a minute and tokens a minute, for example. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { AllLimits } from '../../src/engine/limits/all-limits.ts';
import type { SharedPass } from '../../src/engine/limits/gate.ts';
import { SharedLimiter } from '../../src/engine/limits/shared-limiter.ts';
import { silentLogger } from '../../src/engine/ports.ts';
import { DueQueue } from '../../src/engine/time/due-queue.ts';
import type { LimiterSettings } from '../../src/schemas/limiter.ts';
import { expressionLanguage } from '../../tasks/index.ts';
import { seededRandom, VirtualClock } from './virtual-clock.ts';

const never = new AbortController().signal;

function world(settings: Record<string, LimiterSettings>) {
  const clock = new VirtualClock();
  const shared = {
    clock,
    random: seededRandom(3),
    logger: silentLogger,
    dues: new DueQueue(clock),
    expressions: clock.awaiting(expressionLanguage),
  };
  const limiters = Object.entries(settings).map(([name, each]) => new SharedLimiter(name, each, shared));
  const view = () => limiters.map((limiter) => limiter.view(String)).map(({ inUse, waiting }) => [inUse, waiting]);
  const claim = (names: readonly string[], tokens = 1, signal = never) => {
    const gates = limiters.filter(({ name }) => names.includes(name));
    return new AllLimits(gates.toReversed()).claim({ value: { tokens }, metadata: {}, priority: 100 }, signal, true);
  };
  return { clock, limiters, claim, view };
}

const MODELS = { requests: { limit: 3, perSeconds: 60 }, tokens: { limit: 1000, perSeconds: 60, weight: 'value.tokens' } };

describe('a task under requests and tokens a minute', () => {
  it('begins when there is room for both, and says which of them it waits for', async () => {
    const { clock, claim, view } = world(MODELS);
    const began: [number, number][] = [];
    const ask = (tokens: number) => {
      const wait = claim(['tokens', 'requests'], tokens);
      void wait.pass.then((pass) => {
        began.push([tokens, clock.seconds]);
        pass.release();
      });
      return wait;
    };
    const first = ask(400);
    ask(500);
    const heavy = ask(300);
    const fourth = ask(10);
    await clock.settle();
    expect(began).toEqual([
      [400, 0],
      [500, 0],
    ]);
    expect([first.name, heavy.name, heavy.blockedBy()]).toEqual(['tokens', 'tokens', { reason: 'rate-limit', until: expect.any(Number) }]);
    // The third has taken the last request of this minute, and holds it.
    expect([fourth.name, fourth.blockedBy()?.reason]).toEqual(['requests', 'rate-limit']);
    expect(view()).toEqual([
      [1, 1],
      [0, 1],
    ]);
    await clock.advance(60_000);
    expect(began.slice(2)).toEqual([
      [300, 60],
      [10, 60],
    ]);
    expect(view()).toEqual([
      [0, 0],
      [0, 0],
    ]);
  });

  it('gives back what it has when it is given up while it waits for the rest', async () => {
    const { clock, claim, view } = world(MODELS);
    const full = await claim(['tokens'], 1000).pass;
    const controller = new AbortController();
    const wait = claim(['requests', 'tokens'], 1, controller.signal).pass;
    wait.catch(() => undefined);
    await clock.settle();
    expect(view()[0]).toEqual([1, 0]);
    controller.abort(new Error('cancelled'));
    await expect(wait).rejects.toThrow('cancelled');
    full.release();
    expect(view()).toEqual([
      [0, 0],
      [0, 0],
    ]);
    // Three requests are free still: none was counted.
    for (let i = 0; i < 3; i++) (await claim(['requests']).pass).release();
    await clock.advance(60_000);
    expect(clock.pending).toBe(0);
  });

  it('holds both when a server asks for a pause', async () => {
    const { clock, claim, limiters } = world(MODELS);
    (await claim(['requests', 'tokens']).pass).hold(5);
    expect(limiters.map((limiter) => limiter.view(String).heldUntil === null)).toEqual([false, false]);
    await clock.advance(0);
  });
});

describe('several limits', () => {
  it('are never exceeded in any window, nobody waits for ever, and nothing is left', async () => {
    const names = ['a', 'b', 'c'] as const;
    const arrival = fc.record({
      afterMs: fc.integer({ min: 0, max: 300 }),
      tokens: fc.integer({ min: 0, max: 5 }),
      under: fc.subarray([...names], { minLength: 1 }),
      takesMs: fc.integer({ min: 0, max: 500 }),
      givesUpAfterMs: fc.option(fc.integer({ min: 0, max: 800 })),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(arrival, { maxLength: 40 }), async (arrivals) => {
        const { clock, claim, view } = world({
          a: { limit: 4, perSeconds: 1, weight: 'value.tokens' },
          b: { concurrency: 2 },
          c: { limit: 2, perSeconds: 0.5, concurrency: 3 },
        });
        const began: { at: number; ended: number; tokens: number; under: string[] }[] = [];
        const all: Promise<unknown>[] = [];
        for (const { afterMs, tokens, under, takesMs, givesUpAfterMs } of arrivals) {
          await clock.advance(afterMs);
          const controller = new AbortController();
          if (givesUpAfterMs !== null) clock.setTimer(() => controller.abort(new Error('given up')), givesUpAfterMs);
          const end = (pass: SharedPass): Promise<void> => {
            began.push({ at: clock.seconds, ended: clock.seconds + takesMs / 1000, tokens, under });
            return new Promise((resolve) => {
              clock.setTimer(() => {
                pass.release();
                resolve();
              }, takesMs);
            });
          };
          all.push(claim(under, tokens, controller.signal).pass.then(end, () => undefined));
        }
        await clock.finish(Promise.all(all));
        const within = (name: string, seconds: number, at: number) =>
          began.filter((one) => one.under.includes(name) && one.at >= at && Math.round(1000 * (one.at - at)) < Math.round(1000 * seconds));
        for (const { at } of began) {
          const heavy = within('a', 1, at).filter(({ tokens }) => tokens > 0);
          if (heavy.reduce((sum, { tokens }) => sum + tokens, 0) > 4) expect(heavy).toHaveLength(1);
          expect(within('c', 0.5, at).length).toBeLessThanOrEqual(2);
          for (const [name, most] of [
            ['b', 2],
            ['c', 3],
          ] as const) {
            const running = began.filter((one) => one.under.includes(name) && one.at <= at && Math.round(1000 * (one.ended - at)) > 0);
            expect(running.length).toBeLessThanOrEqual(most);
          }
        }
        expect(view()).toEqual(names.map(() => [0, 0]));
      }),
      { numRuns: 100 },
    );
  });
});
