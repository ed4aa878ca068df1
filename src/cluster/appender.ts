/**
 * Appends entries after the last one that a node has applied, one at a time, and applies each of them to the node's own file when the log has it.
 *
 *     ready ──append──▶ asked ──the log has it──▶ appended ──the file has it──▶ ready
 *                        │ ▲                        │ ▲
 *                        │ └─ tried again, with the │ └─ tried again
 *                        │    same bytes            └─ the disk fails ─▶ StoreTrouble
 *                        ├─ no answer, or a failure that says nothing ─▶ StoreTrouble
 *                        └─ another's entry is in its place ──▶ over: Deposed, for ever
 *
 * An entry whose fate is not known is settled before any other is made: it is there once or not at all. When the log refuses it since that place is taken, that may be
 * this very entry, whose answer was lost: so the place is read.
 */

import type { Clock } from '../engine/ports.ts';
import { StoreTrouble, type Writes } from '../engine/store.ts';
import { type Decoded, type EntryBody, packEntry, unpackEntry } from './entry/entry.ts';
import { type Entry, type Log, LogConflict, type Place } from './log/log.ts';
import { tokenOf } from './log/token.ts';
import { type Replica, TailLost } from './replica.ts';

/** Another node's entry is in the place of this one's: whoever appends here does not own any more, or does not come to own. */
export class Deposed extends Error {
  override name = 'Deposed';
}

/** An append without an answer for so long is trouble, though it may still succeed. */
export const SILENT_MS = 500;

export interface AppenderOptions {
  readonly log: Log;
  readonly replica: Replica;
  readonly clock: Clock;
  /** An append or a read without an answer for so long is given up, and tried again by whoever calls next. At most 0.3 of the lease: an owner that waits longer loses to a claim when the log is back. */
  readonly timeoutMs: number;
  /** Told when the log has not answered an append for {@link SILENT_MS}, or has refused to, and with null when it has one. */
  readonly told?: (trouble: StoreTrouble | null) => void;
  /** Told once, at the moment at which the node is found to be deposed, before anybody else is. */
  readonly deposed?: (error: Deposed) => void;
}

interface Pending {
  readonly after: Place;
  readonly entry: Entry;
  readonly decoded: Decoded;
  readonly writes: Writes | undefined;
  /** When the log was asked for the first time. */
  readonly askedAt: number;
  isAppended: boolean;
}

export class Appender {
  private readonly options: AppenderOptions;
  private pending: Pending | null = null;
  private over: Deposed | null = null;
  private last: number;

  constructor(options: AppenderOptions) {
    this.options = options;
    this.last = options.clock.monotonic();
  }

  /** An instant by the clock's `monotonic` at which the last confirmed entry was not in the log yet: whoever owned by that entry still owned then. */
  get confirmedAt(): number {
    return this.last;
  }

  get isDeposed(): boolean {
    return this.over !== null;
  }

  /** An entry is on its way whose fate is not known. */
  get isPending(): boolean {
    return this.pending !== null;
  }

  /** Makes an entry that comes next, and settles it. To be called when none is pending. */
  append(body: EntryBody, writes?: Writes): Promise<void> {
    const { replica, clock } = this.options;
    const { position, token } = replica;
    const bytes = packEntry({ ...body, prev: token });
    const entry = { position: position + 1, bytes };
    this.pending = {
      after: { position, token },
      entry,
      decoded: unpackEntry(bytes),
      writes,
      askedAt: clock.monotonic(),
      isAppended: false,
    };
    return this.settle();
  }

  /** Tries the pending entry again, if there is one. Rejects with a {@link StoreTrouble} when it is pending still, and with {@link Deposed} for ever. */
  async settle(): Promise<void> {
    if (this.over !== null) throw this.over;
    const { pending } = this;
    if (pending === null) return;
    const { replica, clock } = this.options;
    const askedAt = clock.monotonic();
    if (!pending.isAppended) {
      const isNew = await this.put(pending);
      pending.isAppended = true;
      // Others may have come after one that was there already.
      this.last = isNew ? askedAt : pending.askedAt;
    }
    await replica.apply(pending.entry, pending.decoded, pending.writes);
    this.pending = null;
  }

  /** False: it was there already, by an earlier try. */
  private async put({ after, entry }: Pending): Promise<boolean> {
    const { log, clock, told } = this.options;
    let isSilent = false;
    let isNew = true;
    const tell = (trouble: StoreTrouble): void => {
      if (!isSilent) told?.(trouble);
      isSilent = true;
    };
    const silence = clock.setTimer(() => tell(new StoreTrouble('its log does not answer')), SILENT_MS);
    try {
      await this.ask((signal) => log.append(after, entry.bytes, signal));
    } catch (error) {
      if (!(error instanceof LogConflict)) {
        const trouble = error instanceof StoreTrouble ? error : new StoreTrouble('its log cannot be written', error);
        tell(trouble);
        throw trouble;
      }
      isNew = false;
      await this.lookWhoseItIs(after, entry).catch((why: unknown) => {
        if (why instanceof StoreTrouble) tell(why);
        throw why;
      });
    } finally {
      clock.clearTimer(silence);
    }
    told?.(null);
    return isNew;
  }

  /** Resolves when the entry is there, though it was refused. */
  private async lookWhoseItIs(after: Place, { position, bytes }: Entry): Promise<void> {
    const { log } = this.options;
    const found = await this.read(() => log.read(position));
    if (found !== undefined) {
      if (Buffer.compare(found.bytes, bytes) === 0) return;
      throw this.depose(new Deposed(`entry ${position} of the log is another node's`));
    }
    const { last } = await this.read(() => log.ends());
    // The entry before is gone, or so much came after it that its place is.
    if (last < after.position) throw this.tailLost(`the log ends at entry ${last}, and this node has entry ${after.position} of it`);
    if (last > position) throw this.depose(new Deposed(`the log has gone on to entry ${last} without this node`));
    const before = after.position === 0 ? undefined : await this.read(() => log.read(after.position));
    if (before !== undefined && tokenOf(before.bytes) !== after.token)
      throw this.tailLost(`entry ${after.position} of the log is another one than this node has`);
    throw new StoreTrouble('its log refuses entries', new LogConflict(`entry ${position} was refused, and nothing is in its place`));
  }

  private tailLost(message: string): Deposed {
    return this.depose(new Deposed('the log has lost its end', { cause: new TailLost(message) }));
  }

  /** Ends it, if it has not ended; returns why it has. */
  depose(error: Deposed): Deposed {
    if (this.over !== null) return this.over;
    this.over = error;
    this.options.deposed?.(error);
    return error;
  }

  private read<T>(ask: () => Promise<T>): Promise<T> {
    return this.ask(ask).catch((error: unknown) => {
      throw error instanceof StoreTrouble ? error : new StoreTrouble('its log cannot be read', error);
    });
  }

  /** Rejects with a {@link StoreTrouble} when there is no answer in time; what comes after that reaches nobody. */
  private async ask<T>(what: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const { clock, timeoutMs } = this.options;
    const controller = new AbortController();
    const { promise: late, reject } = Promise.withResolvers<never>();
    const timer = clock.setTimer(() => {
      const trouble = new StoreTrouble('its log does not answer');
      reject(trouble);
      controller.abort(trouble);
    }, timeoutMs);
    const asked = what(controller.signal);
    // It may fail after nobody waits for it any more: its fate is found out by the next try.
    asked.catch(() => undefined);
    try {
      return await Promise.race([asked, late]);
    } finally {
      clock.clearTimer(timer);
    }
  }
}
