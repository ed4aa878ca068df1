import type { FeedReceipt } from '../../schemas/control.ts';
import { callerGone, SluiceError, shuttingDown, storeUnavailable } from '../contract/errors.ts';
import type { FeedWriter, Replayable, RunStream } from '../contract/requests.ts';
import type { OpenedRun } from '../feeds/run-stream.ts';
import type { Core } from '../flow/core.ts';
import type { Keeper } from '../model/keeper.ts';
import { turnQueue } from '../time/turn.ts';
import { waitWithin } from '../time/waited.ts';
import type { Reads } from './reads.ts';
import type { StoredReads } from './stored-reads.ts';

/** The limits of a caller's wait: a time, and a signal that the caller has gone; see the requests of the contract. */
interface Limits {
  timeoutSeconds?: number | undefined;
  signal?: AbortSignal | undefined;
}

/** An answer, or the error thrown in its place: the caller gets either only when it is stored. */
type Outcome<T> = { value: T } | { error: unknown };

/**
 * The gate for every answer of a pipeline, so that no caller is told what a crash could undo:
 *
 *     read     looks, then waits for the flush that holds what it saw; when the store is in trouble or slow, answers as of the last flush
 *     promise  refused while there is trouble; else carried out, and answered when it is stored, or `store-unavailable`
 *     wait     goes on through trouble, until what it waited for is stored or its time is up
 *
 * Once the pipeline is abandoned, nothing is answered any more: what is here may be out of date.
 *
 * Without a store every answer is given at once.
 */
export class AnswerGate {
  /** Set when the pipeline goes on elsewhere: every answer is this. */
  abandoned: SluiceError | null = null;
  private readonly core: Core;
  private readonly live: Reads;
  private readonly kept: StoredReads | null;
  /** True while the pipeline's removal waits to be stored: it can be looked at, but accepts nothing. */
  isLeaving = false;
  /** True from the moment the process's shutdown begins: nothing is changed any more that its next start would not know. */
  isEnding = false;

  /** `stored`: null without a store. */
  constructor(core: Core, live: Reads, stored: StoredReads | null) {
    this.core = core;
    this.live = live;
    this.kept = stored;
  }

  async read<T>(ask: (reads: Reads) => T | Promise<T>): Promise<T> {
    const { keeper } = this.core;
    this.expectHere();
    if (keeper.trouble !== null && keeper.isBehind) return ask(this.stored);
    const begun = attempt(() => ask(this.live));
    const outcome = isLater(begun) ? await attemptLater(() => begun.value) : (begun as Outcome<T>);
    const settled = keeper.settledSoon();
    return settled === undefined || (await settled) ? given(outcome) : this.inTurn(ask);
  }

  /** Carries out a request, and answers when it is stored. `accepted`: the number of items that an answer accepts, stored or not. */
  promise<T>(carryOut: () => T | Promise<T>, accepted?: (answer: T) => number): Promise<T> {
    return promised(this.core.keeper, () => this.unlessEnding(carryOut), accepted);
  }

  /** The same for what ends work, which goes on while the process ends: a store has it then. */
  ending<T>(carryOut: () => T | Promise<T>): Promise<T> {
    return promised(this.core.keeper, () => this.unlessLeaving(carryOut));
  }

  /**
   * Answers with the outcome of `work` when it is stored, or with `instead`, as of the last flush, when the time is up first. Throws
   * `request-timeout` when the caller has gone.
   */
  async wait<T>(limits: Limits, work: () => T | Promise<T>, instead: (stored: StoredReads) => T): Promise<T> {
    const { keeper, time } = this.core;
    this.expectHere();
    // What is not stored is not there to be waited for.
    if (keeper.trouble !== null && keeper.isBehind) instead(this.stored);
    const since = time.tick();
    const outcome = await attemptLater(work);
    const waited = limits.timeoutSeconds === undefined ? 0 : (time.tick() - since) / 1000;
    const left = limits.timeoutSeconds === undefined ? undefined : Math.max(0, limits.timeoutSeconds - waited);
    if (await this.isStoredWithin({ timeoutSeconds: left, signal: limits.signal })) return given(outcome);
    return instead(this.stored);
  }

