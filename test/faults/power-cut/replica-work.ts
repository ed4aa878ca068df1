import { ItemPacker, WRITE_NEW } from '../../../src/engine/contract/item-row.ts';
import type { Writes } from '../../../src/engine/store.ts';
import { noWrites } from '../../stores/store-writes.ts';

/** So long that the log beside the file is copied into it now and then. */
const TEXT = JSON.stringify('A power cut comes when it comes. '.repeat(1500));
/** So many items stay. */
const KEPT = 8;

/** The changes that come with the place of this number, from 1: after them the file has the items {@link itemsAfter} says. */
export function transaction(number: number): Writes {
  const packer = new ItemPacker();
  const numbers = {
    feed: 0,
    priority: 0,
    stage: 1,
    status: 0,
    place: 1,
    task: 0,
    attempts: 0,
    deliveries: 0,
    accepted: 0,
    updated: 0,
    due: null,
  };
  const texts = { id: null, value: null, metadata: null, error: null, route: null };
  packer.add(WRITE_NEW, { seq: number, ord: number, last_event: 0, ...numbers, ...texts, fed: TEXT });
  const removed = number > KEPT ? [number - KEPT] : [];
  const writes = noWrites(1, { items: packer.take(), removed, facts: [['number', String(number)]] });
  return number === 1 ? { ...writes, created: [{ pipeline: 1, id: 'p' }] } : writes;
}

export function itemsAfter(number: number): number[] {
  return Array.from({ length: Math.min(number, KEPT) }, (_, i) => Math.max(0, number - KEPT) + i + 1);
}
