import type { Rules } from './rules.ts';
import { Silence } from './silence.ts';
import type { Action, Owner, Past, SeenEntry } from './steps.ts';

interface Probe {
  readonly number: number;
  readonly sentAt: number;
  /** The last entry in the file then: an answer is never older. */
  readonly position: number;
}

const NEVER = Number.POSITIVE_INFINITY;
/** The most leases that a node waits for an owner of which nothing but the claim is in the log. */
const LEASES_MOST = 16;

/** A node that follows: how far it has come, who owns as of its last entry, and when it may claim. */
export class Following {
  /** The last entry that is in this node's file. */
  position: number;
  /** As of the last entry nobody owns. */
  wasLeft = false;
  /** The node does not claim any more. */
  isLeaving = false;
  private readonly rules: Rules;
  private readonly random: () => number;
  private readonly silence: Silence;
  /** The last position of the log, as far as it is known. */
  private last: number | null = null;
  private owner: Owner | null = null;
  /** When the last entry came. */
  private heardAt = Number.NEGATIVE_INFINITY;
  /**
   * How many ownerships have begun, one after the other, of which the log has nothing else: a machine that is that busy, or has that much to restore, takes longer for a host
   * than the lease. If nobody waited longer for the next one, the nodes would depose each other for ever.
   */
  private vain = 0;
  private probe: Probe | null = null;
  private probes = 0;
  private probeAt = Number.NEGATIVE_INFINITY;
  /** The part of the longest jitter that the next claim waits, drawn anew for each. */
  private patience: number;
  /** The node does not claim before this instant. */
  private restUntil = Number.NEGATIVE_INFINITY;
  /** When this node was last known to have everything that the log has. */
  private completeAt: number | null = null;
  /** Since when it has followed with this file. */
  private begunAt: number | null = null;
  /** The last position that the log had when it first answered about this file. */
  private goal: number | null = null;
  private wasInformed = false;

  constructor(rules: Rules, random: () => number, past: Past) {
    this.rules = rules;
    this.random = random;
    this.position = past.position;
    this.wasLeft = past.isUnowned;
    this.silence = new Silence(rules);
    this.patience = random();
  }

  /** As of the last entry; null when nobody is known, or has left, or has been silent for the lease. */
  ownerAt(now: number): Owner | null {
    return this.wasLeft || now >= this.heardAt + this.rules.leaseMs ? null : this.owner;
  }

  /**
   * True from when this node has all that the log had when it joined with this file, and knows the owner, or that nobody owns, or that whoever owned is silent for the
   * lease. It stays so until there is another file, whatever becomes of the owner.
   */
  isInformed(now: number): boolean {
    const { goal, begunAt, position } = this;
    if (this.wasInformed || goal === null || begunAt === null || position < goal) return this.wasInformed;
    this.wasInformed = this.wasLeft || this.owner !== null || now >= begunAt + this.rules.leaseMs;
    return this.wasInformed;
  }

  begin(now: number): void {
    this.begunAt ??= now;
    this.probe = null;
    this.probeAt = now;
    this.silence.unknown();
    this.patience = this.random();
  }

  /** The file is another one, or read anew: nothing is known of the log. */
  forget({ position, isUnowned }: Past): void {
    this.position = position;
    this.last = null;
    this.owner = null;
    this.wasLeft = isUnowned;
    this.heardAt = Number.NEGATIVE_INFINITY;
    this.begunAt = null;
    this.goal = null;
    this.wasInformed = false;
  }

  /** This node's own claim is in the log. */
  claimed(): void {
    this.vain++;
  }

  /** There is an entry in the log after this node's own claim. */
  worked(): void {
    this.vain = 0;
  }

  /** Another entry stands where the claim was to stand: it has to come first. */
  refused(): void {
    this.last = Math.max(this.last ?? 0, this.position + 1);
  }

  /** Leaves the next claims to others for a while. */
  rest(now: number): void {
    this.restUntil = now + this.rules.leaseMs;
  }

