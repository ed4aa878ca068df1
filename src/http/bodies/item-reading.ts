import { lostDigits, mayLoseDigits, parseExactly } from '../../schemas/big-numbers.ts';

/** How a caller wants items to be read from a body. */
export interface ItemReading {
  /** The fate of integers that a number cannot hold; `refuse` when absent. */
  bigNumbers?: 'refuse' | 'lossy' | undefined;
  /** The member that is an item's id; `id` when absent. */
  idField?: string | undefined;
}

/** A fault of an item, to stand after "Line 7". */
export class ItemFault {
  readonly reason: string;
  constructor(reason: string) {
    this.reason = reason;
  }
}

/** The item that stands in a line whose text may hold an integer that `parsed` has lost: an id keeps its digits. */
export function exactItem(line: string, parsed: unknown, { bigNumbers, idField = 'id' }: ItemReading): unknown {
  if (!mayLoseDigits(Buffer.from(line))) return parsed;
  const { value, lost } = parseExactly(line, (item) => (holder, key) => holder === item && key === idField);
  return lost !== null && bigNumbers !== 'lossy' ? new ItemFault(lostDigits(lost)) : value;
}

/**
 * An item whose id is another member than `id`: its payload is its `value` if it has one, otherwise all of it; its other members are metadata.
 */
export function withIdOf(item: unknown, idField: string): unknown {
  if (idField === 'id') return item;
  if (typeof item !== 'object' || item === null || Array.isArray(item) || !Object.hasOwn(item, idField)) {
    return new ItemFault(`has no member "${idField}" (idField)`);
  }
  const { [idField]: id, id: _, value, ...rest } = item as Record<string, unknown>;
  return { ...rest, id, value: Object.hasOwn(item, 'value') && idField !== 'value' ? value : item };
}

/** The same for a list of items in a JSON body, with the place of each fault. */
export function withIdsOf(
  items: readonly unknown[],
  idField: string | undefined,
): { items: unknown[]; faults: { path: string; message: string }[] } {
  const faults: { path: string; message: string }[] = [];
  if (idField === undefined) return { items: items as unknown[], faults };
  const read = items.map((item, i) => {
    const named = withIdOf(item, idField);
    if (named instanceof ItemFault && faults.length < FAULTS_TOLD) faults.push({ path: `/items/${i}`, message: named.reason });
    return named;
  });
  return { items: read, faults };
}

/** The most faults that are described one by one. */
const FAULTS_TOLD = 100;

/** The value of a JSON body, where items and the lists of their ids are, with every digit of an id; or the fault of it. */
export function exactBody(body: Buffer, text: string, parsed: unknown, { bigNumbers, idField = 'id' }: ItemReading): unknown {
  if (!mayLoseDigits(body)) return parsed;
  const { value, lost } = parseExactly(text, (whole) => {
    const { items, itemIds } = (typeof whole === 'object' && whole !== null ? whole : {}) as { items?: unknown; itemIds?: unknown };
    const all = new Set<unknown>(Array.isArray(items) ? items : []);
    return (holder, key) => (key === idField && all.has(holder)) || (Array.isArray(itemIds) && holder === itemIds);
  });
  return lost !== null && bigNumbers !== 'lossy' ? new ItemFault(lostDigits(lost)) : value;
}
