import { describe, expect, it } from 'vitest';
import { eventPosition, eventQuerySchema, parseEventId, toEventFilter } from '../../src/http/sse/event-query.ts';
import { createFakeSource } from './sse-harness.ts';

const filterOf = (query: object) => toEventFilter(eventQuerySchema.parse(query));

describe('the filter', () => {
  it('lets status, pipeline and feed events through by default, and nothing else is left out', () => {
    expect(filterOf({})).toEqual({ types: new Set(['status', 'pipeline', 'feed']) });
  });

  it('takes what it is given', () => {
    expect(filterOf({ types: ['task', 'result'], feedId: ['f'], stage: ['My Stage'], status: ['failed'] })).toEqual({
      types: new Set(['task', 'result']),
      feedId: new Set(['f']),
      stage: new Set(['My Stage']),
      status: new Set(['failed']),
    });
  });

  it('takes an item id with commas as a whole and as its parts', () => {
    expect(filterOf({ itemId: 'a' }).itemId).toEqual(new Set(['a']));
    expect(filterOf({ itemId: 'a,b' }).itemId).toEqual(new Set(['a,b', 'a', 'b']));
    expect(filterOf({ itemId: ['a,b', 'c'] }).itemId).toEqual(new Set(['a,b', 'a', 'b', 'c']));
  });

  it.each([
    { types: ['snapshot'] },
    { types: [''] },
    { status: ['done'] },
    { itemId: 'a\u0000' },
    { feedId: ['a b'] },
    { stage: ['__proto__'] },
    { snapshotSeconds: 0.09 },
    { snapshotSeconds: 1e6 },
    { type: ['status'] },
  ])('refuses %j', (query) => {
    expect(eventQuerySchema.safeParse(query).success).toBe(false);
  });
});

describe('the position', () => {
  const source = createFakeSource({ epoch: 'e-1', kept: 10 });
  source.pushMany(100);

  it('is the newest event without an id, and with an empty header', () => {
    expect(eventPosition(source, undefined, undefined)).toEqual({ after: 100, gap: false });
    expect(eventPosition(source, '', undefined)).toEqual({ after: 100, gap: false });
  });

  it('is the header before the query', () => {
    expect(eventPosition(source, 'e-1-95', 'e-1-91')).toEqual({ after: 95, gap: false });
    expect(eventPosition(source, '', 'e-1-91')).toEqual({ after: 91, gap: false });
  });

  it('is the id as it is, also when it is too old: the hub finds the gap', () => {
    expect(eventPosition(source, 'e-1-0', undefined)).toEqual({ after: 0, gap: false });
    expect(eventPosition(source, undefined, 'e-1-100')).toEqual({ after: 100, gap: false });
  });

  it('is before the oldest event, after a gap, for an id of a line that is not known', () => {
    expect(eventPosition(source, 'other-4711', undefined)).toEqual({ after: 90, gap: true });
  });

  it('is the same for an id that is ahead of the newest event', () => {
    expect(eventPosition(source, 'e-1-101', undefined)).toEqual({ after: 90, gap: true });
  });

  it.each([
    '',
    '7',
    'e',
    'e-',
    '-7',
    'e-07',
    'e--',
    'e-1.5',
    'e-1e3',
    ' e-1',
    'e-1 ',
    'e-1, e-2',
    'é-1',
    'e-9007199254740993',
    `${'e'.repeat(65)}-1`,
    'e-1\n',
  ])('refuses %j as an id', (id) => {
    expect(() => parseEventId(id)).toThrow(expect.objectContaining({ code: 'invalid-event-id' }));
  });
});
