import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FrequentTypes } from '../../src/engine/flow/frequent-types.ts';

const countsOf = (types: FrequentTypes): Record<string, number> =>
  Object.fromEntries(types.read().map(({ errorType, count }) => [errorType, count]));

describe('types of errors', () => {
  it('are counted by name while there are few', () => {
    const types = new FrequentTypes();
    for (const type of ['A', 'B', 'A', 'A']) types.add(type);
    expect(types.read()).toEqual([
      { errorType: 'A', count: 3 },
      { errorType: 'B', count: 1 },
    ]);
  });

  it('that come later get a name once they are more frequent than one that has it', () => {
    const types = new FrequentTypes();
    for (let i = 0; i < 20; i++) for (let times = 0; times < 3; times++) types.add(`Early${i}`);
    for (let times = 0; times < 3; times++) types.add('Late');
    expect(countsOf(types)).toMatchObject({ other: 3 });
    for (let times = 0; times < 5; times++) types.add('Late');
    expect(countsOf(types)).toMatchObject({ Late: 5, other: 3 });
    expect(Object.keys(countsOf(types))).toHaveLength(21);
  });

  it('that were made up by the hundred thousand neither fill the memory nor hide a frequent one', () => {
    const types = new FrequentTypes();
    for (let i = 0; i < 100_000; i++) {
      types.add(`Made${i}`);
      if (i % 10 === 0) types.add('Frequent');
    }
    const { size } = (types as unknown as { types: Map<string, unknown> }).types;
    expect(size).toBeLessThanOrEqual(1020);
    expect(countsOf(types).Frequent).toBeGreaterThan(9900);
  });

  it('that are called "other" are among the others, and long names are cut', () => {
    const types = new FrequentTypes();
    types.add('other');
    types.add('L'.repeat(5000));
    expect(countsOf(types)).toEqual({ ['L'.repeat(100)]: 1, other: 1 });
  });

  it('never lose a count as long as they have a series', () => {
    const type = fc.integer({ min: 0, max: 60 }).map((n) => `T${Math.floor(n ** 1.2 / 3)}`);
    fc.assert(
      fc.property(fc.array(type, { maxLength: 400 }), (added) => {
        const types = new FrequentTypes();
        let before = countsOf(types);
        let total = 0;
        for (const one of added) {
          types.add(one);
          total++;
          const now = countsOf(types);
          for (const [name, count] of Object.entries(now)) expect(count).toBeGreaterThanOrEqual(before[name] ?? 0);
          expect(Object.values(now).reduce((a, b) => a + b, 0)).toBeLessThanOrEqual(total);
          expect(Object.keys(now).length).toBeLessThanOrEqual(21);
          before = now;
        }
      }),
    );
  });
});
