/**
 * The store of the node that owns: its own file, changed through the log.
 *
 *     write ──pack──▶ append to the log ──▶ apply to the own file ──▶ resolve: answers go out, events are shown
 *
 * Nobody sees an answer or an event that the log lacks. A transaction that is too long for one entry is appended in parts, and is there when its last part is.
 * Once another node's entry is found in the place of one of its own, every write is rejected with {@link Deposed}, for ever.
 */

import type { Clock } from '../engine/ports.ts';
import type { RunningMarks, Shelf, Store, StoredPipeline, StoreTrouble, StoreUsage, Writes } from '../engine/store.ts';
import { Appender, Deposed } from './appender.ts';
import { BATCH_OVERHEAD, type EntryBody } from './entry/entry.ts';
import { packWrites } from './entry/writes.ts';
import type { Log } from './log/log.ts';
import type { Replica } from './replica.ts';
import { leftBy, type Mark } from './takeover.ts';

export { Deposed };

/** The share of the lease after which an append is given up; see {@link AppenderOptions.timeoutMs}. */
export const TIMEOUT_SHARE = 0.3;

export interface ReplicatedStoreOptions {
  readonly log: Log;
  /** It has applied the entry `own` by which this node owns, and nothing after it. */
  readonly replica: Replica;
  /** The position of that entry. */
  readonly epoch: number;
  readonly node: string;
  readonly url: string;
  readonly leaseMs: number;
  readonly clock: Clock;
  /** Told once, in the turn in which it is found out, and before the write is rejected. */
  readonly deposed?: (error: Deposed) => void;
}

/** A transaction on its way: what is left of its parts. */
interface Sending {
  readonly writes: Writes;
  readonly parts: readonly Uint8Array[];
  readonly number: number;
  next: number;
}

export class ReplicatedStore implements Store {
  readonly kind: string;
  readonly marks: RunningMarks = { set: () => undefined, write: () => undefined };
  readonly marked: readonly Mark[];
  readonly markedBy: string | null;
  readonly blamed = undefined;
  /** The log may have lost its end, or the node that owned before may have: nobody need have noticed. */
  readonly mayLackEvents = true;
  /** The node that owned before did not end in order: it may have begun items that are not among {@link ReplicatedStore.marked}. */
  readonly isUncertain: boolean;
  private readonly options: ReplicatedStoreOptions;
  private readonly appender: Appender;
  private sending: Sending | null = null;
  private number = 0;
  private told: (trouble: StoreTrouble | null) => void = () => undefined;
  private ofNode: StoreTrouble | null = null;
  private tellAll: () => void = () => undefined;
  private turn: Promise<unknown> = Promise.resolve();

  constructor(options: ReplicatedStoreOptions) {
    const { log, replica, clock, leaseMs, epoch } = options;
    const { ownership } = replica;
    if (ownership.epoch !== epoch || ownership.hasLeft)
      throw new Error(`the ownership ${epoch} is not the one of this file, ${ownership.epoch}`);
    this.options = options;
    this.kind = log.kind;
    this.appender = new Appender({
      ...{ log, replica, clock, timeoutMs: leaseMs * TIMEOUT_SHARE },
      told: (trouble) => this.told(trouble),
      deposed: (error) => options.deposed?.(error),
    });
    this.isUncertain = ownership.before !== 0;
    this.marked = this.isUncertain ? leftBy(replica.store) : [];
    this.markedBy = this.isUncertain ? `epoch ${ownership.before}` : null;
  }

  /** An instant at which this node owned for certain, by the clock's `monotonic`: the newest that is known. */
  get confirmedAt(): number {
    return this.appender.confirmedAt;
  }

  pipelines(): StoredPipeline[] {
    return this.options.replica.store.pipelines();
  }

  facts(prefix: string): Record<string, string> {
    return this.options.replica.store.facts(prefix);
  }

  nextPipeline(after: number): number {
    return this.options.replica.store.nextPipeline(after);
  }

  shelf(pipeline: number): Shelf {
    return this.options.replica.store.shelf(pipeline);
  }

  async usage(): Promise<StoreUsage> {
    return (await this.options.replica.store.usage?.()) ?? { files: [], diskFreeBytes: 0 };
  }

