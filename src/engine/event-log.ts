import type { ItemStatus, Metadata, PipelineEvent, PipelineResult, StatusEvent, TaskEvent, TaskEventType } from '../schemas/item.ts';
import type { EngineClock } from './engine-clock.ts';
import { type Item, NO_METADATA, type Worker } from './model.ts';
import type { EventFilter, EventSource, SluiceEvent } from './runtime.ts';
import type { TaskSpec } from './stage-spec.ts';

const STATUSES: readonly ItemStatus[] = ['queued', 'in_progress', 'completed', 'failed', 'retrying', 'skipped', 'cancelled'];
const TASK_TYPES: readonly TaskEventType[] = ['start', 'complete', 'retry', 'fail', 'progress'];
const FIRST_TASK = 8;
const RESULT = 16;
const PIPELINE = 17;
const FINAL = 32;
const ATTEMPT_SHIFT = 8;

const STATUS_CODE = Object.fromEntries(STATUSES.map((status, code) => [status, code])) as Record<ItemStatus, number>;
const TASK_CODE = Object.fromEntries(TASK_TYPES.map((type, i) => [type, FIRST_TASK + i])) as Record<TaskEventType, number>;

const INITIAL = 1024;

export interface TaskEventExtra {
  error?: { type: string; message: string };
  taskStatus?: string;
  fraction?: number;
}

/**
 * The one sequence of a pipeline's events: a ring of parallel arrays, formed into objects only for a reader.
 *
 * Appending allocates nothing (but for errors), and refers only to what lives on anyway: items, workers, tasks. Each
 * status event names the one before it of the same item, so an item's history is a walk along that chain, as far back as
 * events are kept. The ring doubles up to `capacity`.
 */
export class EventLog implements EventSource {
  readonly epoch: string;
  newest = 0;
  private readonly pipelineId: string;
  private readonly capacity: number;
  private readonly time: EngineClock;
  private readonly itemOf: (sequenceId: number) => Item;
  private size: number;
  private mask: number;
  /** What happened, and above {@link ATTEMPT_SHIFT} bits the attempt of a task event. */
  private kinds: Uint32Array;
  private times: Float64Array;
  /** A status event's predecessor of the same item; a task event's duration in milliseconds. */
  private numbers: Float64Array;
  /** Sequence ids of items, 0 for none: not the items, so that the ring keeps no value alive. */
  private items: Float64Array;
  /** The worker, or the name of the stage when there is none. */
  private sources: (Worker | string | undefined)[];
  private tasks: (TaskSpec | undefined)[];
  private extras: unknown[];
  private readonly wakes = new Set<() => void>();
  private isWatched = false;
  private wakeScheduled = false;

  /** `capacity` is rounded up to a power of two. `itemOf` MUST know each item as long as an event of it is kept. */
  constructor(pipelineId: string, epoch: string, capacity: number, time: EngineClock, itemOf: (sequenceId: number) => Item) {
    this.itemOf = itemOf;
    this.pipelineId = pipelineId;
    this.epoch = epoch;
    this.time = time;
    this.capacity = 2 ** Math.ceil(Math.log2(Math.max(capacity, 16)));
    this.size = Math.min(INITIAL, this.capacity);
    this.mask = this.size - 1;
    this.kinds = new Uint32Array(this.size);
    this.times = new Float64Array(this.size);
    this.numbers = new Float64Array(this.size);
    this.items = new Float64Array(this.size);
    this.sources = emptyColumn(this.size);
    this.tasks = emptyColumn(this.size);
    this.extras = emptyColumn(this.size);
  }

  get oldest(): number {
    return Math.max(1, this.newest - this.size + 1);
  }

  /** The id of the newest event, as clients see it. */
  get asOf(): string {
    return `${this.epoch}-${this.newest}`;
  }

