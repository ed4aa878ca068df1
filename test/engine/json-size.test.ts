/** The size of values that are no plain data: what toJSON makes of them counts, and what JSON cannot say ends the walk. */
import { describe, expect, it } from 'vitest';
import { bytesWithin, sizeWithin } from '../../src/engine/values/json-size.ts';

const LIMIT = 10_000;
const at = new Date(Date.UTC(2026, 0, 1));

describe('the size in bytes of a value with a toJSON', () => {
  it.each([
    ['a date', at],
    ['a buffer', Buffer.from('bytes')],
    ['one that gives a list', { toJSON: () => [1, 'two', null, true, false] }],
    ['one that gives members', { toJSON: () => ({ a: 1, b: 'ü' }) }],
    ['one that gives null', { toJSON: () => null }],
    ['one that gives a number', { toJSON: () => 12.5 }],
    ['some of them in others', { at, list: [at, { toJSON: () => 'x' }] }],
  ])('is that of its JSON: %s', (_what, value) => {
    expect(bytesWithin(value, LIMIT)).toBe(Buffer.byteLength(JSON.stringify(value)));
  });

  it('is over the limit without a list of all bytes of a large buffer', () => {
    expect(bytesWithin(Buffer.alloc(1_000_000), LIMIT)).toBeGreaterThan(LIMIT);
    expect(sizeWithin(Buffer.alloc(1_000_000), LIMIT)).toBeGreaterThan(LIMIT);
  });
});

describe('what JSON cannot say', () => {
  it.each([
    ['a map', new Map([['a', 1]])],
    ['a set', new Set([1])],
    ['a weak map', new WeakMap()],
    ['a promise', Promise.resolve(1)],
    ['a list of numbers in bytes', new Float64Array(1000)],
    ['a function', () => 1],
    ['a symbol', Symbol('x')],
    ['a bigint', 1n],
    ['no number', Number.NaN],
    ['infinity', Number.POSITIVE_INFINITY],
  ])('ends the walk, and what was seen before it counts: %s', (_what, value) => {
    const before = 'x'.repeat(500);
    for (const size of [sizeWithin([before, value, before], LIMIT), bytesWithin({ before, value, after: before }, LIMIT)]) {
      expect(size).toBeGreaterThanOrEqual(500);
      expect(size).toBeLessThan(600);
    }
  });

  it('also in a value that throws when it is looked at, or has no end', () => {
    const endless: { in?: unknown } = {};
    endless.in = endless;
    const throws = {
      get member(): never {
        throw new Error('not now');
      },
    };
    for (const value of [endless, throws]) {
      expect(sizeWithin(value, LIMIT)).toBeLessThan(LIMIT);
      expect(bytesWithin(value, LIMIT)).toBeLessThan(LIMIT);
    }
  });
});

it('stops where the limit is passed, in lists, in members and in those that are left out', () => {
  const many = Array.from({ length: 5000 }, (_, i) => i);
  const blanks = Object.fromEntries(many.map((i) => [`m${i}`, undefined]));
  expect(bytesWithin([many, many], 100)).toBeGreaterThan(100);
  expect(sizeWithin({ a: many.map(String) }, 100)).toBeGreaterThan(100);
  expect(bytesWithin(Object.fromEntries(many.map((i) => [`m${i}`, i])), 100)).toBeGreaterThan(100);
  expect(bytesWithin(blanks, 100)).toBeGreaterThan(100);
  expect(bytesWithin({}, 100)).toBe(2);
  expect(bytesWithin([], 100)).toBe(2);
});
