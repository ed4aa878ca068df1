/*
 * An item's row, as a store has it, and the packed form in which rows are handed to a store. What a row's fields are, which of them a
 * write sets and in which order they are packed stands here alone: stores make their columns and statements of these lists. How an
 * item becomes a row and a row an item is in durable/item-codec.ts.
 */

import type { ItemError } from '../../schemas/item.ts';

/** How a status is stored. {@link GONE} is an item that retention took while events still name it. */
export const STATUS_CODES = { queued: 0, in_progress: 1, completed: 2, failed: 3, retrying: 4, skipped: 5, cancelled: 6 } as const;
export const GONE = 7;

/** An item as it is read. Instants are milliseconds since the Unix epoch, texts are JSON. */
export interface StoredItem {
  seq: number;
  /** null: it is generated from the sequence id. */
  id: string | null;
  /** The ordinal of its feed. */
  feed: number;
  priority: number;
  /** The number of its stage, which stays when the stage is renamed. */
  stage: number;
  status: number;
  place: number;
  /** When it was queued last, in the order of all such moments. */
  ord: number;
  task: number;
  /** See {@link attemptsCell}. */
  attempts: number;
  /** In how many processes that crashed it was running. */
  deliveries: number;
  accepted: number;
  updated: number;
  /** When a retry is due. */
  due: number | null;
  last_event: number;
  /** null: the same as `fed`. An empty text: undefined. */
  value: string | null;
  /** null: it is not needed any more. */
  fed: string | null;
  metadata: string | null;
  /** The error of the last attempt that failed, and where it ended with another one, that with the former as its `last`. */
  error: string | null;
  /** Numbers of the stages that it goes through, where that is not their order. */
  route: string | null;
  /** Bytes of its value, read or not; nobody writes it. */
  size: number;
}

/** Attempts of the current unit are counted below this number, as they were alone by earlier versions; above it, those of all units before. */
const EARLIER = 2 ** 20;

export function attemptsCell(attempts: number, earlier: number): number {
  return attempts + earlier * EARLIER;
}

/** The counts in a number that {@link attemptsCell} has made. */
export function attemptsIn(cell: number): { attempts: number; earlier: number } {
  return { attempts: cell % EARLIER, earlier: Math.floor(cell / EARLIER) };
}

/** The content of `error` in a row. */
export interface StoredError extends ItemError {
  last?: ItemError;
}

/** The error with which an item of this status has ended, and that of its last attempt that failed. */
export function errorsOf(stored: StoredError | null, status: number): { error: ItemError | null; lastError: ItemError | null } {
  if (stored === null) return { error: null, lastError: null };
  const { last, ...error } = stored;
  if (status === STATUS_CODES.failed) return { error, lastError: error };
  return status === STATUS_CODES.cancelled ? { error, lastError: last ?? null } : { error: null, lastError: error };
}

/** Kinds of write of an item: its state only; all that can change; a new row; or {@link GONE}, which leaves no text but its id. */
export const WRITE_STATE = 0;
export const WRITE_ALL = 1;
export const WRITE_NEW = 2;
export const WRITE_GONE = 3;
export type WriteKind = typeof WRITE_STATE | typeof WRITE_ALL | typeof WRITE_NEW | typeof WRITE_GONE;

/** The sequence id aside, which names the row. */
type Field = Exclude<keyof StoredItem, 'seq' | 'size'>;

const STATE = ['stage', 'status', 'place', 'ord', 'task', 'attempts', 'deliveries', 'updated', 'due', 'last_event'] as const;
const TEXTS = ['value', 'fed', 'error', 'route'] as const;

/** The numbers that each kind of write sets, and the texts, in the order in which they are packed. */
const NUMBERS: Record<WriteKind, readonly Field[]> = {
  [WRITE_STATE]: STATE,
  [WRITE_ALL]: [...STATE, 'accepted'],
  [WRITE_NEW]: [...STATE, 'accepted', 'feed', 'priority'],
  [WRITE_GONE]: STATE,
};
const TEXTS_OF: Record<WriteKind, readonly Field[]> = {
  [WRITE_STATE]: [],
  [WRITE_ALL]: TEXTS,
  [WRITE_NEW]: [...TEXTS, 'id', 'metadata'],
  [WRITE_GONE]: [...TEXTS, 'metadata'],
};

