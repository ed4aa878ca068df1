import type { FeedView, WaitReply } from '../../schemas/feed.ts';
import type { ItemDetail, ItemError, ItemSummary, PipelineResult } from '../../schemas/item.ts';
import type { PipelineOverview } from '../../schemas/overview.ts';
import type { DashboardSnapshot, ErrorSummary, PipelineStats, WorkerState } from '../../schemas/stats.ts';
import { SluiceError } from '../contract/errors.ts';
import type { FeedResultsQuery, FeedsQuery, ItemsWaitQuery } from '../contract/requests.ts';
import type { ItemsQuery, Page, PipelineDescription, ResultsQuery } from '../contract/runtime.ts';
import type { Durable } from '../durable/durable.ts';
import type { Stored } from '../durable/journal.ts';
import { itemsNotFound } from '../feeds/item-wait.ts';
import { FAILURES_LISTED, newestFailures } from '../flow/error-tally.ts';
import { Forecast } from '../flow/forecast.ts';
import type { FoundPage, Stint } from '../flow/item-index.ts';
import { generatedId } from '../model/places.ts';
import { GONE, STATUS_CODES, type StoredFeed, type StoredItem, type StoredPage, type Texts, UPLOAD_INCOMPLETE } from '../store.ts';
import { DOCUMENT_CHARACTERS, PAGE_CHARACTERS } from '../values/sizes.ts';
import { pageInTurns, pageMatching } from './matching.ts';
import type { Reads } from './reads.ts';
import { errorOf, inputIn, instantOf, metadataOf, StoredRows, storedOf, valueIn } from './stored-rows.ts';
import { statsOf } from './stored-stats.ts';
import type { Views } from './views.ts';

const FINAL = [STATUS_CODES.completed, STATUS_CODES.failed, STATUS_CODES.cancelled];

/** About the size of a row apart from its texts. */
const ROW_CHARACTERS = 200;

/** The feeds that the store has, as of one flush. */
interface Listed {
  of: Stored;
  byId: Map<string, StoredFeed>;
  inOrder: StoredFeed[];
}

/**
 * A pipeline as a restart would find it: rows of the store, and the numbers as of its last flush. Rates, the work of each worker, and the reason why
 * a queued item waits are as they are now. Until something of the pipeline is stored, it does not exist here.
 */
export class StoredReads implements Reads {
  private readonly durable: Durable;
  private readonly live: Views;
  private readonly rows: StoredRows;
  private listed: Listed | null = null;

  constructor(durable: Durable, live: Views) {
    this.durable = durable;
    this.live = live;
    this.rows = new StoredRows(durable);
  }

  describe(): PipelineDescription {
    const { operated, figures } = this.stored;
    const { fed, processed, failed, cancelled } = figures.counters;
    return {
      ...operated,
      itemsProcessed: processed,
      itemsFailed: failed,
      itemsCancelled: cancelled,
      itemsInFlight: fed - processed - failed - cancelled,
    };
  }

  stats(): PipelineStats {
    return statsOf(this.stored.figures, this.live.stats(), this.durable.core.events.lines);
  }

  /** Rates and the like are as they are now. */
  overview(): PipelineOverview {
    const { counters, loads } = this.stored.figures;
    const { pausedReasons: _, ...live } = this.live.overview();
    const { pausedReasons } = this.stored.operated;
    const queued = loads.reduce((sum, { waiting, parked }) => sum + waiting + parked, 0);
    const inFlight = counters.fed - counters.processed - counters.failed - counters.cancelled;
    return {
      ...live,
      queued,
      running: inFlight - queued,
      etaSeconds: inFlight === 0 ? 0 : shownEta(live.etaSeconds),
      ...(Object.keys(pausedReasons).length > 0 && { pausedReasons }),
    };
  }

  workerNames(): Record<string, string[]> {
    return this.stored.operated.workers;
  }

  /** The workers as they are now, without the names of items that are not stored. */
  workerStates(): Record<string, WorkerState> {
    const { core, shelf } = this.durable;
    const states = this.live.workerStates();
    for (const stage of core.allStages) {
      for (const { name, item } of stage.workers) {
        const state = states[name];
        if (item !== null && state !== undefined && shelf.bySequence(item.sequenceId, 'none') === undefined) state.currentItemId = null;
      }
    }
    return states;
  }

  snapshot(): DashboardSnapshot {
    const { time } = this.durable.core;
    const pipelineStats = this.stats();
    return {
      workerStates: this.workerStates(),
      workerMetrics: this.live.workerMetrics(),
      pipelineStats,
      errorSummary: this.errors(),
      timestamp: time.instant(time.tick()),
      asOf: pipelineStats.asOf,
    };
  }

