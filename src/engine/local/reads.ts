import type { FeedView } from '../../schemas/feed.ts';
import type { ItemDetail, ItemSummary, PipelineResult } from '../../schemas/item.ts';
import type { PipelineOverview } from '../../schemas/overview.ts';
import type { DashboardSnapshot, ErrorSummary, PipelineStats, WorkerState } from '../../schemas/stats.ts';
import type { FeedResultsQuery, FeedsQuery } from '../contract/requests.ts';
import type { ItemsQuery, Page, PipelineDescription, ResultsQuery } from '../contract/runtime.ts';
import type { Operations } from '../control/operations.ts';
import type { Feeds } from '../feeds/feeds.ts';
import type { Core } from '../flow/core.ts';
import type { FoundPage } from '../flow/item-index.ts';
import type { Item } from '../model/model.ts';
import { pageInTurns, pageMatching } from './matching.ts';
import { pausesOf } from './stored-facts.ts';
import type { Views } from './views.ts';

/**
 * The read-only answers of a pipeline, as of one moment: as it is now ({@link LiveReads}), or as its store has it
 * ({@link import('./stored-reads.ts').StoredReads}). Both throw SluiceError with the same codes.
 */
export interface Reads {
  describe(): PipelineDescription;
  stats(): PipelineStats;
  overview(): PipelineOverview;
  workerNames(): Record<string, string[]>;
  workerStates(): Record<string, WorkerState>;
  snapshot(): DashboardSnapshot;
  errors(): ErrorSummary;
  results(query: ResultsQuery): Promise<Page<PipelineResult>>;
  items(query: ItemsQuery): Promise<Page<ItemSummary>>;
  item(id: string): ItemDetail;
  feeds(query: FeedsQuery): Page<FeedView>;
  feedMaker(feedId: string): string | null;
  feedView(feedId: string): FeedView;
  feedResults(feedId: string, query: FeedResultsQuery): Promise<Page<PipelineResult>>;
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
  overview(): PipelineOverview {
    return this.views.overview();
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

  async results(query: ResultsQuery): Promise<Page<PipelineResult>> {
    const { index, options } = this.core;
    this.retireAged();
    if (!options.collectResults && query.status === 'completed') return { rows: [], next: null, retired: index.retired };
    return pageInTurns(query, (part) => resultsOf(index.results(part, this.rangeOf(query.feedId))), this.bounds);
  }

  items(query: ItemsQuery): Promise<Page<ItemSummary>> {
    return pageInTurns(
      query,
      (part, isOver) => {
        this.retireAged();
        const within = this.rangeOf(query.feedId);
        const page = pageMatching(part, (one) => this.core.index.items(one, within), isOver);
        return { ...page, rows: page.rows.map((item) => this.views.listed(item, query.include)) };
      },
      this.bounds,
    );
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
  async feedResults(feedId: string, query: FeedResultsQuery): Promise<Page<PipelineResult>> {
    this.core.feeds.get(feedId);
    return this.results({ ...query, feedId });
  }

  private get bounds() {
    const { ports, pageCharacters } = this.core.options;
    return { clock: ports.clock, characters: pageCharacters };
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

function resultsOf(page: FoundPage<Item>): FoundPage<PipelineResult> {
  return { ...page, rows: page.rows.map((item) => item.toResult()) };
}
