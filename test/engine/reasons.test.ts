import { describe, expect, it } from 'vitest';
import { describeThrown } from '../../src/engine/index.ts';
import { createSecrets } from '../../src/loader/secrets.ts';

const coded = (code: string, message: string) => Object.assign(new Error(message), { code });
const named = (name: string, message: string, options?: ErrorOptions) => Object.assign(new Error(message, options), { name });
const shown = (thrown: unknown) => {
  const { type, message } = describeThrown(thrown);
  return [type, message];
};

describe('an error is shown with its reasons', () => {
  it.each([
    ['none', new Error('no'), 'Error', 'no'],
    [
      'fetch failed',
      new TypeError('fetch failed', { cause: coded('ECONNREFUSED', 'connect ECONNREFUSED 127.0.0.1:9') }),
      'ECONNREFUSED',
      'fetch failed: connect ECONNREFUSED 127.0.0.1:9',
    ],
    [
      'several addresses, each with its reason',
      new TypeError('fetch failed', {
        cause: Object.assign(new AggregateError([coded('ECONNREFUSED', 'at ::1'), coded('ECONNREFUSED', 'at 127.0.0.1')], ''), {
          code: 'ECONNREFUSED',
        }),
      }),
      'ECONNREFUSED',
      'fetch failed: ECONNREFUSED: at ::1; at 127.0.0.1',
    ],
    ['Promise.any', new AggregateError([new RangeError('a'), new RangeError('b')], ''), 'RangeError', 'a; b'],
    ['its own words', new AggregateError([new RangeError('a'), new SyntaxError('b')], 'All failed'), 'AggregateError', 'All failed: a; b'],
    ['the same words once', new AggregateError([new Error('a'), new Error('a')], ''), 'AggregateError', 'a'],
    [
      'several codes',
      Object.assign(new AggregateError([coded('EACCES', 'a'), coded('EPERM', 'b')], ''), { code: 'EACCES' }),
      'EACCES',
      'EACCES: a; b',
    ],
    ['what it names itself', new Error('x failed: y', { cause: new Error('y') }), 'Error', 'x failed: y'],
    ['a type that says more', new Error('order 7', { cause: named('CardDeclined', 'no funds') }), 'CardDeclined', 'order 7: no funds'],
    ['its own type', named('OrderError', 'order 7', { cause: new RangeError('no') }), 'OrderError', 'order 7: no'],
    ['a type that only says how to go on', new Error('a', { cause: named('PermanentError', 'b') }), 'Error', 'a: b'],
    ['a text', new Error('a', { cause: 'b' }), 'Error', 'a: b'],
    ['null', new Error('a', { cause: null }), 'Error', 'a'],
    ['nothing but a code', coded('ENOENT', ''), 'Error', 'ENOENT'],
    ['a chain', new Error('a', { cause: new Error('b', { cause: new Error('c') }) }), 'Error', 'a: b: c'],
    ['faults that are no errors', Object.assign(new Error('the form'), { errors: [{ path: '/a', message: 'b' }] }), 'Error', 'the form'],
    ['a thrown object', { message: 'a', cause: { message: 'b' } }, 'Error', 'a: b'],
    ['no error at all', { a: 1 }, 'NonError', '{"a":1}'],
  ])('%s', (_, thrown, type, message) => {
    expect(shown(thrown)).toEqual([type, message]);
  });

  it('but how to go on is its own to say', () => {
    const cause = Object.assign(new Error('b'), { permanent: true, retryAfterSeconds: 9, status: 429 });
    expect(describeThrown(new Error('a', { cause }))).toMatchObject({ permanent: false, retryAfterSeconds: undefined, status: undefined });
  });

  it.each([
    [429, 429],
    [99, undefined],
    [600, undefined],
    [404.5, undefined],
    ['404', undefined],
  ])('a status of %j is %j', (status, told) => {
    expect(describeThrown(Object.assign(new Error('a'), { status })).status).toBe(told);
  });
});

describe('however an error is made, what is shown is bounded', () => {
  it('in depth', () => {
    let error = new Error('0');
    for (let i = 1; i < 1000; i++) error = new Error(`e${i}`, { cause: error });
    expect(describeThrown(error).message).toBe('e999: e998: e997: e996: e995: e994');
  });

  it('in number', () => {
    const errors = Array.from({ length: 1000 }, (_, i) => new Error(`e${i}`));
    expect(describeThrown(new AggregateError(errors, 'all')).message).toBe('all: e0; e1; e2; e3; e4; and 995 more');
    let number = 0;
    const wide = (depth: number): Error =>
      new AggregateError(depth === 0 ? [] : Array.from({ length: 4 }, () => wide(depth - 1)), `d${depth} ${number++}`);
    expect(describeThrown(wide(5)).message.length).toBeLessThan(500);
  });

  it('in length, and the reason is not cut away by what it is the reason of', () => {
    const { message } = describeThrown(new Error('x'.repeat(100_000), { cause: new Error(`the reason ${'y'.repeat(100_000)}`) }));
    expect(message).toHaveLength(4096);
    expect(message).toContain('x: the reason y');
  });

  it('in time: a text of a hundred megabytes is not looked through, nor that of its reasons', () => {
    let seen = 0;
    const mask = (text: string): string => {
      seen += text.length;
      return text;
    };
    const large = 'x'.repeat(100_000_000);
    describeThrown(new AggregateError([new Error(large), new Error(large)], large), mask);
    expect(seen).toBeLessThan(300_000);
  });

  it('when it is its own reason', () => {
    const error = new Error('a');
    error.cause = error;
    expect(describeThrown(error)).toMatchObject({ type: 'Error', message: 'a' });
    const other = new AggregateError([error], 'b', { cause: error });
    error.cause = other;
    expect(describeThrown(other).message).toBe('b: a');
  });

  it('when it hides its reason', () => {
    const error = Object.defineProperty(new Error('a'), 'cause', {
      get() {
        throw new Error('not you');
      },
    });
    expect(describeThrown(error).message).toBe('a');
  });

  it('and shows no secret, nor half of one', () => {
    const { mask } = createSecrets({ KEY: 'hunter22-and-more' });
    const long = `${'x'.repeat(1020)}hunter22-and-more`;
    const error = new Error('a hunter22-and-more', { cause: new AggregateError([new Error(long)], 'hunter22-and-more') });
    const { message } = describeThrown(error, mask);
    expect(message).toContain('[secret KEY]');
    expect(message).not.toContain('hun');
    expect(describeThrown(new Error('', { cause: named('hunter22-and-more', 'b') }), mask).type).toBe('[secret KEY]');
  });
});
