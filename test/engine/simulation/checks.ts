import { Feeds } from '../../../src/engine/feeds/feeds.ts';
import type { ItemStatus } from '../../../src/schemas/item.ts';
import type { PipelineStats } from '../../../src/schemas/stats.ts';
import type { World } from './world.ts';

/** Invariants 1, 4, 5, 9, 10 and 11 as they can be seen from a pipeline at rest: after every timer and every move. */
export function checkAll(world: World): void {
  world.read();
  checkPlaces(world);
  checkBounds(world);
  checkNoIdling(world);
  checkSpans(world);
  // Without an event no counter has changed.
  if (world.countedAt !== world.ledger.cursor) checkCounters(world);
  world.verdict();
}

/** After every timer: what costs little. */
export function checkQuick(world: World): void {
  world.read();
  checkBounds(world);
  world.verdict();
}

/** Invariant 1: each unfinished item is in exactly one place, and no finished one is in any. */
function checkPlaces(world: World): void {
  const found = new Map<string, string>();
  const find = (id: string, place: string): void => {
    const before = found.get(id);
    if (before !== undefined) world.report(1, `${id} is ${before} and ${place}`);
    found.set(id, place);
    const life = world.ledger.lives.get(id);
    if (life === undefined || life.isFinal) world.report(1, `${id} has ended, and is ${place}`);
  };
  for (const stage of world.stages) {
    for (const item of world.waiting(stage)) find(item.id, `queued in ${stage.name}`);
    for (const { item, name } of stage.workers) if (item !== null) find(item.id, `held by ${name}`);
  }
  for (const item of world.parked()) find(item.id, 'between two attempts');
  for (const life of world.ledger.lives.values()) {
    if (!life.isFinal && !found.has(life.id)) world.report(1, `${life.id} was ${life.status}, and is nowhere`);
    if (life.status === 'retrying' && found.get(life.id) !== 'between two attempts') {
      world.report(6, `${life.id} waits for its next attempt and is ${found.get(life.id)}`);
    }
  }
}

/** Invariants 4 and 5. */
function checkBounds(world: World): void {
  const { ledger, scenario } = world;
  for (const [i, stage] of world.stages.entries()) {
    const { workers, handed } = world.bounds[i] as World['bounds'][number];
    const held = world.held(i);
    if (!workers.holds(held)) world.report(4, `${held} items are held in ${stage.name} by ${workers.limit} workers`);
    const waiting = world.waiting(stage).filter((item) => ledger.lives.get(item.id)?.place === 'handed').length;
    // A shutdown hands over without asking for room.
    if (world.pipeline.state === 'stopped') handed.change(handed.limit, waiting);
    else if (!handed.holds(waiting)) world.report(5, `${waiting} items were handed to ${stage.name}, it takes ${handed.limit}`);
  }
  const backlog = world.stages.reduce(
    (sum, stage) => sum + world.waiting(stage).filter((item) => ledger.lives.get(item.id)?.place === 'backlog').length,
    0,
  );
  if (backlog > scenario.backlogCapacity) world.report(5, `${backlog} items wait from outside, ${scenario.backlogCapacity} may`);
  const { index, ledger: counters } = world.pipeline.runtime.core;
  const { inFlight } = counters;
  if (index.size - inFlight > scenario.retention.maxItems) {
    world.report(5, `${index.size - inFlight} finished items are kept of ${scenario.retention.maxItems}`);
  }
}

/** A worker that has begun an item, and is not done with it, has its span, and nobody else has one. */
function checkSpans({ spans, pipeline, report }: World): void {
  if (spans === null) return;
  const workers = pipeline.runtime.core.allStages.flatMap((stage) => stage.workers);
  const running = workers.filter((worker) => worker.item !== null && !worker.isAssigned && worker.blocked === null);
  const without = running.filter((worker) => worker.span === null).map(({ name }) => name);
  if (without.length > 0) report(10, `${without.join(', ')} have no span`);
  if (spans.processing !== running.length) report(10, `${spans.processing} spans of items are open, ${running.length} workers run one`);
}

/** Nobody idles while there is something to do. */
function checkNoIdling(world: World): void {
  for (const [i, stage] of world.stages.entries()) {
    const waiting = stage.waiting + stage.blocked.size;
    const workers = world.bounds[i]?.workers.limit ?? 0;
    if (waiting > 0 && world.held(i) < workers && stage.isOpen) {
      world.report(11, `${waiting} items wait for ${stage.name}, where ${world.held(i)} of ${workers} workers hold one`);
    }
    if (stage.blocked.size > 0 && !stage.isPull && stage.handed < stage.capacity) {
      world.report(5, `${stage.blocked.size} items wait for room in ${stage.name}, which has ${stage.handed} of ${stage.capacity}`);
    }
  }
}

