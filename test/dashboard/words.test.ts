/** Words and figures that the page is made of. */
import { describe, expect, it } from 'vitest';
import { bottleneckSentence } from '../../dashboard/parts/bottleneck-words.ts';
import { changeText } from '../../dashboard/parts/change-text.ts';
import { indented } from '../../dashboard/parts/indented.ts';
import { bytes, count, duration, listed, plural, rate } from '../../dashboard/parts/words.ts';
import { flowOf, throughputOf } from '../../dashboard/state/history.ts';
import { trendOf } from '../../dashboard/state/trend.ts';

describe('the bottleneck', () => {
  const bottleneck = { stage: 'Call', task: null, limiter: null, until: null, workersWaiting: 20, workers: 40 };

  it.each([
    [{ reason: 'workers' as const, workers: 4 }, 'Call is held up by its workers: all 4 are busy. More workers would help.'],
    [{ reason: 'workers' as const, workers: 1 }, 'Call is held up by its workers: the only one is busy. More workers would help.'],
    [{ reason: 'paused' as const }, 'Call is paused. Nothing passes it until it is resumed.'],
    [
      { reason: 'rate-limit' as const, limiter: 'models' },
      'Call is held up by limiter models: 25/s used up, 20 of 40 workers wait. More workers would not help.',
    ],
    [
      { reason: 'task-limit' as const, task: 'fetch', workersWaiting: 1 },
      'Call is held up by the limit of task fetch: 25/s used up, 1 of 40 workers waits. More workers would not help.',
    ],
    [{ reason: 'hand' as const, task: 'fetch' }, 'Call waits for a hand that runs fetch: 20 of 40 workers wait.'],
  ])('is a sentence that says what would help: %j', (given, sentence) => {
    expect(bottleneckSentence({ ...bottleneck, ...given }, { inUse: 20, settings: { limit: 25, perSeconds: 1 } })).toBe(sentence);
  });
});

describe('figures', () => {
  it('are as long as they tell something', () => {
    expect([0, 0.0004, 0.25, 4.26, 75, 1200, 7260, 200_000].map(duration)).toEqual([
      ...['0 s', '< 1 ms', '250 ms', '4.3 s', '1 min 15 s', '20 min', '2 h 1 min', '2 d'],
    ]);
    expect([0, 0.05, 0.5, 7.44, 25.4, 1234, 123_456].map(rate)).toEqual(['0/s', '3/min', '0.5/s', '7.4/s', '25/s', '1,234/s', '123K/s']);
    expect([count(99_999), count(1_234_567), plural(1, 'item'), plural(2, 'item')]).toEqual(['99,999', '1.23M', '1 item', '2 items']);
    expect([bytes(999), bytes(3_100_000), listed(['a', 'b', 'c'])]).toEqual(['999 B', '3.1 MB', 'a, b and c']);
  });
});

describe('a queue', () => {
  it('grows or shrinks by its levels over some seconds', () => {
    expect(trendOf([1, 2, 3])).toBeNull();
    expect(trendOf([10, 12, 14, 16, 18])).toBe(2);
    expect(trendOf([5, 5, 5, 5])).toBe(0);
  });
});

describe('charts', () => {
  const none = {
    failed: 0,
    retried: 0,
    limited: 0,
    blocked: 0,
    idle: 0,
    waitSeconds: { p50: null, p90: null },
    runSeconds: { p50: null, p90: null },
  };
  const at = (seconds: number): string => new Date(1_800_000_000_000 + seconds * 1000).toISOString();
  const history = {
    from: at(0),
    bucketSeconds: 5,
    stages: {
      A: [
        { ...none, at: at(0), in: 10, out: 4, queue: 5, running: 1 },
        { ...none, at: at(5), in: 0, out: 6, queue: 0, running: 0 },
      ],
      // It came into being later.
      B: [{ ...none, at: at(5), in: 10, out: 5, failed: 2, queue: 2, running: 1 }],
    },
  };

  it('say how many items came, went and failed, per second', () => {
    expect(throughputOf(history, ['A', 'B'])).toEqual([
      [1_800_000_000, 1_800_000_005],
      [2, 0],
      [0, 1],
      [0, 0.4],
    ]);
  });

  it('stack what each stage holds on what is done', () => {
    expect(flowOf(history, ['A', 'B'])).toEqual([
      [1_800_000_000, 1_800_000_005],
      [6, 10],
      [0, 10],
      [0, 7],
    ]);
  });
});

describe('a value', () => {
  it('has line breaks, and every digit', () => {
    expect(indented('{"a":[1,{}],"b":"x, {\\"}","n":9007199254740993}')).toBe(
      '{\n  "a": [\n    1,\n    {}\n  ],\n  "b": "x, {\\"}",\n  "n": 9007199254740993\n}',
    );
  });
});

describe('a change', () => {
  it.each([
    [{ workers: 2, limits: { a: 1 } }, { workers: 3, limits: { a: 1 } }, 'workers: 2 → 3'],
    [{ limits: { a: 1 } }, { limits: { a: 2, b: 1 } }, 'limits.a: 1 → 2, limits.b: none → 1'],
    [null, { state: 'paused' }, 'none → {"state":"paused"}'],
    [{ state: 'running' }, { state: 'paused' }, 'state: running → paused'],
  ])('says what differs: %j %j', (before, after, text) => {
    expect(changeText(before, after)).toBe(text);
  });
});
