import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Ownership } from '../../src/cluster/ownership/ownership.ts';
import { rulesOf } from '../../src/cluster/ownership/rules.ts';
import type { Input } from '../../src/cluster/ownership/steps.ts';
import { Driven, LEASE_MS, owner, rules, unowned } from './driven-ownership.ts';

describe('a node that claims', () => {
  it('claims with the same entry until that is decided', () => {
    const driven = new Driven(unowned);
    driven.wait(rules.leaveJitterMs);
    for (let i = 0; i < 5; i++) {
      driven.input({ type: 'undecided' });
      driven.wait(rules.againMs);
    }
    const claims = driven.actions.filter(({ action }) => action.type === 'claim');
    expect(claims.map(({ action }) => action)).toEqual(Array.from({ length: 6 }, () => ({ type: 'claim', after: 0 })));
  });

  it('follows when it is refused, and claims no more before it has what came', () => {
    const driven = new Driven(unowned);
    driven.wait(rules.leaveJitterMs);
    driven.input({ type: 'refused' });
    expect(driven.did('follow')).toBe(driven.now);
    const claimedAt = driven.did('claim');
    driven.wait(5 * LEASE_MS);
    expect(driven.did('claim')).toBe(claimedAt);
  });
});

describe('an owner', () => {
  it('serves when its host works, and until its last entry in the log is as old as the lease', () => {
    const driven = new Driven(unowned);
    driven.wait(rules.leaveJitterMs);
    driven.input({ type: 'claimed', sentAt: driven.now });
    expect(driven.machine.isServing(driven.now)).toBe(false);
    driven.input({ type: 'began' });
    expect(driven.machine.isServing(driven.now)).toBe(true);
    const heardAt = driven.now;
    expect(driven.machine.isServing(heardAt + LEASE_MS - 1)).toBe(true);
    expect(driven.machine.isServing(heardAt + LEASE_MS)).toBe(false);
    expect(driven.machine.ownerAt(heardAt + LEASE_MS)).toBeNull();
  });

  it('counts the lease from when an entry was sent, however late its answer came', () => {
    const driven = owner();
    const sentAt = driven.now;
    driven.now += LEASE_MS - 1;
    driven.input({ type: 'heard', sentAt: sentAt + 1 });
    driven.now += 2;
    expect(driven.machine.isServing(driven.now)).toBe(false);
  });

  it('beats five times a lease', () => {
    const driven = owner();
    driven.wait(LEASE_MS - 1);
    expect(driven.actions.filter(({ action }) => action.type === 'beat')).toHaveLength(4);
  });

  it('tries a beat that failed again soon', () => {
    const driven = owner();
    driven.wait(rules.beatMs);
    driven.input({ type: 'unheard' });
    driven.wait(rules.againMs);
    expect(driven.did('beat')).toBe(driven.now);
  });

  it('is heard before others claim when the log comes back, though an append was lost', () => {
    expect(rules.answerMs).toBeLessThanOrEqual(0.3 * LEASE_MS);
    expect(rules.answerMs + rules.againMs + rules.answerMs).toBeLessThan(LEASE_MS);
  });

  it('begins nothing when it was stopped for longer than the lease, until a beat is confirmed', () => {
    const driven = owner();
    driven.now += 3 * LEASE_MS;
    driven.input({ type: 'tick' });
    expect(driven.actions.slice(-2).map(({ action }) => action.type)).toEqual(['hold', 'beat']);
    expect(driven.machine.role).toBe('owning');
    // Sent before it was stopped, and answered now: that proves nothing.
    driven.input({ type: 'heard', sentAt: 1000 });
    expect(driven.did('release')).toBeUndefined();
    driven.input({ type: 'heard', sentAt: driven.now });
    expect(driven.did('release')).toBe(driven.now);
    expect(driven.machine.isServing(driven.now)).toBe(true);
  });

  it('throws its host away before anything else when it is deposed', () => {
    const driven = owner();
    driven.input({ type: 'deposed' });
    expect(driven.actions.slice(-2).map(({ action }) => action)).toEqual([{ type: 'depose' }, { type: 'reopen', isUnfit: false }]);
    expect([driven.machine.isServing(driven.now), driven.machine.epoch]).toEqual([false, null]);
  });

  it('leaves when it cannot make a host, and lets others claim first', () => {
    const driven = new Driven(unowned);
    driven.wait(rules.leaveJitterMs);
    driven.input({ type: 'claimed', sentAt: driven.now });
    driven.input({ type: 'unable' });
    expect(driven.actions.slice(-2).map(({ action }) => action.type)).toEqual(['depose', 'resign']);
    const unableAt = driven.now;
    driven.input({ type: 'resigned' });
    driven.last = 2;
    driven.input({ type: 'reopened', past: { position: 2, isUnowned: true } });
    driven.wait(2 * LEASE_MS);
    expect(driven.did('claim')).toBeGreaterThanOrEqual(unableAt + LEASE_MS);
  });

  it('writes a `leave` after its host is gone when the node ends, and claims no more', () => {
    const driven = owner();
    driven.input({ type: 'leave' });
    driven.input({ type: 'resigned' });
    driven.wait(5 * LEASE_MS);
    expect(driven.actions.slice(-3).map(({ action }) => action.type)).toEqual(['depose', 'resign', 'gone']);
  });
});

