import { describe, expect, it } from 'vitest';
import { decodeCursor, encodeCursor } from '../../src/http/routing/cursor.ts';

const scope = { list: '/pipelines/a/results', filters: { status: 'all' } };
const invalid = expect.objectContaining({ code: 'invalid-cursor' });

describe('cursor', () => {
  it('gives back where the list was', () => {
    expect(decodeCursor(scope, encodeCursor(scope, 42) ?? '')).toBe(42);
    expect(decodeCursor(scope, encodeCursor(scope, 'name') ?? '')).toBe('name');
  });

  it('is null at the end, and nothing is read from none', () => {
    expect(encodeCursor(scope, null)).toBeNull();
    expect(decodeCursor(scope, undefined)).toBeUndefined();
  });

  it('is refused by another list and under other filters', () => {
    const cursor = encodeCursor(scope, 42) ?? '';
    expect(() => decodeCursor({ ...scope, list: '/pipelines/b/results' }, cursor)).toThrow(invalid);
    expect(() => decodeCursor({ ...scope, filters: { status: 'failed' } }, cursor)).toThrow(invalid);
  });

  it('is refused when it is no cursor', () => {
    for (const cursor of ['x', '', '{}', Buffer.from('[]').toString('base64url'), Buffer.from('{"list":1}').toString('base64url')]) {
      expect(() => decodeCursor(scope, cursor)).toThrow(invalid);
    }
  });
});
