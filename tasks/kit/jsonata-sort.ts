import type { Focus } from './jsonata-focus.ts';

type Comes = (a: never, b: never) => unknown;

/** `$sort`, in n log n steps where JSONata takes n² of time and memory; same comparisons, same order, same errors. */
export function sort(this: Focus, arr: unknown[] | undefined, comparator: Comes | undefined): unknown {
  if (arr === undefined || arr.length <= 1) return arr;
  // Comes past the check of the arguments when the function is applied partially.
  if (!Array.isArray(arr)) {
    if (comparator !== undefined) return arr;
    throw { code: 'D3070', index: 1 };
  }
  if (comparator !== undefined) return mergeSort(arr, (a, b) => comparator.apply(this as never, [a, b] as never));
  if (!arr.every(isNumeric) && !arr.every((member) => typeof member === 'string')) throw { code: 'D3070', index: 1 };
  return [...(arr as number[])].sort((a, b) => (a > b ? 1 : a < b ? -1 : 0));
}

/** A term of `^(…)`: a lambda without parameters, over the member that is its input. */
interface Term {
  input: unknown;
  apply(self: unknown, args: unknown[]): Promise<unknown>;
}

/** The target of rewriting `items^(a, >b)`: takes the members, the terms, which of them are descending, and the position. */
export async function orderBy(this: Focus, items: unknown, terms: Term[], descending: boolean[], position: number): Promise<unknown> {
  if (!Array.isArray(items)) return items;
  if (items.length === 0) return undefined;
  const members = items.map((item) => ({ item, keys: [] as unknown[] }));
  if (items.length === 1) {
    const found = this.createSequence();
    found.push(items[0]);
    return found;
  }
  const keyOf = async (member: (typeof members)[number], at: number): Promise<unknown> => {
    if (at in member.keys) return member.keys[at];
    const term = terms[at] as Term;
    term.input = member.item;
    member.keys[at] = await term.apply(this, []);
    return member.keys[at];
  };
  const sorted = await mergeSort(members, async (a, b) => {
    for (const [at, isDescending] of descending.entries()) {
      const order = compareKeys(await keyOf(a, at), await keyOf(b, at), isDescending, position);
      if (order !== 0) return order === 1;
    }
    return false;
  });
  return sorted.map(({ item }) => item);
}

/** 1: they change places. Nothing comes last, in either direction. */
function compareKeys(a: unknown, b: unknown, isDescending: boolean, position: number): number {
  if (a === undefined) return b === undefined ? 0 : 1;
  if (b === undefined) return -1;
  if (!isComparable(a) || !isComparable(b)) throw { code: 'T2008', position, value: isComparable(a) ? b : a };
  if (typeof a !== typeof b) throw { code: 'T2007', position, value: a, value2: b };
  if (a === b) return 0;
  return (a < b ? -1 : 1) * (isDescending ? -1 : 1);
}

function isComparable(key: unknown): key is string | number {
  return typeof key === 'string' || typeof key === 'number';
}

/** `comesAfter(a, b)` says whether `b` goes before `a`, which stood before it. */
async function mergeSort<T>(all: readonly T[], comesAfter: (a: T, b: T) => unknown): Promise<T[]> {
  if (all.length <= 1) return [...all];
  const middle = Math.floor(all.length / 2);
  const left = await mergeSort(all.slice(0, middle), comesAfter);
  const right = await mergeSort(all.slice(middle), comesAfter);
  const merged: T[] = [];
  let l = 0;
  let r = 0;
  while (l < left.length && r < right.length) {
    if (await comesAfter(left[l] as T, right[r] as T)) merged.push(right[r++] as T);
    else merged.push(left[l++] as T);
  }
  while (l < left.length) merged.push(left[l++] as T);
  while (r < right.length) merged.push(right[r++] as T);
  return merged;
}

function isNumeric(value: unknown): boolean {
  if (typeof value !== 'number' || Number.isNaN(value)) return false;
  if (!Number.isFinite(value)) throw { code: 'D1001', value };
  return true;
}
