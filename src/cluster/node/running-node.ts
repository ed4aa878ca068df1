/**
 * Room `node`: one node of a cluster. It carries out what the state machine of `ownership` asks for, with the log, the node's file and its host, and tells it of their answers.
 *
 * Holds: The file is open once, and one piece of work after the other has it. A host is made for one ownership and thrown away with it.
 * Refuses: to decide who owns, which is `ownership`'s; and to know what a host is made of, and HTTP.
 */
import { unref } from '../../engine/ports.ts';
import { StoreTrouble } from '../../engine/store.ts';
import { FORMAT } from '../entry/entry.ts';
import type { NodeInfo } from '../log/log.ts';
import { Ownership } from '../ownership/ownership.ts';
import { type Rules, rulesOf } from '../ownership/rules.ts';
import type { Action, Input } from '../ownership/steps.ts';
import { within } from '../within.ts';
import type { ClusterNode, ClusterNodeOptions, CurrentOwner, NodeView } from './contract.ts';
import { FileWork } from './file-work.ts';
import { LocalFile } from './local-file.ts';
import { OwnerWork } from './owner-work.ts';
import { Passages } from './passages.ts';
import { PresenceTeller } from './presence-teller.ts';
import { Troubles } from './troubles.ts';

/** A node that is in the list for longer than it is there is known to be gone by its age. */
const FAREWELL_MS = 500;

/** Carries out what the state machine of ownership/ asks for, and tells it of the log's answers and of the time. It decides nothing itself. */
export class RunningNode implements ClusterNode {
  readonly name: string;
  readonly url: string;
  private readonly options: ClusterNodeOptions;
  private readonly rules: Rules;
  private readonly file: LocalFile;
  private readonly fileWork: FileWork;
  private readonly ownerWork: OwnerWork;
  private readonly troubles: Troubles;
  private readonly passages = new Passages();
  private readonly teller: PresenceTeller;
  private readonly listeners = new Set<() => void>();
  private readonly ended = Promise.withResolvers<void>();
  private machine: Ownership | null = null;
  /** Asked to leave before it took part. */
  private hasLeft = false;
  private timer: unknown;
  private shown = '';

  constructor(options: ClusterNodeOptions) {
    const { name, url, clock, logger, backbone } = options;
    this.name = name;
    this.url = url;
    this.options = options;
    this.rules = rulesOf(options.leaseMs);
    this.troubles = new Troubles(logger, () => this.show(clock.monotonic()));
    this.file = new LocalFile(options, this.rules.answerMs);
    const deps = { options, rules: this.rules, file: this.file, troubles: this.troubles, input: (input: Input) => this.input(input) };
    this.fileWork = new FileWork({ ...deps, role: () => this.machine?.role ?? null });
    this.ownerWork = new OwnerWork({ ...deps, isLate: () => this.machine?.isLate(this.now()) ?? false });
    this.teller = new PresenceTeller({
      ...{ presence: backbone.presence, passages: this.passages, clock, logger, answerMs: this.rules.answerMs },
      self: () => this.self(),
      owner: () => this.owner?.node ?? null,
      changed: () => this.show(clock.monotonic()),
    });
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

  get isInformed(): boolean {
    return this.machine?.isInformed(this.now()) ?? false;
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
    return this.ownerWork.held ?? this.troubles.first ?? this.teller.trouble;
  }

  watch(changed: () => void): () => void {
    this.listeners.add(changed);
    return () => void this.listeners.delete(changed);
  }

  nodes(): Promise<readonly NodeView[]> {
    return this.teller.nodes();
  }

  async start(): Promise<void> {
    await this.openFile();
    if (this.hasLeft) return this.file.close();
    const { name, url, rules } = this;
    this.machine = new Ownership({ rules, random: this.options.random, node: { name, url }, past: this.fileWork.past });
    await this.teller.admitted();
    if (this.machine.role === 'gone') return;
    this.fileWork.reopen(false, this.ownerWork.deposed);
    this.teller.tell();
  }

  leave(): Promise<void> {
    if (this.machine === null) {
      this.hasLeft = true;
      return Promise.resolve();
    }
    this.input({ type: 'leave' });
    return this.ended.promise;
  }

  /** As soon as the disk lets it, or until the node is asked to leave. What stays wrong is thrown. */
  private async openFile(): Promise<void> {
    const { clock } = this.options;
    while (!this.hasLeft) {
      try {
        await this.file.open();
        this.troubles.end('file');
        return;
      } catch (error) {
        if (!(error instanceof StoreTrouble)) throw error;
        this.troubles.set('file', 'the file cannot be opened; the start waits until it can', error);
      }
      await new Promise<void>((resolve) => void clock.setTimer(resolve, this.rules.againMs));
    }
  }

  private self(): NodeInfo & { readonly lagSeconds: number } {
    const { name, url, role, position, lagSeconds, options } = this;
    return { name, url, role, position, lagSeconds, hands: options.handsNow?.() ?? 0, version: options.version, format: FORMAT };
  }

  /** The monotonic time, when the machine knows what the store has been told by then. */
  private now(): number {
    const now = this.options.clock.monotonic();
    const { machine } = this;
    const sentAt = this.ownerWork.confirmedAt;
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
    const shown = JSON.stringify([role, epoch, machine?.ownerAt(now), machine?.isInformed(now), machine?.isServing(now), trouble]);
    if (shown === this.shown) return;
    this.shown = shown;
    // Others hear of it from when it takes part.
    if (machine !== null) this.teller.tell();
    for (const changed of [...this.listeners]) changed();
  }

  private carryOut(actions: readonly Action[]): void {
    for (const action of actions) this.act(action);
  }

  private act(action: Action): void {
    switch (action.type) {
      case 'probe':
        void this.probe(action.number);
        void this.file.snapshot('follower');
        break;
      case 'claim':
        this.fileWork.claimAfter(action.after);
        break;
      case 'follow':
        this.fileWork.follow();
        break;
      case 'own':
        this.fileWork.decided();
        this.ownerWork.own(action.epoch);
        break;
      case 'beat':
        void this.ownerWork.beat();
        void this.file.snapshot('owner');
        break;
      case 'hold':
        this.ownerWork.hold(`the log has confirmed nothing for ${this.rules.leaseMs / 1000} seconds, and another node may own`);
        break;
      case 'release':
        this.ownerWork.hold(null);
        break;
      case 'depose':
        this.ownerWork.depose();
        break;
      case 'resign':
        void this.ownerWork.resign();
        break;
      case 'reopen':
        this.fileWork.reopen(action.isUnfit, this.ownerWork.deposed);
        break;
      case 'gone':
        this.fileWork.inTurn(() => this.end());
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

  private async end(): Promise<void> {
    const { options } = this;
    options.clock.clearTimer(this.timer);
    await this.ownerWork.deposed;
    try {
      await within(options.clock, FAREWELL_MS, () => this.teller.close());
    } catch (err) {
      options.logger.debug({ err }, 'this node could not take itself out of the list');
    }
    await this.file.close();
    this.ended.resolve();
  }
}
