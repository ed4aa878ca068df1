import { Ownership } from '../../src/cluster/ownership/ownership.ts';
import { rulesOf } from '../../src/cluster/ownership/rules.ts';
import type { Action, Input, Past } from '../../src/cluster/ownership/steps.ts';

export const LEASE_MS = 10_000;
export const rules = rulesOf(LEASE_MS);

/** A machine whose log answers each probe at once with its last position, unless it is `isAway`. Time moves from one due tick to the next. */
export class Driven {
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

export const unowned: Past = { position: 0, isUnowned: true };
export const owned: Past = { position: 5, isUnowned: false };

/** One that owns a log that was empty, and whose host works. */
export function owner(): Driven {
  const driven = new Driven(unowned);
  driven.wait(rules.leaveJitterMs);
  driven.own();
  return driven;
}
