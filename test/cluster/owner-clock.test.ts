import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ownerClock } from '../../src/cluster/owner-clock.ts';
import { VirtualClock } from '../engine/virtual-clock.ts';

const nothing = (): void => undefined;

describe('the clock of an owner', () => {
  it('is the machine’s own where no entry is ahead of it', () => {
    const clock = new VirtualClock();
    for (const lastAt of [null, clock.now() - 5000, clock.now()]) expect(ownerClock(clock, lastAt, nothing).now()).toBe(clock.now());
  });

  it('begins at the instant of the last entry, and is right when twice the difference has passed', async () => {
    const clock = new VirtualClock();
    const owners = ownerClock(clock, clock.now() + 5000, nothing);
    expect(owners.now()).toBe(clock.now() + 5000);
    await clock.advance(5000);
    expect(owners.now()).toBe(clock.now() + 2500);
    await clock.advance(5000);
    expect(owners.now()).toBe(clock.now());
    await clock.advance(1000);
    expect(owners.now()).toBe(clock.now());
  });

  it('never goes back, nor stands still, unless the machine’s own does', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: -10_000, max: 3_600_000 }),
        fc.array(fc.integer({ min: 1, max: 10_000 })),
        async (aheadMs, waits) => {
          const clock = new VirtualClock();
          const lastAt = clock.now() + aheadMs;
          const owners = ownerClock(clock, lastAt, nothing);
          let before = owners.now();
          expect(before).toBeGreaterThanOrEqual(lastAt);
          for (const ms of waits) {
            clock.block(ms);
            const now = owners.now();
            expect(now).toBeGreaterThan(before);
            before = now;
          }
        },
      ),
      { numRuns: 200 },
    );
  });

  it('does not follow an instant that is hours ahead', () => {
    const clock = new VirtualClock();
    expect(ownerClock(clock, clock.now() + 3_600_001, nothing).now()).toBe(clock.now());
  });

  it('tells of each reading of the monotonic clock, before whoever reads goes on', () => {
    const clock = new VirtualClock();
    const told: number[] = [];
    const owners = ownerClock(clock, null, (now) => told.push(now));
    clock.block(70_000);
    expect(told).toEqual([]);
    expect(owners.monotonic()).toBe(clock.monotonic());
    expect(told).toEqual([clock.monotonic()]);
  });
});