/** The fields that each kind of write sets, in the order of the values that {@link unpackItems} gives. */
export const WRITTEN_FIELDS: Record<WriteKind, readonly Field[]> = {
  [WRITE_STATE]: [...NUMBERS[WRITE_STATE], ...TEXTS_OF[WRITE_STATE]],
  [WRITE_ALL]: [...NUMBERS[WRITE_ALL], ...TEXTS_OF[WRITE_ALL]],
  [WRITE_NEW]: [...NUMBERS[WRITE_NEW], ...TEXTS_OF[WRITE_NEW]],
  [WRITE_GONE]: [...NUMBERS[WRITE_GONE], ...TEXTS_OF[WRITE_GONE]],
};

/** The fields of a row that are not long: its numbers, and its id. */
export const SHORT_FIELDS: readonly Field[] = [...NUMBERS[WRITE_NEW], 'id'];

/** Items to be written, packed, so that they cost little to hand to another thread: {@link ItemPacker} writes it, {@link unpackItems} reads it. */
export interface PackedItems {
  readonly count: number;
  /** For each item: the kind of write, the sequence id, the numbers of that kind. */
  readonly cells: Float64Array;
  /** For each item: the texts of its kind of write. */
  readonly texts: readonly (string | null)[];
}

const KINDS = [WRITE_STATE, WRITE_ALL, WRITE_NEW, WRITE_GONE] as const;

/** Stands for no instant. */
const NO_DUE = -1;
const DUE_AT = STATE.indexOf('due');
/** Cells of the largest kind. */
const CELLS_MOST = 2 + NUMBERS[WRITE_NEW].length;

/** Packs rows, field by field: on the way of every item. */
export class ItemPacker {
  private cells = new Float64Array(CELLS_MOST * 256);
  private at = 0;
  private texts: (string | null)[] = [];
  private count = 0;

  /** Only the fields that this kind of write sets are looked at. */
  add(kind: WriteKind, row: Omit<StoredItem, 'size'>): void {
    let { at } = this;
    if (at + CELLS_MOST > this.cells.length) {
      const bigger = new Float64Array(this.cells.length * 2);
      bigger.set(this.cells);
      this.cells = bigger;
    }
    const { cells, texts } = this;
    cells[at++] = kind;
    cells[at++] = row.seq;
    cells[at++] = row.stage;
    cells[at++] = row.status;
    cells[at++] = row.place;
    cells[at++] = row.ord;
    cells[at++] = row.task;
    cells[at++] = row.attempts;
    cells[at++] = row.deliveries;
    cells[at++] = row.updated;
    cells[at++] = row.due ?? NO_DUE;
    cells[at++] = row.last_event;
    if (kind === WRITE_ALL || kind === WRITE_NEW) {
      cells[at++] = row.accepted;
      texts.push(row.value, row.fed, row.error, row.route);
    }
    if (kind === WRITE_NEW) {
      cells[at++] = row.feed;
      cells[at++] = row.priority;
      texts.push(row.id, row.metadata);
    }
    if (kind === WRITE_GONE) texts.push(null, null, null, null, null);
    this.at = at;
    this.count++;
  }

  /** The rows added since the last call; null if there are none. */
  take(): PackedItems | null {
    if (this.count === 0) return null;
    const packed = { count: this.count, cells: this.cells.slice(0, this.at), texts: this.texts };
    this.count = 0;
    this.at = 0;
    this.texts = [];
    return packed;
  }
}

/**
 * Calls `visit` with each packed row in turn. `values` has those of {@link WRITTEN_FIELDS}, and the sequence id after them; it is used again
 * for the next row, and in between the visitor's to change.
 */
export function unpackItems(
  { count, cells, texts }: PackedItems,
  visit: (kind: WriteKind, values: (number | string | null)[]) => void,
): void {
  const rows = KINDS.map((kind) => new Array<number | string | null>(WRITTEN_FIELDS[kind].length + 1).fill(null));
  let cell = 0;
  let text = 0;
  for (let i = 0; i < count; i++) {
    const kind = cells[cell++] as WriteKind;
    const seq = cells[cell++] as number;
    const values = rows[kind] as (number | string | null)[];
    const numbers = NUMBERS[kind].length;
    for (let at = 0; at < numbers; at++) values[at] = cells[cell++] as number;
    if (values[DUE_AT] === NO_DUE) values[DUE_AT] = null;
    for (let at = numbers; at < values.length - 1; at++) values[at] = texts[text++] as string | null;
    values[values.length - 1] = seq;
    visit(kind, values);
  }
}
