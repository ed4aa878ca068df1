import type { ItemStatus } from '../../schemas/item.ts';

/** Queries to {@link PipelineRuntime} for what it has: pages of items and results, selections of items, groups of errors, its past. */

export interface Page<T> {
  rows: T[];
  /** The `after` of the next page: the sequence id (for feeds, the ordinal) of the last row if more rows follow, else null. */
  next: number | null;
  /** How many rows retention took in all. */
  retired: number;
}

/** With `feedId` and a status, a page may have fewer rows than `limit`, or none, and still not be the last. */
export interface ResultsQuery {
  status: 'completed' | 'failed' | 'cancelled' | 'all';
  after: number;
  limit: number;
  feedId?: string;
}

/** How items failed. An item that did not fail matches no such filter. */
export interface ErrorFilter {
  errorType?: string;
  errorStatus?: number;
  /** The id of an {@link ErrorGroup}. */
  group?: string;
}

/** Items that match everything that is given. Of one that has not ended, the error is that of its last attempt that failed. */
export interface ItemFilter extends ErrorFilter {
  status?: readonly ItemStatus[];
  stage?: string;
  feedId?: string;
  itemIds?: readonly string[];
  /** Each member MUST be equal to that of the item. */
  metadata?: Readonly<Record<string, unknown>>;
}

/** Items to be retried, or cancelled. */
export interface SelectionQuery extends ItemFilter {
  /** They are only counted: as many as would be, if nothing changed meanwhile. */
  dryRun?: boolean;
}

export interface ErrorGroupsQuery {
  feedId?: string;
  stage?: string;
  limit: number;
}

/** With filters that no index knows ({@link ErrorFilter}, `text`, `minAttempts`; `stage`; `feedId` with `status`), a page may have fewer rows than `limit`, or none, and still not be the last. */
export interface ItemsQuery extends ErrorFilter {
  status?: ItemStatus[];
  stage?: string;
  feedId?: string;
  /** `desc`: the newest first; `after` is then the place behind which the page begins in that order. */
  order?: 'asc' | 'desc';
  /** Contained in the id or the message of the error, in whatever case. */
  text?: string;
  /** Attempts in every stage and every run. */
  minAttempts?: number;
  /** `input`: with the value that was fed, of items that have not completed. */
  include?: 'input';
  after: number;
  limit: number;
}

export interface HistoryQuery {
  seconds: number;
  points: number;
}
