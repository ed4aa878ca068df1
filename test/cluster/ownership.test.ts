import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Ownership } from '../../src/cluster/ownership/ownership.ts';
import { rulesOf } from '../../src/cluster/ownership/rules.ts';
import type { Action, Input, Past } from '../../src/cluster/ownership/steps.ts';

const LEASE_MS = 10_000;
const rules = rulesOf(LEASE_MS);

/** A machine whose log answers each probe at once with its last position, unless it is `isAway`. Time moves from one due tick to the next. */
class Driven {
  readonly machine: Ownership;
  readonly actions: { at: number; action: Action }[] = [];
  now = 0;
  last: number;
  isAway = false;

  constructor(past: Past, { random = () => 0.5, last = past.position }: { random?: () => number; last?: number } = {}) {
    this.machine = new Ownership({ rules, random, node: { name: 'a', url: 'http://a' }, past });
    this.last = last;
    this.input({ type: 'reopened', past });
  }

  input(input: Input): void {
    for (const action of this.machine.step(this.now, input)) {
      this.actions.push({ at: this.now, action });
      if (action.type !== 'probe') continue;
      this.input(this.isAway ? { type: 'unprobed', number: action.number } : { type: 'probed', number: action.number, last: this.last });
    }
  }

  /** Another node's entry comes. */
  entered(kind: 'own' | 'beat' | 'batch' | 'leave', epoch = 1): void {
    this.last++;
    const who = kind === 'own' || kind === 'beat' ? { node: 'b', url: 'http://b' } : {};
    this.input({ type: 'entered', entry: { position: this.last, kind, epoch, ...who } });
  }

  wait(ms: number): void {
    let ticks = 0;
    for (const end = this.now + ms; ; ticks++) {
      if (ticks > 100_000) throw new Error('it is due again and again at one instant');
      const next = Math.max(this.now, this.machine.nextAt(this.now));
      if (next > end) {
        this.now = end;
        return;
      }
      this.now = next;
      this.input({ type: 'tick' });
    }
  }

  /** When it did something, the last time. */
  did(type: Action['type']): number | undefined {
    return this.actions.findLast(({ action }) => action.type === type)?.at;
  }

  own(): void {
    this.input({ type: 'claimed', sentAt: this.now });
    this.input({ type: 'began' });
  }
}

const unowned: Past = { position: 0, isUnowned: true };
const owned: Past = { position: 5, isUnowned: false };

function owner(): Driven {
  const driven = new Driven(unowned);
  driven.wait(rules.leaveJitterMs);
  driven.own();
  return driven;
}

