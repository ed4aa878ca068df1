import type { PipelineResult } from '../schemas/item.ts';
import type { ErrorSummary, FailedItem } from '../schemas/stats.ts';

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
    this.byType.set(type, (this.byType.get(type) ?? 0) + 1);
    this.byStage.set(stage, (this.byStage.get(stage) ?? 0) + 1);
    this.failedItems.push({ itemId: id, error: message, errorType: type, stage, attempts, timestamp: this.timestampOf(id) });
    if (this.failedItems.length >= 2 * FAILURES_LISTED) this.failedItems = this.failedItems.slice(-FAILURES_LISTED);
  }

  summary(): ErrorSummary {
    return {
      totalFailed: this.totalFailed,
      errorsByType: Object.fromEntries(this.byType),
      errorsByStage: Object.fromEntries(this.byStage),
      failedItems: this.failedItems.slice(-FAILURES_LISTED),
    };
  }
}
