import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Histogram } from '../../src/engine/measures/histogram.ts';
import { Pace } from '../../src/engine/measures/pace.ts';
import { PipelineMeter } from '../../src/engine/measures/pipeline-meter.ts';
import { RecentHistogram } from '../../src/engine/measures/recent-histogram.ts';
import { StageMeter } from '../../src/engine/measures/stage-meter.ts';
import { WorkClock } from '../../src/engine/measures/work-clock.ts';

const durations = fc.array(fc.double({ min: 0.002, max: 4e9, noNaN: true }), { minLength: 1, maxLength: 200 });

function histogramOf(list: readonly number[]): Histogram {
  const histogram = new Histogram();
  for (const ms of list) histogram.record(ms);
  return histogram;
}

function rankOf(list: readonly number[], share: number): number {
  return list.toSorted((a, b) => a - b)[Math.max(1, Math.ceil(list.length * share)) - 1] as number;
}

describe('a histogram', () => {
  it('tells every quantile within 1.6 % of the duration with that rank', () => {
    fc.assert(
      fc.property(durations, fc.uniqueArray(fc.double({ min: 0, max: 1, noNaN: true }), { minLength: 1, maxLength: 4 }), (list, some) => {
        const shares = some.toSorted((a, b) => a - b);
        const told = histogramOf(list).quantiles(shares);
        for (const [i, share] of shares.entries()) {
          const exact = rankOf(list, share);
          expect(Math.abs((told[i] as number) / exact - 1)).toBeLessThanOrEqual(1 / 64);
        }
      }),
    );
  });

  it('knows nothing before the first duration, and durations too short to be measured are 0', () => {
    const histogram = new Histogram();
    expect(histogram.quantiles([0.5, 0.9])).toEqual([null, null]);
    for (const ms of [0, 0, -1, 5]) histogram.record(ms);
    expect(histogram.quantiles([0.5, 0.75])).toEqual([0, 0]);
    expect(histogram.quantiles([1])[0]).toBeCloseTo(5, 1);
    expect(histogram).toMatchObject({ count: 4, sumMs: 5 });
  });

  it('subtracts what was there before, and adds up to the whole again', () => {
    fc.assert(
      fc.property(durations, durations, (first, second) => {
        const histogram = histogramOf(first);
        const before = histogram.copy();
        for (const ms of second) histogram.record(ms);
        const shares = [0, 0.1, 0.5, 0.9, 1];
        const since = histogram.since(before);
        expect(since.quantiles(shares)).toEqual(histogramOf(second).quantiles(shares));
        expect(before.add(since).quantiles(shares)).toEqual(histogram.quantiles(shares));
        expect(before.count).toBe(first.length + second.length);
      }),
    );
  });

  it('counts what is at most a bound, to within a bucket', () => {
    fc.assert(
      fc.property(
        durations,
        fc.uniqueArray(fc.double({ min: 0.01, max: 1e9, noNaN: true }), { minLength: 1, maxLength: 12 }),
        (list, some) => {
          const bounds = some.toSorted((a, b) => a - b);
          const told = histogramOf(list).countsUpTo(bounds);
          for (const [i, bound] of bounds.entries()) {
            expect(told[i]).toBeGreaterThanOrEqual(list.filter((ms) => ms <= bound).length);
            expect(told[i]).toBeLessThanOrEqual(list.filter((ms) => ms <= bound * (1 + 1 / 64)).length);
          }
        },
      ),
    );
    const exact = histogramOf([100, 100, 250, 1000]);
    expect(exact.countsUpTo([50, 100, 250, 500, 1000, 60_000])).toEqual([0, 2, 3, 3, 4, 4]);
  });

  it('of the last minute has what was recorded in its last 55 seconds, and nothing older than 60', () => {
    const steps = fc.array(fc.record({ after: fc.oneof(fc.integer({ min: 0, max: 900 }), fc.integer({ min: 0, max: 90_000 })) }), {
      minLength: 1,
      maxLength: 100,
    });
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 1e9 }), steps, fc.integer({ min: 0, max: 70_000 }), (start, list, rest) => {
        const histogram = new RecentHistogram();
        let now = start;
        const at: number[] = [];
        for (const { after } of list) {
          now += after;
          histogram.record(1, now);
          at.push(now);
        }
        now += rest;
        const { count } = histogram.recent(now);
        expect(count).toBeGreaterThanOrEqual(at.filter((one) => now - one <= 55_000).length);
        expect(count).toBeLessThanOrEqual(at.filter((one) => now - one < 60_000).length);
        expect(histogram.all.count).toBe(list.length);
      }),
    );
  });
});

