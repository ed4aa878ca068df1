import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { PipelineMeter } from '../../src/engine/measures/pipeline-meter.ts';
import { StageMeter } from '../../src/engine/measures/stage-meter.ts';
import { PipelineSeries, STEP_MS } from '../../src/engine/series/pipeline-series.ts';
import type { Point } from '../../src/engine/series/point.ts';
import { CHUNK, Series, type StoredChunk } from '../../src/engine/series/series.ts';

const START = Date.UTC(2026, 0, 1);
const IDLE = { queue: 0, running: 0, limited: 0, blocked: 0, idle: 1 };
const point = (entered: number, left: number, queue = 0): Point => [entered, left, 0, 0, queue, 0, 0, 0, 1, -1, -1, -1, -1];

/** What was measured in each step: items that came, and whether the process ends after it. */
const playArb = fc.array(fc.record({ came: fc.nat(3), restarts: fc.boolean() }), { minLength: 1, maxLength: 200 });

/** Plays it with a store that keeps what it is told, and reads it all at the end. */
function play(steps: readonly { came: number; restarts: boolean }[]) {
  const stored = new Map<string, StoredChunk | null>();
  let meter = new StageMeter(new PipelineMeter());
  let series = new PipelineSeries();
  let [wall, came] = [START, 0];
  const told = (resolution: number, chunk: number): void => {
    for (const old of series.store(resolution, chunk, wall)) stored.delete(`${resolution} ${old}`);
    stored.set(`${resolution} ${chunk}`, structuredClone(series.chunk(resolution, chunk)));
  };
  const states = () => [{ name: 'S', meter, ...IDLE }];
  for (const step of steps) {
    for (let i = 0; i < step.came; i++) meter.enters({ now: wall });
    came += step.came;
    wall += STEP_MS;
    series.sample(wall, states(), told);
    if (!step.restarts) continue;
    series.finish(wall, states(), told);
    meter = new StageMeter(new PipelineMeter());
    series = new PipelineSeries();
    for (const [name, chunk] of stored) {
      const [resolution = 0, number = 0] = name.split(' ').map(Number);
      if (chunk !== null) series.restore(resolution, number, wall, () => chunk);
    }
  }
  return { series, wall, came };
}

const total = (series: PipelineSeries, wall: number, seconds: number, points: number): number =>
  (series.read(wall, seconds, points).stages.S ?? []).reduce((sum, bucket) => sum + bucket.in, 0);

describe('a series', () => {
  it('has each item once, however often the process ends and in whatever buckets it is read', () => {
    fc.assert(
      fc.property(playArb, fc.integer({ min: 1, max: 720 }), (steps, points) => {
        const { series, wall, came } = play(steps);
        expect(total(series, wall, 3600, points)).toBe(came);
      }),
    );
  });

  it('has the same buckets in the next answer', () => {
    const { series, wall } = play(Array.from({ length: 100 }, (_, i) => ({ came: i % 4, restarts: false })));
    const bucketsAt = (at: number) => (series.read(at, 600, 60).stages.S ?? []).slice(1, -1);
    const first = bucketsAt(wall - STEP_MS);
    const then = bucketsAt(wall);
    expect(first.length).toBeGreaterThan(40);
    expect(then.slice(0, first.length - 1)).toEqual(first.slice(then[0]?.at === first[0]?.at ? 0 : 1).slice(0, first.length - 1));
  });

  it('keeps an hour and a week of a stage that is never idle, and no more', () => {
    const series = new Series({ stepMs: 5000, kept: 720 });
    for (let number = 0; number < 3000; number++) series.add(number, new Map([['S', point(1, 1, number)]]));
    expect(series.size).toBe(720);
    const coarse = new Series({ stepMs: 300_000, kept: 2016 });
    for (let number = 0; number < 3000; number++) coarse.add(number, new Map([['S', point(1, 1, number)]]));
    expect(coarse.size).toBe(2016);
  });

  it('remembers how things stood when the last change is older than what it keeps', () => {
    const series = new Series({ stepMs: 5000, kept: 10 });
    series.add(0, new Map([['S', point(7, 0, 7)]]));
    for (let number = 1; number < 1000; number++) series.add(number, new Map([['S', point(0, 0, 7)]]));
    expect(series.size).toBe(0);
    expect(
      series
        .read(990, 1, 10)
        .get('S')
        ?.map(([came, , , , queue]) => [came, queue]),
    ).toEqual(Array(10).fill([0, 7]));
  });

  it('gives counts as sums, queue and workers as at the end, and quantiles as a mean by executions', () => {
    const series = new Series({ stepMs: 5000, kept: 10 });
    series.add(0, new Map<string, Point>([['S', [5, 1, 1, 2, 9, 2, 0, 0, 0, 100, 200, 10, 20]]]));
    series.add(1, new Map<string, Point>([['S', [5, 12, 0, 0, 3, 1, 1, 0, 0, 200, 400, 20, 40]]]));
    series.add(2, new Map<string, Point>([['S', [0, 0, 0, 0, 3, 0, 2, 0, 0, -1, -1, -1, -1]]]));
    expect(series.read(0, 3, 1).get('S')).toEqual([[10, 13, 1, 2, 3, 0, 2, 0, 0, 175, 350, 17.5, 35]]);
  });

  it('stores chunks that are read again as they were', () => {
    const series = new Series({ stepMs: 5000, kept: 720 });
    for (let number = 0; number < 3 * CHUNK; number += 2) series.add(number, new Map([['S', point(number, 1, number)]]));
    const again = new Series({ stepMs: 5000, kept: 720 });
    for (const chunk of [2, 0, 1]) again.restore(JSON.parse(JSON.stringify(series.chunk(chunk))));
    expect(again.read(0, 1, 3 * CHUNK)).toEqual(series.read(0, 1, 3 * CHUNK));
    expect(again.size).toBe(series.size);
    expect(series.chunk(7)).toBeNull();
  });

  it('lets the oldest go when it has to', () => {
    const series = new Series({ stepMs: 5000, kept: 720 });
    for (let number = 0; number < 100; number++) series.add(number, new Map([['S', point(1, 1, number)]]));
    series.trim(10);
    expect(series.size).toBe(10);
    expect(series.read(0, 100, 1).get('S')?.[0]?.[0]).toBe(10);
    expect(
      series
        .read(95, 1, 5)
        .get('S')
        ?.map(([, , , , queue]) => queue),
    ).toEqual([95, 96, 97, 98, 99]);
  });
});
