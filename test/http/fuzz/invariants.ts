import type { FeedView } from '../../../src/schemas/feed.ts';
import type { ItemStatus, ItemSummary } from '../../../src/schemas/item.ts';
import type { PipelineStats } from '../../../src/schemas/stats.ts';
import type { Follower } from './follower.ts';
import type { KnownPipeline } from './known.ts';
import type { Page, Reading } from './reading.ts';

const ENDS: readonly string[] = ['completed', 'failed', 'cancelled'] satisfies ItemStatus[];
const STATUSES: readonly ItemStatus[] = ['queued', 'in_progress', 'completed', 'failed', 'retrying', 'skipped', 'cancelled'];

/** A pipeline at one moment: nothing has happened in it between the first and the last page. */
export interface Picture {
  stats: PipelineStats;
  items: Page<ItemSummary>;
  byStatus: ReadonlyMap<ItemStatus, ItemSummary[]>;
  feeds: readonly FeedView[];
}

type Say = (fault: string) => void;

const sum = (numbers: readonly number[]): number => numbers.reduce((total, n) => total + n, 0);
const isOver = ({ status }: { status: string }): boolean => ENDS.includes(status);

/** Holds at every moment, also while everything moves: one reading of the statistics agrees with itself. */
export function checkStats(stats: PipelineStats, wasRedefined: boolean, say: Say): void {
  const { itemsFed, itemsProcessed, itemsFailed, itemsCancelled, itemsInFlight, statusCounts, queueSizes } = stats;
  const stages = Object.values(stats.stageStats);
  const same = (what: string, one: number, other: number): void => {
    if (one !== other) say(`${what}: ${one} and ${other}`);
  };
  same('fed, and processed + failed + cancelled + in flight', itemsFed, itemsProcessed + itemsFailed + itemsCancelled + itemsInFlight);
  same('in flight, and in all stages', itemsInFlight, sum(stages.map((stage) => stage.pendingItems + stage.inProgressItems)));
  same('fed, and all statusCounts', itemsFed, sum(Object.values(statusCounts)));
  same('in progress, and in all stages', statusCounts.in_progress, sum(stages.map((stage) => stage.inProgressItems)));
  same('queued, and in all queues', statusCounts.queued, sum(Object.values(queueSizes)));
  same('processed, and completed', itemsProcessed, statusCounts.completed + statusCounts.skipped);
  same('failed, and failed', itemsFailed, statusCounts.failed);
  // A stage that is gone takes its counters along.
  if (!wasRedefined) same('failed, and in all stages', itemsFailed, sum(stages.map((stage) => stage.failedItems)));
  for (const [name, count] of Object.entries({ ...queueSizes, ...statusCounts, itemsInFlight })) if (count < 0) say(`${name} is ${count}`);
}

/** What the lists say is what the counters say, and what was promised to this client. */
export function checkPicture({ stats, items, byStatus, feeds }: Picture, known: KnownPipeline, say: Say): void {
  const ids = new Set(items.rows.map(({ id }) => id));
  if (ids.size !== items.rows.length) say(`${items.rows.length - ids.size} ids stand in the list of items more than once`);
  if (!ascend(items.rows)) say('the items are not in the order in which they were fed');
  const seen = new Set<string>();
  for (const [status, rows] of byStatus) {
    for (const row of rows) {
      if (row.status !== status) say(`${row.id} is ${row.status} in the list of those that are ${status}`);
      if (seen.has(row.id)) say(`${row.id} is ${status} and something else`);
      seen.add(row.id);
    }
  }
  if (seen.size !== ids.size) say(`${ids.size} items are there, ${seen.size} by their status`);
  const isComplete = items.retired === 0 && !known.hasReruns;
  for (const status of STATUSES) {
    const counted = stats.statusCounts[status];
    const there = byStatus.get(status)?.length ?? 0;
    if (isComplete || !ENDS.includes(status) ? there !== counted : there > counted)
      say(`${there} items are ${status}, ${counted} are counted`);
  }
  for (const [name, stage] of Object.entries(stats.stageStats)) {
    const here = items.rows.filter((row) => row.stage === name && !isOver(row)).length;
    if (here !== stage.pendingItems + stage.inProgressItems) say(`${here} items are in "${name}", ${JSON.stringify(stage)}`);
  }
  if (items.retired === 0) for (const id of known.items) if (!ids.has(id)) say(`${id} was acknowledged and is not known`);
  checkFeeds(items.rows, feeds, known, isComplete, say);
}

