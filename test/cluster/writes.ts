import fc from 'fast-check';
import { ItemPacker } from '../../src/engine/contract/item-row.ts';
import type { PackedItems, PipelineWrites, StoredItem, Writes } from '../../src/engine/store.ts';

/*
 * Transactions of every shape, for the codec: not such as the engine makes, but whatever its types allow.
 */

const whole = fc.oneof(fc.integer({ min: 0, max: 300 }), fc.integer({ min: 0, max: 2 ** 40 }), fc.maxSafeNat());
const text = fc.oneof(fc.string({ unit: 'grapheme', maxLength: 12 }), fc.constantFrom('', '{"n":1}', '"😀"', '\u0000'));
const nullable = fc.option(text);
const flag = fc.integer({ min: 0, max: 15 });

const row: fc.Arbitrary<Omit<StoredItem, 'size'>> = fc.record({
  ...{ seq: whole, id: nullable, feed: whole, priority: fc.integer({ min: 1, max: 1000 }), stage: flag, status: flag, place: flag },
  ...{
    ord: whole,
    task: flag,
    attempts: whole,
    deliveries: flag,
    accepted: whole,
    updated: whole,
    due: fc.option(whole),
    last_event: whole,
  },
  ...{ value: nullable, fed: nullable, metadata: nullable, error: nullable, route: nullable },
});
const items: fc.Arbitrary<PackedItems | null> = fc.array(fc.tuple(fc.constantFrom(0, 1, 2, 3), row), { maxLength: 12 }).map((rows) => {
  const packer = new ItemPacker();
  for (const [kind, each] of rows) packer.add(kind as 0 | 1 | 2 | 3, each);
  return packer.take();
});

/** A kind, an instant, a number and an item, of a status event, a task event, or one of neither. */
const event = fc.oneof(
  fc.tuple(fc.constantFrom(0, 1, 2, 34, 67), whole, fc.integer({ min: 0, max: 2 ** 40 }), whole),
  fc.tuple(
    fc.constantFrom(8, 9, 12, 265),
    whole,
    fc.integer({ min: 0, max: 2 ** 40 }).map((micros) => micros / 1000),
    whole,
  ),
  fc.tuple(fc.constantFrom(16, 17, 18, 81), whole, fc.constant(0), whole),
);
const events = fc.option(
  fc.record({
    first: fc.integer({ min: 1, max: 2 ** 40 }),
    cells: fc
      .array(fc.tuple(event, fc.integer({ min: 0, max: 5000 }), fc.integer({ min: 0, max: 5000 })), { minLength: 1, maxLength: 9 })
      .map((all) =>
        Float64Array.from(
          all.flatMap(([[kind, at, number, item], source, task]) => [
            kind + source * 2 ** 32,
            at,
            number,
            (item % 2 ** 36) + task * 2 ** 40,
          ]),
        ),
      ),
    extras: fc.array(fc.tuple(flag, text), { maxLength: 3 }),
  }),
);
const ends = fc.option(
  fc.record({
    first: whole,
    at: whole,
    pairs: fc.array(fc.tuple(whole, whole), { minLength: 1, maxLength: 9 }).map((pairs) => Float64Array.from(pairs.flat())),
  }),
);

const feed = fc.record({
  ...{ ordinal: whole, id: text, target: flag, created: whole, accepted: whole, duplicates: whole, completed: whole, failed: whole },
  ...{ cancelled: whole, first: fc.option(whole), last: fc.option(whole), is_cancelled: whole, is_forgotten: flag },
  ...{ maker: nullable, traces: nullable },
});
const answer = fc.record({ key: text, request: nullable, body: text, feed: text, answer: nullable, at: whole });
const few = <T>(of: fc.Arbitrary<T>): fc.Arbitrary<T[]> => fc.array(of, { maxLength: 4 });

/** Every field of the port: one that is added there has to be added here. */
const pipelineWrites: fc.Arbitrary<PipelineWrites> = fc.record<Required<PipelineWrites>>({
  pipeline: whole,
  items,
  feeds: few(feed),
  removedFeeds: few(whole),
  answers: few(answer),
  removedAnswers: few(text),
  ends,
  endsBefore: whole,
  emptied: few(whole),
  removed: few(whole),
  events,
  eventsBefore: whole,
  parkedShift: fc.maxSafeInteger(),
  facts: few(fc.tuple(text, nullable)),
});

export const anyWrites: fc.Arbitrary<Writes> = fc.record<Required<Writes>>({
  pipelines: few(pipelineWrites),
  created: few(fc.record({ pipeline: whole, id: text })),
  dropped: few(whole),
});
