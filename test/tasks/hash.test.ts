import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { describeThrown } from '../../src/engine/index.ts';
import { hash } from '../../tasks/hash.ts';
import { canonicalJson } from '../../tasks/kit/canonical-json.ts';
import { faultsIn, use } from './running.ts';

/** The same data with the members of every object in the opposite order. */
function reversed(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(reversed);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .reverse()
      .map(([key, member]) => [key, reversed(member)]),
  );
}

describe('canonical JSON', () => {
  it('orders members by UTF-16 code units, as the example of RFC 8785 does', () => {
    const value = { '\u20ac': 1, '\r': 2, '\ufb33': 3, '1': 4, '\ud83d\ude00': 5, '\u0080': 6, '\u00f6': 7 };
    expect(Object.values(JSON.parse(canonicalJson(value)) as object).sort()).toEqual([1, 2, 3, 4, 5, 6, 7]);
    expect(canonicalJson(value)).toBe('{"\\r":2,"1":4,"\u0080":6,"\u00f6":7,"\u20ac":1,"\ud83d\ude00":5,"\ufb33":3}');
  });

  it('is the same for equal values in whatever order their members come', () => {
    fc.assert(fc.property(fc.jsonValue(), (value) => canonicalJson(reversed(value)) === canonicalJson(value)));
  });

  it('reads back as the value', () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        expect(JSON.parse(canonicalJson(value))).toEqual(JSON.parse(JSON.stringify(value)));
      }),
    );
  });

  it('treats what JSON cannot hold as JSON does', () => {
    const value = { a: undefined, b: [undefined, Number.NaN], c: new Date(0), d: () => 1 };
    expect(canonicalJson(value)).toBe(JSON.stringify(value));
    expect(canonicalJson(undefined)).toBe('null');
  });
});

describe('the hash', () => {
  it('replaces the value', async () => {
    expect(await use(hash, {})({ b: 1, a: 2 })).toBe(createHash('sha256').update('{"a":2,"b":1}').digest('hex'));
  });

  it.each(['sha256', 'sha384', 'sha512', 'sha1', 'md5'])('is made with %s', async (algorithm) => {
    expect(await use(hash, { algorithm, encoding: 'base64url' })('x')).toBe(createHash(algorithm).update('"x"').digest('base64url'));
  });

  it('is put into a field beside the others, and the value that came in stays as it was', async () => {
    const value = { a: 1 };
    expect(await use(hash, { field: 'digest' })(value)).toEqual({ a: 1, digest: createHash('sha256').update('{"a":1}').digest('hex') });
    expect(value).toEqual({ a: 1 });
  });

  it('is the same when it is made again', async () => {
    const run = use(hash, { field: 'digest' });
    const once = await run({ a: 1 });
    expect(await run(once)).toEqual(once);
  });

  it.each([null, 'text', [1]])('is refused for good a field in %j', async (value) => {
    const thrown = await use(hash, { field: 'digest' })(value).catch(describeThrown);
    expect(thrown).toMatchObject({
      permanent: true,
      message: 'the hash cannot be stored in the field "digest": the value is not an object',
    });
  });
});

describe('the parameters', () => {
  it('name what is allowed', () => {
    expect(faultsIn(hash, { algorithm: 'crc32', encoding: 'hex', field: '' })).toEqual([
      { path: '/algorithm', message: expect.stringContaining('"sha256"') },
      { path: '/field', message: expect.any(String) },
    ]);
  });
});
