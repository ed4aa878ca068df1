import { type SluiceError, storeUnavailable } from '../contract/errors.ts';
import { DurationHistogram, MACHINE_SECONDS } from '../measures/duration-histogram.ts';
import type { Waiting } from '../model/keeper.ts';
import type { Clock, Logger, Ports } from '../ports.ts';
import { type PipelineWrites, type Store, StoreTrouble, type Writes } from '../store.ts';
import { Unstored } from './unstored.ts';

/** Hands over changes to be written: the journal of a pipeline. */
export interface Changing {
  /** All changes since the last call; null when there are none. They are handed over once: the flusher tries to write them until they are stored. */
  capture(): PipelineWrites | null;
  /** Called when the last captured changes are stored. */
  written(): void;
  /** Characters of the large values that were captured last. */
  readonly capturedCharacters: number;
  /** Called when nothing of it is captured any more. */
  end(): void;
}

/** Adds to each transaction what follows from the whole of it. */
export interface Sequel {
  /** Called once for a transaction; null: nothing. */
  capture(pipelines: readonly PipelineWrites[], dropped: readonly number[]): PipelineWrites | null;
  /** Called when the transaction is stored, after its journals were. */
  written(): void;
}

/** The time until a failed write or read is tried again. */
const AGAIN_MS = 500;
/** After this long a reader no longer waits for a write, and is answered as of the previous one. */
export const SLOW_MS = 1000;
/** A write that has not ended after this long counts as trouble until it does. */
export const HANGS_MS = 5000;

/** A transaction takes on no further pipeline once it has this much text, or gathering it has taken this long. */
const CAPTURED_CHARACTERS = 4 * 1024 * 1024;
const CAPTURE_MS = 5;

/** Why nothing is written any more while the process ends. */
const BROKEN = 'it has a fault, and the process ends';

/** Levels of patience: a reader waits until a write is slow, a caller until there is trouble, others until the write is stored. */
const READER = 0;
const CALLER = 1;
const PATIENT = 2;

interface Waiter {
  patience: number;
  done: (isStored: boolean) => void;
}

/**
 * Writes the changes of all pipelines, one transaction at a time. Changes made during a write go into the next one. What is much for one is written in
 * several, a round, whole pipelines each; whoever waits, waits for the end of the round.
 *
 *     quiet ──stir──▶ due (in a later turn) ──capture──▶ writing ──stored──▶ quiet, or due again
 *                                                         ├──failed──▶ trouble ──try again──▶ writing
 *                                                         └──a second──▶ slow ──four more──▶ trouble ──ended──▶ as above
 *
 * While there is trouble, {@link Flusher.trouble} says why, and no worker of any pipeline takes an item. Nothing is captured while a write fails.
 * A read that fails is trouble, too, until the same read succeeds; what has changed is written meanwhile.
 */
export class Flusher {
  readonly unstored: Unstored;
  /** The writes, from the first try to the one that succeeded. */
  readonly durations = new DurationHistogram(MACHINE_SECONDS);
  /** Writes that failed, each time. */
  failures = 0;
  /** Why nothing can be written; null when all is well. */
  private cannotWrite: string | null = null;
  /** Why something cannot be read, and the read that is tried again. */
  private cannotRead: { reason: string; again: () => void } | null = null;
  private readonly store: Store;
  private readonly clock: Clock;
  private readonly logger: Logger;
  private readonly fail: Ports['fail'];
  private readonly journals = new Set<Changing>();
  private readonly listeners = new Set<() => void>();
  private sequel: Sequel | null = null;
  private created: Writes['created'] = [];
  private dropped: number[] = [];
  /** The journals that this round still has to capture, the next one last. */
  private round: Changing[] = [];
  private isDue = false;
  private isWriting = false;
  /** The end of the newest write, however that is. */
  private underWay: Promise<void> = Promise.resolve();
  private isSlow = false;
  private waiting = new Set<Waiter>();
  private beingWritten = new Set<Waiter>();
  private timer: unknown;
  private readTimer: unknown;
  /** True from {@link Flusher.close} on: what cannot be read then never can be again. */
  isClosed = false;
  /** True when somebody else writes: see {@link Flusher.abandon}. */
  isAbandoned = false;

  constructor(store: Store, { clock, logger, fail }: Pick<Ports, 'clock' | 'logger' | 'fail'>) {
    this.store = store;
    this.clock = clock;
    this.unstored = new Unstored(clock);
    this.logger = logger;
    this.fail = fail;
    store.watch?.((trouble) => {
      // Nothing is written any more, so nothing can be in its way.
      if (this.isClosed) return;
      if (trouble !== null) this.setTrouble(trouble.reason, trouble);
      // A write that is tried again finds out by itself.
      else if (!this.isWriting) this.setTrouble(null);
    });
  }

