import { FAILURES_LISTED } from '../flow/error-tally.ts';
import type { Item } from '../model/model.ts';
import { PLACE_NONE, type Place } from '../model/places.ts';
import { GONE, type Shelf, STATUS_CODES, type StoredItem } from '../store.ts';
import { clockShift } from './clock-shift.ts';
import type { Durable, StoredStages } from './durable.ts';
import type { StoredCounters } from './figures.ts';
import { type StoredHistory, versionIn } from './history.ts';

/** Counts of the items that a start has found. */
export interface Recovered {
  queued: number;
  /** Items that were running when the previous process ended; they are queued again. */
  running: number;
  retrying: number;
  /** Items that were running in too many crashes; they have failed. */
  poisoned: number;
}

const STEP = 1000;

/**
 * Restores the state that the previous process has left, before anything else happens in the pipeline. Queued and parked items stay in the store until
 * their turn comes, however many they are. Items that were running go back to their old places in their stages' queues, and items between two
 * attempts keep their instants. None of them begins before the pipeline is started.
 */
export function recover(durable: Durable): Recovered {
  const { core, shelf, link, items, retirement } = durable;
  const facts = link.facts as Record<string, string>;
  core.time.sync();
  restoreStages(durable, JSON.parse(facts.stages ?? '[]') as StoredStages);
  if (facts.history !== undefined) durable.history.restore(JSON.parse(facts.history) as StoredHistory, () => versionIn(shelf.lowestTask()));
  const counters = JSON.parse(facts.counters as string) as StoredCounters;
  restoreCounters(durable, counters);
  core.feeds.restore(
    shelf.feeds().map((row) => durable.feedFrom(row)),
    counters.lastOrdinal,
    counters.forgottenFeeds,
  );
  core.events.restore(shelf.events(), counters.lastEvent, JSON.parse(facts.names ?? '{"sources":[null],"tasks":[""]}'));
  // What was told beyond the last event, if anything was, is of another line than what comes next.
  if (link.store.mayLackEvents === true) core.events.lines.begin(core.options.ports.uniqueId(), counters.lastEvent);
  const hollow = [...rowsOf(shelf, GONE)].map(({ seq, last_event: lastEvent }) => ({ seq, lastEvent }));
  const shift = clockShift(core.time.wall(core.time.now), link.lastAt);
  retirement.restore(counters, hollow, shift);
  durable.keyClock.restore(counters.keysLag ?? 0, shift);
  items.hasLookalikes = counters.hasLookalikes;
  durable.live.restore(facts, shift + link.drift);
  for (const row of shelf.failures(FAILURES_LISTED)) core.ledger.list(durable.toItem(row));

  const found: Recovered = { queued: 0, running: 0, retrying: 0, poisoned: 0 };
  for (const { stage: no, place, count } of shelf.queuedCounts()) {
    const stage = durable.stageOf(no);
    core.scheduler.countStored(stage, place as Place, count);
    found.queued += count;
  }
  for (const { stage: no, count } of shelf.parkedCounts()) {
    core.scheduler.retries.countStored(durable.stageOf(no), count);
    found.retrying += count;
  }
  if (core.scheduler.backlog > 0) core.drain.setNeeded(true, core.time.now);
  // From here on, changes are recorded.
  durable.begin();
  skipBegun(durable);
  const parkedShift = shift + link.drift;
  if (parkedShift !== 0 && found.retrying > 0) shiftParked(durable, parkedShift);
  recoverRunning(durable, found);
  for (const stage of durable.formerStages) stage.beyond?.loadFirst();
  core.rearrange(
    core.stages,
    [...durable.formerStages].filter((stage) => stage.waiting > 0 || stage.parked > 0),
  );
  for (const stage of durable.formerStages) core.evacuation.begin(stage);
  core.forgetEmpty();
  return found;
}

/** All rows of a status, without their texts, which might not fit into memory. */
function* rowsOf(shelf: Shelf, status: number): Generator<StoredItem> {
  const query = {
    statuses: [status],
    feed: null,
    stages: null,
    last: Number.MAX_SAFE_INTEGER,
    limit: STEP,
    characters: Number.MAX_SAFE_INTEGER,
  };
  for (let after = 0; ; ) {
    const { rows, isAll } = shelf.page({ ...query, after, texts: 'none' });
    yield* rows;
    if (isAll) return;
    after = (rows.at(-1) as StoredItem).seq;
  }
}

function restoreStages(durable: Durable, rows: StoredStages): void {
  for (const { no, name, isRemoved, tasks } of rows) if (isRemoved) durable.formerStage(no, name, tasks);
  for (const { no, next, isRemoved } of rows) if (isRemoved) durable.stageOf(no).next = next === null ? null : durable.stageOf(next);
}

