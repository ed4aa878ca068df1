import type { Random } from '../../engine/simulation/random.ts';

/** Something to try on a task: stages, and values for them that make an unguarded one take seconds, gigabytes, or for ever. */
export interface Attack {
  name: string;
  stages: readonly object[];
  value(random: Random): unknown;
}

/** Room below the limit of a body, a megabyte. */
const BYTES = 900_000;

/** A text of a length that hurts what is quadratic, of one fragment again and again. */
export function repeated(random: Random, fragment: string, longest = BYTES): string {
  const length = random.pick([30, 1000, 20_000, 98_000, longest]);
  return fragment.repeat(Math.max(1, Math.floor(length / Buffer.byteLength(JSON.stringify(fragment)))));
}

/** An array as long as a body can hold it. */
export function many(random: Random, make: (index: number) => unknown, longest = 60_000): unknown[] {
  const length = random.pick([10, 1000, 15_000, longest]);
  const made: unknown[] = [];
  let room = BYTES;
  for (let i = 0; i < length && room > 0; i++) {
    const one = make(i);
    room -= typeof one === 'number' ? 8 : JSON.stringify(one).length + 1;
    made.push(one);
  }
  return made;
}

export const LISTS: readonly ((random: Random) => unknown[])[] = [
  (random) => many(random, () => Math.floor(random.next() * 1e9)),
  (random) => many(random, (i) => i),
  (random) => many(random, (i) => -i),
  (random) => many(random, () => 7),
  (random) => many(random, (i) => ({ id: i, name: 'n' }), 30_000),
  (random) => many(random, (i) => ({ a: { b: { c: [i] } } }), 30_000),
  (random) => many(random, (i) => [i, [i]], 30_000),
  (random) => many(random, (i) => `text ${i}`),
  (random) => many(random, (i) => [null, true, i, `${i}`, {}, []][i % 6]),
  (random) => many(random, () => random.next() * 10 ** random.int(-300, 300)),
];

/** Objects that are wide, deep, or named so that code without care takes a member for another. */
export const OBJECTS: readonly ((random: Random) => Record<string, unknown>)[] = [
  (random) => Object.fromEntries(many(random, (i) => [`key-${i}`, i], 20_000) as [string, number][]),
  (random) => Object.fromEntries(many(random, (i) => [String(i), i], 20_000) as [string, number][]),
  (random) => Object.fromEntries(many(random, (i) => [`${'a'.repeat(i % 50)}${i}`, { a: i }], 10_000) as [string, unknown][]),
  (random) => nest(random.int(1, 60), (inner) => ({ a: inner, b: [inner].flat(1).length })) as Record<string, unknown>,
  (random) => ({ list: nest(random.int(1, 60), (inner) => [inner]) }),
  // biome-ignore lint/suspicious/noThenProperty: it is to be taken for a promise
  () => ({ toString: 1, valueOf: 2, hasOwnProperty: 3, length: -1, then: 'x', toJSON: 4, sequence: true, $: 1, '': 2 }),
  () => ({ secrets: 'mine', value: { value: 1 }, metadata: 3, itemId: '{{ itemId }}', sequenceId: 1e308, error: null }),
  () => ({
    big: 2 ** 53,
    bigger: 1.7976931348623157e308,
    least: 5e-324,
    zero: -0,
    bidi: '\u202e\u2066',
    sep: '\u2028\u2029',
    bom: '\ufeff',
  }),
];

function nest(depth: number, wrap: (inner: unknown) => unknown): unknown {
  let made: unknown = 1;
  for (let i = 0; i < depth; i++) made = wrap(made);
  return made;
}