function checkFeeds(rows: readonly ItemSummary[], feeds: readonly FeedView[], known: KnownPipeline, isComplete: boolean, say: Say): void {
  const byFeed = Map.groupBy(rows, ({ feedId }) => feedId);
  for (const feed of feeds) {
    const { feedId, total, queued, inProgress, completed, failed, cancelled } = feed;
    const own = byFeed.get(feedId) ?? [];
    const count = (...statuses: ItemStatus[]): number => own.filter(({ status }) => statuses.includes(status)).length;
    if (total !== queued + inProgress + completed + failed + cancelled) say(`the feed ${feedId} does not add up: ${JSON.stringify(feed)}`);
    const there = { queued: count('queued', 'retrying'), inProgress: count('in_progress'), completed: count('completed', 'skipped') };
    const ended = { failed: count('failed'), cancelled: count('cancelled') };
    const differs = Object.entries({ ...there, ...ended }).filter(([name, n]) => {
      const counted = feed[name as keyof typeof there];
      return isComplete || name === 'queued' || name === 'inProgress' ? n !== counted : n > counted;
    });
    if (differs.length > 0)
      say(`the feed ${feedId} counts ${JSON.stringify(feed)}, its items are ${JSON.stringify({ ...there, ...ended })}`);
  }
  const listed = new Set(feeds.map(({ feedId }) => feedId));
  for (const feedId of known.feeds) if (!listed.has(feedId)) say(`the feed ${feedId} was acknowledged and is not known`);
  for (const feedId of byFeed.keys()) if (!listed.has(feedId)) say(`items name the feed ${feedId}, which is not known`);
}

/** One result for each item that has ended, in feed order; the same by feed. */
export async function checkResults(reading: Reading, { items, feeds }: Picture, known: KnownPipeline, say: Say): Promise<void> {
  const over = items.rows.filter(isOver);
  const { rows } = await reading.results(known.id);
  const wanted = over.map(({ id }) => id).join('\n');
  if (rows.map(({ id }) => id).join('\n') !== wanted)
    say(`${rows.length} results, in whatever order, of ${over.length} items that have ended`);
  const byId = new Map(over.map((item) => [item.id, item]));
  for (const { id, error, feedId } of rows) {
    const item = byId.get(id);
    if (item === undefined) continue;
    if (feedId !== item.feedId) say(`the result of ${id} is of the feed ${feedId}, the item of ${item.feedId}`);
    if ((error === null) !== (item.status === 'completed')) say(`${id} is ${item.status}, its result says ${JSON.stringify(error)}`);
  }
  // The newest feeds stand for all.
  for (const { feedId } of feeds.slice(-5)) {
    if (items.retired > 0 || known.hasReruns) return;
    const own = (await reading.feedResults(known.id, feedId)).rows.map(({ id }) => id).join('\n');
    const expected = over.filter((item) => item.feedId === feedId).map(({ id }) => id);
    if (own !== expected.join('\n')) say(`the feed ${feedId} has other results than its items that have ended, or in another order`);
  }
}

/** The events tell of every change, once, and add up to the counters. */
export function checkEvents(follower: Follower, { stats, items }: Picture, known: KnownPipeline, say: Say): void {
  if (follower.isPartial) return;
  const { ends } = follower;
  const processed = ends.completed + ends.skipped;
  if (processed !== stats.itemsProcessed) say(`${processed} items were completed by the events, ${stats.itemsProcessed} are counted`);
  if (ends.cancelled !== stats.itemsCancelled)
    say(`${ends.cancelled} items were cancelled by the events, ${stats.itemsCancelled} are counted`);
  if (known.hasRetries ? ends.failed < stats.itemsFailed : ends.failed !== stats.itemsFailed) {
    say(`${ends.failed} items failed by the events, ${stats.itemsFailed} are counted`);
  }
  if (follower.passedOn > 0 && !known.hasRetries) say(`${follower.passedOn} items went on after their end`);
  for (const item of items.rows) {
    const last = follower.last.get(item.id);
    if (last === undefined) say(`no event tells of ${item.id}`);
    else if (last.final !== isOver(item)) say(`${item.id} is ${item.status}, its last event says ${JSON.stringify(last)}`);
  }
}

function ascend(rows: readonly { sequenceId: number }[]): boolean {
  return rows.every(({ sequenceId }, i) => i === 0 || sequenceId > (rows[i - 1] as { sequenceId: number }).sequenceId);
}

/** Reads until nothing happened meanwhile. Rejects when something goes on for ever. */
export async function takePicture(reading: Reading, id: string, longestSeconds: number): Promise<Picture> {
  const began = performance.now();
  for (;;) {
    const stats = await reading.stats(id);
    const items = await reading.items(id);
    const byStatus = new Map<ItemStatus, ItemSummary[]>();
    for (const status of STATUSES) byStatus.set(status, (await reading.items(id, `?status=${status}`)).rows);
    const { rows: feeds } = await reading.feeds(id);
    const after = await reading.stats(id);
    if (after.asOf === stats.asOf) return { stats, items, byStatus, feeds };
    if (performance.now() - began > longestSeconds * 1000)
      throw new Error(`${id} does not come to rest: ${JSON.stringify(after.statusCounts)}`);
  }
}
