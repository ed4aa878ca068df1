import type { ItemStatus, Metadata, PipelineEvent, PipelineResult, StatusEvent, TaskEvent, TaskEventType } from '../../schemas/item.ts';
import type { EventFilter, EventSource, ReadBudget, SluiceEvent } from '../contract/runtime.ts';
import type { TaskSpec } from '../definition/stage-spec.ts';
import { type Item, NO_METADATA, type Stage, type Worker } from '../model/model.ts';
import type { TaskEventExtra } from '../stage/hinge.ts';
import type { StoredEvents } from '../store.ts';
import type { EngineClock } from '../time/engine-clock.ts';
import { sizeWithin } from '../values/json-fault.ts';
import { EVENTS_CHARACTERS, SUMMARY_CHARACTERS } from '../values/sizes.ts';

const STATUSES: readonly ItemStatus[] = ['queued', 'in_progress', 'completed', 'failed', 'retrying', 'skipped', 'cancelled'];
const TASK_TYPES: readonly TaskEventType[] = ['start', 'complete', 'retry', 'fail', 'progress'];
const FIRST_TASK = 8;
const RESULT = 16;
const PIPELINE = 17;
const FINAL = 32;
/** Something of this event stands in `extras`. */
const EXTRA = 64;
const ATTEMPT_UNIT = 2 ** 8;

const STATUS_CODE = Object.fromEntries(STATUSES.map((status, code) => [status, code])) as Record<ItemStatus, number>;
const TASK_CODE = Object.fromEntries(TASK_TYPES.map((type, i) => [type, FIRST_TASK + i])) as Record<TaskEventType, number>;

const INITIAL = 1024;
/** Numbers an event: what happened and where, when, the number of its kind, the item and task. */
const CELLS = 4;
const SOURCE_UNIT = 2 ** 32;
const TASK_UNIT = 2 ** 40;
/** What is kept of errors and the like with the events of a pipeline. */
const EXTRAS_CHARACTERS = 64 * 1024 * 1024;
/** What an event takes as JSON beside that. */
const EVENT_SIZE = 250;

/** What keeps the events, and the items that they are about. */
export interface EventJournal {
  /** It knows already that something is new. */
  readonly isStirred: boolean;
  /** An event was added. */
  stir(): void;
  /** The state of an item has changed. */
  touch(item: Item): void;
}

/** The items that events are about. Each MUST be known as long as an event of it is kept. */
export interface EventItems {
  whole: (sequenceId: number) => Item;
  /** For its names and its status only. */
  face: (sequenceId: number) => Item;
}

/** The texts that events refer to by number, in the order of their numbers. */
export interface EventNames {
  sources: Source[];
  tasks: string[];
}

/** Where an event comes from. */
interface Source {
  stage: string;
  worker: string | null;
}

/**
 * The one sequence of a pipeline's events: a ring of four numbers an event, formed into objects only for a reader.
 *
 * Appending allocates nothing (but for errors), and writes numbers only: a reference in an old array costs the garbage
 * collector something each time. What they stand for is in small tables, an entry a worker, stage and task. Each
 * status event names the one before it of the same item, so an item's history is a walk along that chain, as far back as
 * events are kept. The ring doubles up to `capacity`.
 */
