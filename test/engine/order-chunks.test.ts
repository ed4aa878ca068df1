import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { OrderChunks } from '../../src/engine/durable/order-chunks.ts';

const moves = fc.array(
  fc.oneof(
    {
      weight: 8,
      arbitrary: fc.record({
        kind: fc.constant('add' as const),
        pipeline: fc.integer({ min: 1, max: 4 }),
        count: fc.integer({ min: 1, max: 9 }),
      }),
    },
    { weight: 3, arbitrary: fc.record({ kind: fc.constant('take' as const), forgets: fc.nat(60) }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant('restart' as const) }) },
  ),
  { maxLength: 250 },
);

/** Each event of the runs: its common number, its pipeline and its own number. */
function eventsOf({ base, runs }: ReturnType<OrderChunks['restore']>): [number, number, number][] {
  let next = base;
  return runs.flatMap(({ pipeline, from, count }) =>
    Array.from({ length: count }, (_, i): [number, number, number] => [next++, pipeline, from + i]),
  );
}

describe('the chunks of the common order', () => {
  it('hold each event from the oldest that can be asked for to the last one that was taken, over any restarts', () => {
    fc.assert(
      fc.property(moves, (made) => {
        const facts: Record<string, string> = { order: '{}' };
        const last = new Map<number, number>();
        let chunks = new OrderChunks();
        let all: [number, number, number][] = [];
        let pending: [number, number, number][] = [];
        let oldest = 1;
        const take = (): void => {
          for (const [name, json] of chunks.take(oldest)) {
            if (json === null) delete facts[name];
            else facts[name] = json;
          }
          all = [...all, ...pending];
          pending = [];
        };
        for (const move of made) {
          if (move.kind === 'add') {
            const from = (last.get(move.pipeline) ?? 0) + 1;
            last.set(move.pipeline, from + move.count - 1);
            chunks.add({ pipeline: move.pipeline, from, count: move.count });
            for (let i = 0; i < move.count; i++) pending.push([all.length + pending.length + 1, move.pipeline, from + i]);
          } else if (move.kind === 'take') {
            take();
            oldest = Math.max(oldest, Math.min(all.length, oldest + move.forgets));
          } else {
            // What was not taken comes again: no event was lost for the others.
            take();
            chunks = new OrderChunks();
            const found = eventsOf(chunks.restore(facts));
            expect(found.at(-1) ?? [0]).toEqual(all.at(-1) ?? [0]);
            expect(found).toEqual(all.slice(all.length - found.length));
            if (all.length > 0) expect(found[0]?.[0]).toBeLessThanOrEqual(oldest);
          }
        }
        take();
        const found = eventsOf(new OrderChunks().restore(facts));
        expect(found).toEqual(all.slice(all.length - found.length));
      }),
      { numRuns: 300 },
    );
  });

  it('are written one at a time, and removed when nobody can ask for them, but for the last one', () => {
    const chunks = new OrderChunks();
    let next = 1;
    const add = (runs: number): void => {
      for (let i = 0; i < runs; i++) chunks.add({ pipeline: 1 + (next % 2), from: next++, count: 1 });
    };
    add(33);
    expect(chunks.take(1).map(([name]) => name)).toEqual(['order 0', 'order 1']);
    add(3);
    expect(chunks.take(1).map(([name]) => name)).toEqual(['order 1']);
    expect(chunks.take(1)).toEqual([]);
    expect(chunks.take(32)).toEqual([]);
    expect(chunks.take(33)).toEqual([['order 0', null]]);
    expect(chunks.take(1000)).toEqual([]);
  });
});
