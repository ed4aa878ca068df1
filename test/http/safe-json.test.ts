import { describe, expect, it } from 'vitest';
import { toJsonSafe } from '../../src/http/schemas/safe-json.ts';

describe('toJsonSafe', () => {
  it('keeps what JSON can say', () => {
    const value = { a: [1, 'b', null, true], d: new Date(0) };
    expect(JSON.stringify(toJsonSafe(value))).toBe(JSON.stringify(value));
  });

  it('writes bigints as digits and leaves functions out', () => {
    expect(JSON.stringify(toJsonSafe({ big: 12n, f: () => 1, list: [() => 1, Symbol('s')] }))).toBe('{"big":"12","list":[null,null]}');
  });

  it('marks cycles, but not what merely occurs twice', () => {
    const shared = { x: 1 };
    const cycle: Record<string, unknown> = { a: shared, b: shared };
    cycle.me = cycle;
    expect(toJsonSafe(cycle)).toEqual({ a: { x: 1 }, b: { x: 1 }, me: '[circular]' });
  });

  it('marks what throws and what is too deep', () => {
    const throwing = {
      get boom() {
        throw new Error('no');
      },
      fine: 1,
    };
    expect(toJsonSafe(throwing)).toEqual({ boom: '[not serialisable]', fine: 1 });
    expect(
      toJsonSafe({
        toJSON() {
          throw new Error('no');
        },
      }),
    ).toBe('[not serialisable]');
    let deep: unknown = 1;
    for (let i = 0; i < 10_000; i++) deep = [deep];
    expect(JSON.stringify(toJsonSafe(deep))).toContain('[too deep]');
  });
});