export class EventLog implements EventSource {
  readonly epoch: string;
  /** Of the newest event, whether readers are shown it yet or not. */
  last = 0;
  /** Up to here readers are shown them, while a store has to get them first. */
  private shown = 0;
  private floor = 1;
  /** Told of every event, before readers are; with it, events are shown when {@link EventLog.show} says so. */
  journal: EventJournal | null = null;
  private readonly pipelineId: string;
  private readonly capacity: number;
  private readonly time: EngineClock;
  private readonly items: EventItems;
  private size: number;
  private mask: number;
  /**
   * {@link CELLS} numbers an event, side by side, so that one is written to one place in memory:
   * - what happened, above 8 bits the attempt of a task event, above 32 bits the place in `sourceTable`;
   * - the instant, in milliseconds since the Unix epoch;
   * - a status event's predecessor of the same item, a task event's duration in milliseconds;
   * - the item's sequence id, 0 for none (not the item: the ring keeps no value alive), above 40 bits the place in `taskTable`.
   */
  private cells: Float64Array;
  /** By seq, for events marked with {@link EXTRA}. */
  private extras = new Map<number, { extra: unknown; size: number }>();
  private extrasCharacters = 0;
  /** Place 0 is for what comes from no stage. */
  private readonly sourceTable: Source[] = [{ stage: '', worker: null }];
  private readonly sourceIds = new Map<string, number>();
  private readonly taskTable: string[] = [''];
  private readonly taskIds = new Map<string, number>();
  private readonly wakes = new Set<() => void>();
  private isWatched = false;
  private wakeScheduled = false;

  /** `capacity` is rounded up to a power of two. */
  constructor(pipelineId: string, epoch: string, capacity: number, time: EngineClock, items: EventItems) {
    this.items = items;
    this.pipelineId = pipelineId;
    this.epoch = epoch;
    this.time = time;
    this.capacity = 2 ** Math.ceil(Math.log2(Math.max(capacity, 16)));
    this.size = Math.min(INITIAL, this.capacity);
    this.mask = this.size - 1;
    this.cells = new Float64Array(this.size * CELLS);
  }

  get newest(): number {
    return this.journal === null ? this.last : this.shown;
  }

  get oldest(): number {
    return Math.max(this.floor, this.last - this.size + 1);
  }

  /** The id of the newest event, as clients see it. */
  get asOf(): string {
    return `${this.epoch}-${this.last}`;
  }

  status(item: Item, status: ItemStatus, worker: Worker | null, final = false, extra?: Metadata): void {
    const source = worker === null ? this.placeOf(item.stage, null) : this.placeOf(worker.stage, worker);
    this.append(final ? STATUS_CODE[status] | FINAL : STATUS_CODE[status], source, item.lastEvent, item.sequenceId, extra);
    item.lastEvent = this.last;
    if (this.journal !== null) this.journal.touch(item);
  }

  task(type: TaskEventType, worker: Worker, item: Item, task: TaskSpec, attempt: number, extra?: TaskEventExtra): void {
    const kind = TASK_CODE[type] + attempt * ATTEMPT_UNIT;
    const of = item.sequenceId + (task.eventId || this.registerTask(task)) * TASK_UNIT;
    this.append(kind, this.placeOf(worker.stage, worker), this.time.now - worker.startedAt, of, extra);
  }

  result(item: Item): void {
    // A failed item may go on and end otherwise, and one that is kept no more has no error: what it was then is kept.
    const extra = item.error === null ? undefined : { error: item.error };
    this.append(RESULT, this.placeOf(item.stage, null), 0, item.sequenceId, extra);
  }

  pipeline(change: string, state: string, stage: string | null): void {
    this.append(PIPELINE, stage === null ? 0 : this.sourceOf(stage, null), 0, 0, { change, state });
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
    const from = Math.max(after + 1, this.oldest);
    const to = Math.min(this.newest, from + scan - 1);
    const events: SluiceEvent[] = [];
    for (let seq = from; seq <= to; seq++) {
      if (!this.fits(seq, filter)) continue;
      events.push(this.form(seq));
      budget.characters -= this.sizeOf(seq);
      if (budget.characters <= 0) return { events, cursor: seq };
    }
    return { events, cursor: Math.max(to, after) };
  }

  /** The kept status events of an item, oldest first, as many as an answer holds, and whether older ones are not among them. */
  history(item: Pick<Item, 'lastEvent'>): { events: StatusEvent[]; truncated: boolean } {
    const events: StatusEvent[] = [];
    let seq = item.lastEvent;
    const oldest = this.oldest;
    for (let left = SUMMARY_CHARACTERS; seq >= oldest && left > 0; seq = this.numberOf(seq)) {
      left -= this.sizeOf(seq);
      events.push((this.form(seq) as Extract<SluiceEvent, { type: 'status' }>).data);
    }
    return { events: events.reverse(), truncated: seq > 0 };
  }