function restoreCounters({ core }: Durable, counters: StoredCounters): void {
  core.ledger.restore(counters);
  core.admission.restore(counters.lastSequence);
  core.scheduler.restore(counters.lastOrd);
  for (const [no, completed, failed, skipped, retried] of counters.stages) {
    const stage = core.stages.find((candidate) => candidate.no === no);
    if (stage !== undefined) Object.assign(stage, { completed, failed, skipped, retried });
  }
}

/**
 * Tasks were called with ids of items that were not stored, and had effects under them: what comes next gets other ids. The marks name the
 * highest that was begun.
 */
function skipBegun({ core, journal, link }: Durable): void {
  let last = core.admission.lastSequence;
  for (const { pipeline, seq } of link.store.marked) if (pipeline === link.pipeline && seq > last) last = seq;
  if (last === core.admission.lastSequence) return;
  core.admission.restore(last);
  journal.stir();
}

/** Sets the instants of what is parked in the store by the clock of now. Until the store has done so, nothing is read of it. */
function shiftParked({ core, journal }: Durable, shift: number): void {
  core.suspend('clock', true);
  journal.shiftParked(shift, () => core.suspend('clock', false));
}

/**
 * Queues the items that were running, or fails them: those whose rows say so, and those that had begun since their rows were written. The crash
 * counts against all items with a mark, or only against the blamed one when the watchdog has named it; once, however many starts come to nothing
 * before the marks are forgotten. Whoever was in a crash waits beside the queue of its stage, and runs apart: see flow/quarantine.ts.
 */
function recoverRunning(durable: Durable, found: Recovered): void {
  const { core, shelf, link, items, journal } = durable;
  const { markedBy, blamed } = link.store;
  const isCounted = markedBy !== null && link.facts?.counted === JSON.stringify(markedBy);
  const crash = link.crash();
  const wasRunning = new Map<number, StoredItem>();
  for (const row of rowsOf(shelf, STATUS_CODES.in_progress)) wasRunning.set(row.seq, row);
  if (!isCounted) for (const row of crash.ranIn(link.pipeline)) wasRunning.set(row.seq, row);
  const counted = new Set<number>();
  if (!isCounted) {
    // When the item that ended the process is known, those that merely ran beside it are not to blame.
    if (blamed === undefined) for (const { seq } of crash.ranIn(link.pipeline)) counted.add(seq);
    else if (blamed?.pipeline === core.id) counted.add(blamed.sequenceId);
  }
  if (wasRunning.size > 0 && markedBy !== null) journal.touchFact('counted');
  for (const row of wasRunning.values()) {
    const item = durable.toItem(shelf.bySequence(row.seq, 'all') as StoredItem);
    const wasSuspect = item.stored.deliveries > 0;
    items.pin(item);
    found.running++;
    if (row.status === STATUS_CODES.queued) takeOut(durable, item, found);
    if (counted.has(row.seq)) {
      item.stored.deliveries++;
      if (isCondemned(item.stored.deliveries, wasSuspect, durable)) {
        found.poisoned++;
        condemn(durable, item);
        continue;
      }
    }
    core.scheduler.putBack(item);
  }
  for (const row of shelf.suspects()) {
    if (items.isLive(row.seq)) continue;
    const item = durable.toItem(row);
    items.pin(item);
    core.scheduler.countStored(item.stage, PLACE_NONE, -1);
    core.scheduler.setAside(item);
  }
}

/**
 * Whether an item that was in so many crashes is to blame for the last one: it was the only one that ran, or the watchdog has named it. One that takes so
 * long to end the process that others have begun beside it is the only suspect, time and again.
 */
function isCondemned(deliveries: number, wasSuspect: boolean, { link }: Durable): boolean {
  const { ran, suspects } = link.crash();
  if (link.store.blamed !== undefined || ran <= 1) return deliveries >= link.maxDeliveries;
  return wasSuspect && suspects === 1 && deliveries >= 2 * link.maxDeliveries;
}

function condemn({ core }: Durable, item: Item): void {
  core.scheduler.failDisplaced(item, {
    type: 'PoisonItem',
    message: `the item was running in ${item.stored.deliveries} processes that crashed`,
    stage: item.stage.name,
    attempts: Math.max(1, item.attempts),
  });
}

/** Takes an item out of the queued part of its stage, to be put back as one that was running. */
function takeOut({ core }: Durable, item: Item, found: Recovered): void {
  found.queued--;
  core.scheduler.countStored(item.stage, item.place, -1);
  item.place = PLACE_NONE;
}
