import type { ItemSummary } from '../../schemas/item.ts';
import type { Operator } from '../contract/operator.ts';
import type { SelectionQuery } from '../contract/runtime.ts';
import type { Operations } from '../control/operations.ts';
import { tellOperated, tellUnchanged } from '../control/told.ts';
import type { Feeds } from '../feeds/feeds.ts';
import type { Core } from '../flow/core.ts';
import type { Item } from '../model/model.ts';
import type { Views } from './views.ts';

/** The most ids of a filter that an event keeps. */
const IDS_TOLD = 100;

/** Cancels and retries items, and tells the operator who asked for it, with an event where anything has changed. Throws what {@link Operations} and {@link Feeds} throw. */
export class ToldOperations {
  private readonly core: Core;
  private readonly operations: Operations;
  private readonly feeds: Feeds;
  private readonly views: Views;

  constructor(core: Core, operations: Operations, feeds: Feeds, views: Views) {
    this.core = core;
    this.operations = operations;
    this.feeds = feeds;
    this.views = views;
  }

  async cancelFeed(feedId: string, operator: Operator | undefined): Promise<number> {
    const cancelled = await this.feeds.cancel(feedId);
    tellOperated(this.core, operator, { change: 'feed-cancelled', before: { feedId }, after: { feedId, cancelled } });
    return cancelled;
  }

  retryFeed(feedId: string, operator: Operator | undefined): Promise<number> {
    return this.retried({ feedId }, () => this.feeds.retry(feedId), operator);
  }

  cancelItem(itemId: string, operator: Operator | undefined): ItemSummary {
    return this.operated('item-cancelled', itemId, () => this.operations.cancel(itemId), operator);
  }

  retryItem(itemId: string, fromStage: string | undefined, operator: Operator | undefined): ItemSummary {
    return this.operated('item-retried', itemId, () => this.operations.retry(itemId, fromStage), operator);
  }

  retryFailed(query: SelectionQuery, operator: Operator | undefined): Promise<number> {
    const retry = () => this.operations.retryFailed(query);
    return query.dryRun ? retry() : this.retried(query, retry, operator);
  }

  async cancelItems(query: SelectionQuery, operator: Operator | undefined): Promise<number> {
    if (query.dryRun) return this.operations.cancelSelected(query);
    const before = { ...toldOf(query), inFlight: this.core.ledger.inFlight };
    const cancelled = await this.operations.cancelSelected(query);
    const told = { change: 'items-cancelled', stage: query.stage ?? null, before };
    if (cancelled === 0) tellUnchanged(this.core, operator, told);
    else tellOperated(this.core, operator, { ...told, after: { ...toldOf(query), inFlight: this.core.ledger.inFlight, cancelled } });
    return cancelled;
  }

  private operated(change: string, itemId: string, act: () => Item, operator: Operator | undefined): ItemSummary {
    const before = traceOf(this.operations.find(itemId));
    const item = act();
    tellOperated(this.core, operator, { change, stage: item.stage.name, before, after: traceOf(item) });
    return this.views.summary(item);
  }

  private async retried(query: SelectionQuery, retry: () => Promise<number>, operator: Operator | undefined): Promise<number> {
    const before = { ...toldOf(query), failed: this.core.ledger.failed };
    const retried = await retry();
    const told = { change: 'items-retried', stage: query.stage ?? null, before };
    if (retried === 0) tellUnchanged(this.core, operator, told);
    else tellOperated(this.core, operator, { ...told, after: { ...toldOf(query), failed: this.core.ledger.failed, retried } });
    return retried;
  }
}

/** A filter as events tell it. */
function toldOf({ itemIds, dryRun: _, ...filter }: SelectionQuery): object {
  return itemIds === undefined ? filter : { ...filter, itemIds: itemIds.slice(0, IDS_TOLD), itemCount: itemIds.length };
}

function traceOf({ id, status, stage }: Item): object {
  return { itemId: id, status, stage: stage.name };
}