describe('a node that follows', () => {
  it('claims when there has been no entry for the lease', () => {
    const driven = new Driven(owned);
    driven.wait(2000);
    driven.entered('beat');
    driven.wait(LEASE_MS);
    expect(driven.did('claim')).toBeUndefined();
    driven.wait(rules.claimJitterMs);
    expect(driven.did('claim')).toBe(2000 + LEASE_MS + 0.5 * rules.claimJitterMs);
  });

  it.each(['own', 'beat', 'batch'] as const)('waits as long as a %s comes now and then', (kind) => {
    const driven = new Driven(owned);
    for (let i = 0; i < 20; i++) {
      driven.wait(0.9 * LEASE_MS);
      driven.entered(kind);
    }
    expect(driven.did('claim')).toBeUndefined();
  });

  it('waits twice as long for each owner of which the log has nothing but the claim, up to sixteen leases, and no longer once there is more', () => {
    const driven = new Driven(owned);
    const jitterMs = 0.5 * rules.claimJitterMs;
    const waits: number[] = [];
    for (let i = 0; i < 7; i++) {
      driven.entered('own', driven.last + 1);
      const from = driven.now;
      driven.wait(17 * LEASE_MS);
      waits.push(((driven.did('claim') ?? Number.NaN) - from - jitterMs) / LEASE_MS);
      driven.input({ type: 'refused' });
    }
    expect(waits).toEqual([1, 2, 4, 8, 16, 16, 16]);
    driven.entered('beat', driven.last);
    const from = driven.now;
    driven.wait(2 * LEASE_MS);
    expect(driven.did('claim')).toBe(from + LEASE_MS + jitterMs);
  });

  it('counts its own ownerships of which nothing but the claim is in the log, and none of which there is more', () => {
    for (const [isHeard, leases] of [
      [false, 2],
      [true, 1],
    ] as const) {
      const driven = owner();
      if (isHeard) driven.input({ type: 'heard', sentAt: driven.now + 1 });
      driven.input({ type: 'deposed' });
      driven.last = 2;
      driven.input({ type: 'reopened', past: { position: 1, isUnowned: false } });
      driven.input({ type: 'entered', entry: { position: 2, kind: 'own', epoch: 2, node: 'b', url: 'http://b' } });
      const from = driven.now;
      driven.wait(3 * LEASE_MS);
      expect(driven.did('claim')).toBe(from + leases * LEASE_MS + 0.5 * rules.claimJitterMs);
    }
  });

  it('asks the log five times a lease whether it is there', () => {
    const driven = new Driven(owned);
    for (let i = 0; i < 10; i++) {
      driven.wait(LEASE_MS / 10);
      driven.entered('beat');
    }
    const probes = driven.actions.filter(({ action }) => action.type === 'probe').map(({ at }) => at / LEASE_MS);
    expect(probes).toEqual([0, 0.2, 0.4, 0.6, 0.8, 1]);
  });

  it('counts no time in which the log did not answer', () => {
    const driven = new Driven(owned);
    driven.entered('beat');
    driven.wait(0.8 * LEASE_MS);
    driven.isAway = true;
    driven.wait(10 * LEASE_MS);
    driven.isAway = false;
    driven.wait(LEASE_MS);
    expect(driven.did('claim')).toBeUndefined();
    driven.wait(LEASE_MS);
    expect(driven.did('claim')).toBeGreaterThan(0);
  });

  it('counts no time in which it was stopped itself', () => {
    const driven = new Driven(owned);
    driven.entered('beat');
    driven.wait(0.5 * LEASE_MS);
    const woken = driven.now + 20 * LEASE_MS;
    driven.now = woken;
    driven.input({ type: 'tick' });
    driven.wait(LEASE_MS);
    expect(driven.did('claim')).toBeUndefined();
  });

  it('takes an answer that was long under way for none', () => {
    const driven = new Driven(owned);
    driven.isAway = true;
    driven.wait(2000);
    const machine = driven.machine;
    let probe: Action | undefined;
    for (; probe === undefined; driven.now += 1) probe = machine.step(driven.now, { type: 'tick' }).find(({ type }) => type === 'probe');
    const { number } = probe as Extract<Action, { type: 'probe' }>;
    // Such answers, one after the other, must not make a silence.
    driven.now += 4 * LEASE_MS;
    expect(machine.step(driven.now, { type: 'probed', number, last: 5 })).toEqual([]);
    expect(machine.step(driven.now, { type: 'tick' })).toMatchObject([{ type: 'probe' }]);
  });

  it('asks the log once more at the end of the lease, and does not claim without an answer', () => {
    const driven = new Driven(owned);
    driven.entered('beat');
    driven.wait(LEASE_MS);
    driven.isAway = true;
    driven.wait(LEASE_MS);
    expect(driven.did('claim')).toBeUndefined();
  });

  it('claims nothing while the log has entries that it has not applied', () => {
    const driven = new Driven(owned, { last: 6 });
    driven.wait(10 * LEASE_MS);
    expect(driven.did('claim')).toBeUndefined();
  });

  it('claims when the log has lost what it lacked', () => {
    const driven = new Driven(owned, { last: 8 });
    driven.wait(1000);
    driven.last = 5;
    driven.wait(3 * LEASE_MS);
    expect(driven.did('claim')).toBeGreaterThan(LEASE_MS);
  });

  it('claims at once after a `leave`, and in an empty log', () => {
    const driven = new Driven(owned);
    driven.wait(1000);
    driven.entered('leave');
    driven.wait(rules.leaveJitterMs);
    expect(driven.did('claim')).toBe(1000 + 0.5 * rules.leaveJitterMs);
    const first = new Driven(unowned);
    first.wait(rules.leaveJitterMs);
    expect(first.did('claim')).toBe(0.5 * rules.leaveJitterMs);
  });

  it('claims at another instant than others, by chance', () => {
    const instants = [0.1, 0.9].map((chance) => {
      const driven = new Driven(owned, { random: () => chance });
      driven.entered('beat');
      driven.wait(2 * LEASE_MS);
      return driven.did('claim') as number;
    });
    expect((instants[1] as number) - (instants[0] as number)).toBeCloseTo(0.8 * rules.claimJitterMs);
  });

  it('tells who owns for as long as the lease', () => {
    const driven = new Driven(owned);
    driven.entered('beat', 3);
    expect(driven.machine.ownerAt(driven.now)).toEqual({ node: 'b', url: 'http://b', epoch: 3 });
    driven.isAway = true;
    driven.wait(LEASE_MS);
    expect(driven.machine.ownerAt(driven.now)).toBeNull();
  });

  it('lets the file be made anew when the log ends before it', () => {
    const driven = new Driven(owned, { last: 4 });
    expect(driven.actions.at(-1)?.action).toEqual({ type: 'reopen', isUnfit: true });
    expect(driven.machine.role).toBe('joining');
  });

  it('does not take an answer for a loss that was given before its last entry came', () => {
    const driven = new Driven(owned);
    const { machine } = driven;
    driven.now += rules.probeMs;
    const [probe] = machine.step(driven.now, { type: 'tick' }) as [Extract<Action, { type: 'probe' }>];
    driven.entered('batch');
    expect(machine.step(driven.now, { type: 'probed', number: probe.number, last: 5 })).toEqual([]);
  });
});

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
