import type { ItemError } from '../../schemas/item.ts';
import type { ErrorSummary, FailedItem } from '../../schemas/stats.ts';
import type { PipelineMeter } from '../measures/pipeline-meter.ts';
import type { Item } from '../model/model.ts';
import type { EngineClock } from '../time/engine-clock.ts';
import { FAILURES_LISTED, FailureCounts, newestFailures } from './error-tally.ts';
import { Totals } from './totals.ts';

/** Told of failed items, and of those that are failed no more. */
export interface GroupLedger {
  failed(item: Item): void;
  goesOn(item: Item): void;
}

/** The part of a ledger that is stored. */
export interface LedgerState {
  fed: number;
  processed: number;
  failed: number;
  cancelled: number;
  byType: [string, number][];
  byStage: [string, number][];
}

/**
 * Counts the items of a pipeline: how many came in, how many ended and with which status, how fast, and which failed.
 *
 * Invariant 9: fed = processed + failed + cancelled + inFlight. Only the methods here change a counter.
 */
export class Ledger {
  private fedCount = 0;
  private processedCount = 0;
  private failedCount = 0;
  private cancelledCount = 0;
  private readonly time: EngineClock;
  private readonly meter: PipelineMeter;
  private readonly counts = new FailureCounts();
  readonly totals = new Totals();
  /** The failed items by group, once somebody has asked for them. */
  groups: GroupLedger | null = null;
  /** The newest kept failures by sequence id, in the order of their ends. */
  private readonly recent = new Map<number, FailedItem>();

  constructor(time: EngineClock, meter: PipelineMeter) {
    this.time = time;
    this.meter = meter;
  }

  get fed(): number {
    return this.fedCount;
  }

  get processed(): number {
    return this.processedCount;
  }

  get failed(): number {
    return this.failedCount;
  }

  get cancelled(): number {
    return this.cancelledCount;
  }

  get ended(): number {
    return this.processedCount + this.failedCount + this.cancelledCount;
  }

  get inFlight(): number {
    return this.fedCount - this.ended;
  }

  /** Counts an accepted item. */
  accept(): void {
    this.fedCount++;
    this.totals.accepted++;
  }

  /** Counts an item that was fed and not accepted, because another one has its id. */
  refuseDuplicate(): void {
    this.totals.duplicates++;
  }

  /** Counts an item that has ended; a failed one MUST have its error. */
  end(item: Item, status: 'completed' | 'failed' | 'cancelled'): void {
    this.totals.ended[status]++;
    if (status === 'completed') this.processedCount++;
    else if (status === 'cancelled') this.cancelledCount++;
    else {
      this.failedCount++;
      this.counts.add(item.error as ItemError);
      this.totals.errors.add((item.error as ItemError).type);
      this.meter.failures.add(this.time.now);
      this.groups?.failed(item);
      this.list(item);
    }
    this.meter.ended(item, this.time);
  }

  /** Takes a failed item out of the failures, since it is in flight again. */
  goesOn(item: Item): void {
    this.failedCount--;
    this.groups?.goesOn(item);
    // The stage in which it failed may have another name by now.
    this.counts.remove({ type: (item.error as ItemError).type, stage: item.stage.name });
    this.recent.delete(item.sequenceId);
  }

  /** Lists an item as the newest failure. */
  list(item: Item): void {
    const { type, message, stage, attempts } = item.error as ItemError;
    const { recent } = this;
    recent.delete(item.sequenceId);
    const timestamp = this.time.instant(item.updatedAt);
    recent.set(item.sequenceId, { itemId: item.id, error: message, errorType: type, stage, attempts, timestamp });
    if (recent.size <= FAILURES_LISTED) return;
    for (const oldest of recent.keys()) {
      recent.delete(oldest);
      return;
    }
  }

  /** A stage has got another name, and takes its failures along. */
  renamed(from: string, to: string): void {
    this.counts.renamed(from, to);
  }

  /** Removes the failure of an item that is no longer kept from the list. */
  forget(sequenceId: number): void {
    this.recent.delete(sequenceId);
  }

  /** A copy: nothing in it changes afterwards. */
  errorSummary(): ErrorSummary {
    const { byType, byStage } = this.counts;
    return {
      totalFailed: this.failedCount,
      errorsByType: Object.fromEntries(byType),
      errorsByStage: Object.fromEntries(byStage),
      failedItems: newestFailures([...this.recent.values()]).map((failure) => ({ ...failure })),
    };
  }

  get state(): LedgerState {
    const { fed, processed, failed, cancelled } = this;
    return { fed, processed, failed, cancelled, byType: [...this.counts.byType], byStage: [...this.counts.byStage] };
  }

  /** Restores the counts of an earlier process; to be called before anything is counted. */
  restore({ fed, processed, failed, cancelled, byType, byStage }: LedgerState): void {
    this.fedCount = fed;
    this.processedCount = processed;
    this.failedCount = failed;
    this.cancelledCount = cancelled;
    this.counts.restore(byType, byStage);
  }
}
