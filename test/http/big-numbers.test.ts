import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { losesDigits, lostIn, mayLoseDigits, parseExactly } from '../../src/schemas/big-numbers.ts';

/** A whole number of any length, of which JSON knows no leading zero. */
const integer = fc.tuple(fc.constantFrom('', '-'), fc.stringMatching(/^[1-9][0-9]{0,40}$/)).map(([sign, digits]) => sign + digits);

describe('losesDigits', () => {
  it.each([
    ['9007199254740991', false],
    ['9007199254740992', false],
    ['9007199254740993', true],
    ['-9007199254740993', true],
    ['9007199254740994', false],
    ['1050118621198921728', true],
    ['1050118621198921700', false],
    ['1732646400123456', false],
    ['1732646400123456789', true],
    ['1000000000000000000000', false],
    ['10000000000000000000000', false],
    ['10000000000000000000001', true],
    ['1208925819614629174706176', true],
    [`1${'0'.repeat(308)}`, false],
    [`1${'0'.repeat(309)}`, true],
    ['12345678901234567.5', false],
    ['1.2345678901234567', false],
    ['12345678901234567e3', false],
    ['12345', false],
  ])('%s: %j', (source, expected) => {
    expect(losesDigits(source)).toBe(expected);
  });

  it('is false for whatever a number is written as', () => {
    fc.assert(fc.property(fc.double({ noNaN: true, noDefaultInfinity: true }), (n) => !losesDigits(JSON.stringify(n))));
    fc.assert(fc.property(fc.bigInt({ min: -(2n ** 80n), max: 2n ** 80n }), (n) => !losesDigits(JSON.stringify(Number(n)))));
  });

  it('is true for whatever a number is written as otherwise', () => {
    fc.assert(
      fc.property(integer, (source) => {
        const again = JSON.stringify(Number(source));
        const isSame = again.includes('e') ? BigInt(source) === expanded(again) : again === source;
        return losesDigits(source) === !isSame;
      }),
    );
  });
});

/** `1.25e+22` as an integer. */
function expanded(text: string): bigint {
  const [, sign = '', whole = '', fraction = '', exponent = ''] = /^(-?)(\d+)(?:[.](\d+))?e[+](\d+)$/.exec(text) ?? [];
  return BigInt(`${sign}${whole}${fraction}`) * 10n ** BigInt(Number(exponent) - fraction.length);
}

/** A JSON text in which anything stands anywhere, numbers as they were written. */
const value = fc.letrec((tie) => ({
  value: fc.oneof(
    { maxDepth: 4 },
    integer,
    fc.double({ noNaN: true, noDefaultInfinity: true }).map((n) => JSON.stringify(n)),
    fc
      .oneof(fc.string(), integer, fc.constantFrom('"', '\\', ':9007199254740993,', '\\",9007199254740993'))
      .map((text) => JSON.stringify(text)),
    fc.array(tie('value') as fc.Arbitrary<string>, { maxLength: 4 }).map((all) => `[${all.join(', ')}]`),
    fc
      .array(fc.tuple(fc.oneof(fc.string(), integer), tie('value') as fc.Arbitrary<string>), { maxLength: 4 })
      .map((all) => `{${all.map(([key, each]) => `${JSON.stringify(key)}:${each}`).join(',')}}`),
  ),
})).value as fc.Arbitrary<string>;

describe('a text', () => {
  it('is named as one that may lose digits whenever it does', () => {
    fc.assert(
      fc.property(value, fc.constantFrom('', ' ', '\t', '\r\n'), (text, space) => {
        const whole = `${space}${text}${space}`;
        const { lost } = parseExactly(whole, () => () => false);
        return lost === null || mayLoseDigits(Buffer.from(whole));
      }),
      { numRuns: 500 },
    );
  });

  it.each([
    ['{"a":"1050118621198921728"}', null],
    ['{"a":1050118621198921728}', '1050118621198921728'],
    ['{"1050118621198921728":1}', null],
    ['{"a":":9007199254740993,"}', null],
    ['{"a":"\\":9007199254740993,"}', null],
    ['[1,-9007199254740993]', '-9007199254740993'],
    ['[ 9007199254740993]', '9007199254740993'],
    ['[0,\n9007199254740993 ]', '9007199254740993'],
    ['9007199254740993', '9007199254740993'],
    ['[9007199254740993.0, 9007199254740993e0]', null],
    ['{"a":{"b":[{"c":9007199254740993}]},"d":9007199254740995}', '9007199254740993'],
    [`{"a":"${'9'.repeat(100)}","b":${'9'.repeat(100)}}`, '9'.repeat(100)],
    [`["${'x'.repeat(31)}",${'12345678901234567'.repeat(1)}]`, '12345678901234567'],
  ])('%s: the first integer that is lost is %j', (text, expected) => {
    expect(lostIn(text)).toBe(expected);
  });
});
