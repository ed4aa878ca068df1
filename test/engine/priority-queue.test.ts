import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { PriorityQueue } from '../../src/engine/queues/priority-queue.ts';

interface Entry {
  priority: number;
  order: number;
  isDead: boolean;
}

/** What it must do, said as simply as possible: a list, sorted before each look. */
class Model {
  entries: Entry[] = [];
  sort(): Entry[] {
    this.entries = this.entries.filter((entry) => !entry.isDead).sort((a, b) => a.priority - b.priority || a.order - b.order);
    return this.entries;
  }
}

const step = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({
      do: fc.constant('push' as const),
      priority: fc.integer({ min: 0, max: 5 }),
      times: fc.integer({ min: 1, max: 8 }),
    }),
  },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('shift' as const), times: fc.integer({ min: 1, max: 6 }) }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('remove' as const), at: fc.nat() }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('list' as const) }) },
);

describe('a priority queue', () => {
  it('gives lower numbers first, equal ones in their order, and never what was removed', () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
        const queue = new PriorityQueue<Entry>((entry) => entry.isDead);
        const model = new Model();
        let order = 0;
        for (const action of steps) {
          if (action.do === 'push') {
            for (let i = 0; i < action.times; i++) {
              const entry = { priority: action.priority, order: order++, isDead: false };
              model.entries.push(entry);
              queue.push(entry.priority, entry);
            }
          } else if (action.do === 'shift') {
            for (let i = 0; i < action.times; i++) expect(queue.shift()).toBe(model.sort().shift());
          } else if (action.do === 'remove') {
            const entry = model.sort()[action.at % Math.max(1, model.entries.length)];
            if (entry !== undefined) {
              entry.isDead = true;
              queue.removed();
            }
          } else {
            expect([...queue]).toEqual(model.sort());
          }
          expect(queue.size).toBe(model.sort().length);
          expect(queue.peek()).toBe(model.entries[0]);
          expect(queue.peekPriority()).toBe(model.entries[0]?.priority ?? Number.POSITIVE_INFINITY);
        }
      }),
    );
  });

  it('stays in order through the rebuilding that many removals bring', () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 0, max: 3 }), { minLength: 3_000, maxLength: 3_000 }),
        fc.integer({ min: 2, max: 9 }),
        (priorities, keepEach) => {
          const queue = new PriorityQueue<Entry>((entry) => entry.isDead);
          const entries = priorities.map((priority, order) => ({ priority, order, isDead: false }));
          for (const entry of entries) queue.push(entry.priority, entry);
          for (const entry of entries) {
            if (entry.order % keepEach === 0) continue;
            entry.isDead = true;
            queue.removed();
          }
          const kept = entries.filter((entry) => !entry.isDead).sort((a, b) => a.priority - b.priority || a.order - b.order);
          expect(queue.size).toBe(kept.length);
          for (const entry of kept) expect(queue.shift()).toBe(entry);
          expect(queue.shift()).toBeUndefined();
        },
      ),
      { numRuns: 20 },
    );
  });
});