  /** When an item that has ended was first begun, as far back as its events are kept, in monotonic milliseconds. */
  begunAt(item: Item): number {
    let at = this.time.wall(this.time.now);
    for (let seq = item.lastEvent; seq >= this.oldest && seq > 0; seq = this.numberOf(seq)) {
      if (this.codeOf(seq) !== STATUS_CODE.queued) at = this.timeOf(seq);
    }
    return Math.min(this.time.now, this.time.monotonic(at));
  }

  /** Readers are shown the events up to this one. */
  show(seq: number): void {
    if (seq <= this.shown) return;
    this.shown = seq;
    if (this.isWatched && !this.wakeScheduled) this.scheduleWake();
  }

  /** A copy of the kept events after one, to be stored; null when there are none. */
  copyAfter(after: number): StoredEvents | null {
    const first = Math.max(after + 1, this.oldest);
    if (first > this.last) return null;
    const count = this.last - first + 1;
    const cells = new Float64Array(count * CELLS);
    const from = first & this.mask;
    const untilWrap = Math.min(count, this.size - from);
    cells.set(this.cells.subarray(from * CELLS, (from + untilWrap) * CELLS));
    if (untilWrap < count) cells.set(this.cells.subarray(0, (count - untilWrap) * CELLS), untilWrap * CELLS);
    const extras: [number, string][] = [];
    if (this.extras.size > 0) {
      for (let seq = first; seq <= this.last; seq++) {
        if ((this.kindOf(seq) & EXTRA) !== 0) extras.push([seq - first, JSON.stringify(this.extraAt(seq))]);
      }
    }
    return { first, cells, extras };
  }

  /** Takes up what an earlier process has stored: the events in their order, up to `last`, and the names that they refer to. */
  restore(chunks: Iterable<StoredEvents>, last: number, names: EventNames): void {
    for (const { stage, worker } of names.sources.slice(1)) this.sourceOf(stage, worker);
    for (const name of names.tasks.slice(1)) this.taskIds.set(name, this.taskTable.push(name) - 1);
    this.last = last;
    this.shown = last;
    this.floor = last + 1;
    for (const { first, cells, extras } of chunks) {
      const count = cells.length / CELLS;
      if (first < this.floor) this.floor = Math.max(first, last - this.capacity + 1);
      while (this.size < Math.min(last - this.floor + 1, this.capacity)) this.grow();
      for (let i = Math.max(0, this.floor - first); i < count; i++) {
        this.cells.set(cells.subarray(i * CELLS, (i + 1) * CELLS), ((first + i) & this.mask) * CELLS);
      }
      for (const [at, json] of extras) {
        if (first + at >= this.floor) this.addExtra(first + at, JSON.parse(json));
      }
    }
    this.boundExtras();
  }

  /** How many names there are: they are only ever added. */
  get namesCount(): number {
    return this.sourceTable.length + this.taskTable.length;
  }

  get names(): EventNames {
    return { sources: this.sourceTable, tasks: this.taskTable };
  }

  private append(kind: number, source: number, number: number, of: number, extra: unknown): void {
    if (this.last - this.floor + 1 >= this.size && this.size < this.capacity) this.grow();
    const seq = ++this.last;
    const at = (seq & this.mask) * CELLS;
    const { cells, time } = this;
    if ((((cells[at] as number) | 0) & EXTRA) !== 0) this.dropExtra(seq - this.size);
    if (extra !== undefined) {
      this.addExtra(seq, extra);
      this.boundExtras();
    }
    cells[at] = (extra === undefined ? kind : kind + EXTRA) + source * SOURCE_UNIT;
    cells[at + 1] = time.wall(time.now);
    cells[at + 2] = number;
    cells[at + 3] = of;
    if (this.journal !== null) {
      if (!this.journal.isStirred) this.journal.stir();
    } else if (this.isWatched && !this.wakeScheduled) this.scheduleWake();
  }

