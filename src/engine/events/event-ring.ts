import type { StoredEvents } from '../store.ts';
import { sizeWithin } from '../values/json-size.ts';
import { ATTEMPT_UNIT, EXTRA, FINAL } from './event-codes.ts';

const INITIAL = 1024;
/** Numbers for each event: what happened and where, when, a number that depends on its kind, the item and task. */
const CELLS = 4;
const SOURCE_UNIT = 2 ** 32;
const TASK_UNIT = 2 ** 40;
/** The most characters of extras, such as errors, that are kept with the events of a pipeline. */
const EXTRAS_CHARACTERS = 64 * 1024 * 1024;

/**
 * The newest events by seq: a ring with four numbers for each event, which doubles up to its capacity. It knows the layout of the numbers, not
 * their meaning. Appending allocates nothing except for extras, and writes numbers only: storing a reference into an old array costs the
 * garbage collector work each time.
 */
export class EventRing {
  /** The seq of the newest event. */
  last = 0;
  private floor = 1;
  private readonly capacity: number;
  private size: number;
  private mask: number;
  /**
   * {@link CELLS} numbers for each event, side by side, so that an event is written to one place in memory:
   * - what happened; above 8 bits the attempt of a task event; above 32 bits the number of the source;
   * - the instant, in milliseconds since the Unix epoch;
   * - of a status event, the previous one of the same item; of a task event, the duration in milliseconds;
   * - the item's sequence id, 0 for none (not the item: the ring keeps no value alive); above 40 bits the number of the task.
   */
  private cells: Float64Array;
  /** The extras by seq, of events with the flag {@link EXTRA}. */
  private extras = new Map<number, { extra: unknown; size: number }>();
  private extrasCharacters = 0;

  /** `capacity` is rounded up to a power of two. */
  constructor(capacity: number) {
    this.capacity = 2 ** Math.ceil(Math.log2(Math.max(capacity, 16)));
    this.size = Math.min(INITIAL, this.capacity);
    this.mask = this.size - 1;
    this.cells = new Float64Array(this.size * CELLS);
  }

  get oldest(): number {
    return Math.max(this.floor, this.last - this.size + 1);
  }

  /** Keeps no event before this one. */
  forgetBefore(seq: number): void {
    this.floor = Math.max(this.floor, seq);
  }

  /** Returns the seq of the new event. `at`: milliseconds since the Unix epoch. */
  append(kind: number, source: number, at: number, number: number, sequenceId: number, task: number, extra: unknown): number {
    if (this.last - this.floor + 1 >= this.size && this.size < this.capacity) this.growTo(2 * this.size);
    const seq = ++this.last;
    const place = (seq & this.mask) * CELLS;
    const { cells } = this;
    if ((((cells[place] as number) | 0) & EXTRA) !== 0) this.clearExtra(seq - this.size);
    if (extra !== undefined) {
      this.addExtra(seq, extra);
      this.boundExtras();
    }
    cells[place] = (extra === undefined ? kind : kind + EXTRA) + source * SOURCE_UNIT;
    cells[place + 1] = at;
    cells[place + 2] = number;
    cells[place + 3] = sequenceId + task * TASK_UNIT;
    return seq;
  }

  /** The code of an event, without flags and attempt. */
  codeOf(seq: number): number {
    return this.kindOf(seq) & (FINAL - 1);
  }

  isFinal(seq: number): boolean {
    return (this.kindOf(seq) & FINAL) !== 0;
  }

  attemptOf(seq: number): number {
    return Math.floor(this.kindOf(seq) / ATTEMPT_UNIT);
  }

  sourceOf(seq: number): number {
    return Math.floor((this.cells[(seq & this.mask) * CELLS] as number) / SOURCE_UNIT);
  }

  /** The instant of an event, in milliseconds since the Unix epoch. */
  timeOf(seq: number): number {
    return this.cells[(seq & this.mask) * CELLS + 1] as number;
  }

  /** The number that depends on the event's kind: the previous status event of the same item, or a duration. */
  numberOf(seq: number): number {
    return this.cells[(seq & this.mask) * CELLS + 2] as number;
  }

