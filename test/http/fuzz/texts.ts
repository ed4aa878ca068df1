import fc from 'fast-check';
import { codePoint } from '../../code-points.ts';
import type { Random } from '../../engine/simulation/random.ts';

/** Names as a client might choose them: all of them are taken. */
const NAMES = ['a', 'b', 'Only', 'order-4711', 'x.y~z', '@me', '0', '1e3', '007'];

/** What a careless or hostile client puts where a name, a number or a switch belongs. */
const TROUBLE = [
  ...['', ' ', '.', '..', '../..', '%2e%2e', '/', '\\', '%', '%00', '\0', '\n', '\r\n\r\nx: y', ';', '?', '#', '*'],
  ...['__proto__', 'constructor', 'prototype', 'toString', 'hasOwnProperty', 'undefined', 'null', 'NaN', '[object Object]'],
  ...['-1', '-0', '0', '1', '0.1', '1e400', '1e-400', '0x10', '9007199254740993', '99999999999999999999', '0.1000000001'],
  ...['\u2028', '\u2029', '\u202e', '\u2066', '\u200b', '\ufeff', '\ud800', '\udfff', '\u0085', 'e\u0301', '\u{1f468}\u200d\u{1f469}'],
  ...['true', 'false', 'all', 'force', 'drain', 'completed', 'skip', 'rerun', 'reject', 'ALL_COMPLETED'],
  ...['a,b', 'a b', "a'b", 'a"b', 'a`b', '{{ value }}', '{{', '$(id)', '<script>', 'a'.repeat(129), 'x'.repeat(513), 'x'.repeat(4600)],
];

/** The same texts in each run of a seed: fast-check makes them, from all of Unicode. */
export interface Texts {
  /** Anything that a text can be. */
  wild(): string;
  /** Any JSON, small. */
  json(): unknown;
}

export function createTexts(seed: number, random: Random): Texts {
  const texts = fc.sample(fc.oneof(fc.string({ unit: 'grapheme', maxLength: 16 }), fc.string({ unit: codePoint, maxLength: 16 })), {
    numRuns: 400,
    seed,
  });
  const values = fc.sample(fc.jsonValue({ maxDepth: 4 }), { numRuns: 400, seed });
  return {
    wild: () => (random.chance(0.6) ? random.pick(TROUBLE) : random.pick(texts)),
    json: () => random.pick(values),
  };
}

export function nameOf(random: Random): string {
  return random.pick(NAMES);
}

/** For a path or a query. A lone surrogate cannot be sent. */
export function encode(part: string): string {
  return encodeURIComponent(part.toWellFormed());
}
