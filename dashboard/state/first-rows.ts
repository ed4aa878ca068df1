import { ask } from './api.ts';

/** A page of a list may hold few rows, or none, although the list goes on: so many are asked for in a row. */
const SEARCHES = 20;

/** The rows of a list from its beginning, and whether it goes on after them. */
export interface FirstRows<T> {
  rows: readonly T[];
  goesOn: boolean;
}

/** Reads pages until there are enough rows or no more, however few one page holds. `name` is the member of the answer that has the rows. */
export async function firstRows<T>(url: string, name: string, enough: number, signal: AbortSignal): Promise<FirstRows<T>> {
  const rows: T[] = [];
  let cursor: string | null = null;
  for (let i = 0; i < SEARCHES; i++) {
    const found: { nextCursor: string | null } = await ask(url, { query: { limit: enough, ...(cursor !== null && { cursor }) }, signal });
    rows.push(...((found as unknown as Record<string, T[]>)[name] as T[]));
    cursor = found.nextCursor;
    if (cursor === null || rows.length >= enough) break;
  }
  return { rows, goesOn: cursor !== null };
}
