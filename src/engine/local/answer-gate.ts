import type { FeedReceipt } from '../../schemas/control.ts';
import { callerGone, SluiceError, storeUnavailable } from '../contract/errors.ts';
import type { FeedWriter, Replayable, RunStream } from '../contract/requests.ts';
import type { OpenedRun } from '../feeds/run-stream.ts';
import type { Core } from '../flow/core.ts';
import type { Keeper } from '../model/keeper.ts';
import { turnQueue } from '../time/turn.ts';
import { waitWithin } from '../time/waited.ts';
import type { Reads } from './reads.ts';
import type { StoredReads } from './stored-reads.ts';

/** How long somebody waits for an answer, and whether still; see the requests of the contract. */
interface Limits {
  timeoutSeconds?: number | undefined;
  signal?: AbortSignal | undefined;
}

/** What was answered, or thrown: either is told to the caller, and neither before it is stored. */
type Outcome<T> = { value: T } | { error: unknown };

/**
 * Everything that a pipeline answers goes through here, so that nothing is told that a crash could undo:
 *
 *     read     looks, then waits for the flush that holds what it saw; when the store is in trouble or slow, what it has is the answer
 *     promise  refused while there is trouble; else carried out, and answered when it is stored, or `store-unavailable`
 *     wait     goes on through trouble, until what it waited for is stored or its time is up
 *
 * Without a store every answer is given at once.
 */
export class AnswerGate {
  private readonly core: Core;
  private readonly live: Reads;
  private readonly kept: StoredReads | null;
  /** The pipeline is removed, as soon as that is stored: it can be looked at, and takes nothing more. */
  isLeaving = false;

  /** `stored`: null when nothing is kept. */
  constructor(core: Core, live: Reads, stored: StoredReads | null) {
    this.core = core;
    this.live = live;
    this.kept = stored;
  }

  async read<T>(ask: (reads: Reads) => T): Promise<T> {
    const { keeper } = this.core;
    if (keeper.trouble !== null && keeper.isBehind) return ask(this.stored);
    const outcome = attempt(() => ask(this.live));
    const settled = keeper.settledSoon();
    return settled === undefined || (await settled) ? given(outcome) : this.inTurn(ask);
  }

  /** `accepted`: how many items were, whether they could be stored or not. */
  promise<T>(carryOut: () => T | Promise<T>, accepted?: (answer: T) => number): Promise<T> {
    return promised(this.core.keeper, () => this.unlessLeaving(carryOut), accepted);
  }

  /** What `work` ends with; `instead` answers, as of what is stored, when the time is up before it is stored. Throws `request-timeout` without a caller. */
  async wait<T>(limits: Limits, work: () => T | Promise<T>, instead: (stored: StoredReads) => T): Promise<T> {
    const { keeper, time } = this.core;
    // What is not stored is not there to be waited for.
    if (keeper.trouble !== null && keeper.isBehind) instead(this.stored);
    const since = time.tick();
    const outcome = await attemptLater(work);
    const waited = limits.timeoutSeconds === undefined ? 0 : (time.tick() - since) / 1000;
    const left = limits.timeoutSeconds === undefined ? undefined : Math.max(0, limits.timeoutSeconds - waited);
    if (await this.isStoredWithin({ timeoutSeconds: left, signal: limits.signal })) return given(outcome);
    return instead(this.stored);
  }

  /** The same for what is begun by waiting for it: refused while there is trouble. */
  async begin<T>(limits: Limits, work: () => T | Promise<T>, instead: (stored: StoredReads) => T): Promise<T> {
    this.expectStore();
    return this.wait(limits, work, instead);
  }

  /** Each batch, and its end, when it is stored. `known` throws when there is nothing to follow. */
  async *follow<T>(known: (reads: Reads) => unknown, batches: AsyncIterable<T>, signal?: AbortSignal): AsyncGenerator<T> {
    await this.read(known);
    try {
      for await (const batch of batches) {
        await this.isStoredWithin({ signal });
        yield batch;
      }
    } finally {
      await this.isStoredWithin({ signal });
    }
  }

  async writer(open: () => Promise<FeedWriter>): Promise<FeedWriter> {
    return this.confirming(await this.opened(open));
  }

  /** Its steps wait for the store as long as its time allows. */
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

  /** What is opened; why it is not, when that is stored. */
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
    expectStore(this.core.keeper);
    this.unlessLeaving(() => undefined);
  }

  private settle(accepted: number): Promise<void> {
    return settle(this.core.keeper, accepted);
  }

  private unlessLeaving<T>(carryOut: () => T): T {
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

  /** Of what is stored, for one of the many who were told in the same moment that a write is slow: together they would hold the event loop. */
  private inTurn<T>(ask: (reads: Reads) => T): Promise<T> {
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

  /** Asked only when something lags behind, so that there is a store. */
  private get stored(): StoredReads {
    return this.kept as StoredReads;
  }

  /** False when the time is up first. */
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

/** Carried out unless there is trouble, and answered when it is stored. Throws `store-unavailable` otherwise. */
export async function promised<T>(keeper: Settling, carryOut: () => T | Promise<T>, accepted: (answer: T) => number = () => 0): Promise<T> {
  expectStore(keeper);
  const outcome = await attemptLater(carryOut);
  await settle(keeper, 'value' in outcome ? accepted(outcome.value) : acceptedOf(outcome.error));
  return given(outcome);
}

/** Throws `store-unavailable` while nothing can be stored. */
function expectStore({ trouble }: Settling): void {
  if (trouble !== null) throw storeUnavailable(trouble, 0);
}

/** Throws `store-unavailable` when what has happened until now cannot be stored. */
async function settle(keeper: Settling, accepted: number): Promise<void> {
  const settled = keeper.settled();
  if (settled !== undefined && !(await settled)) throw storeUnavailable(reasonOf(keeper), accepted);
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

/** An error can say how many items of its request are accepted all the same. */
function acceptedOf(error: unknown): number {
  const accepted = error instanceof SluiceError ? error.details.accepted : undefined;
  return typeof accepted === 'number' ? accepted : 0;
}
