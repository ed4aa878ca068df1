/*
 * Room `events`: the sequence of events of a pipeline, and the common one of all pipelines of a host.
 *
 * Holds: Each change is one event with the next number (invariant 10). Events are bounded in number and size; a reader that comes too late
 * is told of a gap. With a store, no reader sees an event before it is stored.
 * Refuses: to remember a reader's position or to queue for a reader, and to keep a value alive.
 */

import type { ItemStatus, Metadata, StatusEvent, TaskEventType } from '../../schemas/item.ts';
import type { LinesOfHistory } from '../contract/event-lines.ts';
import type { OperatorTrace } from '../contract/operator.ts';
import type { EventFilter, EventSource, ReadBudget, SluiceEvent } from '../contract/runtime.ts';
import type { TaskSpec } from '../definition/calls.ts';
import type { Feed } from '../model/feed.ts';
import { KEEPS_NOTHING, type Keeper } from '../model/keeper.ts';
import type { Item, Worker } from '../model/model.ts';
import type { TaskEventExtra } from '../stage/hinge.ts';
import type { StoredEvents } from '../store.ts';
import type { EngineClock } from '../time/engine-clock.ts';
import { EVENTS_CHARACTERS } from '../values/sizes.ts';
import { ATTEMPT_UNIT, FEED, FINAL, PIPELINE, RESULT, STATUS_CODE, TASK_CODE } from './event-codes.ts';
import { EventNames, type EventTexts } from './event-names.ts';
import { type EventItems, EventReader, type FeedExtra } from './event-reader.ts';
import { EventRing } from './event-ring.ts';

/**
 * The sequence of a pipeline's events. They are kept as numbers (`EventRing`); the names that these stand for are in small tables, with one entry
 * for each worker, stage and task (`EventNames`); objects are made only for readers (`EventReader`). Each status event refers to the previous one
 * of the same item, so an item's history is a walk along that chain, as far back as events are kept.
 *
 * Events are added here and nowhere else.
 */
export class EventLog implements EventSource {
  readonly lines: LinesOfHistory;
  /** Told of every event before readers are. */
  private keeper: Keeper = KEEPS_NOTHING;
  /** True when readers see events only up to {@link EventLog.show}. */
  private awaitsStore = false;
  /** The seq up to which readers are shown events, where a store has to have them first. */
  private shown = 0;
  private readonly time: EngineClock;
  private readonly ring: EventRing;
  private readonly table = new EventNames();
  private readonly reader: EventReader;
  private readonly wakes = new Set<() => void>();
  private isWatched = false;
  private wakeScheduled = false;

  /** `capacity`: the number of events that are kept, rounded up to a power of two. */
  constructor(pipelineId: string, lines: LinesOfHistory, capacity: number, time: EngineClock, items: EventItems) {
    this.lines = lines;
    this.time = time;
    this.ring = new EventRing(capacity);
    this.reader = new EventReader(pipelineId, this.ring, this.table, items);
  }

  /** Tells a keeper of every event from now on. It shows events to readers, by {@link EventLog.show}, when they are stored. */
  keepWith(keeper: Keeper): void {
    this.keeper = keeper;
    this.awaitsStore = true;
  }

  /** The seq of the newest event, even if readers are not shown it yet. */
  get last(): number {
    return this.ring.last;
  }

  get newest(): number {
    return this.awaitsStore ? this.shown : this.ring.last;
  }

  get oldest(): number {
    return this.ring.oldest;
  }

  /** The id of the newest event, as clients see it. */
  get asOf(): string {
    return this.lines.idOf(this.ring.last);
  }

  status(item: Item, status: ItemStatus, worker: Worker | null, final = false, extra?: Metadata): void {
    const source = worker === null ? this.table.ofStage(item.stage) : this.table.ofWorker(worker);
    const kind = final ? STATUS_CODE[status] | FINAL : STATUS_CODE[status];
    item.lastEvent = this.append(kind, source, item.lastEvent, item.sequenceId, 0, extra);
    this.keeper.touch(item);
  }

