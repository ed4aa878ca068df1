import type { Retention } from '../flow/item-index.ts';
import type { Item } from '../model/model.ts';
import { GONE, type Shelf, type StoredEnds } from '../store.ts';
import type { EngineClock } from '../time/engine-clock.ts';

export interface RetirementState {
  /** The number of ends in all, and of the last one that retention has dealt with. */
  ended: number;
  reached: number;
  /** How many ends after `reached` no longer count, because the item was retried or its id was fed again. */
  stale: number;
  retired: number;
  /** By how many milliseconds the clock was set between two processes, and the number of the last end before that, each time. */
  shifts?: [ended: number, ms: number][];
}

interface End {
  seq: number;
  lastEvent: number;
}

/**
 * Decides which finished items are removed, oldest end first. It works on a log of ends, of which only the newest, not yet stored ones and one
 * chunk of the oldest are in memory.
 */
export class Retirement {
  retention: Retention;
  retired = 0;
  private readonly time: EngineClock;
  private readonly shelf: Shelf;
  private readonly oldestEvent: () => number;
  private lastEnd = 0;
  private reached = 0;
  private stale = 0;
  /** Ends that the store does not have yet. */
  private fresh: End[] = [];
  /** The number of the first end in `fresh`. */
  private freshFirst = 1;
  /** The number and the instant of the oldest end of a kept item. */
  private head = { number: 0, at: 0 };
  private chunk: StoredEnds | undefined;
  private shifts: [ended: number, ms: number][] = [];
  private taken = new Set<number>();
  private emptied: number[] = [];
  private removed: number[] = [];
  /** Emptied items, whose rows are removed once no event refers to them. */
  private hollow: End[] = [];

  constructor(retention: Retention, time: EngineClock, shelf: Shelf, oldestEvent: () => number) {
    this.retention = retention;
    this.time = time;
    this.shelf = shelf;
    this.oldestEvent = oldestEvent;
  }

  get state(): RetirementState {
    const { lastEnd, reached, stale, retired } = this;
    const shifts = this.shifts.filter(([ended]) => ended > reached);
    return { ended: lastEnd, reached, stale, retired, ...(shifts.length > 0 && { shifts }) };
  }

  /** `shift`: how far the clock has been set since; see clock-shift.ts. */
  restore({ ended, reached, stale, retired, shifts = [] }: RetirementState, hollow: Iterable<End>, shift: number): void {
    this.shifts = shift === 0 ? shifts : [...shifts, [ended, shift]];
    this.lastEnd = ended;
    this.freshFirst = ended + 1;
    this.reached = reached;
    this.stale = stale;
    this.retired = retired;
    this.hollow = [...hollow];
  }

  ended(item: Item): void {
    this.lastEnd++;
    this.fresh.push({ seq: item.sequenceId, lastEvent: item.lastEvent });
  }

  /** Called when an ended item was removed or runs again, so that its recorded end no longer counts. */
  goesOn(): void {
    this.stale++;
  }

  /** Whether retention has removed an item whose row still says otherwise. */
  hasTaken(seq: number): boolean {
    return this.taken.has(seq);
  }

  /** The sequence ids of the items to remove now, after at most `most` steps. The caller removes the `live` ones; the store removes the others. */
  *due(most: number, live: (seq: number) => Item | undefined): Generator<number> {
    const { maxItems, maxAgeSeconds } = this.retention;
    const limit = this.time.now - maxAgeSeconds * 1000;
    for (let steps = 0; steps < most && this.reached < this.lastEnd; steps++) {
      const isOver = this.lastEnd - this.reached - this.stale > maxItems;
      if (!isOver && this.head.number === this.reached + 1 && this.head.at > limit) return;
      const end = this.endAt(this.reached + 1);
      if (end === undefined) return;
      const item = live(end.seq);
      const isCurrent = item === undefined ? this.isCurrent(end) : item.isKept && item.isFinal && item.lastEvent === end.lastEvent;
      if (isCurrent && !isOver) {
        this.head = { number: this.reached + 1, at: this.instantOf(end, item) + this.shiftOf(this.reached + 1) };
        if (this.head.at > limit) return;
      }
      this.reached++;
      if (!isCurrent) {
        this.stale--;
        continue;
      }
      this.retired++;
      if (item === undefined) this.take(end);
      yield end.seq;
    }
  }

  /** The changes to store since the last call. */
  capture(): { ends: StoredEnds | null; endsBefore: number; emptied: number[]; removed: number[] } {
    const { fresh, emptied, removed } = this;
    let ends: StoredEnds | null = null;
    if (fresh.length > 0) {
      const pairs = new Float64Array(fresh.length * 2);
      for (const [i, { seq, lastEvent }] of fresh.entries()) {
        pairs[i * 2] = seq;
        pairs[i * 2 + 1] = lastEvent;
      }
      ends = { first: this.freshFirst, at: this.time.wall(this.time.now), pairs };
    }
    const oldest = this.oldestEvent();
    let gone = 0;
    while (gone < this.hollow.length && (this.hollow[gone] as End).lastEvent + 1 < oldest) gone++;
    for (const { seq } of this.hollow.splice(0, gone)) removed.push(seq);
    this.emptied = [];
    this.removed = [];
    return { ends, endsBefore: this.reached, emptied, removed };
  }

  /** Called when the captured changes are stored. */
  stored(ends: StoredEnds | null, emptied: readonly number[], removed: readonly number[]): void {
    if (ends !== null) {
      const count = ends.pairs.length / 2;
      this.fresh = this.fresh.slice(count);
      this.freshFirst += count;
    }
    for (const seq of emptied) this.taken.delete(seq);
    for (const seq of removed) this.taken.delete(seq);
  }

  /** Notes an item that was stored as gone: its row is removed once no event refers to it. */
  note(item: Item): void {
    this.hollow.push({ seq: item.sequenceId, lastEvent: item.lastEvent });
  }

  private take(end: End): void {
    this.taken.add(end.seq);
    if (end.lastEvent + 1 < this.oldestEvent()) this.removed.push(end.seq);
    else {
      this.emptied.push(end.seq);
      this.hollow.push(end);
    }
  }

  private endAt(number: number): End | undefined {
    if (number >= this.freshFirst) return this.fresh[number - this.freshFirst];
    if (this.chunk === undefined || number < this.chunk.first || number >= this.chunk.first + this.chunk.pairs.length / 2) {
      this.chunk = this.shelf.endsFrom(number);
    }
    const { chunk } = this;
    if (chunk === undefined) return undefined;
    // Ends are stored without gaps. Skip a missing one all the same: it would stop retention for ever.
    if (chunk.first > number) this.reached = chunk.first - 1;
    const at = Math.max(0, number - chunk.first) * 2;
    return { seq: chunk.pairs[at] as number, lastEvent: chunk.pairs[at + 1] as number };
  }

  private instantOf({ seq }: End, item: Item | undefined): number {
    return item === undefined ? this.time.monotonicAsSetNow(this.shelf.bySequence(seq, 'none')?.updated ?? 0) : item.updatedAt;
  }

  /** How much later an end was by the clock of now than its item says. */
  private shiftOf(number: number): number {
    let sum = 0;
    for (const [ended, ms] of this.shifts) if (number <= ended) sum += ms;
    return sum;
  }

  private isCurrent(end: End): boolean {
    if (this.stale === 0) return true;
    const row = this.shelf.bySequence(end.seq, 'none');
    // The row of one whose id was fed again stays, emptied, while events name it.
    return row !== undefined && row.status !== GONE && row.last_event === end.lastEvent && !this.taken.has(end.seq);
  }
}
