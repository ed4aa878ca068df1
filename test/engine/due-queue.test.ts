import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Due, DueQueue } from '../../src/engine/time/due-queue.ts';
import { VirtualClock } from './virtual-clock.ts';

const step = fc.oneof(
  { weight: 4, arbitrary: fc.record({ do: fc.constant('add' as const), in: fc.integer({ min: -5, max: 50 }) }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('cancel' as const), which: fc.nat() }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('advance' as const), ms: fc.integer({ min: 0, max: 40 }) }) },
);

describe('a due queue', () => {
  it('runs each entry once, at its instant, unless it was cancelled, and has no timer when nothing waits', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 60 }), async (steps) => {
        const clock = new VirtualClock();
        const queue = new DueQueue(clock);
        const added: { due: Due; at: number; ranAt: number | null; isCancelled: boolean }[] = [];
        for (const action of steps) {
          if (action.do === 'add') {
            const entry = {
              due: undefined as never as Due,
              at: clock.monotonic() + action.in,
              ranAt: null as number | null,
              isCancelled: false,
            };
            entry.due = queue.add(entry.at, () => {
              expect(entry.ranAt).toBeNull();
              entry.ranAt = clock.monotonic();
            });
            expect(entry.ranAt).toBeNull();
            entry.at = Math.max(entry.at, clock.monotonic());
            added.push(entry);
          } else if (action.do === 'cancel') {
            const entry = added[action.which % Math.max(1, added.length)];
            if (entry === undefined) continue;
            queue.cancel(entry.due);
            queue.cancel(entry.due);
            entry.isCancelled ||= entry.ranAt === null;
          } else {
            await clock.advance(action.ms);
          }
          const waiting = added.filter(({ ranAt, isCancelled }) => ranAt === null && !isCancelled);
          expect(queue.size).toBe(waiting.length);
          expect(clock.pending).toBe(waiting.length === 0 ? 0 : 1);
          for (const { at } of waiting) expect(at).toBeGreaterThanOrEqual(clock.monotonic());
        }
        await clock.advance(100);
        for (const { at, ranAt, isCancelled } of added) expect(ranAt).toBe(isCancelled ? null : at);
        expect(clock.pending).toBe(0);
      }),
      { numRuns: 60 },
    );
  });

  it('gives others a turn when very many are due at one instant', async () => {
    const clock = new VirtualClock();
    const queue = new DueQueue(clock);
    let ran = 0;
    for (let i = 0; i < 1_000; i++) queue.add(clock.monotonic() + 10, () => ran++);
    const seen: number[] = [];
    clock.setTimer(() => {
      const look = (): void => {
        seen.push(ran);
        if (ran < 1_000) clock.setTimer(look, 0);
      };
      look();
    }, 10);
    await clock.advance(10);
    expect(ran).toBe(1_000);
    expect(seen.length).toBeGreaterThan(3);
  });

  it('waits longer than one timer of the platform can', async () => {
    const clock = new VirtualClock();
    const queue = new DueQueue(clock);
    let ran = false;
    queue.add(clock.monotonic() + 2 ** 33, () => {
      ran = true;
    });
    await clock.advance(2 ** 33 - 1);
    expect(ran).toBe(false);
    await clock.advance(1);
    expect(ran).toBe(true);
  });

  it('may be added to and cancelled from what it runs', async () => {
    const clock = new VirtualClock();
    const queue = new DueQueue(clock);
    const log: string[] = [];
    const at = clock.monotonic();
    const victim = queue.add(at + 2, () => log.push('victim'));
    queue.add(at + 1, () => {
      queue.cancel(victim);
      queue.add(at + 1, () => log.push('at once'));
      queue.add(at + 3, () => log.push('later'));
    });
    await clock.advance(10);
    expect(log).toEqual(['at once', 'later']);
    expect(clock.pending).toBe(0);
  });
});
