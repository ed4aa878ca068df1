/*
 * Room `ownership`: which node owns, as a state machine without I/O. Time and chance come in from outside.
 *
 *     joining ──reopened──▶ following ──no new entry for the lease, log answering all that time──▶ claiming ──claimed──▶ owning
 *        ▲                      ▲                 or nobody owns, as of the last entry               │                    │  │
 *        │                      └──────────────────────────refused───────────────────────────────────┘                    │  │ unable,
 *        ├──────────────────────────────────────deposed; the file is no prefix of the log────────────────────────────────┘  ▼ leave
 *        └──────────────────────────────────────────────────────────────────────────────────────────────────────────────resigning ──▶ gone
 *
 * Only `step` changes the state. The log is the lease: a claim is an `own` right after the last entry that this node has applied. Accepted means that the node
 * has everything and that all others are fenced, in one act. No clock is compared with another node's.
 *
 * Words: **heard**: in the log for certain. **Fresh**: heard less than a lease ago, counted from when it was sent; until then no other node claims.
 * **Epoch**: the position of the `own` that began an ownership. **Tenure**: an ownership of this node's own.
 *
 * Holds: It never claims while it lacks an entry, nor for the sake of a silence in which the log did not answer. It is never served past the lease of the last entry in the log.
 * Refuses: I/O, timers and clocks; to know what a file, a store or a host is.
 */
import { Following } from './following.ts';
import type { Rules } from './rules.ts';
import type { Action, Input, Owner, Past } from './steps.ts';
import { Tenure } from './tenure.ts';

export type Role = 'joining' | 'following' | 'claiming' | 'owning' | 'resigning' | 'gone';

export interface OwnershipOptions {
  rules: Rules;
  /** Uniform in [0, 1). */
  random: () => number;
  node: { readonly name: string; readonly url: string };
  /** As of this node's file. */
  past: Past;
}

const NEVER = Number.POSITIVE_INFINITY;

export class Ownership {
  private readonly rules: Rules;
  private readonly node: OwnershipOptions['node'];
  private readonly following: Following;
  private currentRole: Role = 'joining';
  /** From the accepted claim until the host is thrown away, or the `leave` written. */
  private tenure: Tenure | null = null;
  private claimAt = NEVER;
  private isLeaving = false;

  constructor({ rules, random, node, past }: OwnershipOptions) {
    this.rules = rules;
    this.node = node;
    this.following = new Following(rules, random, past);
  }

  get role(): Role {
    return this.currentRole;
  }

  /** The epoch that this node owns; null unless it does. */
  get epoch(): number | null {
    return this.currentRole === 'owning' ? (this.tenure?.epoch ?? null) : null;
  }

  /** As of the last entry; null when nobody is known, or the owner has left or been silent for the lease. */
  ownerAt(now: number): Owner | null {
    if (this.currentRole === 'following' || this.currentRole === 'claiming') return this.following.ownerAt(now);
    if (this.currentRole !== 'owning' || this.tenure === null || !this.tenure.isFresh(now)) return null;
    return { node: this.node.name, url: this.node.url, epoch: this.tenure.epoch };
  }

  /** True while this node knows how the cluster is: it owns, or has all that the log had when it joined and knows who owns, or that nobody does. */
  isInformed(now: number): boolean {
    if (this.currentRole === 'following' || this.currentRole === 'claiming') return this.following.isInformed(now);
    return this.currentRole !== 'joining';
  }

  /** True while this node owns, its host works, and no other can have claimed. */
  isServing(now: number): boolean {
    return this.currentRole === 'owning' && this.tenure !== null && this.tenure.hasBegun && this.tenure.isFresh(now);
  }

  /** True for an owner that was confirmed too long ago to begin anything. */
  isLate(now: number): boolean {
    return this.currentRole === 'owning' && this.tenure !== null && !this.tenure.isFresh(now);
  }

  /** The time for which this node has not been known to have all that the log has, in milliseconds. */
  lagMs(now: number): number {
    return this.currentRole === 'owning' ? 0 : this.following.lagMs(now);
  }

  /** The instant of the next `tick` that is due, in monotonic milliseconds. */
  nextAt(now: number): number {
    switch (this.currentRole) {
      case 'following':
        return this.following.nextAt(now);
      case 'claiming':
        return this.claimAt;
      case 'owning':
        return this.tenure?.nextAt() ?? NEVER;
      default:
        return NEVER;
    }
  }