  /** Like {@link AnswerGate.wait}, for a wait that changes the pipeline's state: refused while there is trouble. */
  async begin<T>(limits: Limits, work: () => T | Promise<T>, instead: (stored: StoredReads) => T): Promise<T> {
    this.expectStore();
    return this.wait(limits, work, instead);
  }

  /** Passes on each batch, and the end, when it is stored. `known` throws when there is nothing to follow. */
  async *follow<T>(known: (reads: Reads) => unknown, batches: AsyncIterable<T>, signal?: AbortSignal): AsyncGenerator<T> {
    await this.read(known);
    try {
      for await (const batch of batches) {
        await this.isStoredWithin({ signal });
        this.expectHere();
        yield batch;
      }
    } finally {
      await this.isStoredWithin({ signal });
    }
    this.expectHere();
  }

  /** Throws `store-unavailable` once the pipeline goes on elsewhere, or `shutting-down` where the process ends. */
  expectHere(): void {
    if (this.abandoned !== null) throw this.abandoned;
  }

  async writer(open: () => Promise<FeedWriter>): Promise<FeedWriter> {
    return this.confirming(await this.opened(open));
  }

  /** Opens a run whose steps wait for the store, within the time limit. */
  async stream(open: () => Promise<OpenedRun>, { timeoutSeconds, signal }: Limits, areFed: boolean): Promise<RunStream> {
    const { time } = this.core;
    const stream = await this.opened(open);
    /** From when it is stored the caller is told where the results will be. */
    const settleFed = async (): Promise<void> => {
      try {
        await this.settle(this.acceptedOf(stream));
      } catch (error) {
        stream.leave();
        throw error;
      }
    };
    if (areFed) await settleFed();
    const until = timeoutSeconds === undefined ? undefined : time.tick() + timeoutSeconds * 1000;
    const writer = this.confirming(stream);
    let isKnown = areFed;
    return {
      ...writer,
      isReplay: stream.isReplay,
      isResumed: stream.isResumed,
      push: async (items) => {
        await writer.push(items);
        if (!isKnown) await settleFed();
        isKnown = true;
      },
      read: async () => {
        const outcome = await attemptLater(() => stream.read());
        const left = until === undefined ? undefined : Math.max(0, until - time.tick()) / 1000;
        if (await this.isStoredWithin({ timeoutSeconds: left, signal })) return given(outcome);
        stream.leave();
        if (until !== undefined && time.tick() >= until) return { kind: 'pending', feed: this.stored.feedView(stream.feedId) };
        throw storeUnavailable(reasonOf(this.core.keeper), this.acceptedOf(stream));
      },
    };
  }

  /** Opens a feed or a run. Throws the reason why it is not opened when that is stored. */
  private async opened<T>(open: () => Promise<T>): Promise<T> {
    this.expectStore();
    const outcome = await attemptLater(open);
    if ('error' in outcome) await this.settle(acceptedOf(outcome.error));
    return given(outcome);
  }

  /** How many items its feed has accepted, stored or not. */
  acceptedOf({ feedId }: { feedId: string }): number {
    return this.core.feeds.find(feedId)?.accepted ?? 0;
  }

  private expectStore(): void {
    this.expectHere();
    expectStore(this.core.keeper);
    this.unlessEnding(() => undefined);
  }

  /** Throws what the pipeline was abandoned with, or `store-unavailable`, when what has happened until now cannot be stored. */
  private async settle(accepted: number): Promise<void> {
    const { keeper } = this.core;
    const settled = keeper.settled();
    if (settled === undefined || (await settled)) return;
    const { abandoned } = this;
    if (abandoned?.code !== 'shutting-down') throw storeUnavailable(reasonOf(keeper), accepted);
    const { retryAfterSeconds = 5 } = abandoned;
    throw new SluiceError(abandoned.code, abandoned.message, { retryAfterSeconds, details: { accepted } });
  }

  private unlessEnding<T>(carryOut: () => T): T {
    if (this.isEnding) throw shuttingDown();
    return this.unlessLeaving(carryOut);
  }

