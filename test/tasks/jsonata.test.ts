import { describe, expect, it } from 'vitest';
import { describeThrown } from '../../src/engine/index.ts';
import { jsonata } from '../../tasks/jsonata.ts';
import { faultsIn, use } from './running.ts';

async function thrownBy(expression: string, value: unknown = null, timeoutSeconds = 1): Promise<ReturnType<typeof describeThrown>> {
  return use(jsonata, { expression, timeoutSeconds })(value).then(
    (result) => expect.fail(`the result is ${JSON.stringify(result)}`),
    (error) => describeThrown(error),
  );
}

describe('the result', () => {
  it('is what the expression makes of the value', async () => {
    const value = {
      lines: [
        { price: 2, quantity: 3 },
        { price: 5, quantity: 1 },
      ],
    };
    expect(await use(jsonata, { expression: '$sum(lines.(price * quantity))' })(value)).toBe(11);
  });

  it('can use the metadata, the id and the sequence id of the item', async () => {
    const run = use(jsonata, { expression: '[$metadata.source, $itemId, $sequenceId]' }, { metadata: { source: 'crm' } });
    expect(await run(null)).toEqual(['crm', 'item-1', 7]);
  });

  it('is null when the expression finds nothing', async () => {
    expect(await use(jsonata, { expression: 'nothing.here' })({})).toBeNull();
  });

  it.each([0, '', false])('stays %j', async (value) => {
    expect(await use(jsonata, { expression: '$' })(value)).toBe(value);
  });

  it('has plain arrays in place of sequences, at every depth', async () => {
    const result = await use(jsonata, { expression: '{ "prices": items.price }' })({ items: [{ price: 1 }, { price: 2 }] });
    const { prices } = result as { prices: number[] };
    expect(prices).toEqual([1, 2]);
    expect(Reflect.ownKeys(prices)).toEqual(['0', '1', 'length']);
    expect(structuredClone(result)).toEqual(result);
  });

  it('has no functions in it and no numbers that JSON cannot hold', async () => {
    const expression = '{ "sum": $sum, "own": function($x) { $x }, "list": [$sum, 1], "ratio": 1 / 0 }';
    expect(await use(jsonata, { expression })(null)).toEqual({ list: [null, 1], ratio: null });
  });

  it('is null for an expression that is a function', async () => {
    expect(await use(jsonata, { expression: 'function($x) { $x }' })(null)).toBeNull();
  });

  it('keeps a member named __proto__ as a member', async () => {
    const result = await use(jsonata, { expression: '$' })(JSON.parse('{"__proto__": {"polluted": true}}'));
    expect(Object.keys(result as object)).toEqual(['__proto__']);
    expect((result as { polluted?: unknown }).polluted).toBeUndefined();
  });

  it('leaves the value as it was', async () => {
    const value = { items: [{ price: 1 }] };
    await use(jsonata, { expression: '$ ~> |items|{"price": 9}|' })(value);
    expect(value).toEqual({ items: [{ price: 1 }] });
  });
});

describe('an expression that fails', () => {
  it('fails the item for good, with the place and the code', async () => {
    expect(await thrownBy('a + "x"', { a: 1 })).toMatchObject({
      permanent: true,
      message: 'the expression fails: The right side of the "+" operator must evaluate to a number at character 3 (T2002)',
    });
  });

  it('says what $error was given', async () => {
    expect((await thrownBy('$error("no such country")')).message).toContain('no such country');
  });

  it('is stopped when it loops for ever', async () => {
    expect((await thrownBy('($f := function($n) { $f($n + 1) }; $f(1))', null, 0.05)).message).toContain('D1012');
  });

  it('is stopped when it calls itself without end', async () => {
    expect((await thrownBy('($f := function($n) { 1 + $f($n + 1) }; $f(1))')).message).toContain('D1011');
  });

  it('is stopped when it makes a sequence of millions', async () => {
    expect((await thrownBy('[1..5000000]')).message).toContain('D2015');
  });

  it('does not use up the time of evaluations that wait beside it', async () => {
    const endless = thrownBy('($f := function($n) { $f($n + 1) }; $f(1))', null, 0.6);
    const short = use(jsonata, { expression: '$sum([1..100])', timeoutSeconds: 0.5 })(null);
    expect((await endless).message).toContain('D1012');
    expect(await short).toBe(5050);
  });
});

describe('the parameters', () => {
  it('refuse a syntax error when the definition is made, with its place', () => {
    expect(faultsIn(jsonata, { expression: 'a + ' })).toEqual([
      { path: '/expression', message: 'is not a valid JSONata expression: Unexpected end of expression at character 4 (S0207)' },
    ]);
  });

  it('list every fault at once', () => {
    expect(faultsIn(jsonata, { timeoutSeconds: 0, expr: '$' }).map(({ path }) => path)).toEqual([
      '/expression',
      '/timeoutSeconds',
      '/expr',
    ]);
  });
});

describe('$parseJson', () => {
  it.each([
    ['$parseJson(text).answer', { text: '{"answer":42}' }, 42],
    ['$parseJson(text)', { text: '[1,[2],{"a":null}]' }, [1, [2], { a: null }]],
    ['text.$parseJson()', { text: '"x"' }, 'x'],
    ['texts ~> $map($parseJson)', { texts: ['1', 'true'] }, [1, true]],
    ['$parseJson(nothing)', {}, null],
    ['$eval("$parseJson(text)")', { text: '{"a":1}' }, { a: 1 }],
    ['$parseJson($string(value))', { value: { a: [1, 2] } }, { a: [1, 2] }],
  ])('%s', async (expression, value, expected) => {
    expect(await use(jsonata, { expression })(value)).toEqual(expected);
  });

  it('evaluates nothing, and says what is no JSON', async () => {
    expect(await thrownBy('$parseJson(text)', { text: '1 + 1' })).toMatchObject({
      permanent: true,
      message: expect.stringContaining('is not JSON'),
    });
    expect(await thrownBy('$parseJson(text)', { text: '{"__proto__":1}' })).toMatchObject({
      message: expect.stringContaining('__proto__'),
    });
    expect((await thrownBy('$parseJson(text)', { text: '['.repeat(100) + ']'.repeat(100) })).message).toContain('deeper than 64');
    expect((await thrownBy('$parseJson(5)')).message).toContain('T0410');
  });

  it('with retryable fails so that the item is tried again', async () => {
    const run = use(jsonata, { expression: '$parseJson(text)', retryable: true })({ text: 'Sure! Here is the JSON:' });
    expect(describeThrown(await run.catch((error: unknown) => error))).toMatchObject({ type: 'InvalidAnswer', permanent: false });
  });
});
