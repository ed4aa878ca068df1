import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { guardJson, isPlainText, JSON_DEPTH_MAX } from '../../src/schemas/json-guard.ts';

const SEED = Number(process.env.SEED ?? 20261126);
const nested = (levels: number): unknown => JSON.parse('['.repeat(levels) + ']'.repeat(levels));

describe('guardJson', () => {
  it('lets ordinary values through', () => {
    for (const value of [null, 0, -1.5, '', 'é 🙂', true, [], {}, { a: [1, { b: null }] }]) expect(guardJson(value)).toBeNull();
  });

  it('allows 64 levels and refuses 65', () => {
    expect(guardJson(nested(JSON_DEPTH_MAX))).toBeNull();
    expect(guardJson(nested(JSON_DEPTH_MAX + 1))).toMatch(/deeper than 64 levels/);
  });

  it('survives a hundred thousand levels', () => {
    expect(guardJson(nested(100_000))).toMatch(/deeper/);
  });

  it('refuses numbers that overflowed, wherever they are', () => {
    expect(guardJson(JSON.parse('1e999'))).toMatch(/too large/);
    expect(guardJson(JSON.parse('{"a":[-1e999]}'))).toMatch(/too large/);
  });

  it('refuses lone surrogates in values and keys, and keeps pairs', () => {
    expect(guardJson(JSON.parse('"\\ud83d\\ude42"'))).toBeNull();
    expect(guardJson(JSON.parse('["\\ud83d"]'))).toMatch(/surrogate/);
    expect(guardJson(JSON.parse('{"\\udc00":1}'))).toMatch(/key/);
  });

  it('refuses keys that poison prototypes, but not their names elsewhere', () => {
    expect(guardJson(JSON.parse('{"a":{"__proto__":{}}}'))).toMatch(/__proto__/);
    expect(guardJson(JSON.parse('{"constructor":{"prototype":{}}}'))).toMatch(/constructor/);
    expect(guardJson(JSON.parse('{"constructor":"Ada","b":"__proto__"}'))).toBeNull();
  });

  it('says the same of a plain text, for which it looks at less', () => {
    const word = fc.constantFrom('a', '__proto__', 'constructor', 'prototype', 'id', '\ud83d', '\u0001', 'é');
    const value = fc.letrec((tie) => ({
      node: fc.oneof(
        { depthSize: 'medium' },
        fc.constantFrom<unknown>(1, null, true, 1e308),
        word,
        fc.array(tie('node'), { maxLength: 4 }),
        fc.array(fc.tuple(word, tie('node')), { maxLength: 4 }).map((members) => ({ members })),
      ),
    })).node;
    const text = (node: unknown): string => {
      if (Array.isArray(node)) return `[${node.map(text).join(',')}]`;
      if (typeof node !== 'object' || node === null) return node === 1e308 ? '1e999' : JSON.stringify(node);
      const { members } = node as { members: [string, unknown][] };
      return `{${members.map(([key, member]) => `${JSON.stringify(key)}:${text(member)}`).join(',')}}`;
    };
    fc.assert(
      fc.property(value, (node) => {
        const json = text(node);
        const parsed: unknown = JSON.parse(json);
        expect(guardJson(parsed, isPlainText(json))).toBe(guardJson(parsed));
      }),
      { seed: SEED, numRuns: 5000 },
    );
  });
});
