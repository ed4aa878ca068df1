import type { ItemError, PipelineResult } from '../../schemas/item.ts';
import type { ErrorSummary, FailedItem } from '../../schemas/stats.ts';
import type { ErrorFilter } from '../contract/runtime.ts';
import { SUMMARY_CHARACTERS } from '../values/sizes.ts';
import { groupOf } from './error-groups.ts';

/** How many of the newest failures an error summary lists. */
export const FAILURES_LISTED = 1000;

/** The number of error types that are counted one by one; further types are counted together. */
const TYPES_MAX = 1000;
const OTHER_TYPES = 'Other';

/** The newest failures that fit into an answer, in their order: their texts can be long. */
export function newestFailures(failures: readonly FailedItem[]): FailedItem[] {
  let left = SUMMARY_CHARACTERS;
  const first = failures.findLastIndex((failure) => {
    const isOver = left <= 0;
    left -= failure.error.length + failure.itemId.length + 200;
    return isOver;
  });
  return failures.slice(first + 1);
}

/** Whether an item has failed as a filter says. */
export function isFailedBy(error: ItemError | null, { errorType, errorStatus, group }: ErrorFilter): boolean {
  if (error === null) return false;
  if ((errorType !== undefined && error.type !== errorType) || (errorStatus !== undefined && error.status !== errorStatus)) return false;
  return group === undefined || groupOf(error) === group;
}

type Failure = Pick<ItemError, 'type' | 'stage'>;

/** Counts failures by type and by stage, in bounded memory. */
export class FailureCounts {
  private readonly types = new Map<string, number>();
  private readonly stages = new Map<string, number>();

  get byType(): ReadonlyMap<string, number> {
    return this.types;
  }

  get byStage(): ReadonlyMap<string, number> {
    return this.stages;
  }

  add({ type, stage }: Failure): void {
    const counted = this.types.has(type) || this.types.size < TYPES_MAX ? type : OTHER_TYPES;
    this.types.set(counted, (this.types.get(counted) ?? 0) + 1);
    this.stages.set(stage, (this.stages.get(stage) ?? 0) + 1);
  }

  remove({ type, stage }: Failure): void {
    decrement(this.types, this.types.has(type) ? type : OTHER_TYPES);
    decrement(this.stages, stage);
  }

  /** A stage has got another name. */
  renamed(from: string, to: string): void {
    const count = this.stages.get(from);
    if (count === undefined) return;
    this.stages.delete(from);
    this.stages.set(to, (this.stages.get(to) ?? 0) + count);
  }

  restore(byType: Iterable<[string, number]>, byStage: Iterable<[string, number]>): void {
    for (const [type, count] of byType) this.types.set(type, count);
    for (const [stage, count] of byStage) this.stages.set(stage, count);
  }
}

function decrement(counts: Map<string, number>, key: string): void {
  const count = (counts.get(key) ?? 0) - 1;
  if (count > 0) counts.set(key, count);
  else counts.delete(key);
}

/** Sums up the failures among results, in bounded memory. Cancelled items do not count as failed. */
export class ErrorTally {
  private totalFailed = 0;
  private readonly counts = new FailureCounts();
  private failedItems: FailedItem[] = [];
  private readonly timestampOf: (itemId: string) => string;

  /** `timestampOf`: the time at which an item has ended. */
  constructor(timestampOf: (itemId: string) => string) {
    this.timestampOf = timestampOf;
  }

  add({ id, error }: PipelineResult): void {
    if (error === null || error.type === 'Cancelled') return;
    const { type, message, stage, attempts } = error;
    this.totalFailed++;
    this.counts.add(error);
    this.failedItems.push({ itemId: id, error: message, errorType: type, stage, attempts, timestamp: this.timestampOf(id) });
    if (this.failedItems.length >= 2 * FAILURES_LISTED) this.failedItems = this.failedItems.slice(-FAILURES_LISTED);
  }

  summary(): ErrorSummary {
    return {
      totalFailed: this.totalFailed,
      errorsByType: Object.fromEntries(this.counts.byType),
      errorsByStage: Object.fromEntries(this.counts.byStage),
      failedItems: newestFailures(this.failedItems.slice(-FAILURES_LISTED)),
    };
  }
}