describe('the machine', () => {
  const inputs: fc.Arbitrary<Input> = fc.oneof(
    fc
      .constantFrom('tick', 'refused', 'undecided', 'began', 'unable', 'unheard', 'deposed', 'resigned', 'apart')
      .map((type) => ({ type }) as Input),
    fc.record({ type: fc.constant('claimed' as const), sentAt: fc.integer({ min: 0, max: 100_000 }) }),
    fc.record({ type: fc.constant('heard' as const), sentAt: fc.integer({ min: 0, max: 100_000 }) }),
    fc.record({ type: fc.constant('probed' as const), number: fc.integer({ min: 1, max: 30 }), last: fc.integer({ min: 0, max: 12 }) }),
    fc.record({ type: fc.constant('unprobed' as const), number: fc.integer({ min: 1, max: 30 }) }),
    fc.record({
      type: fc.constant('reopened' as const),
      past: fc.record({ position: fc.integer({ min: 0, max: 10 }), isUnowned: fc.boolean() }),
    }),
    fc.constantFrom<Input>({ type: 'leave' }),
  );

  it('has one host at most, and throws each away, whatever it is told in whichever order', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.integer({ min: 0, max: 20_000 }), inputs), { maxLength: 60 }), (steps) => {
        const machine = new Ownership({ rules, random: () => 0.5, node: { name: 'a', url: 'http://a' }, past: unowned });
        let [now, hosts, isGone] = [0, 0, false];
        for (const [ms, input] of steps) {
          now += ms;
          for (const { type } of machine.step(now, input)) {
            if (isGone) return false;
            if (type === 'own') hosts++;
            if (type === 'depose') hosts--;
            if ((type === 'beat' || type === 'hold' || type === 'release') && hosts !== 1) return false;
            if (type === 'gone') isGone = true;
          }
          if (hosts !== (machine.role === 'owning' ? 1 : 0)) return false;
          if (machine.isServing(now) && machine.epoch === null) return false;
        }
        return true;
      }),
      { numRuns: 2000 },
    );
  });

  it('is never due at once for ever: a tick that it asks for changes something', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.integer({ min: 0, max: 20_000 }), inputs), { maxLength: 40 }), (steps) => {
        const machine = new Ownership({ rules, random: () => 0.5, node: { name: 'a', url: 'http://a' }, past: unowned });
        let now = 0;
        for (const [ms, input] of steps) {
          now += ms;
          machine.step(now, input);
        }
        let ticks = 0;
        for (const end = now + 10 * LEASE_MS; now <= end && ticks < 10_000; ticks++) {
          now = Math.max(now, machine.nextAt(now));
          machine.step(now, { type: 'tick' });
        }
        expect(ticks).toBeLessThan(1000);
      }),
      { numRuns: 500 },
    );
  });
});

describe('the times of a lease', () => {
  it('are refused below three seconds', () => {
    expect(() => rulesOf(2999)).toThrow('3000');
    expect(() => rulesOf(Number.NaN)).toThrow(RangeError);
  });
});