  errors(): ErrorSummary {
    const { failed, byType, byStage } = this.stored.figures.counters;
    const failures = this.durable.shelf.failures(FAILURES_LISTED).map((row) => {
      const { message, type, stage, attempts } = errorOf(row) as ItemError;
      return { itemId: this.rows.idOf(row), error: message, errorType: type, stage, attempts, timestamp: instantOf(row.updated) };
    });
    return {
      totalFailed: failed,
      errorsByType: Object.fromEntries(byType),
      errorsByStage: Object.fromEntries(byStage),
      failedItems: newestFailures(failures),
    };
  }

  async results(query: ResultsQuery): Promise<Page<PipelineResult>> {
    const { definition } = this.stored.operated;
    const { status } = query;
    if (!definition.collectResults && status === 'completed') return { rows: [], next: null, retired: this.retired };
    const statuses = status === 'all' ? FINAL : [STATUS_CODES[status]];
    return pageInTurns(query, (part) => this.page({ ...part, statuses, texts: 'results' }, (row) => this.rows.result(row)), this.bounds);
  }

  async items(query: ItemsQuery): Promise<Page<ItemSummary>> {
    const texts = query.include === 'input' ? 'inputs' : 'none';
    const read = (part: ItemsQuery & Stint) => {
      const statuses = part.status === undefined ? null : part.status.map((name) => STATUS_CODES[name]);
      return this.page({ ...part, statuses, texts }, (row) => ({ ...this.rows.summary(row), ...inputIn(row) }));
    };
    return pageInTurns(query, (part, isOver) => pageMatching(part, read, isOver), this.bounds);
  }

  item(id: string): ItemDetail {
    const { core } = this.durable;
    const row = this.rowOf(id, 'all');
    if (row === undefined) throw new SluiceError('item-not-found', `no item "${id}"`);
    const history = core.events.history({ lastEvent: row.last_event });
    const summary = this.rows.summary(row);
    return {
      ...summary,
      worker: summary.status === 'in_progress' ? (history.events.at(-1)?.worker ?? null) : null,
      value: valueIn(row),
      metadata: metadataOf(row),
      acceptedAt: instantOf(row.accepted),
      waitingFor: this.rows.waitsFor(row, summary),
      history: history.events,
      historyTruncated: history.truncated,
    };
  }

  feeds({ after, limit, maker, order }: FeedsQuery): Page<FeedView> {
    const isDescending = order === 'desc';
    const isBehind = ({ ordinal }: StoredFeed): boolean => (isDescending ? ordinal < after : ordinal > after);
    const all = this.feedList().inOrder.filter((row) => isBehind(row) && (maker === undefined || row.maker === maker));
    if (isDescending) all.reverse();
    const shown = all.slice(0, limit);
    const forecast = this.forecast();
    return {
      rows: shown.map((row) => this.viewOf(row, forecast)),
      next: all.length > limit ? (shown.at(-1) as StoredFeed).ordinal : null,
      retired: this.stored.figures.counters.forgottenFeeds,
    };
  }

  feedMaker(feedId: string): string | null {
    return this.feed(feedId).maker;
  }

  feedView(feedId: string): FeedView {
    return this.viewOf(this.feed(feedId), this.forecast());
  }

  async feedResults(feedId: string, query: FeedResultsQuery): Promise<Page<PipelineResult>> {
    this.feed(feedId);
    return this.results({ ...query, feedId });
  }

  /** Tells which of these items have ended, and how. Throws `item-not-found`. */
  itemsNow({ itemIds, maker }: ItemsWaitQuery): WaitReply {
    const ids = [...new Set(itemIds)];
    const { options } = this.durable.core;
    const rows = new Map(ids.map((id) => [id, this.rowOf(id, 'none')]));
    const isKnown = (row: StoredItem | undefined): boolean =>
      row !== undefined && (maker === undefined || this.durable.shelf.feed(row.feed)?.maker === maker);
    const unknown = ids.filter((id) => !isKnown(rows.get(id)));
    if (unknown.length > 0) throw itemsNotFound(unknown);
    const done: PipelineResult[] = [];
    const pending: string[] = [];
    const omitted: string[] = [];
    let left = options.documentCharacters ?? DOCUMENT_CHARACTERS;
    for (const [id, row] of rows as Map<string, StoredItem>) {
      if (!FINAL.some((status) => status === row.status)) pending.push(id);
      else if (left <= 0) omitted.push(id);
      else {
        const whole = this.rowOf(id, 'results') as StoredItem;
        done.push(this.rows.result(whole));
        left -= (whole.value?.length ?? 0) + (whole.fed?.length ?? 0);
      }
    }
    return { done, pending, ...(omitted.length === 0 ? {} : { omitted }) };
  }

