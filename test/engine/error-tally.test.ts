import { describe, expect, it } from 'vitest';
import { ErrorTally } from '../../src/engine/flow/error-tally.ts';
import type { PipelineResult } from '../../src/schemas/item.ts';

const failed = (id: string, type: string, message: string): PipelineResult => ({
  id,
  value: null,
  sequenceId: 1,
  metadata: {},
  error: { type, message, stage: 'Only', attempts: 1 },
  feedId: 'f',
});

describe('a summary of errors', () => {
  it('counts a thousand types by name and the rest together, so that no error can make it grow', () => {
    const tally = new ErrorTally(() => '2026-11-26T00:00:00.000Z');
    for (let i = 0; i < 1200; i++) tally.add(failed(`i${i}`, `Type${i}`, 'no'));
    tally.add(failed('known', 'Type7', 'no'));
    const { totalFailed, errorsByType } = tally.summary();
    expect(totalFailed).toBe(1201);
    expect(Object.keys(errorsByType)).toHaveLength(1001);
    expect(errorsByType).toMatchObject({ Type7: 2, Type999: 1, Other: 200 });
    expect(Object.values(errorsByType).reduce((sum, count) => sum + count, 0)).toBe(totalFailed);
  });

  it('lists the newest failures that a megabyte holds, in their order', () => {
    const tally = new ErrorTally(() => '2026-11-26T00:00:00.000Z');
    for (let i = 0; i < 900; i++) tally.add(failed(`i${i}`, 'Error', 'x'.repeat(4096)));
    const { failedItems } = tally.summary();
    expect(failedItems.at(-1)?.itemId).toBe('i899');
    expect(failedItems.map(({ itemId }) => Number(itemId.slice(1)))).toEqual(failedItems.map((_, i) => 900 - failedItems.length + i));
    expect(JSON.stringify(failedItems).length).toBeLessThan(1.1 * 1024 * 1024);
    expect(failedItems.length).toBeGreaterThan(200);
  });
});