  status(item: Item, status: ItemStatus, worker: Worker | null, final = false, extra?: Metadata): void {
    const at = this.next(final ? STATUS_CODE[status] | FINAL : STATUS_CODE[status]);
    this.items[at] = item.sequenceId;
    this.sources[at] = worker ?? item.stage.name;
    if (this.extras[at] !== extra) this.extras[at] = extra;
    this.numbers[at] = item.lastEvent;
    item.lastEvent = this.newest;
  }

  task(type: TaskEventType, worker: Worker, item: Item, task: TaskSpec, attempt: number, extra?: TaskEventExtra): void {
    const at = this.next(TASK_CODE[type] | (attempt << ATTEMPT_SHIFT));
    this.items[at] = item.sequenceId;
    this.sources[at] = worker;
    this.tasks[at] = task;
    this.numbers[at] = this.time.now - worker.startedAt;
    if (this.extras[at] !== extra) this.extras[at] = extra;
  }

  result(item: Item): void {
    const at = this.next(RESULT);
    this.items[at] = item.sequenceId;
    this.sources[at] = item.stage.name;
    // A failed item may go on and end otherwise: what it was then has to be kept.
    const extra = item.status === 'failed' ? item.toResult() : undefined;
    if (this.extras[at] !== extra) this.extras[at] = extra;
  }

