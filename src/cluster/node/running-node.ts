import { unref } from '../../engine/ports.ts';
import { Deposed } from '../appender.ts';
import { FORMAT } from '../entry/entry.ts';
import type { NodeInfo } from '../log/log.ts';
import { ownerClock } from '../owner-clock.ts';
import { Ownership } from '../ownership/ownership.ts';
import { type Rules, rulesOf } from '../ownership/rules.ts';
import type { Action, Input } from '../ownership/steps.ts';
import { TailLost } from '../replica.ts';
import { ReplicatedStore } from '../replicated-store.ts';
import { within } from '../within.ts';
import { comparedWhenLate } from './compared-when-late.ts';
import type { ClusterNode, ClusterNodeOptions, CurrentOwner, NodeView, Owned } from './contract.ts';
import { FileWork } from './file-work.ts';
import { LocalFile } from './local-file.ts';
import { Owning } from './owning.ts';
import { Passages } from './passages.ts';
import { PresenceTeller } from './presence-teller.ts';
import { Troubles } from './troubles.ts';

/** Carries out what the state machine of ownership/ asks for, and tells it of the log's answers and of the time. It decides nothing itself. */
export class RunningNode implements ClusterNode {
  readonly name: string;
  readonly url: string;
  private readonly options: ClusterNodeOptions;
  private readonly rules: Rules;
  private readonly file: LocalFile;
  private readonly work: FileWork;
  private readonly troubles: Troubles;
  private readonly passages = new Passages();
  private readonly teller: PresenceTeller;
  private readonly listeners = new Set<() => void>();
  private readonly ended = Promise.withResolvers<void>();
  private machine: Ownership | null = null;
  private owning: Owning | null = null;
  /** Settles when the host of the last ownership is gone. */
  private deposed: Promise<void> = Promise.resolve();
  private isHeld = false;
  private timer: unknown;
  private shown = '';

  constructor(options: ClusterNodeOptions) {
    const { name, url, clock, logger, backbone } = options;
    this.name = name;
    this.url = url;
    this.options = options;
    this.rules = rulesOf(options.leaseMs);
    this.troubles = new Troubles(logger);
    this.file = new LocalFile(options, this.rules.answerMs);
    this.work = new FileWork({
      ...{ options, rules: this.rules, file: this.file, troubles: this.troubles },
      role: () => this.machine?.role ?? null,
      input: (input) => this.input(input),
    });
    this.teller = new PresenceTeller({ presence: backbone.presence, passages: this.passages, clock, logger, self: () => this.self() });
  }

  get role(): 'owner' | 'follower' {
    return this.machine?.role === 'owning' ? 'owner' : 'follower';
  }

  get epoch(): number | null {
    return this.machine?.epoch ?? null;
  }

  get owner(): CurrentOwner | null {
    return this.machine?.ownerAt(this.now()) ?? null;
  }

  get isServing(): boolean {
    return this.machine?.isServing(this.now()) ?? false;
  }

  get position(): number {
    return this.file.isOpen ? this.file.replica.position : 0;
  }

  get lagSeconds(): number {
    return (this.machine?.lagMs(this.now()) ?? 0) / 1000;
  }

  get trouble(): string | null {
    return this.isHeld ? this.staleness : this.troubles.first;
  }

  watch(changed: () => void): () => void {
    this.listeners.add(changed);
    return () => void this.listeners.delete(changed);
  }

  nodes(): Promise<readonly NodeView[]> {
    return this.teller.nodes();
  }

  async start(): Promise<void> {
    await this.file.open();
    const { name, url, rules } = this;
    this.machine = new Ownership({ rules, random: this.options.random, node: { name, url }, past: this.work.past });
    this.work.reopen(false, this.deposed);
    this.teller.tell();
  }

  leave(): Promise<void> {
    if (this.machine === null) return Promise.resolve();
    this.input({ type: 'leave' });
    return this.ended.promise;
  }

  private get staleness(): string {
    return `the log has confirmed nothing for ${this.rules.leaseMs / 1000} seconds, and another node may own`;
  }

  private self(): NodeInfo & { readonly lagSeconds: number } {
    const { name, url, role, position, lagSeconds, options } = this;
    return { name, url, role, position, lagSeconds, hands: options.handsNow?.() ?? 0, version: options.version, format: FORMAT };
  }

  /** The monotonic time, when the machine knows what the store has been told by then. */
  private now(): number {
    const now = this.options.clock.monotonic();
    const { machine } = this;
    const sentAt = this.owning?.confirmedAt ?? null;
    if (machine?.role === 'owning' && sentAt !== null) this.carryOut(machine.step(now, { type: 'heard', sentAt }));
    return now;
  }

  private input(input: Input): void {
    if (this.machine === null) return;
    const now = this.now();
    this.carryOut(this.machine.step(now, input));
    this.passages.note(this.position, now);
    this.wait(now);
    this.show(now);
  }

