import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { HostStore } from '../../src/engine/durable/host-store.ts';
import { nextNumber } from '../../src/stores/sqlite/schema.ts';
import { type Life, livesOf } from './durable-host.ts';

const definition = (id: string) => ({ id, stages: [{ name: 'A', tasks: ['pass'] }] });

function numberOf({ host }: Life, id: string): number {
  return host.get(id).durable?.link.pipeline as number;
}

describe('the number of a pipeline in the store', () => {
  it('is never given to another one, whether the first was dropped before or after a stop, a crash or a new start', async () => {
    const lives = livesOf({ pass: (value) => value });
    const given: number[] = [];
    for (const how of ['stop', 'crash', 'stop', 'crash'] as const) {
      const life = await lives.begin();
      for (const id of ['kept', 'passing', 'late']) {
        if ((await life.host.list()).some(({ definition: { id: known } }) => known === id)) await life.host.remove(id);
        await life.host.create(definition(id));
        given.push(numberOf(life, id));
      }
      await life.host.remove('passing');
      await life[how]();
    }
    expect(given).toEqual(given.map((_, i) => i + 1));
  });

  it('is the one after the highest in a file that does not say which was given last', async () => {
    const lives = livesOf({ pass: (value) => value });
    const life = await lives.begin();
    for (const id of ['a', 'b']) await life.host.create(definition(id));
    const { store } = (life.host as unknown as { stored: HostStore }).stored;
    const nothing = { items: null, feeds: [], removedFeeds: [], answers: [], removedAnswers: [], ends: null, endsBefore: 0 };
    const rest = { emptied: [], removed: [], events: null, eventsBefore: 0, parkedShift: 0 };
    await store.write({ created: [], dropped: [], pipelines: [{ pipeline: 0, ...nothing, ...rest, facts: [['numbered', null]] }] });
    expect(store.nextPipeline(0)).toBe(3);
    expect(store.nextPipeline(7)).toBe(8);
  });

  it('comes again only when all others have been given', () => {
    fc.assert(
      fc.property(fc.integer({ min: 2, max: 12 }), fc.array(fc.tuple(fc.boolean(), fc.nat(11)), { maxLength: 80 }), (most, moves) => {
        const taken = new Set<number>();
        const given: number[] = [];
        for (const [makes, which] of moves) {
          const kept = [...taken];
          if (!makes) taken.delete(kept[which % Math.max(1, kept.length)] ?? 0);
          else {
            const number = nextNumber(given.at(-1) ?? 0, taken, most);
            if (taken.size === most) expect(number).toBeUndefined();
            if (number === undefined) continue;
            expect(taken.has(number)).toBe(false);
            const before = given.lastIndexOf(number);
            // Whoever else could have had it was given since, or is still there.
            if (before >= 0) expect(new Set([...given.slice(before), ...taken]).size).toBe(most);
            given.push(number);
            taken.add(number);
          }
        }
      }),
    );
  });
});
