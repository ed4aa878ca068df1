import { describe, expect, it } from 'vitest';
import { newRequestId, requestIdOf, traceOf } from '../../src/http/guards/request-identity.ts';

describe('request identity', () => {
  it('takes a sane x-request-id and replaces any other', () => {
    expect(requestIdOf({ headers: { 'x-request-id': 'abc-1' } })).toBe('abc-1');
    for (const given of ['', 'a b', 'a\nb', 'é', 'x'.repeat(129)])
      expect(requestIdOf({ headers: { 'x-request-id': given } })).not.toBe(given);
  });

  it('makes ids that differ', () => {
    expect(newRequestId()).not.toBe(newRequestId());
  });

  it('honours a valid traceparent alone', () => {
    const traceparent = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01';
    expect(traceOf({ headers: { traceparent } })).toEqual({ traceparent });
    for (const bad of ['x', `ff${traceparent.slice(2)}`, `00-${'0'.repeat(32)}-00f067aa0ba902b7-01`, traceparent.toUpperCase()]) {
      expect(traceOf({ headers: { traceparent: bad } })).toBeNull();
    }
  });

  it('reads a traceparent of version 00 to the letter, and a later one as far as that goes', () => {
    const [trace, parent] = ['4bf92f3577b34da6a3ce929d0e0e4736', '00f067aa0ba902b7'];
    const read = (traceparent: string): string | undefined => traceOf({ headers: { traceparent } })?.traceparent;
    expect(read(`00-${trace}-${parent}-00`)).toBe(`00-${trace}-${parent}-00`);
    expect(read(`00-${trace}-${parent}-01-what`)).toBeUndefined();
    expect(read(`cc-${trace}-${parent}-ff-what`)).toBe(`00-${trace}-${parent}-03`);
    expect(read(`cc-${trace}-${parent}-00`)).toBe(`00-${trace}-${parent}-00`);
    expect(read(`cc-${trace}-${parent}-01.what`)).toBeUndefined();
    // Sent twice, Node gives both.
    expect(read(`00-${trace}-${parent}-01, 00-${trace}-${parent}-01`)).toBeUndefined();
  });

  it.each([
    ['v=1', 'v=1'],
    ['a=1, b@c=2 ,, \tx_-*/=!~', 'a=1,b@c=2,x_-*/=!~'],
    ['0tenant@sys=1', '0tenant@sys=1'],
    ['a=with space', 'a=with space'],
    ['', undefined],
    [' , ', undefined],
    ['a=', undefined],
    ['A=1', undefined],
    ['0a=1', undefined],
    ['a=1=2', undefined],
    ['a=é', undefined],
    ['a=1,a=2', undefined],
    ['a', undefined],
    [`a=${'x'.repeat(256)}`, `a=${'x'.repeat(256)}`],
    [`a=${'x'.repeat(257)}`, undefined],
    [`${'k'.repeat(256)}=1`, `${'k'.repeat(256)}=1`],
    [`${'k'.repeat(257)}=1`, undefined],
    [Array.from({ length: 32 }, (_, i) => `k${i}=1`).join(), Array.from({ length: 32 }, (_, i) => `k${i}=1`).join()],
    [Array.from({ length: 33 }, (_, i) => `k${i}=1`).join(), undefined],
    [['a', 'b', 'c'].map((key) => `${key}=${'x'.repeat(200)}`).join(), undefined],
  ])('reads the tracestate %j as %j', (tracestate, read) => {
    const traceparent = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01';
    expect(traceOf({ headers: { traceparent, tracestate } })).toEqual(
      read === undefined ? { traceparent } : { traceparent, tracestate: read },
    );
    expect(traceOf({ headers: { tracestate } })).toBeNull();
  });
});
