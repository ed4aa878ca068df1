import { ItemPacker } from '../contract/item-row.ts';
import type { Item } from '../model/model.ts';
import { type PackedItems, type StoredItem, WRITE_GONE, WRITE_NEW, WRITE_STATE } from '../store.ts';
import type { EngineClock } from '../time/engine-clock.ts';
import { fillRow, writeKind } from './item-codec.ts';

/** Packs items for the store, and counts the characters of their texts. */
export class ItemWrites {
  private readonly packer = new ItemPacker();
  private readonly row = emptyRow();
  /** The number of characters added, and of items that they belong to. */
  characters = 0;
  withTexts = 0;

  /** `version`: that of the definition, see {@link History}. */
  add(item: Item, time: EngineClock, version: number): void {
    const { row } = this;
    const kind = writeKind(item);
    fillRow(row, item, kind, { time, version });
    this.packer.add(kind, row);
    if (kind === WRITE_STATE || kind === WRITE_GONE) return;
    this.characters += (row.value?.length ?? 0) + (row.fed?.length ?? 0);
    if (kind === WRITE_NEW) this.characters += row.metadata?.length ?? 0;
    if (item.isKept) this.withTexts++;
  }

  take(): PackedItems | null {
    // A text can be 16 MiB: the row must not keep it alive longer than the packed items do.
    Object.assign(this.row, NO_TEXTS);
    return this.packer.take();
  }
}

const NO_TEXTS = { id: null, value: null, fed: null, metadata: null, error: null, route: null };

function emptyRow(): StoredItem {
  const numbers = {
    seq: 0,
    feed: 0,
    priority: 0,
    stage: 0,
    status: 0,
    place: 0,
    ord: 0,
    task: 0,
    attempts: 0,
    deliveries: 0,
    last_event: 0,
  };
  return { ...numbers, ...NO_TEXTS, accepted: 0, updated: 0, due: null, size: 0 };
}