/** Invariant 11: a pipeline that has stopped waits for nothing. */
export function checkNoTimers(world: World, when: string): void {
  const left = world.clock.count('engine', 'global');
  if (left > 0) world.report(11, `${left} timers are left ${when}`);
}

/** Invariants 9 and 10. */
function checkCounters(world: World): void {
  const { ledger } = world;
  world.countedAt = ledger.cursor;
  const stats = world.pipeline.getStats();
  const { itemsFed, itemsProcessed, itemsFailed, itemsCancelled, itemsInFlight } = stats;
  if (itemsFed !== itemsProcessed + itemsFailed + itemsCancelled + itemsInFlight) {
    world.report(
      9,
      `${itemsFed} fed, ${itemsProcessed} processed, ${itemsFailed} failed, ${itemsCancelled} cancelled, ${itemsInFlight} in flight`,
    );
  }
  const same = (what: string, is: number, wanted: number): void => {
    if (is !== wanted) world.report(9, `${what} is ${is}, the events say ${wanted}`);
  };
  same('itemsFed', itemsFed, ledger.all.length);
  same('itemsProcessed', itemsProcessed, ledger.completed);
  same('itemsFailed', itemsFailed, ledger.failed);
  same('itemsCancelled', itemsCancelled, ledger.cancelled);
  checkStages(world, stats, same);
  checkFeeds(world, same);
  const { totalFailed, errorsByType, errorsByStage } = world.pipeline.getErrorSummary();
  same('totalFailed', totalFailed, ledger.failed);
  for (const [type, count] of ledger.errorsByType) same(`errorsByType ${type}`, errorsByType[type] ?? 0, count);
  same('the sum of errorsByStage', sum(Object.values(errorsByStage)), ledger.failed);
  same('handlersIgnoringSignal', stats.handlersIgnoringSignal, ledger.tasks.ignoring.size);
  if (!stats.asOf.endsWith(`-${ledger.cursor}`)) world.report(10, `stats are as of ${stats.asOf}, the last event is ${ledger.cursor}`);
}

function checkStages(world: World, stats: PipelineStats, same: (what: string, is: number, wanted: number) => void): void {
  const { ledger } = world;
  const unfinished = [...ledger.lives.values()].filter((life) => !life.isFinal);
  let here = 0;
  for (const [i, counts] of ledger.stages.entries()) {
    const name = world.scenario.stages[i]?.name as string;
    const stage = stats.stageStats[name] as PipelineStats['stageStats'][string];
    here += stage.pendingItems + stage.inProgressItems;
    same(`completedItems of ${name}`, stage.completedItems, counts.completed);
    same(`skippedItems of ${name}`, stage.skippedItems, counts.skipped);
    same(`failedItems of ${name}`, stage.failedItems, counts.failed);
    same(`retriedItems of ${name}`, stage.retriedItems, counts.retried);
    same(`the items in ${name}`, stage.pendingItems + stage.inProgressItems, unfinished.filter((life) => life.stage === i).length);
    same(`inProgressItems of ${name}`, stage.inProgressItems, world.held(i));
  }
  same('the sum of the stages', here, stats.itemsInFlight);
  const { statusCounts } = stats;
  same('retrying', statusCounts.retrying, unfinished.filter((life) => life.status === 'retrying').length);
  same('the sum of statusCounts', sum(Object.values(statusCounts)), stats.itemsFed);
}

function checkFeeds(world: World, same: (what: string, is: number, wanted: number) => void): void {
  const { core, operations } = world.pipeline.runtime;
  const now = core.time.instant(core.time.now);
  for (const view of new Feeds(core, operations).list({ after: 0, limit: Number.POSITIVE_INFINITY }).rows) {
    const lives = world.ledger.feeds.get(view.feedId)?.lives ?? [];
    const count = (...statuses: ItemStatus[]): number => lives.filter((life) => life.isFinal && statuses.includes(life.status)).length;
    same(`total of ${view.feedId}`, view.total, lives.length);
    same(`completed of ${view.feedId}`, view.completed, count('completed', 'skipped'));
    same(`failed of ${view.feedId}`, view.failed, count('failed'));
    same(`cancelled of ${view.feedId}`, view.cancelled, count('cancelled'));
    same(`unfinished of ${view.feedId}`, view.queued + view.inProgress, lives.filter((life) => !life.isFinal).length);
    if (view.queued < 0) world.report(9, `${view.queued} items of ${view.feedId} are queued`);
    const isSane = view.throughputPerSecond >= 0 && (view.etaSeconds ?? 0) >= 0 && view.createdAt <= now;
    if (!isSane || (view.done && view.etaSeconds !== 0)) world.report(9, `${view.feedId} shows ${JSON.stringify(view)}`);
  }
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, n) => total + n, 0);
}
