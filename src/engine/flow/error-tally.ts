import type { PipelineResult } from '../../schemas/item.ts';
import type { ErrorSummary, FailedItem } from '../../schemas/stats.ts';
import { SUMMARY_CHARACTERS } from '../values/sizes.ts';

/** Of failures in their order, the newest that an answer holds: their texts can be long. */
export function newestFailures(failures: readonly FailedItem[]): FailedItem[] {
  let left = SUMMARY_CHARACTERS;
  const first = failures.findLastIndex((failure) => {
    const isOver = left <= 0;
    left -= failure.error.length + failure.itemId.length + 200;
    return isOver;
  });
  return failures.slice(first + 1);
}

/** So many types of errors are counted one by one; types that come on top of them are counted together. */
const TYPES_MAX = 1000;
export const OTHER_TYPES = 'Other';

/** Under which name an error of that type is counted. */
export function typeCounted(counts: ReadonlyMap<string, number>, type: string): string {
  return counts.has(type) || counts.size < TYPES_MAX ? type : OTHER_TYPES;
}

/** How many of the failures a summary lists. */
const FAILURES_LISTED = 1000;

/** Sums up the failures among results, one after the other, in bounded memory. Cancelled items have not failed. */
export class ErrorTally {
  private totalFailed = 0;
  private readonly byType = new Map<string, number>();
  private readonly byStage = new Map<string, number>();
  private failedItems: FailedItem[] = [];
  private readonly timestampOf: (itemId: string) => string;

  /** `timestampOf`: when an item has ended. */
  constructor(timestampOf: (itemId: string) => string) {
    this.timestampOf = timestampOf;
  }

  add({ id, error }: PipelineResult): void {
    if (error === null || error.type === 'Cancelled') return;
    const { type, message, stage, attempts } = error;
    this.totalFailed++;
    const counted = typeCounted(this.byType, type);
    this.byType.set(counted, (this.byType.get(counted) ?? 0) + 1);
    this.byStage.set(stage, (this.byStage.get(stage) ?? 0) + 1);
    this.failedItems.push({ itemId: id, error: message, errorType: type, stage, attempts, timestamp: this.timestampOf(id) });
    if (this.failedItems.length >= 2 * FAILURES_LISTED) this.failedItems = this.failedItems.slice(-FAILURES_LISTED);
  }

  summary(): ErrorSummary {
    return {
      totalFailed: this.totalFailed,
      errorsByType: Object.fromEntries(this.byType),
      errorsByStage: Object.fromEntries(this.byStage),
      failedItems: newestFailures(this.failedItems.slice(-FAILURES_LISTED)),
    };
  }
}