  pipeline(change: string, state: string, stage: string | null): void {
    const at = this.next(PIPELINE);
    this.items[at] = 0;
    this.sources[at] = stage ?? undefined;
    this.extras[at] = { change, state };
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

  read(after: number, scan: number, filter: EventFilter): { events: SluiceEvent[]; cursor: number } {
    const from = Math.max(after + 1, this.oldest);
    const to = Math.min(this.newest, from + scan - 1);
    const events: SluiceEvent[] = [];
    for (let seq = from; seq <= to; seq++) {
      if (this.fits(seq & this.mask, filter)) events.push(this.form(seq));
    }
    return { events, cursor: Math.max(to, after) };
  }

  /** The kept status events of an item, oldest first, and whether older ones are gone. */
  history(item: Item): { events: StatusEvent[]; truncated: boolean } {
    const events: StatusEvent[] = [];
    let seq = item.lastEvent;
    const oldest = this.oldest;
    for (; seq >= oldest; seq = this.numbers[seq & this.mask] as number) {
      events.push((this.form(seq) as Extract<SluiceEvent, { type: 'status' }>).data);
    }
    return { events: events.reverse(), truncated: seq > 0 };
  }

  /** When an item that has ended was first begun, as far back as its events are kept, in monotonic milliseconds. */
  begunAt(item: Item): number {
    let at = this.time.wall(this.time.now);
    for (let seq = item.lastEvent; seq >= this.oldest && seq > 0; seq = this.numbers[seq & this.mask] as number) {
      if (((this.kinds[seq & this.mask] as number) & (FINAL - 1)) !== STATUS_CODE.queued) at = this.times[seq & this.mask] as number;
    }
    return Math.min(this.time.now, this.time.monotonic(at));
  }

  private next(kind: number): number {
    if (this.newest >= this.size && this.size < this.capacity) this.grow();
    const at = ++this.newest & this.mask;
    this.kinds[at] = kind;
    this.times[at] = this.time.wall(this.time.now);
    if (this.isWatched && !this.wakeScheduled) {
      this.wakeScheduled = true;
      this.time.clock.defer(() => {
        this.wakeScheduled = false;
        for (const wake of this.wakes) wake();
      });
    }
    return at;
  }

  private grow(): void {
    const size = this.size * 2;
    const move = <T extends Uint32Array | Float64Array | unknown[]>(from: T, to: T): T => {
      for (let seq = this.oldest; seq <= this.newest; seq++) to[seq & (size - 1)] = from[seq & this.mask] as never;
      return to;
    };
    this.kinds = move(this.kinds, new Uint32Array(size));
    this.times = move(this.times, new Float64Array(size));
    this.numbers = move(this.numbers, new Float64Array(size));
    this.items = move(this.items, new Float64Array(size));
    this.sources = move(this.sources, emptyColumn(size));
    this.tasks = move(this.tasks, emptyColumn(size));
    this.extras = move(this.extras, emptyColumn(size));
    this.size = size;
    this.mask = size - 1;
  }

  private stageAt(at: number): string | undefined {
    const source = this.sources[at];
    return typeof source === 'object' ? source.stage.name : source;
  }

  private fits(at: number, filter: EventFilter): boolean {
    const kind = this.kinds[at] as number;
    const code = kind & (FINAL - 1);
    const type = code < FIRST_TASK ? 'status' : code < RESULT ? 'task' : code === RESULT ? 'result' : 'pipeline';
    if (!filter.types.has(type)) return false;
    const stage = this.stageAt(at);
    if (filter.stage !== undefined && stage !== undefined && !filter.stage.has(stage)) return false;
    const sequenceId = this.items[at] as number;
    // What concerns no item is not what a follower of items asked for.
    if (sequenceId === 0) return filter.itemId === undefined && filter.feedId === undefined && filter.status === undefined;
    if (filter.itemId === undefined && filter.feedId === undefined && (filter.status === undefined || type !== 'result')) {
      return filter.status === undefined || type === 'task' || filter.status.has(STATUSES[code] as string);
    }
    const item = this.itemOf(sequenceId);
    if (filter.itemId !== undefined && !filter.itemId.has(item.id)) return false;
    if (filter.feedId !== undefined && !filter.feedId.has(item.feed.id)) return false;
    if (filter.status === undefined || type === 'task') return true;
    return filter.status.has(type === 'status' ? (STATUSES[code] as string) : item.status);
  }

  private form(seq: number): SluiceEvent {
    const at = seq & this.mask;
    const kind = this.kinds[at] as number;
    const code = kind & (FINAL - 1);
    const timestamp = new Date(this.times[at] as number).toISOString();
    if (code < FIRST_TASK) {
      const item = this.itemOf(this.items[at] as number);
      return {
        seq,
        type: 'status',
        data: {
          itemId: item.id,
          feedId: item.feed.id,
          stage: this.stageAt(at) as string,
          status: STATUSES[code] as ItemStatus,
          final: (kind & FINAL) !== 0,
          worker: typeof this.sources[at] === 'object' ? (this.sources[at] as Worker).name : null,
          timestamp,
          metadata: (this.extras[at] as Metadata | undefined) ?? NO_METADATA,
        },
      };
    }
    if (code < RESULT) return { seq, type: 'task', data: this.formTask(at, code, timestamp) };
    if (code === RESULT) return { seq, type: 'result', data: this.formResult(at) };
    const extra = this.extras[at] as Pick<PipelineEvent, 'change' | 'state'>;
    return { seq, type: 'pipeline', data: { pipelineId: this.pipelineId, ...extra, stage: this.stageAt(at) ?? null, timestamp } };
  }

  private formResult(at: number): PipelineResult {
    return (this.extras[at] as PipelineResult | undefined) ?? this.itemOf(this.items[at] as number).toResult();
  }

  private formTask(at: number, code: number, timestamp: string): TaskEvent {
    const worker = this.sources[at] as Worker;
    const extra = this.extras[at] as TaskEventExtra | undefined;
    const eventType = TASK_TYPES[code - FIRST_TASK] as TaskEventType;
    return {
      itemId: this.itemOf(this.items[at] as number).id,
      stage: worker.stage.name,
      taskName: (this.tasks[at] as TaskSpec).name,
      worker: worker.name,
      eventType,
      attempt: (this.kinds[at] as number) >>> ATTEMPT_SHIFT,
      timestamp,
      error: extra?.error ?? null,
      durationSeconds: eventType === 'start' || eventType === 'progress' ? null : (this.numbers[at] as number) / 1000,
      ...(extra?.taskStatus === undefined ? undefined : { taskStatus: extra.taskStatus }),
      ...(extra?.fraction === undefined ? undefined : { fraction: extra.fraction }),
    };
  }
}

function emptyColumn<T>(size: number): (T | undefined)[] {
  return new Array<T | undefined>(size).fill(undefined);
}
