import type { FeedView } from '../../schemas/feed.ts';
import type { ItemDetail, ItemSummary, PipelineResult } from '../../schemas/item.ts';
import type { DashboardSnapshot, ErrorSummary, PipelineStats, WorkerState } from '../../schemas/stats.ts';
import type { FeedResultsQuery, FeedsQuery } from '../contract/requests.ts';
import type { ItemsQuery, Page, PipelineDescription, ResultsQuery } from '../contract/runtime.ts';
import type { Operations } from '../control/operations.ts';
import type { Feeds } from '../feeds/feeds.ts';
import type { Core } from '../flow/core.ts';
import { pageFailedBy } from './failed-by.ts';
import { pausesOf } from './stored-facts.ts';
import type { Views } from './views.ts';

/**
 * The read-only answers of a pipeline, as of one moment: as it is now ({@link LiveReads}), or as its store has it
 * ({@link import('./stored-reads.ts').StoredReads}). Both throw SluiceError with the same codes.
 */
export interface Reads {
  describe(): PipelineDescription;
  stats(): PipelineStats;
  workerNames(): Record<string, string[]>;
  workerStates(): Record<string, WorkerState>;
  snapshot(): DashboardSnapshot;
  errors(): ErrorSummary;
  results(query: ResultsQuery): Page<PipelineResult>;
  items(query: ItemsQuery): Page<ItemSummary>;
  item(id: string): ItemDetail;
  feeds(query: FeedsQuery): Page<FeedView>;
  feedMaker(feedId: string): string | null;
  feedView(feedId: string): FeedView;
  feedResults(feedId: string, query: FeedResultsQuery): Page<PipelineResult>;
}

/** A pipeline as it is now; its newest changes may not be stored yet. */
export class LiveReads implements Reads {
  private readonly core: Core;
  private readonly views: Views;
  private readonly feedsOf: Feeds;
  private readonly operations: Operations;
  private readonly defined: () => Pick<PipelineDescription, 'definition' | 'definitionSource' | 'fileDiffers' | 'overrides'>;

  constructor(
    core: Core,
    views: Views,
    feeds: Feeds,
    operations: Operations,
    defined: () => Pick<PipelineDescription, 'definition' | 'definitionSource' | 'fileDiffers' | 'overrides'>,
  ) {
    this.core = core;
    this.views = views;
    this.feedsOf = feeds;
    this.operations = operations;
    this.defined = defined;
  }

  describe(): PipelineDescription {
    const { core } = this;
    return {
      ...this.defined(),
      state: core.state,
      stateReason: core.stateReason,
      itemsProcessed: core.ledger.processed,
      itemsFailed: core.ledger.failed,
      itemsCancelled: core.ledger.cancelled,
      itemsInFlight: core.ledger.inFlight,
      workers: this.views.workerNames(),
      ...pausesOf(core.stages),
      secrets: [...new Set([...(core.options.onDone?.secrets ?? []), ...core.stages.flatMap((stage) => stage.spec.secrets)])].sort(),
    };
  }

  stats(): PipelineStats {
    return this.views.stats();
  }
  workerNames(): Record<string, string[]> {
    return this.views.workerNames();
  }
  workerStates(): Record<string, WorkerState> {
    return this.views.workerStates();
  }
  snapshot(): DashboardSnapshot {
    return this.views.snapshot();
  }
  errors(): ErrorSummary {
    return this.views.errors();
  }

  results(query: ResultsQuery): Page<PipelineResult> {
    const { index, options } = this.core;
    this.retireAged();
    if (!options.collectResults && query.status === 'completed') return { rows: [], next: null, retired: index.retired };
    const page = index.results(query, this.rangeOf(query.feedId));
    return { ...page, rows: page.rows.map((item) => item.toResult()) };
  }

  items(query: ItemsQuery): Page<ItemSummary> {
    this.retireAged();
    const within = this.rangeOf(query.feedId);
    const page = pageFailedBy(query, (part) => this.core.index.items(part, within));
    return { ...page, rows: page.rows.map((item) => this.views.listed(item, query.include)) };
  }

  item(id: string): ItemDetail {
    this.retireAged();
    return this.views.detail(this.operations.find(id));
  }

  feeds(query: FeedsQuery): Page<FeedView> {
    return this.feedsOf.list(query);
  }
  feedMaker(feedId: string): string | null {
    return this.feedsOf.makerOf(feedId);
  }
  feedView(feedId: string): FeedView {
    return this.feedsOf.view(feedId);
  }
  feedResults(feedId: string, query: FeedResultsQuery): Page<PipelineResult> {
    return this.feedsOf.results(feedId, query);
  }

  private retireAged(): void {
    this.core.time.tick();
    this.core.index.retireAged();
  }

  /** The range of the items of a feed; undefined when the feed is no longer known. */
  private rangeOf(feedId: string | undefined) {
    return feedId === undefined ? undefined : this.core.feeds.find(feedId);
  }
}
