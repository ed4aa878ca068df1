import { setImmediate } from 'node:timers/promises';
import fc from 'fast-check';
import { beforeEach, describe, expect, it } from 'vitest';
import { silentLogger } from '../../src/engine/ports.ts';
import type { Payload } from '../../src/http/sse/frame.ts';
import type { SseReader } from '../../src/http/sse/reader.ts';
import { createSnapshots, keptInterval, type Snapshots, type SnapshotView } from '../../src/http/sse/snapshots.ts';
import { SEED } from '../seed.ts';
import { createManualClock } from './sse-harness.ts';

let clock: ReturnType<typeof createManualClock>;
let snapshots: Snapshots;
let reads: number;
/** How long a snapshot takes to make. */
let costMs: number;
let source: SnapshotView;

beforeEach(() => {
  clock = createManualClock();
  snapshots = createSnapshots({ event: 'snapshot', clock, logger: silentLogger });
  reads = 0;
  costMs = 0;
  source = {
    subject: {},
    read: async () => {
      reads++;
      clock.advance(costMs);
      return [{ reads }];
    },
  };
});

function joined(seconds: number, mode: SseReader['mode'] = 'open') {
  const got: { at: number; payload: Payload }[] = [];
  const reader = { mode, offer: (payload: Payload) => void got.push({ at: clock.monotonic(), payload }) } as unknown as SseReader;
  return { got, leave: snapshots.join(source, seconds, reader) };
}

/** So much time, in steps that let what is asynchronous follow. */
async function pass(ms: number, step = 50): Promise<void> {
  for (let left = ms; left > 0; left -= step) {
    clock.advance(Math.min(step, left));
    await setImmediate();
  }
}

describe('the interval that is kept', () => {
  it('is one of few, near the one that was asked for', () => {
    const kept = new Set<number>();
    fc.assert(
      fc.property(fc.double({ min: 0.1, max: 86_400, noNaN: true }), (seconds) => {
        const interval = keptInterval(seconds);
        kept.add(interval);
        expect(interval).toBeGreaterThanOrEqual(0.1);
        expect(Math.abs(interval - seconds)).toBeLessThanOrEqual(seconds < 1 ? 0.0501 : seconds < 60 ? 0.5 : 30);
        expect(keptInterval(interval)).toBe(interval);
      }),
      { seed: SEED, numRuns: 20_000 },
    );
    expect(kept.size).toBeLessThanOrEqual(10 + 59 + 1440);
    expect([0.1, 0.1000000001, 0.14, 0.25, 0.99, 1, 1.2, 59.7, 61, 3600].map(keptInterval)).toEqual([
      0.1, 0.1, 0.1, 0.3, 1, 1, 1, 60, 60, 3600,
    ]);
  });
});

describe('readers that all ask for something else', () => {
  it('share one timer and ten snapshots a second, each written once', async () => {
    const readers = Array.from({ length: 1000 }, (_, i) => joined(0.1 + i * 0.0100001));
    expect(clock.timers).toBe(1);
    await pass(10_000);
    expect(reads).toBeGreaterThan(90);
    expect(reads).toBeLessThanOrEqual(102);
    expect(clock.timers).toBe(1);
    const payloads = new Set(readers.flatMap(({ got }) => got.map(({ payload }) => payload)));
    expect(payloads.size).toBeLessThanOrEqual(reads);
    for (const { leave } of readers) leave();
    expect(clock.timers).toBe(0);
  });

  it('have a timer for each pipeline, not for each reader', () => {
    const leaves = Array.from({ length: 10 }, () => {
      source = { ...source, subject: {} };
      return Array.from({ length: 100 }, (_, i) => joined(0.1 + i * 1e-7).leave);
    });
    expect(clock.timers).toBe(10);
    for (const leave of leaves.flat()) leave();
    expect(clock.timers).toBe(0);
  });

  it('get one at once, and then as often as they asked for', async () => {
    const readers = [0.1, 0.3, 1, 2, 7, 60].map((seconds) => ({ seconds, ...joined(seconds) }));
    await pass(10, 10);
    await pass(59_990, 10);
    for (const { seconds, got } of readers) {
      expect(got.length, `${seconds} s`).toBe(1 + Math.floor(60 / seconds + 1e-9));
      expect(got[0]?.at).toBeLessThanOrEqual(100);
    }
    // So does one who comes later.
    await pass(330, 10);
    const since = clock.monotonic();
    const late = joined(2);
    await pass(10, 10);
    expect(late.got[0]?.at).toBeLessThanOrEqual(since + 10);
  });
});

it('nothing is made for readers that are held back, or gone', async () => {
  const { leave } = joined(0.1, 'blocked');
  await pass(1000);
  expect(reads).toBe(0);
  leave();
  const open = joined(0.1);
  await pass(500);
  const before = reads;
  expect(before).toBeGreaterThan(0);
  open.leave();
  await pass(1000);
  expect(reads).toBe(before);
});

it('snapshots that take long to make come further apart', async () => {
  costMs = 200;
  const { got } = joined(0.1);
  await pass(20_000);
  expect(reads).toBeGreaterThanOrEqual(8);
  expect(reads).toBeLessThanOrEqual(13);
  const gaps = got.slice(1).map(({ at }, i) => at - (got[i]?.at ?? 0));
  expect(Math.min(...gaps)).toBeGreaterThanOrEqual(1800);
});

it('those who come while one is made, or soon after one that took long, wait and share the next', async () => {
  costMs = 200;
  joined(60);
  await pass(300, 10);
  const before = reads;
  const late = Array.from({ length: 100 }, () => joined(60));
  await pass(4000, 10);
  expect(reads).toBe(before + 1);
  for (const { got } of late) expect(got).toHaveLength(1);
});
