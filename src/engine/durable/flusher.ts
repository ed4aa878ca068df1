import type { Waiting } from '../model/keeper.ts';
import type { Clock, Logger } from '../ports.ts';
import { type PipelineWrites, type Store, StoreTrouble, type Writes } from '../store.ts';

/** What has changes to be written: the journal of a pipeline. */
export interface Changing {
  /** All changes since the last call, which are not lost: they are handed over until they are stored. null when there are none. */
  capture(): PipelineWrites | null;
  /** What was captured last is stored. */
  written(): void;
}

/** How long until a write that failed is tried again. */
const AGAIN_MS = 500;
/** After so long a reader waits no more for a write, but is answered as of the one before. */
export const SLOW_MS = 1000;
/** A write that has not ended after so long counts as trouble until it does. */
export const HANGS_MS = 5000;

/** How long somebody waits: a reader until a write is slow, a caller until there is trouble, others until it is stored. */
const READER = 0;
const CALLER = 1;
const PATIENT = 2;

interface Waiter {
  patience: number;
  done: (isStored: boolean) => void;
}

/**
 * Writes what has changed in all pipelines, one transaction at a time: what changes while one is written goes with the next one.
 *
 *     quiet ──stir──▶ due (in a later turn) ──capture──▶ writing ──stored──▶ quiet, or due again
 *                                                         ├──failed──▶ trouble ──try again──▶ writing
 *                                                         └──a second──▶ slow ──four more──▶ trouble ──ended──▶ as above
 *
 * While there is trouble nothing is captured; {@link Flusher.trouble} says why, and the pipelines are held.
 */
export class Flusher {
  /** Why nothing can be written; null when all is well. */
  trouble: string | null = null;
  private readonly store: Store;
  private readonly clock: Clock;
  private readonly logger: Logger;
  private readonly sources = new Set<Changing>();
  private readonly listeners = new Set<() => void>();
  private created: Writes['created'] = [];
  private dropped: number[] = [];
  private isDue = false;
  private isWriting = false;
  private isSlow = false;
  private waiting = new Set<Waiter>();
  private beingWritten = new Set<Waiter>();
  private timer: unknown;
  private isClosed = false;

  constructor(store: Store, clock: Clock, logger: Logger) {
    this.store = store;
    this.clock = clock;
    this.logger = logger;
  }

  add(source: Changing): void {
    this.sources.add(source);
  }

  /** A pipeline is to be in the store from now on. */
  create(pipeline: Writes['created'][number]): void {
    this.created.push(pipeline);
    this.stir();
  }

  /** Nothing of a pipeline is kept any more. */
  drop(source: Changing, pipeline: number): void {
    this.sources.delete(source);
    this.dropped.push(pipeline);
    this.stir();
  }

  /** Something has changed. */
  stir(): void {
    if (this.isDue) return;
    this.isDue = true;
    if (!this.isWriting) this.clock.defer(this.flush);
  }

  /**
   * Resolves with true when everything that has changed until now is stored, with false as soon as there is trouble; undefined
   * when it is stored already.
   */
  settled(): Promise<boolean> | undefined {
    return this.trouble === null ? this.waitAs(CALLER) : Promise.resolve(false);
  }

  /** The same for one that only looks: with false also when the store takes long. */
  settledSoon(): Promise<boolean> | undefined {
    return this.trouble === null && !this.isSlow ? this.waitAs(READER) : Promise.resolve(false);
  }

  /** The same for one that waits through all trouble: with false only when it is known that nothing will be written any more. */
  settledAtLast(): Waiting | undefined {
    const waiters = this.waiters;
    if (waiters === undefined) return undefined;
    const { promise: isStored, resolve: done } = Promise.withResolvers<boolean>();
    const waiter = { patience: PATIENT, done };
    waiters.add(waiter);
    // What waits for the next write may wait for the one that is under way by then.
    return { isStored, leave: () => void (this.waiting.delete(waiter) || this.beingWritten.delete(waiter)) };
  }

  /** Something has changed that is not stored yet. */
  get isBehind(): boolean {
    return this.isDue || this.isWriting;
  }

  /** Calls `changed` when trouble comes and when it is over, until what it returns is called. */
  watch(changed: () => void): () => void {
    this.listeners.add(changed);
    return () => void this.listeners.delete(changed);
  }

  /** What is not written by now will not be. Idempotent. */
  close(): void {
    this.isClosed = true;
    this.clock.clearTimer(this.timer);
    this.giveUp(PATIENT);
  }

  private get waiters(): Set<Waiter> | undefined {
    if (this.isDue) return this.waiting;
    return this.isWriting ? this.beingWritten : undefined;
  }

  private waitAs(patience: number): Promise<boolean> | undefined {
    const waiters = this.waiters;
    return waiters && new Promise((done) => waiters.add({ patience, done }));
  }

  private readonly flush = (): void => {
    if (this.isClosed || this.isWriting) return;
    this.isDue = false;
    const captured: Changing[] = [];
    const pipelines: PipelineWrites[] = [];
    for (const source of this.sources) {
      const writes = source.capture();
      if (writes === null) continue;
      captured.push(source);
      pipelines.push(writes);
    }
    const writes: Writes = { pipelines, created: this.created, dropped: this.dropped };
    this.created = [];
    this.dropped = [];
    this.beingWritten = this.waiting;
    this.waiting = new Set();
    if (pipelines.length + writes.created.length + writes.dropped.length === 0) {
      this.release();
      return;
    }
    this.isWriting = true;
    this.write(writes, () => {
      this.isWriting = false;
      for (const source of captured) source.written();
      this.release();
      if (this.isDue) this.flush();
    });
  };

  private release(): void {
    const waiters = this.beingWritten;
    this.beingWritten = new Set();
    for (const { done } of waiters) done(true);
  }

  /** Those who are no more patient than that are told that it is not stored. */
  private giveUp(patience: number): void {
    for (const waiters of [this.beingWritten, this.waiting]) {
      for (const waiter of waiters) {
        if (waiter.patience > patience) continue;
        waiters.delete(waiter);
        waiter.done(false);
      }
    }
  }

  private write(writes: Writes, done: () => void): void {
    if (this.trouble === null) this.timer = this.clock.setTimer(this.slow, SLOW_MS);
    this.store.write(writes).then(
      () => {
        this.clock.clearTimer(this.timer);
        this.isSlow = false;
        this.setTrouble(null);
        done();
      },
      (error: unknown) => {
        this.clock.clearTimer(this.timer);
        this.isSlow = false;
        this.setTrouble(error instanceof StoreTrouble ? error.reason : String(error), error);
        if (this.isClosed) return;
        this.timer = this.clock.setTimer(() => this.write(writes, done), AGAIN_MS);
      },
    );
  }

  private readonly slow = (): void => {
    this.isSlow = true;
    this.giveUp(READER);
    this.timer = this.clock.setTimer(() => this.setTrouble(`it has not answered for ${HANGS_MS / 1000} seconds`), HANGS_MS - SLOW_MS);
  };

  private setTrouble(reason: string | null, cause?: unknown): void {
    if (this.trouble === reason) return;
    const { logger } = this;
    if (reason === null) logger.info({}, 'the store is writable again');
    else logger.error({ err: cause, reason }, 'the store is not writable; feeding is refused until it is');
    this.trouble = reason;
    if (reason !== null) this.giveUp(CALLER);
    for (const changed of this.listeners) changed();
  }
}
