import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { RecentCount } from '../../src/engine/measures/recent-count.ts';

describe('a count of the last minutes', () => {
  it('forgets what is older than them, five seconds at a time', () => {
    const count = new RecentCount(5);
    count.add(1000);
    count.add(4999);
    count.add(200_000);
    expect(count.at(200_000)).toBe(3);
    expect(count.at(299_999)).toBe(3);
    expect(count.at(300_000)).toBe(1);
    expect(count.at(500_000)).toBe(0);
    expect(count.at(10_000_000)).toBe(0);
  });

  it('is the number of those in its slices, whenever they came and it is asked', () => {
    const gaps = fc.array(fc.record({ ms: fc.integer({ min: 0, max: 120_000 }), asks: fc.boolean() }), { maxLength: 200 });
    fc.assert(
      fc.property(gaps, (steps) => {
        const count = new RecentCount(5);
        const at: number[] = [];
        let now = 0;
        for (const { ms, asks } of steps) {
          now += ms;
          if (asks) expect(count.at(now)).toBe(at.filter((one) => Math.floor(one / 5000) > Math.floor(now / 5000) - 60).length);
          else {
            count.add(now);
            at.push(now);
          }
        }
      }),
    );
  });
});