/** Ends of a stage with these workers and durations that never waits, over a time. `at` is called every 3 seconds. */
function work(
  pace: Pace,
  from: number,
  { workers, lengthMs }: { workers: number; lengthMs: () => number },
  forMs: number,
  at: (now: number) => void,
): void {
  const due = Array.from({ length: workers }, () => from + lengthMs());
  let poll = from + 3000;
  for (;;) {
    const next = Math.min(...due);
    for (; poll <= Math.min(next, from + forMs); poll += 3000) at(poll);
    if (next > from + forMs) return;
    const worker = due.indexOf(next);
    pace.add(next);
    due[worker] = next + lengthMs();
  }
}

/** Uniform in [0, 1), from a seed. */
function randomOf(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

const seeds = fc.integer({ min: 0, max: 2 ** 32 - 1 });
const crew = fc.record({
  workers: fc.integer({ min: 1, max: 20 }),
  ms: fc.integer({ min: 20, max: 4000 }),
  jitter: fc.double({ min: 0, max: 0.3, noNaN: true }),
});

describe('the estimate of a rate', () => {
  it('is right within 20 % after 10 seconds of steady work, and does not jump while nothing changes', () => {
    fc.assert(
      fc.property(crew, seeds, ({ workers, ms, jitter }, seed) => {
        const random = randomOf(seed);
        const pace = new Pace(0);
        const lengthMs = () => ms * (1 + jitter * (2 * random() - 1));
        let last: number | null = null;
        work(pace, 0, { workers, lengthMs }, 90_000, (now) => {
          if (now < Math.max(10_000, 2.5 * ms)) return;
          const told = pace.perSecond(now);
          expect(told / ((workers * 1000) / ms)).toBeGreaterThan(0.8);
          expect(told / ((workers * 1000) / ms)).toBeLessThan(1.2);
          if (last !== null) expect(Math.max(told / last, last / told)).toBeLessThan(1.5);
          last = told;
        });
      }),
    );
  });

  it('follows a change of speed within 10 seconds', () => {
    fc.assert(
      fc.property(crew, crew, (before, after) => {
        const pace = new Pace(0);
        const exactly = ({ workers, ms }: typeof before) => ({ workers, lengthMs: () => ms });
        work(pace, 0, exactly(before), 40_000, () => undefined);
        work(pace, 40_000, exactly(after), 40_000, (now) => {
          if (now < 40_000 + Math.max(10_000, 5.3 * after.ms)) return;
          const rate = (after.workers * 1000) / after.ms;
          expect(pace.perSecond(now) / rate).toBeGreaterThan(0.8);
          expect(pace.perSecond(now) / rate).toBeLessThan(1.2);
        });
      }),
    );
  });

  it('of what ends at random keeps within a factor of 1.5 between two looks, nearly always', () => {
    fc.assert(
      fc.property(fc.integer({ min: 3, max: 10 }), seeds, (perSecond, seed) => {
        const random = randomOf(seed);
        const pace = new Pace(0);
        const lengthMs = () => (-1000 / perSecond) * Math.log(1 - random());
        const jumps: number[] = [];
        let last: number | null = null;
        work(pace, 0, { workers: 1, lengthMs }, 300_000, (now) => {
          if (now < 30_000) return;
          const told = pace.perSecond(now);
          if (last !== null) jumps.push(Math.max(told / last, last / told));
          last = told;
        });
        expect(jumps.filter((jump) => jump > 1.5).length).toBeLessThanOrEqual(5);
      }),
      { numRuns: 30 },
    );
  });

  it('of one item a minute is right after the second one, and falls when the next one is overdue', () => {
    const pace = new Pace(0);
    for (let minute = 1; minute <= 5; minute++) pace.add(60_000 * minute);
    expect(pace.perSecond(300_000)).toBeCloseTo(1 / 60, 6);
    expect(pace.perSecond(419_000)).toBeCloseTo(1 / 60, 6);
    expect(pace.perSecond(300_000 + 1_200_000)).toBeCloseTo(1 / 600, 6);
  });

  it('of many that began together is known once as many have ended, or four in a row', () => {
    const pace = new Pace(0);
    expect(pace.isKnown(1)).toBe(false);
    for (const at of [5000, 5001, 5002]) pace.add(at);
    expect(pace.isKnown(3)).toBe(true);
    expect(pace.isKnown(10)).toBe(false);
    for (const at of [5400, 5800, 6200, 6600]) pace.add(at);
    expect(pace.isKnown(10)).toBe(true);
  });

  it('by the clock on the wall begins with the first occurrence, and anew after a break', () => {
    const pace = new Pace(null);
    const second = (from: number): void => {
      for (let ms = 0; ms < 1000; ms += 100) pace.add(from + ms);
    };
    expect(pace.perSecond(1_000_000)).toBe(0);
    for (let s = 0; s < 3; s++) second(1_000_000 + 1000 * s);
    expect(pace.perSecond(1_003_000)).toBeCloseTo(10, 1);
    expect(pace.perSecond(1_043_000)).toBeLessThan(0.6);
    for (let s = 0; s < 2; s++) second(1_043_000 + 1000 * s);
    expect(pace.perSecond(1_045_000)).toBeCloseTo(10, 1);
    expect(pace.perSecond(1_045_000)).toBeLessThan(11);
  });

  it.each([
    ['the one that followed a pause of an hour', [1000, 1000], [0, 3_600_000]],
    ['one in many smaller ones', [1, 1, 1, 1, 1, 1, 500], [0, 100_000, 200_000, 300_000, 400_000, 500_000, 890_000]],
    ['one that took a second itself', [50, 25, 25, 25, 25], [0, 3_600_000, 3_600_300, 3_600_600, 3_600_900]],
  ])('does not outlast a burst: %s', (_, bursts, at) => {
    const pace = new Pace(null);
    for (const [i, times] of bursts.entries()) pace.add(at[i] as number, times);
    const end = at.at(-1) as number;
    const total = bursts.reduce((a, b) => a + b);
    // No more than came within the time since then, and soon less than a hundredth of it.
    for (const since of [60, 600, 3600]) expect(pace.perSecond(end + since * 1000)).toBeLessThanOrEqual(total / since);
    expect(pace.perSecond(end + 600_000)).toBeLessThan(2);
    expect(pace.perSecond(end + 7_200_000)).toBeLessThan(0.2);
    if (bursts.length === 2) expect(pace.perSecond(end + 600_000)).toBeLessThan(0.01);
  });

  it('is that of bursts of equal size that come again and again', () => {
    const pace = new Pace(null);
    for (let n = 0; n < 10; n++) {
      pace.add(n * 60_000, 30);
      if (n < 4) continue;
      for (const later of [0, 20_000, 59_000]) expect(pace.perSecond(n * 60_000 + later)).toBeCloseTo(0.5, 1);
    }
  });

  it('of single ones that come rarely holds until the next', () => {
    const pace = new Pace(null);
    for (let n = 0; n < 6; n++) {
      pace.add(n * 60_000);
      if (n > 1) expect(pace.perSecond(n * 60_000 + 59_000)).toBeCloseTo(1 / 60, 3);
    }
  });
});

describe('a clock of work', () => {
  it('stands while there is none', () => {
    const clock = new WorkClock();
    expect(clock.at(500)).toBe(0);
    clock.run(true, 1000);
    clock.run(true, 1200);
    expect(clock.at(1500)).toBe(500);
    clock.run(false, 2000);
    expect(clock.at(9000)).toBe(1000);
    clock.run(true, 10_000);
    expect(clock.at(10_001)).toBe(1001);
  });

  it('of a pipeline runs while any of its stages works, and its rate is 0 a minute after the last end', () => {
    const pipeline = new PipelineMeter();
    const [a, b] = [new StageMeter(pipeline), new StageMeter(pipeline)];
    a.works(true, 0);
    b.works(true, 1000);
    a.works(false, 2000);
    a.works(false, 2500);
    for (let at = 2100; at <= 5000; at += 100) pipeline.ended({ acceptedAt: at - 100 }, { now: at });
    b.works(false, 5000);
    expect(pipeline.workClock.at(99_000)).toBe(5000);
    expect(pipeline.perSecond(64_000)).toBeCloseTo(10, 1);
    expect(pipeline.perSecond(65_000)).toBe(0);
  });
});
