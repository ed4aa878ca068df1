/** An instant that is told twice is the same twice, whatever happens to the wall clock in between. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Clock, systemClock } from '../../src/engine/ports.ts';
import { EngineClock } from '../../src/engine/time/engine-clock.ts';
import { WallScale } from '../../src/engine/time/wall-scale.ts';

/** A clock as platforms have it: the monotonic one in fractions, the one on the wall in whole milliseconds. */
class PlatformClock implements Clock {
  passed = 12.345;
  epoch = Date.UTC(2026, 0, 1) + 0.678;
  /** How long the process is held up between two readings. */
  holdUp = 0;
  setTimer = systemClock.setTimer;
  clearTimer = systemClock.clearTimer;
  defer = systemClock.defer;
  now(): number {
    this.passed += this.holdUp;
    return Math.floor(this.epoch + this.passed);
  }
  monotonic(): number {
    return this.passed;
  }
}

const ms = (max: number) => fc.double({ min: 0, max, noNaN: true });
const stepArb = fc.oneof(
  { weight: 4, arbitrary: fc.record({ is: fc.constant('pass' as const), ms: ms(200) }) },
  { weight: 1, arbitrary: fc.record({ is: fc.constant('set' as const), ms: ms(2 ** 33).chain((by) => fc.constantFrom(by, -by)) }) },
  { weight: 1, arbitrary: fc.record({ is: fc.constant('set' as const), ms: fc.double({ min: -5, max: 5, noNaN: true }) }) },
);

describe('a wall scale', () => {
  it('tells each instant as it has told it before, and finds what was told', () => {
    fc.assert(
      fc.property(fc.array(stepArb, { maxLength: 60 }), (steps) => {
        const clock = new PlatformClock();
        const scale = new WallScale(clock);
        const told: [instant: number, wall: number][] = [];
        for (const step of steps) {
          if (step.is === 'set') clock.epoch += step.ms;
          // Two instants are never equal on such a clock.
          else clock.passed += step.ms + 0.001;
          const now = scale.sync();
          told.push([now, scale.at(now)]);
          clock.passed += 0.25;
          told.push([clock.passed, scale.at(clock.passed)]);
          clock.passed += 0.001;
          expect(Math.abs(scale.at(clock.passed) - clock.now())).toBeLessThanOrEqual(4);
        }
        expect(told.map(([instant]) => scale.at(instant))).toEqual(told.map(([, wall]) => wall));
        for (const [, wall] of told) {
          expect(Number.isInteger(wall)).toBe(true);
          expect(scale.at(scale.monotonicOf(wall))).toBe(wall);
        }
      }),
    );
  });

  it.each([0, 0.1, 0.5, 0.999])('does not tremble with the whole milliseconds of the wall clock (%f)', (part) => {
    const clock = new PlatformClock();
    clock.epoch = Date.UTC(2026, 0, 1) + part;
    const scale = new WallScale(clock);
    const first = scale.at(1000);
    for (let i = 0; i < 10_000; i++) {
      clock.passed += 7.77;
      scale.sync();
      expect(scale.at(1000)).toBe(first);
    }
  });

  it('takes a hold-up between two readings for no setting, and sees the setting once it is over', () => {
    const clock = new PlatformClock();
    const scale = new WallScale(clock);
    const { offset } = scale;
    clock.holdUp = 40;
    scale.sync();
    expect(scale.offset).toBe(offset);
    clock.epoch += 3_600_000;
    clock.holdUp = 0;
    scale.sync();
    expect(scale.offset).toBe(offset + 3_600_000);
  });

  it('follows a clock that is slewed, a millisecond in two seconds, and remembers a thousand settings', () => {
    const clock = new PlatformClock();
    const scale = new WallScale(clock);
    const told: [number, number][] = [];
    for (let i = 0; i < 6000; i++) {
      clock.passed += 1000.1;
      clock.epoch += 0.5;
      const now = scale.sync();
      told.push([now, scale.at(now)]);
      expect(Math.abs(scale.at(now) - clock.now())).toBeLessThanOrEqual(4);
    }
    expect(told.slice(-3000).map(([instant]) => scale.at(instant))).toEqual(told.slice(-3000).map(([, wall]) => wall));
  });

  it('is one for all who share a clock, whoever notices first that it was set', () => {
    const clock = new PlatformClock();
    const [one, other] = [new EngineClock(clock), new EngineClock(clock)];
    clock.passed += 1;
    clock.epoch += 60_000;
    one.sync();
    clock.passed += 1;
    expect(other.instant(other.tick())).toBe(one.instant(one.tick()));
    expect(other.drift).toBe(60_000);
  });
});
