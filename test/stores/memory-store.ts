import { type PackedItems, type StoredItem, unpackItems, WRITE_NEW, WRITTEN_FIELDS } from '../../src/engine/store.ts';

const NO_TEXTS = { id: null, value: null, fed: null, metadata: null, error: null, route: null };

/** Carries out what is written of items, as any store does. Throws when a row is new that is there, or the other way round. */
export function applyItems(rows: Map<number, StoredItem>, items: PackedItems): void {
  unpackItems(items, (kind, values) => {
    const seq = values.at(-1) as number;
    const known = rows.get(seq);
    if ((known === undefined) !== (kind === WRITE_NEW)) throw new Error(`the row ${seq} is ${known === undefined ? 'not there' : 'there'}`);
    const fields = Object.fromEntries(WRITTEN_FIELDS[kind].map((field, i) => [field, values[i]]));
    const row = { ...(known ?? { ...NO_TEXTS, seq }), ...fields } as StoredItem;
    row.size = Buffer.byteLength(row.value ?? row.fed ?? '');
    rows.set(seq, row);
  });
}
