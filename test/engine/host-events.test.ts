import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { HostEvents } from '../../src/engine/events/host-events.ts';
import type { EventFilter, EventSource, SluiceEvent } from '../../src/engine/index.ts';
import { oneLine } from '../http/sse-harness.ts';

const EVERYTHING: EventFilter = { types: new Set(['pipeline']) };

/** These logs wake by themselves. */
const NEVER = { defer: () => undefined };

/** A log of its pipeline's that keeps so many events, and tells of new ones when the test says so. */
function createLog(kept: number) {
  const wakes = new Set<() => void>();
  const log = {
    lines: oneLine('e'),
    newest: 0,
    get oldest() {
      return Math.max(1, log.newest - kept + 1);
    },
    read(after: number, scan: number): { events: SluiceEvent[]; cursor: number } {
      const from = Math.max(after + 1, log.oldest);
      const to = Math.min(log.newest, from + scan - 1);
      const events = Array.from({ length: Math.max(0, to - from + 1) }, (_, i) => ({
        seq: from + i,
        type: 'pipeline',
        data: { n: from + i },
      }));
      return { events: events as unknown as SluiceEvent[], cursor: Math.max(to, after) };
    },
    subscribe(wake: () => void) {
      wakes.add(wake);
      return () => void wakes.delete(wake);
    },
    wake: () => {
      for (const wake of wakes) wake();
    },
    followers: () => wakes.size,
  };
  return log satisfies EventSource;
}

const move = fc.oneof(
  { weight: 6, arbitrary: fc.record({ kind: fc.constant('add' as const), pipeline: fc.nat(3), count: fc.integer({ min: 1, max: 6 }) }) },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('wake' as const), pipeline: fc.nat(3) }) },
  { weight: 4, arbitrary: fc.record({ kind: fc.constant('read' as const), scan: fc.integer({ min: 1, max: 5 }) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('cut' as const) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('replace' as const), pipeline: fc.nat(3) }) },
);

describe('the events of all pipelines', () => {
  it('are read once each and in the order of their pipelines, resumed at any place; what is gone is a gap, never a hole', () => {
    fc.assert(
      fc.property(fc.array(move, { maxLength: 120 }), fc.integer({ min: 3, max: 40 }), (moves, kept) => {
        const all = new HostEvents('h', NEVER).begin();
        let logs = Array.from({ length: 4 }, () => createLog(kept));
        let life = 0;
        const names = logs.map((_, i) => `p${i}`);
        for (const [i, log] of logs.entries()) all.add(names[i] as string, log);
        const seen = new Map<string, number>();
        let cursor = 0;
        let lost = false;
        const read = (scan: number): void => {
          if (cursor + 1 < all.oldest) {
            cursor = all.oldest - 1;
            lost = true;
          }
          const page = all.read(cursor, scan, EVERYTHING);
          for (const { seq, data } of page.events) {
            expect(seq).toBe(++cursor);
            const { pipelineId, n } = data as unknown as { pipelineId: string; n: number };
            const before = seen.get(pipelineId) ?? 0;
            // Without a gap nothing of a pipeline is left out; with one, nothing comes twice.
            if (lost) expect(n).toBeGreaterThan(before);
            else expect(n).toBe(before + 1);
            seen.set(pipelineId, n);
          }
          expect(page.cursor).toBe(cursor);
        };
        for (const one of moves) {
          if (one.kind === 'add') (logs[one.pipeline] as (typeof logs)[number]).newest += one.count;
          else if (one.kind === 'wake') logs[one.pipeline]?.wake();
          else if (one.kind === 'read') read(one.scan);
          else if (one.kind === 'cut') read(0);
          else {
            all.remove(names[one.pipeline] as string);
            names[one.pipeline] = `p${one.pipeline}.${++life}`;
            logs = logs.with(one.pipeline, createLog(kept));
            all.add(names[one.pipeline] as string, logs[one.pipeline] as EventSource);
          }
          // A log that lost what is in the runs is told of at its next wake, which comes before anybody reads.
          for (const log of logs) if (log.newest > kept) log.wake();
        }
        for (const log of logs) log.wake();
        while (cursor < all.newest) read(7);
        if (!lost) for (const [i, log] of logs.entries()) expect(seen.get(names[i] as string) ?? 0).toBe(log.newest);
      }),
      { numRuns: 500 },
    );
  });

  it('of one pipeline alone are read when the filter says so, with the ids of all', () => {
    const all = new HostEvents('h', NEVER).begin();
    const [a, b] = [createLog(100), createLog(100)];
    all.add('a', a);
    all.add('b', b);
    for (const log of [a, b, a]) {
      log.newest += 2;
      log.wake();
    }
    const { events, cursor } = all.read(0, 100, { ...EVERYTHING, pipelineId: new Set(['a']) });
    expect(events.map(({ seq }) => seq)).toEqual([1, 2, 5, 6]);
    expect(cursor).toBe(6);
  });

  it('are noted from when somebody asks for them', () => {
    const all = new HostEvents('h', NEVER);
    const a = createLog(100);
    all.add('a', a);
    a.newest = 5;
    expect(a.followers()).toBe(0);
    expect(all.begin().newest).toBe(0);
    a.newest = 6;
    a.wake();
    expect(all.read(0, 10, EVERYTHING).events).toMatchObject([{ seq: 1, data: { pipelineId: 'a', n: 6 } }]);
  });

  it('of removed pipelines are kept for the last few alone', () => {
    const all = new HostEvents('h', NEVER).begin();
    const logs = Array.from({ length: 4 }, () => createLog(100));
    for (const [i, log] of logs.entries()) {
      all.add(`p${i}`, log);
      log.newest = 10;
      all.remove(`p${i}`);
    }
    expect(logs.map((log) => log.followers())).toEqual([0, 0, 1, 1]);
    expect([all.oldest, all.newest]).toEqual([21, 40]);
  });
});
