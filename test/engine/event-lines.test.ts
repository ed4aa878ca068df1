import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { LINES_MAX, LinesOfHistory, type StoredLines } from '../../src/engine/contract/event-lines.ts';

const throughStore = (lines: LinesOfHistory): StoredLines => JSON.parse(JSON.stringify(lines.stored));

describe('the lines of events', () => {
  it('are one for ever where none was begun, stored as earlier versions have it', () => {
    const lines = new LinesOfHistory({ epoch: 'a' });
    expect([lines.current, lines.idOf(0), lines.idOf(7)]).toEqual(['a', 'a-0', 'a-7']);
    expect([lines.has('a', 4711), lines.has('b', 0)]).toEqual([true, false]);
    expect(throughStore(lines)).toEqual({ epoch: 'a' });
  });

  it('end where the next one begins, and keep the ids of their events', () => {
    const lines = new LinesOfHistory({ epoch: 'a' });
    lines.begin('b', 90);
    lines.begin('c', 120);
    const read = new LinesOfHistory(throughStore(lines), 130);
    expect([0, 1, 90, 91, 120, 121].map((seq) => read.idOf(seq))).toEqual(['a-0', 'a-1', 'a-90', 'b-91', 'b-120', 'c-121']);
    expect([read.has('a', 90), read.has('a', 91), read.has('b', 120), read.has('b', 121), read.has('c', 130)]).toEqual([
      ...[true, false, true, false, true],
    ]);
    // Whoever makes an id of a prefix means the place, which is the same in every line that goes as far.
    expect(read.has('c', 0)).toBe(true);
  });

  it('begin with the next event where the store says so, whatever a start before has come to', () => {
    for (const given of [{ epoch: 'a' }, { epoch: 'b', from: 91, before: [['a', 1]] }] satisfies StoredLines[]) {
      const read = new LinesOfHistory({ ...given, next: 'n' }, 90);
      expect([read.current, read.idOf(90), read.idOf(91), read.isUnstored]).toEqual(['n', 'a-90', 'n-91', true]);
      expect(throughStore(read)).toEqual({ epoch: 'n', from: 91, before: [['a', 1]] });
    }
  });

  it('that have no event make way, but for the first one, whose name the place before all events is told by', () => {
    const lines = new LinesOfHistory({ epoch: 'a' });
    for (const name of ['b', 'c', 'd']) lines.begin(name, 0);
    expect(throughStore(lines)).toEqual({ epoch: 'd', from: 1, before: [['a', 1]] });
    expect([lines.idOf(0), lines.idOf(1), lines.has('a', 0), lines.has('a', 1), lines.has('b', 0)]).toEqual([
      ...['a-0', 'd-1', true, false, false],
    ]);
  });

  it('are bounded: the oldest go, and what is kept of their events is told by the name of the next one', () => {
    const lines = new LinesOfHistory({ epoch: 'l0' });
    const most = LINES_MAX + 10;
    for (let i = 1; i <= most; i++) lines.begin(`l${i}`, i * 10);
    expect(throughStore(lines).before).toHaveLength(LINES_MAX - 1);
    const oldest = most - LINES_MAX + 1;
    expect([lines.has(`l${oldest - 1}`, 1), lines.has(`l${oldest}`, 1)]).toEqual([false, true]);
    expect(lines.idOf(5)).toBe(`l${oldest}-5`);
    expect(lines.has(`l${oldest}`, 5)).toBe(true);
  });

  it('know an id exactly when its event is there, however often ends were lost and owners changed', () => {
    const move = fc.oneof(
      { weight: 4, arbitrary: fc.record({ kind: fc.constant('add' as const), count: fc.integer({ min: 1, max: 5 }) }) },
      { weight: 2, arbitrary: fc.record({ kind: fc.constant('own' as const), lost: fc.constant(0) }) },
      { weight: 2, arbitrary: fc.record({ kind: fc.constant('own' as const), lost: fc.integer({ min: 1, max: 12 }) }) },
    );
    fc.assert(
      fc.property(fc.array(move, { maxLength: 60 }), (moves) => {
        /** What the log has: each write with the ids of its events, and the lines where they were in it. */
        const log: { ids: string[]; lines: StoredLines | null }[] = [];
        const told = new Set<string>();
        let lines = new LinesOfHistory({ epoch: 'l0' });
        let names = 0;
        const history = (): string[] => log.flatMap(({ ids }) => ids);
        for (const one of moves) {
          if (one.kind === 'own') {
            // The first write, in which the pipeline was made, is not lost.
            log.splice(Math.max(1, log.length - one.lost));
            const stored = log.findLast((write) => write.lines !== null)?.lines ?? { epoch: 'l0' };
            const last = history().length;
            lines = new LinesOfHistory(stored, last);
            lines.begin(`l${++names}`, last);
          } else {
            const from = history().length + 1;
            const ids = Array.from({ length: one.count }, (_, i) => lines.idOf(from + i));
            log.push({ ids, lines: lines.isUnstored ? throughStore(lines) : null });
            lines.isUnstored = false;
            for (const id of ids) {
              expect(told.has(id)).toBe(false);
              told.add(id);
            }
          }
          const now = history();
          expect(now.map((_, i) => lines.idOf(i + 1))).toEqual(now);
          for (const id of told) {
            const [name, seq] = id.split('-') as [string, string];
            expect(Number(seq) <= now.length && lines.has(name, Number(seq))).toBe(now.includes(id));
          }
        }
      }),
      { numRuns: 300 },
    );
  });
});