  private get stored(): Stored {
    return storedOf(this.durable);
  }

  private get retired(): number {
    return this.stored.figures.counters.retired;
  }

  private get bounds() {
    const { ports, pageCharacters } = this.durable.core.options;
    return { clock: ports.clock, characters: pageCharacters };
  }

  private page<T>(
    query: Pick<ItemsQuery, 'stage' | 'feedId' | 'after' | 'limit' | 'order'> & Stint & { statuses: number[] | null; texts: Texts },
    toView: (row: StoredItem) => T,
  ): FoundPage<T> {
    const { retired } = this;
    const { statuses, stage, feedId, after, limit, texts, order, most, characters = PAGE_CHARACTERS } = query;
    const feed = feedId === undefined ? null : this.feedList().byId.get(feedId)?.ordinal;
    if (feed === undefined) return { rows: [], next: null, retired, characters: 0 };
    const { rows, isAll, reached }: StoredPage = this.durable.shelf.page({
      statuses,
      stages: stage === undefined ? null : this.rows.stageNumbers(stage),
      feed,
      after,
      last: order === 'desc' ? 0 : Number.MAX_SAFE_INTEGER,
      isDescending: order === 'desc',
      limit,
      most,
      characters,
      texts,
    });
    const next = isAll ? null : (reached ?? (rows.at(-1) as StoredItem).seq);
    return { rows: rows.map(toView), next, retired, characters: rows.reduce((sum, row) => sum + readOf(row), 0) };
  }

  private rowOf(id: string, texts: Texts): StoredItem | undefined {
    const { items, shelf } = this.durable;
    const row = shelf.byId(id, texts);
    if (row !== undefined || !id.startsWith(items.prefix)) return row;
    const sequenceId = Number(id.slice(items.prefix.length + 1));
    if (!Number.isSafeInteger(sequenceId) || id !== generatedId(items.prefix, sequenceId)) return undefined;
    const generated = shelf.bySequence(sequenceId, texts);
    return generated?.id === null && generated.status !== GONE ? generated : undefined;
  }

  /** The feeds as of the last flush, read once a flush. */
  private feedList(): Listed {
    const { stored } = this;
    if (this.listed?.of !== stored) {
      const inOrder = this.durable.shelf.feeds();
      this.listed = { of: stored, inOrder, byId: new Map(inOrder.map((row) => [row.id, row])) };
    }
    return this.listed;
  }

  private feed(feedId: string): StoredFeed {
    const row = this.feedList().byId.get(feedId);
    if (row === undefined) throw new SluiceError('feed-not-found', `no feed "${feedId}"`);
    return row;
  }

  private forecast(): Forecast {
    const { core } = this.durable;
    core.time.tick();
    return new Forecast(core, core.feeds.after(0));
  }

  private viewOf(row: StoredFeed, forecast: Forecast): FeedView {
    const { core } = this.durable;
    const { id, accepted, completed, failed, cancelled, duplicates } = row;
    const live = core.feeds.byOrdinal(row.ordinal);
    const unfinished = accepted - completed - failed - cancelled;
    const inHand = core.allStages.flatMap((stage) => stage.workers).filter(({ item }) => item?.feed.ordinal === row.ordinal).length;
    const inProgress = Math.min(inHand, unfinished);
    // One that is still being sent when a process ends is sent no more.
    const done = unfinished === 0 && live?.isOpen !== true;
    // What it has accepted and the store does not have yet is still to come in these counts.
    const sending = live !== undefined && (live.isOpen || live.accepted !== accepted || live.duplicates !== duplicates);
    const now = core.time.tick();
    const rate = live === undefined || (!done && core.meter.isStaleForFeeds(now)) ? 0 : live.perSecond(core.meter.feedClock.at(now));
    return {
      feedId: id,
      createdAt: instantOf(row.created),
      total: accepted,
      queued: unfinished - inProgress,
      inProgress,
      completed,
      failed,
      cancelled,
      duplicates,
      done,
      uploadComplete: (row.is_cancelled & UPLOAD_INCOMPLETE) === 0,
      sending,
      throughputPerSecond: rate,
      etaSeconds: done ? 0 : unfinished === 0 || live === undefined ? null : shownEta(forecast.feed(live)),
    };
  }
}

function readOf({ value, fed, metadata, error }: StoredItem): number {
  return ROW_CHARACTERS + (value?.length ?? 0) + (fed?.length ?? 0) + (metadata?.length ?? 0) + (error?.length ?? 0);
}

/** An end that is not stored yet has not come yet for who reads what is stored. */
function shownEta(seconds: number | null): number | null {
  return seconds === 0 ? null : seconds;
}