  private addExtra(seq: number, extra: unknown): void {
    const size = sizeWithin(extra, EXTRAS_CHARACTERS);
    this.extras.set(seq, { extra, size });
    this.extrasCharacters += size;
  }

  private dropExtra(seq: number): void {
    this.extrasCharacters -= this.extras.get(seq)?.size ?? 0;
    this.extras.delete(seq);
  }

  /** Errors can be long: with too much of them, the oldest events are kept no longer, as when there are too many. */
  private boundExtras(): void {
    while (this.extrasCharacters > EXTRAS_CHARACTERS && this.oldest < this.last) {
      this.floor = this.oldest;
      this.dropExtra(this.floor++);
    }
  }

  private scheduleWake(): void {
    this.wakeScheduled = true;
    this.time.clock.defer(() => {
      this.wakeScheduled = false;
      for (const wake of this.wakes) wake();
    });
  }

  private kindOf(seq: number): number {
    return (this.cells[(seq & this.mask) * CELLS] as number) % SOURCE_UNIT;
  }

  private codeOf(seq: number): number {
    return this.kindOf(seq) & (FINAL - 1);
  }

  private numberOf(seq: number): number {
    return this.cells[(seq & this.mask) * CELLS + 2] as number;
  }

  private sequenceIdOf(seq: number): number {
    return (this.cells[(seq & this.mask) * CELLS + 3] as number) % TASK_UNIT;
  }

  private sourcePlaceOf(seq: number): number {
    return Math.floor((this.cells[(seq & this.mask) * CELLS] as number) / SOURCE_UNIT);
  }

  private placeOf(stage: Stage, worker: Worker | null): number {
    return (worker === null ? stage.sourceId : worker.sourceId) || this.register(stage, worker);
  }

  private register(stage: Stage, worker: Worker | null): number {
    const id = this.sourceOf(stage.name, worker === null ? null : worker.name);
    if (worker === null) stage.sourceId = id;
    else worker.sourceId = id;
    return id;
  }

  /** By name, so that a stage which is resized again and again does not make the table grow. */
  private sourceOf(stage: string, worker: string | null): number {
    const key = JSON.stringify([stage, worker]);
    const known = this.sourceIds.get(key);
    if (known !== undefined) return known;
    const id = this.sourceTable.push({ stage, worker }) - 1;
    this.sourceIds.set(key, id);
    return id;
  }

  private registerTask(task: TaskSpec): number {
    const id = this.taskIds.get(task.name) ?? this.taskTable.push(task.name) - 1;
    this.taskIds.set(task.name, id);
    task.eventId = id;
    return id;
  }

  private grow(): void {
    const size = this.size * 2;
    const cells = new Float64Array(size * CELLS);
    for (let seq = this.oldest; seq <= this.last; seq++) {
      const from = (seq & this.mask) * CELLS;
      cells.set(this.cells.subarray(from, from + CELLS), (seq & (size - 1)) * CELLS);
    }
    this.cells = cells;
    this.size = size;
    this.mask = size - 1;
  }

  private timeOf(seq: number): number {
    return this.cells[(seq & this.mask) * CELLS + 1] as number;
  }

  private sourceAt(seq: number): Source {
    return this.sourceTable[this.sourcePlaceOf(seq)] as Source;
  }

