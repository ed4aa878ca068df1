import { Readable } from 'node:stream';
import { runInNewContext } from 'node:vm';
import { describe, expect, it } from 'vitest';
import { createValueRule } from '../../src/engine/values/value-rule.ts';

class Money {
  currency = 'EUR';
  #cents: number;
  constructor(cents: number) {
    this.#cents = cents;
  }
  get amount(): number {
    return this.#cents / 100;
  }
}
class Tip extends Money {
  readonly to = 'Ada';
}
class Shown extends Money {
  toJSON(): object {
    return { amount: this.amount };
  }
}
class Point {
  x = 1;
  static #made = 0;
  #moved(): number {
    return this.x + Point.#made;
  }
  get next(): number {
    return this.#moved();
  }
}
function* numbers() {
  yield 1;
}
async function* later() {
  yield 1;
}
const inherited = Object.create({ a: 1 });

const rule = createValueRule(1_000_000);
const faultOf = (value: unknown): string | undefined => rule.take(value)?.message;

describe('a value of which JSON has something else', () => {
  it.each([
    ['a Response', new Response('{}'), 'it is a Response: did you forget await response.json()?'],
    ['a Request', new Request('http://example.com/'), 'it is a Request: did you forget await request.json()?'],
    ['Headers', new Headers({ a: '1' }), 'it is a Headers: Object.fromEntries(headers) is plain data'],
    ['a Blob', new Blob(['x']), 'it is a Blob: did you forget await blob.text()?'],
    ['a FormData', new FormData(), 'it is a FormData: Object.fromEntries(form) is plain data'],
    ['search parameters', new URLSearchParams('a=1'), 'it is a URLSearchParams: Object.fromEntries(params) is plain data'],
    ['a web stream', new ReadableStream(), 'it is a ReadableStream: read it to its end first'],
    ['a generator', numbers(), 'it is a Generator: [...generator] is plain data'],
    ['an asynchronous generator', later(), 'it is an AsyncGenerator: did you forget for await?'],
    ['an iterator', [1][Symbol.iterator](), 'it is an Iterator: JSON has nothing of what is in it'],
    ['a promise', Promise.resolve(1), 'it is a Promise: did you forget await?'],
    ['a Map', new Map([[1, 2]]), 'it is a Map: Object.fromEntries(map) is plain data'],
    ['a Set', new Set([1]), 'it is a Set: [...set] is plain data'],
    ['a WeakRef', new WeakRef({}), 'it is a WeakRef: JSON has nothing of what is in it'],
    ['a pattern', /x/, 'it is a RegExp: JSON has nothing of what is in it'],
    ['an ArrayBuffer', new ArrayBuffer(8), 'it is an ArrayBuffer: JSON has nothing of what is in it'],
    ['bytes', new Uint8Array(2), 'it is a Uint8Array: JSON has nothing of what is in it'],
    ['a signal', new AbortController().signal, 'it is an AbortSignal: JSON has nothing of what is in it'],
    ['an error', new RangeError('too far'), 'it is a RangeError ("too far"), of which JSON has no message'],
    [
      'an error with a code',
      Object.assign(new Error('refused'), { code: 'ECONNREFUSED' }),
      'it is an Error ("refused"), of which JSON has no message',
    ],
    ['an invalid date', new Date('never'), 'it is an invalid Date: its time is not a number'],
    [
      'a private field',
      new Money(5),
      'it is a Money, whose private field #cents JSON does not have: give it a toJSON, or return plain data',
    ],
    ['an inherited one', new Tip(5), 'it is a Tip, whose private field #cents JSON does not have: give it a toJSON, or return plain data'],
    ['members of a prototype', inherited, 'it is an Object: JSON has nothing of what is in it'],
  ])('fails with what it is: %s', (_name, value, message) => {
    expect(faultOf(value)).toBe(`is not JSON: ${message}`);
  });

  it('names its place, at any depth', async () => {
    const settled = await Promise.allSettled([1, Promise.reject(new TypeError('no'))]);
    expect(faultOf(settled)).toBe('is not JSON: /1/reason is a TypeError ("no"), of which JSON has no message');
    expect(faultOf({ pages: [{ answer: new Response() }] })).toMatch(/^is not JSON: \/pages\/0\/answer is a Response: /);
    expect(faultOf({ at: new Date(Number.NaN) })).toMatch(/^is not JSON: \/at is an invalid Date/);
    expect(faultOf({ toJSON: () => new Headers() })).toMatch(/^is not JSON: it is a Headers/);
    const stream = Readable.from(['x']);
    expect(faultOf({ body: stream })).toMatch(/^is not JSON: \/body/);
    stream.destroy();
  });
});

describe('a value that JSON has as it is', () => {
  it.each([
    ['an instance', new Point(), { x: 1 }],
    ['one that says what it is', new Shown(250), { amount: 2.5 }],
    ['an object without a prototype', Object.assign(Object.create(null), { a: 1 }), { a: 1 }],
    ['an object of another realm', runInNewContext('({ a: [1], b: {} })'), { a: [1], b: {} }],
    ['an empty object of another realm', runInNewContext('({})'), {}],
    ['a date', new Date(0), '1970-01-01T00:00:00.000Z'],
    ['an address', new URL('http://example.com/'), 'http://example.com/'],
    ['a buffer', Buffer.from('a'), { type: 'Buffer', data: [97] }],
    ['a boxed number', Object(5), 5],
    ['an empty list and an empty object', [[], {}], [[], {}]],
  ])('is taken: %s', (_name, value, expected) => {
    expect(faultOf(value)).toBeUndefined();
    expect(rule.plain).toEqual(expected);
  });
});
