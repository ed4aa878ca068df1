import type { Clock, Logger } from '../ports.ts';
import { type PipelineWrites, type Store, StoreTrouble, type Writes } from '../store.ts';

/** What has changes to be written: the journal of a pipeline. */
export interface Changing {
  /** All changes since the last call, which are not lost: they are handed over until they are stored. null when there are none. */
  capture(): PipelineWrites | null;
  /** What was captured last is stored. */
  stored(): void;
}

/** How long until a write that failed is tried again. */
const AGAIN_MS = 500;

/**
 * Writes what has changed in all pipelines, one transaction at a time: what changes while one is written goes with the next one.
 *
 *     quiet ──stir──▶ due (in a later turn) ──capture──▶ writing ──stored──▶ quiet, or due again
 *                                                         └──failed──▶ trouble ──try again──▶ writing
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
  private waiting: ((isStored: boolean) => void)[] = [];
  private beingWritten: ((isStored: boolean) => void)[] = [];
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
    if (this.trouble !== null) return Promise.resolve(false);
    if (this.isDue) return new Promise((resolve) => this.waiting.push(resolve));
    if (this.isWriting) return new Promise((resolve) => this.beingWritten.push(resolve));
    return undefined;
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
    this.waiting = [];
    if (pipelines.length + writes.created.length + writes.dropped.length === 0) {
      this.release(true);
      return;
    }
    this.isWriting = true;
    this.write(writes, () => {
      this.isWriting = false;
      for (const source of captured) source.stored();
      this.release(true);
      if (this.isDue) this.flush();
    });
  };

  private release(isStored: boolean): void {
    const waiting = this.beingWritten;
    this.beingWritten = [];
    for (const done of waiting) done(isStored);
  }

  private write(writes: Writes, done: () => void): void {
    this.store.write(writes).then(
      () => {
        this.setTrouble(null);
        done();
      },
      (error: unknown) => {
        this.setTrouble(error instanceof StoreTrouble ? error.reason : String(error), error);
        if (this.isClosed) return;
        this.timer = this.clock.setTimer(() => this.write(writes, done), AGAIN_MS);
      },
    );
  }

  private setTrouble(reason: string | null, cause?: unknown): void {
    if (this.trouble === reason) return;
    const { logger } = this;
    if (reason === null) logger.info({}, 'the store is writable again');
    else logger.error({ err: cause, reason }, 'the store is not writable; feeding is refused until it is');
    this.trouble = reason;
    if (reason !== null) {
      this.release(false);
      for (const done of this.waiting.splice(0)) done(false);
    }
    for (const changed of this.listeners) changed();
  }
}
