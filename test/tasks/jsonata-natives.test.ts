import fc from 'fast-check';
import compile from 'jsonata';
import { describe, expect, it } from 'vitest';
import { prepareExpression } from '../../tasks/kit/evaluate-expression.ts';
import { plainData } from '../../tasks/kit/plain-data.ts';
import { SEED } from '../seed.ts';

const outcome = (work: Promise<unknown>): Promise<unknown> =>
  work.then(
    (value) => ({ value }),
    (error: { code?: string; message: string }) => ({ code: error.code ?? /[(]([A-Z]\d+)[)]$/.exec(error.message)?.[1] ?? error.message }),
  );

/** What the library alone makes of it. */
const library = (expression: string, value: unknown) => outcome(compile(expression).evaluate(structuredClone(value)).then(plainData));
const bounded = (expression: string, value: unknown) => outcome(prepareExpression(expression, 60_000)(structuredClone(value), undefined));

const scalars = fc.oneof(fc.integer({ min: -2, max: 3 }), fc.constantFrom('a', 'b', '', 'é😀'), fc.boolean(), fc.constant(null));
const records = fc.record(
  {
    k: fc.oneof(fc.constantFrom('a', 'b'), scalars),
    n: fc.integer({ min: -3, max: 3 }),
    list: fc.array(scalars, { maxLength: 3 }),
    v: scalars,
  },
  { requiredKeys: [] },
);
const values = fc.oneof(
  records,
  fc.record({
    items: fc.array(records, { maxLength: 6 }),
    one: records,
    deep: fc.array(fc.array(scalars, { maxLength: 3 }), { maxLength: 3 }),
  }),
  fc.array(records, { maxLength: 5 }),
  fc.record({ items: fc.array(fc.record({ n: fc.integer({ min: -3, max: 3 }), k: fc.constantFrom('a', 'b', 'c') }), { maxLength: 8 }) }),
);

describe.each([
  '$sort(items.n)',
  '$sort(items.k)',
  '$sort(items.v)',
  '$sort(items, function($a, $b) { $a.n > $b.n })',
  '$sort(items, function($a, $b) { $a.k > $b.k }).n',
  '$sort(deep)',
  '$sort(items.n)[0]',
  'items.n ~> $sort',
  '($up := $sort(?); $up(items.n))',
  'items^(n)',
  'items^(>n)',
  'items^(k, >n)',
  'items^(>k, n).n',
  'items^(n)[0]',
  'items^(n)[-1].k',
  'items^(n)[n > 0]',
  'items^(n)[[0..1]]',
  'items^(v)',
  'items^(list[0])',
  'items^(n).list^($)',
  'items^(n){k: $sum(n)}',
  'items^(n)[]',
  'items[n > -2]^(<n).k',
  'items#$i^(n).{"i": $i, "n": n}',
  'items@$x^($x.n).$x',
  '$^(n)',
  '$^(n).k',
  '$$.items^(n)',
  'items.list^($)',
  'deep^($)',
  'deep^($[0])',
  'items.{"n": n}^(n)',
  '(items^(n)).k',
  '$map(items^(n), function($i) { $i.k & "" })',
  'items.(list^($))',
  'one.list^(>$)[0]',
  '$distinct(items)',
  '$distinct(items.n)',
  '$distinct(items.v)',
  '$distinct(items.list)',
  '$distinct(deep)',
  '$distinct([0, -0, 1, 1.0, "1", true, null, [], [[]], {}])',
  '$distinct(one)',
  '$distinct([$sum, $sum, $max, function($x) { $x }])~> $count',
  '$distinct([{"a": 1, "b": 2}, {"b": 2, "a": 1}, {"a": {"b": 1}}])',
  '$spread(items)',
  '$spread(one)',
  '$spread($)',
  '$spread(deep)',
  '$spread(items.v)',
  '$spread(nothing)',
  '$spread([[{"a": 1}], {"b": 2}])',
  '$spread(items).n',
  '$pad(one.k, 5)',
  '$pad("é😀", -6, "ab")',
  '$pad("x", 4.7, "")',
  '$pad("abc", 2)',
  '$max(items.n)',
  '$min(items.n)',
  '$max(nothing)',
  '$max([])',
  '$max(items.v)',
  'one.k & one.n & one.v & one.list & nothing',
  'items.(k & "-" & n)',
  '$sum & "x"',
  '(1/0) & "x"',
  '($f := function($a) { $a & "!" }; $f("x"))',
  '("a" & "b")[0] & "c"',
  '$eval("one.k & \'x\'")',
  '$eval("items^(n).k")',
  '$eval("1 + ")',
  '$eval("$sum(items.n)")',
  '$eval("$", [1, 2])',
  '"[1, 2, 3]" ~> $eval',
  '$map(["1", "2"], $eval)',
  '($y := 4; $eval("$y + 1"))',
  '$eval(nothing)',
  '$formatNumber(one.n, "#,##0.00")',
  '$formatInteger(12, "w")',
  '$fromMillis(0, "[Y]-[M01]-[D01]")',
  '$merge(items)',
  '$ ~> |items|{"n": n & "x"}, "k"|',
])('%s', (expression) => {
  it('is what the library makes of it', async () => {
    await fc.assert(
      fc.asyncProperty(values, async (value) => {
        expect(await bounded(expression, value)).toEqual(await library(expression, value));
      }),
      { seed: SEED, numRuns: 60 },
    );
  });
});
