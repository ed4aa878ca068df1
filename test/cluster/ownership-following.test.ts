import { describe, expect, it } from 'vitest';
import type { Action } from '../../src/cluster/ownership/steps.ts';
import { Driven, LEASE_MS, owned, owner, rules, unowned } from './driven-ownership.ts';

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

  it('knows how the cluster is when it has what the log had when it came, and who owns', () => {
    const driven = new Driven(owned, { last: 7 });
    const isInformed = (): boolean => driven.machine.isInformed(driven.now);
    expect(isInformed()).toBe(false);
    driven.input({ type: 'entered', entry: { position: 6, kind: 'own', epoch: 6, node: 'b', url: 'http://b' } });
    expect([isInformed(), driven.machine.ownerAt(driven.now)?.node]).toEqual([false, 'b']);
    driven.last = 9;
    driven.input({ type: 'entered', entry: { position: 7, kind: 'batch', epoch: 6 } });
    expect(isInformed()).toBe(true);
    // Whatever becomes of the owner, until the file is another one.
    driven.wait(LEASE_MS);
    expect([driven.machine.ownerAt(driven.now), isInformed()]).toEqual([null, true]);
    driven.input({ type: 'apart' });
    driven.input({ type: 'reopened', past: { position: 9, isUnowned: false } });
    expect(isInformed()).toBe(false);
    driven.entered('beat', 6);
    expect(isInformed()).toBe(true);
  });

  it('also knows it when nobody owns, or the owner is silent for the lease', () => {
    const [empty, left, silent] = [new Driven(unowned), new Driven({ position: 5, isUnowned: true }), new Driven(owned)];
    expect([empty, left, silent].map(({ machine, now }) => machine.isInformed(now))).toEqual([true, true, false]);
    silent.wait(LEASE_MS - 1);
    expect(silent.machine.isInformed(silent.now)).toBe(false);
    silent.wait(1);
    expect(silent.machine.isInformed(silent.now)).toBe(true);
  });

  it('knows nothing while the log does not answer', () => {
    const driven = new Driven(unowned);
    driven.isAway = true;
    driven.input({ type: 'apart' });
    driven.input({ type: 'reopened', past: { position: 0, isUnowned: true } });
    driven.wait(3 * LEASE_MS);
    expect(driven.machine.isInformed(driven.now)).toBe(false);
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