  private fits(seq: number, filter: EventFilter): boolean {
    const code = this.codeOf(seq);
    const type = code < FIRST_TASK ? 'status' : code < RESULT ? 'task' : code === RESULT ? 'result' : 'pipeline';
    if (!filter.types.has(type)) return false;
    if (filter.stage !== undefined && this.sourcePlaceOf(seq) !== 0 && !filter.stage.has(this.sourceAt(seq).stage)) return false;
    const sequenceId = this.sequenceIdOf(seq);
    // What concerns no item is not what a follower of items asked for.
    if (sequenceId === 0) return filter.itemId === undefined && filter.feedId === undefined && filter.status === undefined;
    if (filter.itemId === undefined && filter.feedId === undefined && (filter.status === undefined || type !== 'result')) {
      return filter.status === undefined || type === 'task' || filter.status.has(STATUSES[code] as string);
    }
    const item = this.items.face(sequenceId);
    if (filter.itemId !== undefined && !filter.itemId.has(item.id)) return false;
    if (filter.feedId !== undefined && !filter.feedId.has(item.feed.id)) return false;
    if (filter.status === undefined || type === 'task') return true;
    return filter.status.has(type === 'status' ? (STATUSES[code] as string) : item.status);
  }

  private form(seq: number): SluiceEvent {
    const kind = this.kindOf(seq);
    const code = kind & (FINAL - 1);
    const timestamp = new Date(this.timeOf(seq)).toISOString();
    if (code < FIRST_TASK) {
      const item = this.items.face(this.sequenceIdOf(seq));
      const { stage, worker } = this.sourceAt(seq);
      return {
        seq,
        type: 'status',
        data: {
          itemId: item.id,
          feedId: item.feed.id,
          stage,
          status: STATUSES[code] as ItemStatus,
          final: (kind & FINAL) !== 0,
          worker,
          timestamp,
          metadata: (this.extraAt(seq) as Metadata | undefined) ?? NO_METADATA,
        },
      };
    }
    if (code < RESULT) return { seq, type: 'task', data: this.formTask(seq, code, timestamp) };
    if (code === RESULT) return { seq, type: 'result', data: this.formResult(seq) };
    const extra = this.extraAt(seq) as Pick<PipelineEvent, 'change' | 'state'>;
    const stage = this.sourcePlaceOf(seq) === 0 ? null : this.sourceAt(seq).stage;
    return { seq, type: 'pipeline', data: { pipelineId: this.pipelineId, ...extra, stage, timestamp } };
  }

  private extraAt(seq: number): unknown {
    return (this.kindOf(seq) & EXTRA) === 0 ? undefined : this.extras.get(seq)?.extra;
  }

  private formResult(seq: number): PipelineResult {
    const extra = this.extraAt(seq) as Pick<PipelineResult, 'error'> | undefined;
    const item = this.items.whole(this.sequenceIdOf(seq));
    // As it was then: an older version kept all of it with the event.
    return extra === undefined && item.isKept ? item.toResult() : { ...item.toResult(), value: null, ...extra };
  }

  /** About how many characters of JSON an event is. */
  private sizeOf(seq: number): number {
    const extra = this.extras.get(seq);
    const size = EVENT_SIZE + (extra === undefined ? 0 : extra.size);
    // What was read of it to form the event is at hand.
    return this.codeOf(seq) === RESULT ? size + this.items.whole(this.sequenceIdOf(seq)).resultSize : size;
  }

  private formTask(seq: number, code: number, timestamp: string): TaskEvent {
    const { stage, worker } = this.sourceAt(seq);
    const extra = this.extraAt(seq) as TaskEventExtra | undefined;
    const eventType = TASK_TYPES[code - FIRST_TASK] as TaskEventType;
    return {
      itemId: this.items.face(this.sequenceIdOf(seq)).id,
      stage,
      taskName: this.taskTable[Math.floor((this.cells[(seq & this.mask) * CELLS + 3] as number) / TASK_UNIT)] as string,
      worker: worker as string,
      eventType,
      attempt: Math.floor(this.kindOf(seq) / ATTEMPT_UNIT),
      timestamp,
      error: extra?.error ?? null,
      durationSeconds: eventType === 'start' || eventType === 'progress' ? null : this.numberOf(seq) / 1000,
      ...(extra?.taskStatus === undefined ? undefined : { taskStatus: extra.taskStatus }),
      ...(extra?.fraction === undefined ? undefined : { fraction: extra.fraction }),
    };
  }
}
