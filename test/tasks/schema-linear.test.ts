import { Ajv2020 as Validator } from 'ajv/dist/2020.js';
import addOriginalFormats from 'ajv-formats';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { jsonSchema } from '../../tasks/json_schema.ts';
import { compileSchema } from '../../tasks/kit/json-schema.ts';
import { isQuickPattern, quickUpTo } from '../../tasks/kit/schema-size.ts';
import { SEED } from '../seed.ts';
import { use } from './running.ts';

const FORMATS =
  'date time date-time iso-time iso-date-time duration uri uri-reference uri-template url email hostname ipv4 ipv6 regex uuid json-pointer json-pointer-uri-fragment relative-json-pointer byte'.split(
    ' ',
  );

/** Milliseconds of CPU, the least of some runs: what others do on the machine only adds to it. */
function costOf(work: () => void): number {
  let least = Number.POSITIVE_INFINITY;
  for (let i = 0; i < 3; i++) {
    const before = process.cpuUsage();
    work();
    const { user, system } = process.cpuUsage(before);
    least = Math.min(least, (user + system) / 1000);
  }
  return least;
}

/** Four times as much may cost some ten times as much, and not sixteen times. What takes next to no time proves nothing. */
function expectLinear(cost: (size: number) => number, size: number): void {
  const [once, four] = [cost(size), cost(4 * size)];
  expect(four, `${once} ms, then ${four} ms`).toBeLessThan(Math.max(12 * once, 40));
}

describe('formats', () => {
  const pieces = 'a|1|.|-|:|/|@|%|%41|{a}|{|(|[|a.|1.|a-|-a|a@|a.a@|::|1:|//|~0|P1D|+|é|#|?|a=|&|\\|a?|=|A|0'.split('|');
  const before = ['', 'http://', 'http://a.', 'http://a/', 'a@', '{', '1985-04-12T', 'P', '/', '::'];
  const after = ['', '!', ' ', '}', '@', '.com'];

  it.each(FORMATS)('%s takes a time in proportion to the text', (format) => {
    const check = compileSchema({ format });
    for (const head of before) {
      for (const piece of pieces) {
        for (const tail of after) {
          const text = (size: number) => `${head}${piece.repeat(size / piece.length)}${tail}`;
          // Most are told at the first character; only the others are looked at closely.
          const glance = text(3000);
          if (costOf(() => check(glance)) < 1) continue;
          expectLinear((size) => {
            const long = text(size);
            return costOf(() => check(long));
          }, 24_000);
        }
      }
    }
  });

  it.each(FORMATS)('%s of a megabyte is told within a second', (format) => {
    const check = compileSchema({ format });
    for (const text of [
      'http://a/'.padEnd(1_000_000, 'a@'),
      'a'.repeat(1_000_000),
      `http://${'a-'.repeat(500_000)}`,
      'a.'.repeat(500_000),
    ]) {
      expect(costOf(() => check(text))).toBeLessThan(1000);
    }
  });

  it('url is what the package takes for one', () => {
    const original = new Validator({ logger: false });
    (addOriginalFormats as unknown as (ajv: Validator) => void)(original);
    const theirs = original.compile({ format: 'url' });
    const ours = compileSchema({ format: 'url' });
    const part = fc.constantFrom(
      'http://',
      'ftp://',
      'a',
      'b.de',
      '.',
      '@',
      ':',
      ':80',
      '/',
      ' ',
      '-',
      '10.0.0.1',
      '8.8.8.8',
      'é',
      '#',
      '?',
      'HTTPS://',
      '\n',
      '1',
    );
    let valid = 0;
    fc.assert(
      fc.property(fc.array(part, { maxLength: 9 }), fc.boolean(), (parts, hasScheme) => {
        const text = `${hasScheme ? 'http://' : ''}${parts.join('')}`;
        const isValid = theirs(text);
        if (isValid) valid++;
        expect(ours(text).length === 0, text).toBe(isValid);
      }),
      { seed: SEED, numRuns: 20_000 },
    );
    expect(valid).toBeGreaterThan(200);
  });
});

describe('uniqueItems', () => {
  const unique = compileSchema({ uniqueItems: true });

  it.each<[string, (i: number) => unknown]>([
    ['numbers', (i) => i],
    ['texts', (i) => `text ${i}`],
    ['objects', (i) => ({ a: i, b: [i] })],
  ])('takes a time in proportion to the number of %s', (_, make) => {
    expectLinear((size) => {
      const items = Array.from({ length: size }, (_each, i) => make(i));
      return costOf(() => unique(items));
    }, 15_000);
  });

  it('holds equal what JSON Schema holds equal', () => {
    const original = new Validator({ logger: false }).compile({ uniqueItems: true });
    const { value } = fc.letrec<{ value: unknown }>((tie) => ({
      value: fc.oneof(
        { maxDepth: 3 },
        fc.constantFrom<unknown>(0, -0, 1, 1.0, '1', 'null', null, true, 'true', '[]', '{}', '"a"', 'a'),
        fc.array(tie('value'), { maxLength: 2 }),
        fc.dictionary(fc.constantFrom('a', 'b', '__proto__'), tie('value'), { maxKeys: 2, noNullPrototype: true }),
      ),
    }));
    fc.assert(
      fc.property(fc.array(value, { maxLength: 5 }), (items) => {
        expect(unique(items).length === 0).toBe(original(items));
      }),
      { seed: SEED, numRuns: 5000 },
    );
  });

  it('names both items', () => {
    expect(unique([{ a: 1, b: 2 }, 3, { b: 2, a: 1 }])).toEqual([
      { path: '', message: 'must NOT have duplicate items (items ## 0 and 2 are identical)' },
    ]);
    expect(compileSchema({ uniqueItems: false })([1, 1])).toEqual([]);
  });
});

