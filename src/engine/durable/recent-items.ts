import { NO_METADATA } from '../model/metadata.ts';
import type { Item } from '../model/model.ts';
import { sizeWithin } from '../values/json-size.ts';
import { BUFFER_CHARACTERS } from '../values/sizes.ts';

/** The most finished items that stay in memory after they were stored. */
const RECENT = 2000;

/** A cache of the finished items that were stored or read last, for event readers that are a little behind. Bounded by number and size. */
export class RecentItems {
  private readonly items = new Map<number, { item: Item; size: number }>();
  private characters = 0;
  /** Items that were read without their values. */
  private readonly faces = new Map<number, Item>();

  get(sequenceId: number): Item | undefined {
    return this.items.get(sequenceId)?.item;
  }

  /** The item without its value and metadata. */
  face(sequenceId: number): Item | undefined {
    return this.faces.get(sequenceId);
  }

  add(item: Item): void {
    this.delete(item.sequenceId);
    const size = heldBy(item);
    this.items.set(item.sequenceId, { item, size });
    this.characters += size;
    for (const oldest of this.items.keys()) {
      if (this.items.size <= RECENT && this.characters <= BUFFER_CHARACTERS) return;
      this.delete(oldest);
    }
  }

  addFace(item: Item): void {
    this.faces.set(item.sequenceId, item);
    if (this.faces.size <= RECENT) return;
    for (const oldest of this.faces.keys()) {
      this.faces.delete(oldest);
      return;
    }
  }

  clear(): void {
    this.items.clear();
    this.characters = 0;
    this.faces.clear();
  }

  delete(sequenceId: number): void {
    this.faces.delete(sequenceId);
    const known = this.items.get(sequenceId);
    if (known === undefined) return;
    this.items.delete(sequenceId);
    this.characters -= known.size;
  }
}

/** About how much memory its texts take, in characters. */
function heldBy({ value, fed, metadata, size }: Item): number {
  return (
    size +
    (fed === value ? 0 : sizeWithin(fed, BUFFER_CHARACTERS)) +
    (metadata === NO_METADATA ? 0 : sizeWithin(metadata, BUFFER_CHARACTERS))
  );
}