  /** Why the store cannot be used; null when all is well. */
  get trouble(): string | null {
    return this.cannotWrite ?? this.cannotRead?.reason ?? null;
  }

  /**
   * To be told of a read that has failed; returns what to throw in its place. `again` is that read: it is tried until it succeeds. What is no
   * {@link StoreTrouble} is a defect, which ends the process.
   */
  readFailed(error: unknown, again: () => void): SluiceError {
    if (!(error instanceof StoreTrouble)) {
      this.breakDown(error);
      return storeUnavailable(BROKEN, 0);
    }
    const reason = `${error.reason} when it is read`;
    if (this.cannotRead === null && !this.isClosed) {
      const failed = { reason, again };
      this.cannotRead = failed;
      // Whoever reads is in the middle of something: nobody else acts on it in this turn.
      this.clock.defer(() => {
        if (this.isClosed) return;
        this.tell(this.cannotWrite === null ? 'the store is not readable; feeding is refused until it is' : null, { err: error, reason });
        this.readTimer = this.clock.setTimer(() => this.readAgain(failed), AGAIN_MS);
      });
    }
    return storeUnavailable(reason, 0);
  }

  add(journal: Changing): void {
    this.journals.add(journal);
  }

  /** Takes nothing of a journal any more. */
  remove(journal: Changing): void {
    this.journals.delete(journal);
  }

  /** To be called before anything is written. */
  followWith(sequel: Sequel): void {
    this.sequel = sequel;
  }

  /** Adds a pipeline to the store. */
  create(pipeline: Writes['created'][number]): void {
    this.created.push(pipeline);
    this.stir();
  }

  /** Deletes everything about a pipeline from the store. */
  drop(journal: Changing, pipeline: number): void {
    this.journals.delete(journal);
    journal.end();
    this.dropped.push(pipeline);
    this.stir();
  }

  /** Schedules a flush, since something has changed. Idempotent until then. */
  stir(): void {
    if (this.isDue) return;
    this.isDue = true;
    if (!this.isWriting) this.clock.defer(this.flush);
  }

  /**
   * Resolves with true when everything that has changed until now is stored, with false as soon as there is trouble; undefined when
   * it is stored already.
   */
  settled(): Promise<boolean> | undefined {
    return this.cannotWrite === null ? this.waitAs(CALLER) : Promise.resolve(false);
  }

  /** The same for a read: resolves with false also when the store takes long. */
  settledSoon(): Promise<boolean> | undefined {
    return this.cannotWrite === null && !this.isSlow ? this.waitAs(READER) : Promise.resolve(false);
  }

  /** The same for a caller that waits through all trouble: resolves with false only when nothing will ever be written again. */
  settledAtLast(): Waiting | undefined {
    if (this.isAbandoned) return { isStored: Promise.resolve(false), leave: () => undefined };
    const waiters = this.waiters;
    if (waiters === undefined) return undefined;
    const { promise: isStored, resolve: done } = Promise.withResolvers<boolean>();
    const waiter = { patience: PATIENT, done };
    waiters.add(waiter);
    // By then, the waiter may have moved from `waiting` to `beingWritten`.
    return { isStored, leave: () => void (this.waiting.delete(waiter) || this.beingWritten.delete(waiter)) };
  }

  /** True while a change is not stored yet. */
  get isBehind(): boolean {
    return this.isDue || this.isWriting;
  }

  /** Calls `changed` whenever trouble begins, changes or ends. Returns the function that unsubscribes. */
  watch(changed: () => void): () => void {
    this.listeners.add(changed);
    return () => void this.listeners.delete(changed);
  }

  /** Stops writing: changes that are not written by now never will be. Idempotent. */
  close(): void {
    this.isClosed = true;
    this.clock.clearTimer(this.timer);
    this.clock.clearTimer(this.readTimer);
    this.giveUp(PATIENT);
  }

