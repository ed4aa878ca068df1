import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeEvents, decodePairs, encodeEvents, encodePairs } from '../../src/stores/sqlite/event-codec.ts';

const seq = fc.integer({ min: 1, max: 2 ** 36 });
const time = fc.integer({ min: 0, max: 4e12 });
const source = fc.integer({ min: 0, max: 100_000 });
/** Status events (codes 0 to 6, and bits above), task events (8 to 12, with attempts), results and pipeline events (16, 17). */
const event = fc.oneof(
  fc.record({
    low: fc.constantFrom(0, 1, 2, 3, 4, 5, 6, 34, 35, 38, 67),
    source,
    time,
    back: fc.integer({ min: 0, max: 1_000_000 }),
    item: seq,
    task: fc.constant(0),
  }),
  fc.record({
    low: fc.integer({ min: 8, max: 12 }).chain((code) => fc.integer({ min: 1, max: 1000 }).map((attempt) => code + attempt * 256)),
    source,
    time,
    micros: fc.integer({ min: 0, max: 1e12 }),
    item: seq,
    task: fc.integer({ min: 1, max: 5000 }),
  }),
  fc.record({ low: fc.constantFrom(16, 17, 81), source, time, item: fc.oneof(seq, fc.constant(0)), task: fc.constant(0) }),
);

describe('events as bytes', () => {
  it('are read as they were written, whatever they are', () => {
    fc.assert(
      fc.property(fc.array(event, { maxLength: 50 }), fc.integer({ min: 2_000_000, max: 2 ** 40 }), (events, first) => {
        const cells = new Float64Array(events.length * 4);
        for (const [i, each] of events.entries()) {
          const number = 'back' in each ? (each.back === 0 ? 0 : first + i - each.back) : 'micros' in each ? each.micros / 1000 : 0;
          cells.set([each.low + each.source * 2 ** 32, each.time, number, each.item + each.task * 2 ** 40], i * 4);
        }
        expect(decodeEvents(first, events.length, encodeEvents({ first, cells }))).toEqual(cells);
      }),
    );
  });

  it('take about eight bytes each when they are of one busy pipeline', () => {
    const cells = new Float64Array(4000);
    for (let i = 0; i < 1000; i++)
      cells.set([(i % 7) + 3 * 2 ** 32, 1.8e12 + i / 5, i % 3 === 0 ? 0 : 5_000_000 + i - 12, 100_000 + (i >> 2)], i * 4);
    expect(encodeEvents({ first: 5_000_000, cells }).length / 1000).toBeLessThan(10);
  });

  it('that end too soon are an error', () => {
    const bytes = encodeEvents({ first: 10, cells: Float64Array.of(1, 1.8e12, 5, 7) });
    expect(() => decodeEvents(10, 1, bytes.subarray(0, bytes.length - 1))).toThrow(RangeError);
  });
});

describe('pairs as bytes', () => {
  it('are read as they were written, in whatever order', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(seq, seq)), (pairs) => {
        const flat = Float64Array.from(pairs.flat());
        expect(decodePairs(pairs.length, encodePairs(flat))).toEqual(flat);
      }),
    );
  });
});