  sequenceIdOf(seq: number): number {
    return (this.cells[(seq & this.mask) * CELLS + 3] as number) % TASK_UNIT;
  }

  taskOf(seq: number): number {
    return Math.floor((this.cells[(seq & this.mask) * CELLS + 3] as number) / TASK_UNIT);
  }

  extraOf(seq: number): unknown {
    return (this.kindOf(seq) & EXTRA) === 0 ? undefined : this.extras.get(seq)?.extra;
  }

  /** About how many characters an event's extra takes as JSON. */
  extraSizeOf(seq: number): number {
    return this.extras.get(seq)?.size ?? 0;
  }

  /** A copy of the kept events after `after`, to be stored; null when there are none. */
  copyAfter(after: number): StoredEvents | null {
    const first = Math.max(after + 1, this.oldest);
    if (first > this.last) return null;
    const count = this.last - first + 1;
    const cells = new Float64Array(count * CELLS);
    const from = first & this.mask;
    const untilWrap = Math.min(count, this.size - from);
    cells.set(this.cells.subarray(from * CELLS, (from + untilWrap) * CELLS));
    if (untilWrap < count) cells.set(this.cells.subarray(0, (count - untilWrap) * CELLS), untilWrap * CELLS);
    const extras: [number, string][] = [];
    if (this.extras.size > 0) {
      for (let seq = first; seq <= this.last; seq++) {
        if ((this.kindOf(seq) & EXTRA) !== 0) extras.push([seq - first, JSON.stringify(this.extraOf(seq))]);
      }
    }
    return { first, cells, extras };
  }

  /** Restores copied events in their order, up to `last`; to be called before anything is appended. */
  restore(chunks: Iterable<StoredEvents>, last: number): void {
    this.last = last;
    this.floor = last + 1;
    for (const { first, cells, extras } of chunks) {
      if (first < this.floor) this.floor = Math.max(first, last - this.capacity + 1);
      if (last - this.floor + 1 > this.size) this.growTo(Math.min(2 ** Math.ceil(Math.log2(last - this.floor + 1)), this.capacity));
      this.copyIn(cells.subarray(Math.max(0, this.floor - first) * CELLS), Math.max(first, this.floor));
      for (const [at, json] of extras) {
        if (first + at >= this.floor) this.addExtra(first + at, JSON.parse(json));
      }
    }
    this.boundExtras();
  }

  private kindOf(seq: number): number {
    return (this.cells[(seq & this.mask) * CELLS] as number) % SOURCE_UNIT;
  }

  private addExtra(seq: number, extra: unknown): void {
    const size = sizeWithin(extra, EXTRAS_CHARACTERS);
    this.extras.set(seq, { extra, size });
    this.extrasCharacters += size;
  }

  private clearExtra(seq: number): void {
    this.extrasCharacters -= this.extras.get(seq)?.size ?? 0;
    this.extras.delete(seq);
  }

  /** Removes the oldest events while extras take too many characters, since errors can be long. */
  private boundExtras(): void {
    while (this.extrasCharacters > EXTRAS_CHARACTERS && this.oldest < this.last) {
      this.floor = this.oldest;
      this.clearExtra(this.floor++);
    }
  }

  /** Writes events side by side, `first` being the seq of the first one. */
  private copyIn(cells: Float64Array, first: number): void {
    for (let at = 0; at < cells.length; ) {
      const place = ((first + at / CELLS) & this.mask) * CELLS;
      const untilWrap = Math.min(cells.length - at, this.cells.length - place);
      this.cells.set(cells.subarray(at, at + untilWrap), place);
      at += untilWrap;
    }
  }

  private growTo(size: number): void {
    const cells = new Float64Array(size * CELLS);
    for (let seq = this.oldest; seq <= this.last; seq++) {
      const from = (seq & this.mask) * CELLS;
      cells.set(this.cells.subarray(from, from + CELLS), (seq & (size - 1)) * CELLS);
    }
    this.cells = cells;
    this.size = size;
    this.mask = size - 1;
  }
}
