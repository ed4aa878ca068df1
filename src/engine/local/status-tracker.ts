import type { ItemStatus, StatusEvent, TaskEvent } from '../../schemas/item.ts';
import type { ErrorSummary, FailedItem, StatusCounts } from '../../schemas/stats.ts';
import { describeThrown } from '../contract/errors.ts';
import type { EventFilter } from '../contract/runtime.ts';
import type { LocalRuntime } from './local-runtime.ts';

export interface StatusTrackerCallbacks {
  onStatusChange?: (event: StatusEvent) => unknown;
  onTaskStart?: (event: TaskEvent) => unknown;
  onTaskComplete?: (event: TaskEvent) => unknown;
  onTaskRetry?: (event: TaskEvent) => unknown;
  onTaskFail?: (event: TaskEvent) => unknown;
}

/** The number of events that are looked at before others get a turn. */
const SCAN = 1024;

/**
 * AntFlow's `StatusTracker`: follows the events of the pipeline it was given to, and answers questions about its items.
 * The callbacks are told of every event in order, a turn of the event loop later, so that nothing they do can reach the
 * item; they may be synchronous or asynchronous, and what they throw is logged. A pipeline is tracked with or without one.
 */
export class StatusTracker {
  private readonly callbacks: StatusTrackerCallbacks;
  private runtime: LocalRuntime | undefined;
  private cursor = 0;
  private readonly filter: EventFilter;

  constructor(callbacks: StatusTrackerCallbacks = {}) {
    this.callbacks = callbacks;
    const { onStatusChange, ...onTask } = callbacks;
    const types = new Set<'status' | 'task'>();
    if (onStatusChange !== undefined) types.add('status');
    if (Object.values(onTask).some((callback) => callback !== undefined)) types.add('task');
    this.filter = { types };
  }

  /** Begins to track a pipeline. Called by that pipeline. */
  attach(runtime: LocalRuntime): void {
    this.runtime = runtime;
    if (this.filter.types.size > 0) runtime.events.subscribe(() => this.deliver());
  }

  /** Tells the callbacks of every event up to now. */
  deliver(): void {
    const { events } = this.tracked();
    while (this.cursor < events.newest) {
      const read = events.read(this.cursor, SCAN, this.filter);
      this.cursor = read.cursor;
      for (const event of read.events) {
        if (event.type === 'status') this.call(this.callbacks.onStatusChange, event.data);
        else if (event.type === 'task') this.call(this.taskCallback(event.data), event.data);
      }
    }
  }

  getStatus(itemId: string): ItemStatus | undefined {
    return this.tracked().core.index.get(itemId)?.status;
  }

  getByStatus(status: ItemStatus): string[] {
    return [...this.tracked().core.index].filter((item) => item.status === status).map((item) => item.id);
  }

  getStats(): StatusCounts {
    return this.tracked().views.stats().statusCounts;
  }

  getHistory(itemId: string): StatusEvent[] {
    const { core } = this.tracked();
    const item = core.index.get(itemId);
    return item === undefined ? [] : core.events.history(item).events;
  }

  getFailedItems(): FailedItem[] {
    return this.getErrorSummary().failedItems;
  }

  getErrorSummary(): ErrorSummary {
    return this.tracked().views.errors();
  }

  private tracked(): LocalRuntime {
    if (this.runtime === undefined) throw new Error('this tracker is not attached to a pipeline');
    return this.runtime;
  }

  private taskCallback({ eventType }: TaskEvent): ((event: TaskEvent) => unknown) | undefined {
    const { onTaskStart, onTaskComplete, onTaskRetry, onTaskFail } = this.callbacks;
    switch (eventType) {
      case 'start':
        return onTaskStart;
      case 'complete':
        return onTaskComplete;
      case 'retry':
        return onTaskRetry;
      case 'fail':
        return onTaskFail;
      case 'progress':
        return undefined;
    }
  }

  private call<E>(callback: ((event: E) => unknown) | undefined, event: E): void {
    if (callback === undefined) return;
    const { logger } = this.tracked().core.options.ports;
    const threw = (error: unknown): void => logger.warn({ error: describeThrown(error) }, 'a callback of the status tracker threw');
    try {
      const answer = callback(event);
      if (answer instanceof Promise) answer.catch(threw);
    } catch (error) {
      threw(error);
    }
  }
}
