import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { copyValue } from '../../src/engine/stage/copy-value.ts';

/** Every object that can be reached. */
function objectsIn(value: unknown, found = new Set<object>()): Set<object> {
  if (typeof value !== 'object' || value === null || found.has(value)) return found;
  found.add(value);
  for (const member of Object.values(value)) objectsIn(member, found);
  return found;
}

const node = (): Record<string, unknown> => ({});

describe('copying a value', () => {
  it('gives an equal one that shares no object with it', () => {
    fc.assert(
      fc.property(fc.anything({ withNullPrototype: true, maxDepth: 5 }), (value) => {
        const copy = copyValue(value);
        expect(copy).toEqual(value);
        const originals = objectsIn(value);
        for (const object of objectsIn(copy)) expect(originals.has(object)).toBe(false);
      }),
    );
  });

  it('keeps keys that look like prototypes as the plain keys that they are', () => {
    const value = JSON.parse('{"__proto__":{"polluted":true},"constructor":1}');
    const copy = copyValue(value) as object;
    expect(Object.keys(copy)).toEqual(['__proto__', 'constructor']);
    expect(Object.getPrototypeOf(copy)).toBe(Object.prototype);
    expect('polluted' in copy).toBe(false);
  });

  it('shares what is no plain data', () => {
    class Point {}
    const kept = {
      point: new Point(),
      date: new Date(0),
      map: new Map(),
      bytes: Buffer.from('x'),
      fn: () => 1,
      url: new URL('http://localhost'),
    };
    const copy = copyValue({ kept }) as { kept: typeof kept };
    expect(Object.is(copy.kept, kept)).toBe(false);
    for (const key of Object.keys(kept) as (keyof typeof kept)[]) expect(copy.kept[key]).toBe(kept[key]);
  });

  it('copies cycles as cycles, also where there are many ways round', () => {
    const parent = node();
    parent.children = Array.from({ length: 5 }, (_, i) => ({ i, parent }));
    parent.self = parent;
    const copy = copyValue(parent) as { self: unknown; children: { i: number; parent: unknown }[] };
    expect(Object.is(copy, parent)).toBe(false);
    expect(Object.is(copy.self, copy)).toBe(true);
    expect(copy.children.map(({ i, parent: up }) => [i, up === copy])).toEqual([0, 1, 2, 3, 4].map((i) => [i, true]));
  });

  it('is quick with a value whose tree would have more nodes than there is memory', () => {
    let value: unknown[] = [];
    for (let i = 0; i < 100; i++) value = [value, value];
    const copy = copyValue(value) as unknown[];
    expect(Object.is(copy[0], copy[1])).toBe(true);
    expect(Object.is(copy[0], value[0])).toBe(false);
  });

  it('copies to any depth and of any size', () => {
    const deep = node();
    let at = deep;
    for (let i = 0; i < 100_000; i++) at = at.next = node();
    at.end = true;
    let copied = copyValue(deep) as Record<string, unknown>;
    for (at = deep; at.next !== undefined; at = at.next as Record<string, unknown>) {
      if (copied === at) throw new Error('shared');
      copied = copied.next as Record<string, unknown>;
    }
    expect(copied).toEqual({ end: true });
    const wide = Array.from({ length: 100_000 }, (_, i) => ({ i }));
    const copy = copyValue(wide) as typeof wide;
    expect(copy.every((entry, i) => entry.i === i && entry !== wide[i])).toBe(true);
  });
});