  /** An entry is in the file. */
  entered(now: number, { position, kind, epoch, node, url }: SeenEntry): void {
    this.position = position;
    this.last = Math.max(this.last ?? 0, position);
    this.heardAt = now;
    this.wasLeft = kind === 'leave';
    this.vain = kind === 'own' ? this.vain + 1 : 0;
    if (node !== undefined && url !== undefined) this.owner = { node, url, epoch };
    else if (this.owner?.epoch !== epoch) this.owner = null;
    if (kind === 'own' || kind === 'leave') this.patience = this.random();
    this.silence.broken(now);
    if (this.last === position) this.completeAt = now;
  }

  /** The time for which this node has not been known to have all that the log has; 0 while it is. */
  lagMs(now: number): number {
    this.completeAt ??= now;
    const isComplete = this.last === this.position && now - this.completeAt <= this.rules.probeMs + this.rules.answerMs;
    return isComplete ? 0 : now - this.completeAt;
  }

  tick(now: number): Action[] {
    if (this.probe !== null && now - this.probe.sentAt >= this.rules.answerMs) this.unprobed(now, this.probe.number);
    if (now >= this.mayClaimAt()) {
      // Where nobody owns, nobody can be silent. Otherwise the log has to answer once more, at the end of the lease.
      if (this.wasLeft) return this.claim();
      if (this.probe === null) return this.sendProbe(now);
    }
    return this.probe === null && now >= this.probeAt ? this.sendProbe(now) : [];
  }

  /** The log has answered a probe. Null: it has lost entries that are in the file. */
  probed(now: number, number: number, last: number): Action[] | null {
    const { probe } = this;
    if (probe === null || probe.number !== number) return [];
    if (now - probe.sentAt >= this.rules.answerMs) {
      this.unprobed(now, number);
      return [];
    }
    this.probe = null;
    if (last < probe.position) return null;
    this.goal ??= last;
    const known = Math.max(last, this.position);
    const isNew = known !== this.last;
    // It may be long since the owner has left: from here on the nodes wait, each for its own while.
    if (this.last === null && this.wasLeft) this.heardAt = now;
    this.last = known;
    if (isNew) this.silence.broken(now);
    else this.silence.goesOn(now);
    if (this.last === this.position) this.completeAt = now;
    // It was sent when the time had come, and nothing is new.
    return probe.sentAt >= this.mayClaimAt() ? this.claim() : [];
  }

  unprobed(now: number, number: number): void {
    if (this.probe?.number !== number) return;
    this.probe = null;
    this.probeAt = Math.min(this.probeAt, now + this.rules.againMs);
    this.silence.unknown();
  }

  nextAt(now: number): number {
    const probeAt = this.probe === null ? this.probeAt : this.probe.sentAt + this.rules.answerMs;
    const silentAt = this.heardAt + this.rules.leaseMs;
    return Math.min(probeAt, this.mayClaimAt(), silentAt > now ? silentAt : NEVER);
  }

  /** The first instant at which this node may claim, as far as it knows now. */
  private mayClaimAt(): number {
    if (this.isLeaving || this.last === null || this.last > this.position) return NEVER;
    if (this.wasLeft) return Math.max(this.heardAt + this.patience * this.rules.leaveJitterMs, this.restUntil);
    // A probe that is out decides first.
    return this.probe === null ? Math.max(this.silentAt(), this.restUntil) : NEVER;
  }

  private silentAt(): number {
    const { leaseMs, claimJitterMs } = this.rules;
    const leases = Math.min(2 ** Math.max(0, this.vain - 1), LEASES_MOST);
    return this.silence.lasts(leases * leaseMs + this.patience * claimJitterMs) ?? NEVER;
  }

  private claim(): Action[] {
    this.probe = null;
    return [{ type: 'claim', after: this.position }];
  }

  private sendProbe(now: number): Action[] {
    this.probe = { number: ++this.probes, sentAt: now, position: this.position };
    this.probeAt = now + this.rules.probeMs;
    return [{ type: 'probe', number: this.probe.number }];
  }
}
