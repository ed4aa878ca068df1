import { type PackedItems, WRITE_ALL, WRITE_GONE, WRITE_NEW, WRITE_STATE, WRITTEN_FIELDS, type WriteKind } from '../../engine/store.ts';
import { type ByteReader, type ByteWriter, EntryFault } from './bytes.ts';

const TEXTS: ReadonlySet<string> = new Set(['value', 'fed', 'error', 'route', 'id', 'metadata']);
const KINDS: readonly WriteKind[] = [WRITE_STATE, WRITE_ALL, WRITE_NEW, WRITE_GONE];

/** How many numbers follow the sequence id of a row, and how many texts it has, by the kind of its write. */
export const SHAPES: readonly { numbers: number; texts: number }[] = KINDS.map((kind) => {
  const texts = WRITTEN_FIELDS[kind].filter((field) => TEXTS.has(field)).length;
  return { numbers: WRITTEN_FIELDS[kind].length - texts, texts };
});
const MOST = Math.max(...SHAPES.map(({ numbers }) => numbers)) + 1;

/** Rows of items: each number as the difference to the one in its place in the row before, whatever kind that was. */
export function packItems(out: ByteWriter, items: PackedItems | null): void {
  out.number(items?.count ?? 0);
  if (items === null) return;
  const { count, cells, texts } = items;
  const before = new Float64Array(MOST);
  let cell = 0;
  let text = 0;
  for (let i = 0; i < count; i++) {
    const kind = cells[cell++] as number;
    const shape = SHAPES[kind];
    if (shape === undefined) throw new RangeError(`${kind} is not a kind of write`);
    out.number(kind);
    for (let at = 0; at <= shape.numbers; at++) {
      const value = cells[cell++] as number;
      out.near(value, before[at] as number);
      before[at] = value;
    }
    for (let at = 0; at < shape.texts; at++) out.text(texts[text++] as string | null);
  }
}

export function unpackItems(from: ByteReader): PackedItems | null {
  const count = from.count();
  if (count === 0) return null;
  const cells: number[] = [];
  const texts: (string | null)[] = [];
  const before = new Float64Array(MOST);
  for (let i = 0; i < count; i++) {
    const kind = from.number();
    const shape = SHAPES[kind];
    if (shape === undefined) throw new EntryFault(`${kind} is not a kind of write`);
    cells.push(kind);
    for (let at = 0; at <= shape.numbers; at++) {
      const value = from.near(before[at] as number);
      before[at] = value;
      cells.push(value);
    }
    for (let at = 0; at < shape.texts; at++) texts.push(from.textOrNull());
  }
  return { count, cells: Float64Array.from(cells), texts };
}