describe('a value that could hold up the event loop', () => {
  const evil = `${'a'.repeat(40)}!`;
  const deep = (depth: number) => Array.from({ length: depth }).reduce<unknown>((inner) => ({ a: inner }), 1);

  it.each<[string, object, unknown, string]>([
    ['a pattern that backtracks', { pattern: '^(a+)+$' }, evil, 'must match pattern "^(a+)+$"'],
    [
      'the same in a name',
      { patternProperties: { '^(a|aa)+$': false }, additionalProperties: { type: 'null' } },
      { [evil]: 1 },
      'must be null',
    ],
    ['a pattern with a lookahead', { pattern: '^(?=.*\\d)[a-z\\d]{4,}$' }, 'abcd', 'must match pattern'],
    ['a pattern with a lookahead that backtracks', { pattern: '^(a+)+(?=b)$' }, evil, 'time limit'],
    ['alternatives of alternatives', recursive(), deep(40), 'time limit'],
    ['a reference to itself', { $ref: '#' }, 1, 'Maximum call stack'],
    [
      'faults without number',
      { items: { allOf: Array.from({ length: 50 }, () => ({ type: 'string' })) } },
      [...Array(60_000).keys()],
      'must be string',
    ],
    [
      'items that are not unique',
      { uniqueItems: true },
      [...Array(60_000).keys(), 5],
      'must NOT have duplicate items (items ## 5 and 60000',
    ],
  ])('%s is checked apart', async (_, schema, value, message) => {
    const run = use(jsonSchema, { schema });
    await expect(run(value)).rejects.toMatchObject({ permanent: true, message: expect.stringContaining(message) });
  });

  it.each<[string, object, unknown]>([
    ['a large value that fits', { type: 'array', uniqueItems: true, items: { type: 'integer' } }, [...Array(60_000).keys()]],
    ['a long text', { pattern: '^[a-z ]+$' }, 'a sentence '.repeat(20_000)],
    ['a tree', { $ref: '#/$defs/n', $defs: { n: { type: 'object', properties: { a: { $ref: '#/$defs/n' } } } } }, { a: { a: {} } }],
    ['a backreference', { pattern: '^(.)\\1$' }, 'aa'],
  ])('%s passes as the same object', async (_, schema, value) => {
    expect(await use(jsonSchema, { schema })(value)).toBe(value);
  });

  function recursive(): object {
    const branch = { properties: { a: { $ref: '#/$defs/t' } }, required: ['a'] };
    return { $ref: '#/$defs/t', $defs: { t: { anyOf: [branch, branch, { type: 'string' }] } } };
  }
});

describe('what is checked at once', () => {
  it.each(['^[A-Z]{3}-\\d{4}$', '^a+$', '^\\S*$', 'abc', '^[^@ ]+@x$', '', '\\.'])('the pattern %j', (pattern) => {
    expect(isQuickPattern(pattern)).toBe(true);
  });

  it.each([
    '(a+)+$',
    'a+$',
    '^a+b+$',
    '^a?a?$',
    'a|b',
    '^(a)$',
    '(?=a)',
    '\\1',
    '^a{2,}b*$',
    '^[a-z]+\\p{L}$',
    '\\b',
    '^(?:a*)*$',
    'a{1000}{1000}',
  ])('not the pattern %j', (pattern) => {
    expect(isQuickPattern(pattern)).toBe(false);
  });

  it('is small schemas over small values, references that end included', () => {
    expect(quickUpTo({ type: 'string' })).toBeGreaterThan(10_000);
    expect(quickUpTo({ type: 'string', format: 'email' })).toBe(8192);
    expect(quickUpTo({ $ref: '#/$defs/a', $defs: { a: { type: 'string' } } })).toBeGreaterThan(10_000);
    expect(quickUpTo({ $ref: '#' })).toBe(0);
    expect(quickUpTo({ $dynamicRef: '#a' })).toBe(0);
    const doubling = Object.fromEntries(
      Array.from({ length: 30 }, (_, i) => [
        `d${i}`,
        i === 0 ? true : { anyOf: [{ $ref: `#/$defs/d${i - 1}` }, { $ref: `#/$defs/d${i - 1}` }] },
      ]),
    );
    expect(quickUpTo({ $ref: '#/$defs/d29', $defs: doubling })).toBe(0);
  });
});