  step(now: number, input: Input): Action[] {
    switch (input.type) {
      case 'tick':
        return this.tick(now);
      case 'entered':
        if (this.currentRole === 'following' || this.currentRole === 'claiming') this.following.entered(now, input.entry);
        return [];
      case 'probed':
        return this.currentRole === 'following' ? this.probed(now, input.number, input.last) : [];
      case 'unprobed':
        this.following.unprobed(now, input.number);
        return [];
      case 'claimed':
      case 'refused':
      case 'undecided':
        return this.currentRole === 'claiming' ? this.decided(now, input) : [];
      case 'apart':
        return this.currentRole === 'gone' || this.currentRole === 'joining' ? [] : this.stepDown({ type: 'reopen', isUnfit: true });
      case 'reopened':
        return this.currentRole === 'joining' ? this.reopened(now, input.past) : [];
      case 'leave':
        return this.isLeaving ? [] : this.leave();
      default:
        return this.tenure === null ? [] : this.owned(now, this.tenure, input);
    }
  }

  private tick(now: number): Action[] {
    switch (this.currentRole) {
      case 'following':
        return this.claiming(this.following.tick(now));
      case 'claiming':
        return now >= this.claimAt ? this.claiming([{ type: 'claim', after: this.following.position }]) : [];
      case 'owning':
        return this.tenure?.tick(now) ?? [];
      default:
        return [];
    }
  }

  private probed(now: number, number: number, last: number): Action[] {
    const actions = this.following.probed(now, number, last);
    return actions === null ? this.stepDown({ type: 'reopen', isUnfit: true }) : this.claiming(actions);
  }

  private claiming(actions: Action[]): Action[] {
    if (actions.some(({ type }) => type === 'claim')) {
      this.currentRole = 'claiming';
      // Until it is answered.
      this.claimAt = NEVER;
    }
    return actions;
  }

  private decided(now: number, input: Extract<Input, { type: 'claimed' | 'refused' | 'undecided' }>): Action[] {
    if (input.type === 'undecided') {
      // The same bytes again: they may be there already.
      this.claimAt = now + this.rules.againMs;
      return [];
    }
    if (input.type === 'refused') {
      this.following.refused();
      return this.follow(now);
    }
    this.following.claimed();
    const epoch = this.following.position + 1;
    this.currentRole = 'owning';
    this.tenure = new Tenure(this.rules, epoch, input.sentAt);
    return [{ type: 'own', epoch }, ...this.tenure.tick(now)];
  }

  private owned(now: number, tenure: Tenure, input: Input): Action[] {
    switch (input.type) {
      case 'began':
        tenure.hasBegun = true;
        return [];
      case 'heard':
        this.following.worked();
        return this.currentRole === 'owning' ? tenure.heard(now, input.sentAt) : [];
      case 'unheard':
        tenure.unheard(now);
        return [];
      case 'deposed':
        return this.stepDown({ type: 'reopen', isUnfit: false });
      case 'unable':
        // Somebody else may be able to.
        this.following.rest(now);
        return this.currentRole === 'owning' ? this.stepDown({ type: 'resign' }) : [];
      case 'resigned':
        return this.stepDown({ type: 'reopen', isUnfit: false });
      default:
        return [];
    }
  }

  /** The host goes first, whatever comes after. */
  private stepDown(then: Extract<Action, { type: 'resign' | 'reopen' }>): Action[] {
    const deposed: Action[] = this.currentRole === 'owning' ? [{ type: 'depose' }] : [];
    if (then.type === 'resign') {
      this.currentRole = 'resigning';
      return [...deposed, then];
    }
    this.currentRole = 'joining';
    this.tenure = null;
    return [...deposed, ...(this.isLeaving ? this.go() : [then])];
  }

  private reopened(now: number, past: Past): Action[] {
    this.following.forget(past);
    return this.follow(now);
  }

  private follow(now: number): Action[] {
    this.currentRole = 'following';
    this.following.begin(now);
    return [{ type: 'follow' }, ...this.tick(now)];
  }

  private leave(): Action[] {
    this.isLeaving = true;
    this.following.isLeaving = true;
    if (this.currentRole === 'owning') return this.stepDown({ type: 'resign' });
    // Who resigns goes after that.
    return this.currentRole === 'resigning' ? [] : this.go();
  }

  private go(): Action[] {
    this.currentRole = 'gone';
    return [{ type: 'gone' }];
  }
}