  private unlessLeaving<T>(carryOut: () => T): T {
    this.expectHere();
    if (this.isLeaving) throw new SluiceError('pipeline-not-found', `no pipeline "${this.core.id}"`);
    return carryOut();
  }

  private confirming(writer: FeedWriter): FeedWriter {
    const ending = async (end: () => Promise<FeedReceipt & Replayable>): Promise<FeedReceipt & Replayable> => {
      const outcome = await attemptLater(end);
      await this.settle('value' in outcome ? outcome.value.accepted : acceptedOf(outcome.error));
      return given(outcome);
    };
    return {
      feedId: writer.feedId,
      push: async (items) => {
        const outcome = await attemptLater(() => this.unlessLeaving(() => writer.push(items)));
        if ('error' in outcome) await this.settle(acceptedOf(outcome.error));
        given(outcome);
      },
      end: (body) => ending(() => writer.end(body)),
      abort: () => ending(() => writer.abort()),
    };
  }

  /** Answers from the store in a turn of its own: many callers learn in the same moment that a write is slow, and together would hold the event loop. */
  private inTurn<T>(ask: (reads: Reads) => T | Promise<T>): Promise<T> {
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    turnQueue(this.core.time.clock).add(() => {
      try {
        resolve(ask(this.stored));
      } catch (error) {
        reject(error);
      }
    });
    return promise;
  }

  /** The pipeline as of its last flush. Used only when something is not stored yet, so there is a store. */
  private get stored(): StoredReads {
    this.expectHere();
    return this.kept as StoredReads;
  }

  /** Resolves with false when the time is up first. */
  private async isStoredWithin(limits: Limits): Promise<boolean> {
    const { keeper, time, dues } = this.core;
    const settled = keeper.settledSoon();
    if (settled === undefined || (await settled)) return true;
    const waiting = keeper.settledAtLast();
    if (waiting === undefined) return true;
    const waited = await waitWithin(waiting.isStored, limits, time, dues);
    waiting.leave();
    if (waited.is === 'gone') throw callerGone();
    return waited.is === 'done' && waited.value;
  }
}

type Settling = Pick<Keeper, 'trouble' | 'settled'>;

/** Carries out a request unless there is trouble, and answers when it is stored. Throws `store-unavailable` otherwise. */
export async function promised<T>(keeper: Settling, carryOut: () => T | Promise<T>, accepted: (answer: T) => number = () => 0): Promise<T> {
  expectStore(keeper);
  // Most requests that feed are carried out at once, and without a store there is nothing to wait for either.
  const begun = attempt(carryOut);
  const outcome = isLater(begun) ? await attemptLater(() => begun.value) : (begun as Outcome<T>);
  const settled = keeper.settled();
  if (settled !== undefined && !(await settled)) {
    throw storeUnavailable(reasonOf(keeper), 'value' in outcome ? accepted(outcome.value) : acceptedOf(outcome.error));
  }
  return given(outcome);
}

/** Throws `store-unavailable` while nothing can be stored. */
function expectStore({ trouble }: Settling): void {
  if (trouble !== null) throw storeUnavailable(trouble, 0);
}

function reasonOf({ trouble }: Settling): string {
  return trouble ?? 'the last write failed';
}

function attempt<T>(work: () => T): Outcome<T> {
  try {
    return { value: work() };
  } catch (error) {
    return { error };
  }
}

function isLater<T>(outcome: Outcome<T | Promise<T>>): outcome is { value: Promise<T> } {
  return 'value' in outcome && outcome.value instanceof Promise;
}

async function attemptLater<T>(work: () => T | Promise<T>): Promise<Outcome<T>> {
  try {
    const value = work();
    return { value: value instanceof Promise ? await value : value };
  } catch (error) {
    return { error };
  }
}

function given<T>(outcome: Outcome<T>): T {
  if ('error' in outcome) throw outcome.error;
  return outcome.value;
}

/** The number of items of a request that an error says were accepted all the same. */
function acceptedOf(error: unknown): number {
  const accepted = error instanceof SluiceError ? error.details.accepted : undefined;
  return typeof accepted === 'number' ? accepted : 0;
}
