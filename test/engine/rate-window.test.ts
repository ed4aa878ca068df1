import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { EngineClock } from '../../src/engine/time/engine-clock.ts';
import { RateWindow } from '../../src/engine/time/rate-window.ts';

function end(window: RateWindow, now: number, latencyMs: number): void {
  window.add({ now } as EngineClock, { acceptedAt: now - latencyMs });
}

const ends = fc.array(
  fc.record({
    after: fc.oneof(fc.integer({ min: 0, max: 900 }), fc.integer({ min: 0, max: 90_000 })),
    latency: fc.double({ min: 0, max: 1e6, noNaN: true }),
  }),
  { maxLength: 100 },
);

/** The ends of the second of `now` and the 59 before it. */
function lastMinute<T extends { at: number }>(all: readonly T[], now: number): T[] {
  const second = Math.floor(now / 1000);
  return all.filter(({ at }) => Math.floor(at / 1000) > second - 60);
}

describe('the window of the last minute', () => {
  it('counts what ended in it, whatever the gaps between', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 1e9 }), ends, fc.integer({ min: 0, max: 70_000 }), (start, list, rest) => {
        const window = new RateWindow();
        const all: { at: number }[] = [];
        let now = start;
        for (const { after, latency } of list) {
          now += after;
          end(window, now, latency);
          all.push({ at: now });
          const count = lastMinute(all, now).length;
          // Over one second at least and one minute at most.
          expect(window.perSecond(now)).toBeLessThanOrEqual(count + 1e-9);
          expect(window.perSecond(now)).toBeGreaterThanOrEqual(count / 60 - 1e-9);
        }
        now += rest;
        const left = lastMinute(all, now).length;
        if (left === 0) expect(window.perSecond(now)).toBe(0);
        else expect(window.perSecond(now)).toBeGreaterThan(0);
      }),
    );
  });

  it('tells quantiles within a tenth', () => {
    fc.assert(
      fc.property(
        fc.array(fc.double({ min: 0.02, max: 1e8, noNaN: true }), { minLength: 1, maxLength: 200 }),
        fc.constantFrom(0.01, 0.5, 0.9, 0.99, 1),
        (list, share) => {
          const window = new RateWindow();
          for (const latency of list) end(window, 5_000, latency);
          const exact = list.toSorted((a, b) => a - b)[Math.max(1, Math.ceil(list.length * share)) - 1] as number;
          const [told] = window.quantiles(5_000, [share]);
          expect((told as number) * 1000).toBeGreaterThanOrEqual(exact * (1 - 1e-9));
          expect((told as number) * 1000).toBeLessThanOrEqual(exact * 1.1 * (1 + 1e-9));
        },
      ),
    );
  });

  it('knows nothing before the first end, nor a minute after the last', () => {
    const window = new RateWindow();
    expect(window.quantiles(0, [0.5])).toEqual([null]);
    expect(window.perSecond(0)).toBe(0);
    end(window, 1_000, 5);
    expect(window.perSecond(61_000)).toBe(0);
    expect(window.quantiles(61_000, [0.5])).toEqual([null]);
  });
});
