import type { EventLines } from './event-source.ts';

/** The most lines whose names are kept; see {@link LinesOfHistory.begin}. */
export const LINES_MAX = 128;

interface Line {
  readonly name: string;
  /** Its first seq: one more than that of the newest event when it began. */
  readonly from: number;
}

/**
 * Lines as they are stored. An earlier version, which knew one for ever, reads and writes `epoch` alone: what it adds is of the newest line.
 */
export interface StoredLines {
  /** The name of the newest line. */
  readonly epoch: string;
  /** Its first seq; 1 when absent. */
  readonly from?: number;
  /** The lines before it, oldest first. */
  readonly before?: readonly (readonly [name: string, from: number])[];
  /** The name of the line that begins with the next event: a store says so that may have lost events. */
  readonly next?: string;
}

/**
 * The lines of the events of a source. Each event is of the line under which it was written first, for ever, so its id is the same for every owner. A name is
 * never given twice, so an id that is known stands for one event, and for all before it:
 *
 *     line a: 1 ─────── 90 ── 91 … 100      91 to 100 were told as a-91 … a-100, and the log has lost them
 *                        └─── 91 … 130      line b, from 91: told as b-91 … b-130
 *
 * a-90 is known, and everything from b-91 on comes after it. a-91 to a-100 are not: a ends with 90 here.
 */
export class LinesOfHistory implements EventLines {
  private newest: Line;
  /** Oldest first. */
  private readonly before: Line[];
  /** True when the newest line is not in the store yet; it goes there with its first events, and they are shown after that. */
  isUnstored = false;

  /** `last`: the seq of the newest event. */
  constructor({ epoch, from = 1, before = [], next }: StoredLines, last = 0) {
    this.newest = { name: epoch, from };
    this.before = before.map(([name, first]) => ({ name, from: first }));
    if (next !== undefined) this.begin(next, last);
  }

  get current(): string {
    return this.newest.name;
  }

  nameOf(seq: number): string {
    const { newest, before } = this;
    if (seq >= newest.from || before.length === 0) return newest.name;
    return (before.findLast(({ from }) => seq >= from) ?? (before[0] as Line)).name;
  }

  idOf(seq: number): string {
    return `${this.nameOf(seq)}-${seq}`;
  }

  has(name: string, seq: number): boolean {
    const { newest, before } = this;
    if (name === newest.name) return true;
    const at = before.findIndex((line) => line.name === name);
    return at >= 0 && seq < (before[at + 1] ?? newest).from;
  }

  /**
   * Begins a line after the event `last`. A line that has no event gives way to it, since no id of it was told; but not the first one, whose name the place before all events
   * is told by. Beyond {@link LINES_MAX} the oldest line goes: events of it that are still kept are told by the name of the next one, and who comes with an id of it is told
   * of a gap of unknown length.
   */
  begin(name: string, last: number): void {
    const { newest, before } = this;
    if (newest.from <= last || before.length === 0) before.push(newest);
    if (before.length >= LINES_MAX) before.shift();
    this.newest = { name, from: last + 1 };
    this.isUnstored = true;
  }

  /** To be written with the next events. */
  get stored(): StoredLines {
    const { newest, before } = this;
    if (before.length === 0) return { epoch: newest.name };
    return { epoch: newest.name, from: newest.from, before: before.map((line) => [line.name, line.from] as const) };
  }
}
