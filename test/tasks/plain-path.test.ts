import fc from 'fast-check';
import compile from 'jsonata';
import { describe, expect, it } from 'vitest';
import { plainData } from '../../tasks/kit/plain-data.ts';
import { followPath, plainPath, UNCERTAIN } from '../../tasks/kit/plain-path.ts';
import { SEED } from '../seed.ts';

const { value } = fc.letrec<{ value: unknown }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 5, withCrossShrink: true },
    fc.constantFrom(null, 0, -0, 1, '', 'x', true, false),
    fc.array(tie('value'), { maxLength: 3 }),
    fc.dictionary(fc.constantFrom('a', 'b', 'c', '__proto__', 'sequence', 'length', '_jsonata_lambda', 'tupleStream'), tie('value'), {
      maxKeys: 3,
    }),
  ),
}));

const path = fc
  .array(fc.constantFrom('a', 'b', 'c', 'length', '__proto__', 'sequence', 'constructor'), { minLength: 1, maxLength: 4 })
  .map((steps) => steps.join('.'));

describe('a path of names', () => {
  it('finds what JSONata finds in any value, or says that it cannot tell', async () => {
    let told = 0;
    await fc.assert(
      fc.asyncProperty(path, value, async (source, input) => {
        const found = followPath(plainPath(source) ?? expect.fail(source), input, undefined);
        if (found === UNCERTAIN) return;
        told++;
        expect(plainData(found)).toEqual(plainData(await compile(source).evaluate(input)));
      }),
      { seed: SEED, numRuns: 3000 },
    );
    expect(told).toBeGreaterThan(1500);
  });

  it('may begin with a binding', async () => {
    await fc.assert(
      fc.asyncProperty(path, value, async (source, metadata) => {
        const found = followPath(plainPath(`$metadata.${source}`) ?? expect.fail(source), null, { metadata });
        if (found === UNCERTAIN) return;
        expect(plainData(found)).toEqual(plainData(await compile(`$metadata.${source}`).evaluate(null, { metadata })));
      }),
      { seed: SEED, numRuns: 1000 },
    );
  });

  it.each(['a', ' a . b ', 'value.a_1.B', '$metadata.x.y'])('is %j', (source) => {
    expect(plainPath(source)).not.toBeNull();
  });

  it.each([
    '$',
    '$$.a',
    '$sum',
    'a.*',
    'a[0]',
    'a.b[]',
    'and.a',
    'a.in',
    'null',
    'a..b',
    'a.',
    '.a',
    'a b',
    'a%b',
    '"a".b',
    'a/*c*/.b',
    '$a',
    'é',
    '1',
  ])('is not %j', (source) => {
    expect(plainPath(source)).toBeNull();
  });

  it('that begins with no binding is left to JSONata', () => {
    expect(followPath(plainPath('$sum.a') ?? expect.fail(), { a: 1 }, { metadata: {} })).toBe(UNCERTAIN);
  });
});
