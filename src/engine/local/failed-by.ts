import type { ItemError, ItemStatus } from '../../schemas/item.ts';
import type { ItemsQuery, Page } from '../contract/runtime.ts';
import { isFailedBy } from '../flow/error-tally.ts';

/** The statuses of items that have an error. */
const FAILED: readonly ItemStatus[] = ['failed', 'cancelled'];
/** So many items are looked at for one page: among a million failures, those that match may be few and far between. */
const LOOKED_MAX = 2000;
const STEP = 500;

/**
 * The page of a list of items, which `read` gives, with only those that failed as the query says. It may end before it is full, even
 * empty: `next` goes on behind the last item that was looked at.
 */
export function pageFailedBy<Row extends { error: ItemError | null; sequenceId: number }>(
  query: ItemsQuery,
  read: (query: ItemsQuery) => Page<Row>,
): Page<Row> {
  if (query.errorType === undefined && query.errorStatus === undefined) return read(query);
  const status = FAILED.filter((ended) => query.status?.includes(ended) ?? true);
  const rows: Row[] = [];
  for (let after = query.after, looked = 0; ; ) {
    const page = read({ ...query, status, after, limit: STEP });
    for (const row of page.rows) {
      if (!isFailedBy(row.error, query)) continue;
      if (rows.length >= query.limit) return { ...page, rows, next: (rows.at(-1) as Row).sequenceId };
      rows.push(row);
    }
    looked += page.rows.length;
    if (page.next === null || looked >= LOOKED_MAX) return { ...page, rows };
    after = page.next;
  }
}