  /**
   * Hands over nothing more: somebody else writes. Whoever waits, or comes, is told that nothing will be stored, for this reason. A write under way may be
   * stored or not; nobody here is told of it. Resolves when it has ended. Idempotent.
   */
  abandon(reason: string): Promise<void> {
    if (this.isAbandoned) return this.underWay;
    this.isAbandoned = true;
    this.cannotWrite = reason;
    this.close();
    this.journals.clear();
    this.round = [];
    for (const changed of this.listeners) changed();
    return this.underWay;
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
    if (this.round.length === 0) {
      this.isDue = false;
      this.round = [...this.journals].reverse();
      this.beingWritten = this.waiting;
      this.waiting = new Set();
    }
    const { captured, pipelines, characters } = this.captureSome();
    const sequel = this.sequel?.capture(pipelines, this.dropped) ?? null;
    if (sequel !== null) pipelines.push(sequel);
    const writes: Writes = { pipelines, created: this.created, dropped: this.dropped };
    this.created = [];
    this.dropped = [];
    if (pipelines.length + writes.created.length + writes.dropped.length === 0) {
      this.release();
      // It was the rest of a round, and something has changed since it began.
      if (this.isDue) this.flush();
      return;
    }
    this.isWriting = true;
    const since = this.clock.monotonic();
    this.write(writes, () => {
      this.isWriting = false;
      this.durations.add((this.clock.monotonic() - since) / 1000);
      for (const journal of captured) journal.written();
      this.sequel?.written();
      if (this.round.length === 0) this.release();
      if (this.isDue || this.round.length > 0) this.flush();
    });
    // Workers go on while it is written.
    this.unstored.remove(0, characters);
  };

  /** The changes of one pipeline after the other, each as a whole, until that has taken long or much. */
  private captureSome(): { captured: Changing[]; pipelines: PipelineWrites[]; characters: number } {
    const captured: Changing[] = [];
    const pipelines: PipelineWrites[] = [];
    const since = this.clock.monotonic();
    let characters = 0;
    for (let journal = this.round.pop(); journal !== undefined; journal = this.round.pop()) {
      const writes = this.journals.has(journal) ? journal.capture() : null;
      if (writes !== null) {
        captured.push(journal);
        pipelines.push(writes);
        characters += journal.capturedCharacters;
      }
      if (characters >= CAPTURED_CHARACTERS || this.clock.monotonic() - since > CAPTURE_MS) break;
    }
    // Nothing has changed in the rest of them, or there is nothing to write yet: go on in this turn.
    return pipelines.length === 0 && this.round.length > 0 ? this.captureSome() : { captured, pipelines, characters };
  }

  private release(): void {
    const waiters = this.beingWritten;
    this.beingWritten = new Set();
    for (const { done } of waiters) done(true);
  }

  /** Tells all waiters up to this level of patience that their changes are not stored. */
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
    if (this.cannotWrite === null) this.timer = this.clock.setTimer(this.slow, SLOW_MS);
    this.underWay = this.store.write(writes).then(
      () => {
        if (this.isAbandoned) return;
        this.clock.clearTimer(this.timer);
        this.isSlow = false;
        this.setTrouble(null);
        done();
      },
      (error: unknown) => {
        if (this.isAbandoned) return;
        this.clock.clearTimer(this.timer);
        this.isSlow = false;
        this.failures++;
        if (!(error instanceof StoreTrouble)) {
          this.breakDown(error);
          return;
        }
        this.setTrouble(error.reason, error);
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
    if (this.isAbandoned || this.cannotWrite === reason) return;
    this.cannotWrite = reason;
    if (reason === null) this.told('the store is writable again');
    else {
      this.giveUp(CALLER);
      this.tell('the store is not writable; feeding is refused until it is', { err: cause, reason });
    }
  }

  private readAgain(failed: { again: () => void }): void {
    if (this.isClosed) return;
    try {
      failed.again();
    } catch (error) {
      if (error instanceof StoreTrouble) this.readTimer = this.clock.setTimer(() => this.readAgain(failed), AGAIN_MS);
      else this.breakDown(error);
      return;
    }
    this.cannotRead = null;
    this.told('the store is readable again');
  }

  /** Trouble is over, or one of two. */
  private told(message: string): void {
    this.logger.info({}, message);
    for (const changed of this.listeners) changed();
  }

  private tell(message: string | null, fields: object): void {
    if (message !== null) this.logger.error(fields, message);
    for (const changed of this.listeners) changed();
  }

  /** The store and what is in memory do not agree, or the store has a fault: nothing more is written, and the process ends. */
  private breakDown(error: unknown): void {
    if (this.isClosed) return;
    this.setTrouble(BROKEN, error);
    this.close();
    try {
      // It is nobody's item that ends the process.
      this.store.blame(null);
    } catch (err) {
      this.logger.error({ err }, 'it cannot be noted that no item is to blame');
    }
    if (this.fail !== undefined) this.fail(error);
    else
      queueMicrotask(() => {
        throw error;
      });
  }
}
