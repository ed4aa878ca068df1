import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { EventRing } from '../../src/engine/events/event-ring.ts';
import type { StoredEvents } from '../../src/engine/store.ts';

/** Everything that a ring keeps of an event. */
const rowOf = (ring: EventRing, seq: number) => [
  seq,
  ring.codeOf(seq),
  ring.sourceOf(seq),
  ring.timeOf(seq),
  ring.numberOf(seq),
  ring.sequenceIdOf(seq),
  ring.taskOf(seq),
  ring.extraOf(seq),
];
const rowsOf = (ring: EventRing) => Array.from({ length: ring.last - ring.oldest + 1 }, (_, i) => rowOf(ring, ring.oldest + i));
/** One text is compared in a hundredth of the time that rows take. */
const textOf = (rows: unknown[][]): string => rows.map((row) => JSON.stringify(row)).join('\n');
const append = (ring: EventRing, n: number): number =>
  ring.append(n % 7, n % 5, 1_700_000_000_000 + n, n * 2, n + 1, n % 3, n % 11 === 0 ? { n } : undefined);

describe('a restored ring of events', () => {
  it('has the newest events that fit, whatever chunks they came in, and goes on', () => {
    const sizes = fc.array(fc.integer({ min: 1, max: 400 }), { minLength: 1, maxLength: 6 });
    fc.assert(
      fc.property(sizes, fc.constantFrom(16, 128, 2048), fc.integer({ min: 0, max: 1500 }), (chunks, capacity, forgotten) => {
        const before = new EventRing(4096);
        // What comes first is not stored any more, so that chunks begin anywhere in the ring.
        for (let n = 0; n < forgotten; n++) append(before, n);
        const stored: StoredEvents[] = [];
        for (const count of chunks) {
          const { last } = before;
          for (let i = 0; i < count; i++) append(before, before.last);
          stored.push(before.copyAfter(last) as StoredEvents);
        }
        const after = new EventRing(capacity);
        after.restore(stored, before.last);
        const total = chunks.reduce((sum, count) => sum + count, 0);
        expect(textOf(rowsOf(after))).toBe(textOf(rowsOf(before).slice(-Math.min(total, capacity))));
        const next = append(before, before.last);
        expect(append(after, next - 1)).toBe(next);
        expect(rowOf(after, next)).toEqual(rowOf(before, next));
      }),
      { numRuns: 30 },
    );
  });
});