  task(type: TaskEventType, worker: Worker, item: Item, task: TaskSpec, attempt: number, extra?: TaskEventExtra): void {
    const kind = TASK_CODE[type] + attempt * ATTEMPT_UNIT;
    const duration = this.time.now - worker.startedAt;
    this.append(kind, this.table.ofWorker(worker), duration, item.sequenceId, this.table.ofTask(task), extra);
  }

  result(item: Item): void {
    // A failed item may go on and end differently, so the event has its own copy of the error.
    const extra = item.error === null ? undefined : { error: item.error };
    this.append(RESULT, this.table.ofStage(item.stage), 0, item.sequenceId, 0, extra);
  }

  /** `trace`: of a change that an operator has asked for. */
  pipeline(change: string, state: string, stage: string | null, reason: string | null = null, trace?: OperatorTrace): void {
    const extra = { change, state, ...(reason !== null && { reason }), ...trace };
    this.append(PIPELINE, stage === null ? 0 : this.table.ofSource(stage, null), 0, 0, 0, extra);
  }

  /** The feed is done. Its counts are copied: it may go on. */
  feed(feed: Feed): void {
    const { id, createdAt, accepted, completed, failed, cancelled, duplicates, isComplete } = feed;
    const extra: FeedExtra = [id, createdAt, accepted, completed, failed, cancelled, duplicates, isComplete ? 1 : 0];
    this.append(FEED, 0, 0, 0, 0, extra);
  }

  subscribe(wake: () => void): () => void {
    const entry = (): void => wake();
    this.wakes.add(entry);
    this.isWatched = true;
    return () => {
      this.wakes.delete(entry);
      this.isWatched = this.wakes.size > 0;
    };
  }

  read(
    after: number,
    scan: number,
    filter: EventFilter,
    budget: ReadBudget = { characters: EVENTS_CHARACTERS },
  ): { events: SluiceEvent[]; cursor: number } {
    const { reader } = this;
    const from = Math.max(after + 1, this.oldest);
    const to = Math.min(this.newest, from + scan - 1);
    const events: SluiceEvent[] = [];
    for (let seq = from; seq <= to; seq++) {
      if (!reader.fits(seq, filter)) continue;
      events.push(reader.form(seq));
      budget.characters -= reader.sizeOf(seq);
      if (budget.characters <= 0) return { events, cursor: seq };
    }
    return { events, cursor: Math.max(to, after) };
  }

  /** See {@link EventReader.history}. */
  history(item: Pick<Item, 'lastEvent'>): { events: StatusEvent[]; truncated: boolean } {
    return this.reader.history(item);
  }

  /** Shows readers the events up to this one. */
  show(seq: number): void {
    if (seq <= this.shown) return;
    this.shown = seq;
    if (this.isWatched && !this.wakeScheduled) this.scheduleWake();
  }

  /** Keeps the newest events readable although the store is about to lose their items; older ones go. To be called after the last event. */
  hold(): void {
    this.ring.forgetBefore(this.reader.hold());
  }

  /** See {@link EventRing.copyAfter}. */
  copyAfter(after: number): StoredEvents | null {
    return this.ring.copyAfter(after);
  }

  /** Restores what an earlier process has stored: the events in order, up to `last`, and the names that they refer to. */
  restore(chunks: Iterable<StoredEvents>, last: number, names: EventTexts): void {
    this.table.restore(names);
    this.ring.restore(chunks, last);
    this.shown = last;
  }

  /** The number of names; it never falls. */
  get namesCount(): number {
    return this.table.count;
  }

  get names(): EventTexts {
    return this.table.texts;
  }

  private append(kind: number, source: number, number: number, sequenceId: number, task: number, extra: unknown): number {
    const { time } = this;
    const seq = this.ring.append(kind, source, time.wall(time.now), number, sequenceId, task, extra);
    if (!this.keeper.isStirred) this.keeper.stir();
    if (this.isWatched && !this.wakeScheduled && !this.awaitsStore) this.scheduleWake();
    return seq;
  }

  private scheduleWake(): void {
    this.wakeScheduled = true;
    this.time.clock.defer(() => {
      this.wakeScheduled = false;
      for (const wake of this.wakes) wake();
    });
  }
}