  write(writes: Writes): Promise<void> {
    return this.inTurn(async () => {
      if (this.sending?.writes !== writes) this.sending = this.begin(writes);
      const { sending } = this;
      while (sending.next < sending.parts.length) await this.sendNext(sending);
      await this.settle();
      // Whoever hears of a success begins what comes next.
      if (this.ofNode !== null) throw this.ofNode;
      this.sending = null;
    });
  }

  /**
   * Keeps the ownership: appends a `beat`, or what is on its way and does as well. Rejects as {@link ReplicatedStore.write} does.
   */
  beat(): Promise<void> {
    return this.inTurn(async () => {
      if (this.appender.isPending) return this.settle();
      const { sending } = this;
      // Nothing stands between the parts of a transaction.
      if (sending !== null && sending.next > 0 && sending.next < sending.parts.length) return this.sendNext(sending);
      const { epoch, node, url } = this.options;
      return this.append({ kind: 'beat', epoch, node, url, at: this.now() });
    });
  }

  /** Ends the ownership, after the last write: others can claim at once. Rejects as {@link ReplicatedStore.write} does; then it has not ended. */
  leave(): Promise<void> {
    return this.inTurn(async () => {
      await this.settle();
      if (this.options.replica.ownership.hasLeft) return;
      await this.append({ kind: 'leave', epoch: this.options.epoch, at: this.now() });
    });
  }

  watch(told: (trouble: StoreTrouble | null) => void): void {
    let ofFile: StoreTrouble | null = null;
    let ofLog: StoreTrouble | null = null;
    this.tellAll = () => told(this.ofNode ?? ofFile ?? ofLog);
    this.told = (trouble) => {
      ofLog = trouble;
      this.tellAll();
    };
    this.options.replica.store.watch?.((trouble) => {
      ofFile = trouble;
      this.tellAll();
    });
    if (this.ofNode !== null) this.tellAll();
  }

  /** Tells whoever watches, in this turn, that nothing may begin for a reason of the node's own; null: that is over. */
  hold(trouble: StoreTrouble | null): void {
    this.ofNode = trouble;
    this.tellAll();
  }

  /** The next node does not find what is noted on this one. */
  blame(): void {}

  forgetMarked(): void {}

  /** The replica stays open: the node goes on with it. */
  async close(): Promise<void> {
    await this.turn;
  }

  private begin(writes: Writes): Sending {
    const bytes = packWrites(writes);
    const size = this.options.log.maxBytes - BATCH_OVERHEAD;
    const count = Math.max(1, Math.ceil(bytes.length / size));
    const parts = Array.from({ length: count }, (_, i) => bytes.subarray(i * size, (i + 1) * size));
    this.number++;
    return { writes, parts, number: this.number, next: 0 };
  }

  private async sendNext(sending: Sending): Promise<void> {
    if (this.appender.isPending) {
      await this.settle();
      return;
    }
    const { writes, parts, number, next } = sending;
    const part = { part: next + 1, parts: parts.length, bytes: parts[next] as Uint8Array };
    // Once it is made, it is settled by whoever comes next.
    sending.next++;
    await this.append(
      { kind: 'batch', epoch: this.options.epoch, number, ...part, at: this.now() },
      part.part === part.parts ? writes : undefined,
    );
  }

  private async append(body: EntryBody, writes?: Writes): Promise<void> {
    const { epoch, hasLeft } = this.options.replica.ownership;
    // Whoever follows with this file has seen it before the log could refuse anything.
    if (epoch !== this.options.epoch || hasLeft)
      throw this.appender.depose(new Deposed(hasLeft ? 'this node has left' : 'another node owns'));
    return this.appender.append(body, writes);
  }

  private settle(): Promise<void> {
    return this.appender.settle();
  }

  /** Instants in the log never go back, whichever node's clock they are of. */
  private now(): number {
    return Math.max(this.options.clock.now(), this.options.replica.ownership.at);
  }

  private inTurn<T>(work: () => Promise<T>): Promise<T> {
    const done = this.turn.then(work);
    this.turn = done.catch(() => undefined);
    return done;
  }
}
