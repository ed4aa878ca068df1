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
    expect(traceOf({ traceparent })).toEqual({ traceparent });
    for (const bad of ['x', `ff${traceparent.slice(2)}`, `00-${'0'.repeat(32)}-00f067aa0ba902b7-01`, traceparent.toUpperCase()]) {
      expect(traceOf({ traceparent: bad })).toBeUndefined();
    }
  });
});
