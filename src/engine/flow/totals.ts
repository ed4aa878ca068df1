import { FrequentTypes } from './frequent-types.ts';

/** Counts items of a pipeline since the process began. Unlike the counts of the ledger, these are not stored, and none falls when a failed item is retried. */
export class Totals {
  accepted = 0;
  /** Items that were fed with the id of another one. */
  duplicates = 0;
  readonly ended = { completed: 0, failed: 0, cancelled: 0 };
  readonly errors = new FrequentTypes();
}
