import fc from 'fast-check';
import { describe, expect, it, onTestFinished } from 'vitest';
import { createValueRule } from '../../src/engine/values/value-rule.ts';
import { SEED } from '../seed.ts';

const rule = createValueRule(1_000_000);

describe('taking a value over', () => {
  it('gives what JSON would make of it, as a copy, or says what JSON cannot express', () => {
    const values = fc.anything({ withDate: true, withNullPrototype: true, withBoxedValues: true, withSparseArray: true, maxDepth: 4 });
    let taken = 0;
    fc.assert(
      fc.property(values, (value) => {
        const fault = rule.take(value);
        if (fault !== null) return;
        taken++;
        const text = JSON.stringify(value);
        expect(rule.plain).toStrictEqual(text === undefined ? undefined : JSON.parse(text));
        if (typeof value === 'object' && value !== null) expect(Object.is(rule.plain, value)).toBe(false);
      }),
      { seed: SEED, numRuns: 1000 },
    );
    expect(taken).toBeGreaterThan(500);
  });

  it('takes what was parsed without a copy, and mends the one thing that JSON parses and does not write', () => {
    const parsed = JSON.parse('{"a":[-0,{"b":-0}]}');
    expect(rule.take(parsed, true)).toBeNull();
    expect(Object.is(rule.plain, parsed)).toBe(true);
    expect(rule.plain).toStrictEqual({ a: [0, { b: 0 }] });
  });

  it('goes on where it was when a getter has another value taken', () => {
    const inner = { x: ['y'.repeat(100)] };
    const outer = {
      a: [1, 2],
      get b() {
        rule.take(inner);
        rule.take(Number.NaN);
        return rule.take({ c: 1n })?.message;
      },
      z: { deep: [Number.NaN] },
    };
    expect(rule.take(outer)?.message).toBe('is not JSON: /z/deep/0 is NaN');
    expect(rule.take({ ...outer, z: 1 })).toBeNull();
    expect(rule.plain).toStrictEqual({ a: [1, 2], b: 'is not JSON: /c is a bigint', z: 1 });
  });

  it('meets no members that somebody has given to all objects', () => {
    Object.assign(Object.prototype, { strange: () => 1 });
    onTestFinished(() => void delete (Object.prototype as { strange?: unknown }).strange);
    expect(rule.take({ a: [{ b: 1 }] })).toBeNull();
    expect(JSON.stringify(rule.plain)).toBe('{"a":[{"b":1}]}');
    expect(Object.hasOwn(rule.plain as object, 'strange')).toBe(false);
  });
});