  private wait(now: number): void {
    const { clock } = this.options;
    clock.clearTimer(this.timer);
    const at = this.machine?.nextAt(now) ?? Number.POSITIVE_INFINITY;
    if (at === Number.POSITIVE_INFINITY) return;
    this.timer = clock.setTimer(() => this.input({ type: 'tick' }), Math.max(1, at - now));
    unref(this.timer);
  }

  private show(now: number): void {
    const { machine, role, epoch, trouble } = this;
    const shown = JSON.stringify([role, epoch, machine?.ownerAt(now), machine?.isServing(now), trouble]);
    if (shown === this.shown) return;
    this.shown = shown;
    this.teller.tell();
    for (const changed of [...this.listeners]) changed();
  }

  private carryOut(actions: readonly Action[]): void {
    for (const action of actions) this.act(action);
  }

  private act(action: Action): void {
    switch (action.type) {
      case 'probe':
        void this.probe(action.number);
        break;
      case 'claim':
        this.work.claimAfter(action.after);
        break;
      case 'follow':
        this.work.follow();
        break;
      case 'own':
        this.work.decided();
        this.own(action.epoch);
        break;
      case 'beat':
        void this.beat();
        break;
      case 'hold':
        this.isHeld = true;
        this.owning?.hold(this.staleness);
        break;
      case 'release':
        this.isHeld = false;
        this.owning?.hold(null);
        break;
      case 'depose':
        this.isHeld = false;
        this.depose();
        break;
      case 'resign':
        void this.resign();
        break;
      case 'reopen':
        this.work.reopen(action.isUnfit, this.deposed);
        break;
      case 'gone':
        this.work.inTurn(() => this.end());
        break;
    }
  }

  private async probe(number: number): Promise<void> {
    const { backbone, clock } = this.options;
    const answer = await within(clock, this.rules.answerMs, () => backbone.log.ends()).catch((error: unknown) => {
      this.troubles.set('log', 'the log does not answer', error);
      return null;
    });
    if (answer === null) return this.input({ type: 'unprobed', number });
    this.troubles.end('log');
    this.passages.note(answer.last, clock.monotonic());
    this.input({ type: 'probed', number, last: answer.last });
  }

  private own(epoch: number): void {
    const { options, name: node, url } = this;
    const { leaseMs, logger } = options;
    const { replica } = this.file;
    const clock = ownerClock(options.clock, replica.ownership.at, (now) => {
      if (!this.isHeld && this.machine?.isLate(now)) this.input({ type: 'tick' });
    });
    const deposed = (error: Deposed): void => {
      logger.warn({ err: error, epoch }, 'this node does not own any more');
      this.input({ type: error.cause instanceof TailLost ? 'apart' : 'deposed' });
    };
    logger.info({ epoch }, 'this node owns');
    const isLate = (): boolean => this.machine?.isLate(this.now()) ?? false;
    const log = comparedWhenLate(this.file.log, replica, logger, isLate, () => this.input({ type: 'apart' }));
    const store = new ReplicatedStore({ log, replica, epoch, node, url, leaseMs, clock, deposed });
    const host = async (): Promise<Owned> => options.own(store, epoch, clock);
    const owning = new Owning(store, host());
    this.owning = owning;
    owning.begun().then(
      () => {
        this.troubles.end('own');
        this.troubles.end('file');
        if (this.owning === owning) this.input({ type: 'began' });
      },
      (error: unknown) => {
        this.troubles.set('own', 'this node cannot own', error);
        if (this.owning === owning) this.input({ type: 'unable' });
      },
    );
  }

  private async beat(): Promise<void> {
    const { owning } = this;
    try {
      await owning?.beat();
      this.troubles.end('log');
      if (owning === this.owning) this.input({ type: 'tick' });
    } catch (error) {
      if (owning !== this.owning || error instanceof Deposed) return;
      this.troubles.set('log', 'the log does not answer', error);
      this.input({ type: 'unheard' });
    }
  }

  private depose(): void {
    const { owning, options } = this;
    if (owning === null) return;
    this.deposed = owning
      .depose()
      .catch((err: unknown) => options.logger.error({ err }, 'the host of an ownership that has ended did not end well'));
  }

  private async resign(): Promise<void> {
    const { owning, options, rules } = this;
    try {
      await this.deposed;
      await owning?.leave(options.clock, rules.answerMs);
    } catch (err) {
      options.logger.warn({ err }, 'the ownership ends without a word to the others: they wait for the lease');
    }
    this.input({ type: 'resigned' });
  }

  private async end(): Promise<void> {
    const { options } = this;
    options.clock.clearTimer(this.timer);
    await this.deposed;
    try {
      await this.teller.close();
    } catch (err) {
      options.logger.debug({ err }, 'this node could not take itself out of the list');
    }
    await this.file.close();
    this.ended.resolve();
  }
}
