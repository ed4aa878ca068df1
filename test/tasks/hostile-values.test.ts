import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { jsonSchema } from '../../tasks/json_schema.ts';
import { jsonata } from '../../tasks/jsonata.ts';
import { jsonataTrue } from '../../tasks/jsonata_true.ts';
import { compileExpression } from '../../tasks/kit/expression.ts';
import { machinePace } from '../machine-pace.ts';
import { SEED } from '../seed.ts';
import { use } from './running.ts';

const RUNS = Number(process.env.VALUES_RUNS ?? 40);
/** Of this thread alone, for one value of a megabyte: it is what the event loop waits at most. */
const CPU_MS_MAX = 250;

/** Who is over the bound may have met a machine that is slow just then. */
function expectLittle(cpuMs: number, what: string): void {
  if (cpuMs >= CPU_MS_MAX) expect(cpuMs, what).toBeLessThan(CPU_MS_MAX * machinePace());
}

/** What the event loop has to do for it, and how it ended. */
async function loopCost(work: () => unknown): Promise<{ cpuMs: number; error: { permanent?: boolean; message: string } | undefined }> {
  const before = process.threadCpuUsage();
  let error: { permanent?: boolean; message: string } | undefined;
  try {
    await work();
  } catch (thrown) {
    error = thrown as { permanent?: boolean; message: string };
  }
  const { user, system } = process.threadCpuUsage(before);
  return { cpuMs: (user + system) / 1000, error };
}

const BYTES = 1_000_000;
const size = fc.constantFrom(1000, 30_000, BYTES);
const piece = fc.constantFrom('a', 'ab', 'a@', 'a.', '1', '-', ' ', '/', '{a}', '\\', 'é', '😀', 'http://a', '::', '%41', '"');
const text = fc
  .tuple(piece, size, fc.constantFrom('', '!', '\n', 'http://', '@'))
  .map(([part, bytes, end]) => part.repeat(bytes / part.length) + end);
const flat = fc
  .tuple(
    size,
    fc.constantFrom<(i: number) => unknown>(
      (i) => i,
      (i) => i % 3,
      (i) => `k${i}`,
      (i) => ({ k: `k${i % 7}`, n: i, list: [i] }),
      (i) => [i, [i]],
      () => ({}),
    ),
  )
  .map(([bytes, make]) => Array.from({ length: Math.ceil(bytes / 20) }, (_, i) => make(i)));
const wide = size.map((bytes) => Object.fromEntries(Array.from({ length: bytes / 20 }, (_, i) => [`key ${i}`, { n: i }])));
const deep = fc
  .tuple(fc.integer({ min: 1, max: 60 }), fc.boolean())
  .map(([depth, isList]) =>
    Array.from({ length: depth }).reduce<unknown>((inner) => (isList ? [inner, inner].slice(0, 1) : { a: inner, k: 'k' }), 1),
  );
const odd = fc.constantFrom<unknown>(
  null,
  0,
  -0,
  '',
  [],
  {},
  [[]],
  JSON.parse('{"__proto__": {"a": 1}, "_jsonata_lambda": true, "sequence": true}'),
);
const part = fc.oneof(text, flat, wide, deep, odd);
/** As a function: a counterexample of a megabyte would be printed. */
const value = fc.oneof(part, fc.record({ a: part, items: flat, text, b: deep })).map((given) => () => given);

const expressions = [
  '$',
  'a',
  'a.b.c',
  'items.n',
  'items.list',
  '$.a',
  '**',
  '*',
  '$sort(items.n)',
  'items^(n)',
  'items^(>k, n)',
  '$distinct(items)',
  '$spread($)',
  'items{k: $sum(n)}',
  '$join(items.k, text)',
  '$replace(text, "a", text)',
  '$split(text, "")',
  '$match(text, /(a|b)*c/)',
  '$contains(text, /^(a|a)*$/)',
  '$pad(text, 3000000, text)',
  '$string($) & $string($)',
  '[1..1000000].{"n": $}',
  'items@$x.items@$y[$x.n = $y.n].{"n": $x.n}',
  '$formatNumber(1, text)',
  '$map(items, function($i) { $count(items) })',
  '($f := function($x) { $f($x & $x) }; $f("a"))',
  '$eval(text)',
  '$ ~> |**|{"a": 1}|',
  '$merge(items)',
  '$each($, function($v, $k) { $k })',
  '$lookup($, "a")',
];

const schemas: object[] = [
  { uniqueItems: true },
  { items: { uniqueItems: true } },
  ...'url email uri uri-template hostname regex date-time ipv6 json-pointer'
    .split(' ')
    .map((format) => ({ anyOf: [{ format }, { items: { format } }] })),
  { pattern: '^(a+)+$' },
  { pattern: '(a|ab)*c' },
  { properties: { text: { pattern: '^(.*a)*$' } } },
  { patternProperties: { '^(k|e|y| |\\d)+!$': false } },
  {
    $ref: '#/$defs/tree',
    $defs: {
      tree: { anyOf: [{ type: 'number' }, { additionalProperties: { $ref: '#/$defs/tree' } }, { items: { $ref: '#/$defs/tree' } }] },
    },
  },
  { items: { oneOf: [{ type: 'string' }, { type: 'object', required: ['k'] }, { type: 'array', contains: { type: 'array' } }] } },
  { additionalProperties: { type: 'string' }, items: { type: 'boolean' }, minLength: 2_000_000 },
  { unevaluatedProperties: false, unevaluatedItems: false, properties: { a: true } },
  { items: { enum: Array.from({ length: 300 }, (_, i) => ({ n: i })) } },
  { const: Array.from({ length: 5000 }, (_, i) => i) },
  { propertyNames: { pattern: '^(key )+\\d+$' }, contains: { minimum: 1e9 }, minContains: 3 },
];

describe('a hostile value', () => {
  it('costs the event loop little in jsonata, and nothing else than its own item fails', async () => {
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(...expressions), value, async (expression, given) => {
        const run = use(jsonata, { expression, timeoutSeconds: 0.2 });
        const input = given();
        const { cpuMs, error } = await loopCost(() => run(input));
        expectLittle(cpuMs, expression);
        expect(error === undefined || error.permanent, error?.message).toBe(true);
      }),
      { seed: SEED, numRuns: RUNS },
    );
  });

  it('costs the event loop little in jsonata_true, in templates and in limiters', async () => {
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(...expressions), value, async (expression, given) => {
        const input = given();
        const skip = await loopCost(() => use(jsonataTrue, { expression })(input));
        const evaluate = compileExpression(`(${expression})`, 0.2);
        const members = typeof input === 'object' && !Array.isArray(input) ? input : {};
        const template = await loopCost(() => evaluate({ ...members, value: input, metadata: {} }));
        expectLittle(Math.max(skip.cpuMs, template.cpuMs), expression);
      }),
      { seed: SEED + 1, numRuns: RUNS / 2 },
    );
  });

  it('costs the event loop little in json_schema, whatever is wrong with it', async () => {
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(...schemas), value, async (schema, given) => {
        const run = use(jsonSchema, { schema });
        const input = given();
        const { cpuMs, error } = await loopCost(() => run(input));
        expectLittle(cpuMs, JSON.stringify(schema).slice(0, 200));
        expect(error === undefined || error.permanent, error?.message).toBe(true);
      }),
      { seed: SEED + 2, numRuns: RUNS },
    );
  });
});
