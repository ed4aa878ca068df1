/*
 * Room `model`: what the engine moves: items, feeds, stages and workers.
 *
 * Holds: State, and the rules that keep it whole. Instants are milliseconds of the monotonic clock.
 * Refuses: to decide: whoever owns a field, as its comment says, is in a room above.
 */

import type { ItemError, ItemStatus, Metadata, PipelineResult } from '../../schemas/item.ts';
import type { PipelineState } from '../../schemas/stats.ts';
import { queueCapacityOf, type StageSpec } from '../definition/stage-spec.ts';
import { PriorityQueue } from '../queues/priority-queue.ts';
import type { Runner } from '../stage/hinge.ts';
import { Slot } from '../stage/slot.ts';
import type { Due } from '../time/due-queue.ts';
import { sizeWithin } from '../values/json-fault.ts';
import type { Feed } from './feed.ts';

/*
 * What the engine's parts work on: items, stages, workers (and feeds, in feed.ts). They refer to each other, so they stand in one file;
 * they hold state and the rules that keep it whole, and decide nothing. Times are milliseconds of the monotonic clock.
 */

/** Where an item occupies a bounded place while it is queued: the pipeline's backlog, its stage's hand-over buffer, or none (a retry). */
export const PLACE_NONE = 0;
export const PLACE_BACKLOG = 1;
export const PLACE_HANDED = 2;
export type Place = typeof PLACE_NONE | typeof PLACE_BACKLOG | typeof PLACE_HANDED;

/** What a row takes beside what can be long in it. */
const ROW_SIZE = 200;

export const NO_METADATA: Metadata = Object.freeze({});

/** Of an item in a pipeline whose store keeps it. */
export class StoredState {
  /** In how many processes that crashed it was running. */
  deliveries = 0;
  /** It has changed since it was written. */
  isDirty = false;
  /** It waits beyond the part of its stage's queue that is in memory. */
  isBeyond = false;
  /** What the store was given of it last; null: nothing yet. See item-codec.ts. */
  written: { value: unknown; fed: unknown; error: ItemError | null; route: Route | null } | null = null;
}

/** One for all items that no store has, so that they cost no more for it. */
export const NOT_STORED: StoredState = Object.freeze(new StoredState());

/**
 * A payload on its way. One object from acceptance to its final state; after that it never changes again (but that its
 * value goes when retention takes it), so that events and pages may refer to it. A retried item goes on as a new object
 * with the same id and sequence id.
 */
export class Item {
  /** What the caller named it, or the prefix of generated ids: those are made from the sequence id when they are asked for. */
  private readonly name: string;
  private readonly isNamed: boolean;
  readonly sequenceId: number;
  readonly feed: Feed;
  readonly priority: number;
  /** The value to go on from: what came into the stage, or into the task that is next. */
  value: unknown;
  /** About how many characters of JSON the value takes; 0 where it was not looked at. */
  size = 0;
  /** The value as it was fed, for a retry from the stage that it was fed into; dropped when it has completed. */
  fed: unknown;
  metadata: Metadata;
  status: ItemStatus = 'queued';
  stage: Stage;
  /** The task to go on with, within the stage. */
  taskIndex = 0;
  /** Attempts begun of the current unit: the task (`per_task`) or the stage (`per_stage`). */
  attempts = 0;
  place: Place = PLACE_NONE;
  /** Set when a new definition changed the order of the stages on this item's way; else it follows `stage.next`. */
  route: Route | null = null;
  /** Who runs it, or what it waits for between attempts. */
  holder: Worker | Due | null = null;
  readonly acceptedAt: number;
  updatedAt: number;
  error: ItemError | null = null;
  /** The seq of its newest status event: the head of the chain that is its history. */
  lastEvent = 0;
  /** False when retention took it, or it goes on as another object: it lives on only in the events that are still kept. */
  isKept = true;
  /** When it was queued last, in the order of all such moments of its pipeline. */
  ord = 0;
  /** What a durable store needs to know of it; its own from the first change that is written down, see journal.ts. */
  stored: StoredState = NOT_STORED;

  /** With an `id` of null it gets one of `prefix` and its sequence id. */
  constructor(
    id: string | null,
    prefix: string,
    sequenceId: number,
    feed: Feed,
    priority: number,
    value: unknown,
    metadata: Metadata,
    stage: Stage,
    now: number,
  ) {
    this.isNamed = id !== null;
    this.name = id ?? prefix;
    this.sequenceId = sequenceId;
    this.feed = feed;
    this.priority = priority;
    this.value = value;
    this.fed = value;
    this.metadata = metadata;
    this.stage = stage;
    this.acceptedAt = now;
    this.updatedAt = now;
  }

  /**
   * What is shown of it: held by a worker it is in progress, also while its predicate is asked, as the counters have it. Its events
   * say so when the first task begins.
   */
  get shownStatus(): ItemStatus {
    return this.status === 'queued' && this.holder instanceof Worker ? 'in_progress' : this.status;
  }

  /** Where it goes after its stage; null when it ends there. */
  get nextStage(): Stage | null {
    return this.route === null ? this.stage.next : this.route.stage;
  }

  /** It has come to the stage that was its next one. */
  arrive(stage: Stage): void {
    this.stage = stage;
    if (this.route !== null) this.route = this.route.rest;
  }

  get id(): string {
    return this.isNamed ? this.name : generatedId(this.name, this.sequenceId);
  }

  /** The id that the caller gave, if one. */
  get givenId(): string | null {
    return this.isNamed ? this.name : null;
  }

  /** `completed` is the item's own: it has left the last stage. */
  get isFinal(): boolean {
    const { status } = this;
    return status === 'completed' || status === 'failed' || status === 'cancelled';
  }

  /** About how many characters its result is as JSON. */
  get resultSize(): number {
    const metadata = this.metadata === NO_METADATA ? 0 : sizeWithin(this.metadata, Number.MAX_SAFE_INTEGER);
    return ROW_SIZE + metadata + (this.error === null ? this.size : this.error.message.length);
  }

  /** The same of its row in a list of items, which has no value. */
  get listedSize(): number {
    return ROW_SIZE + (this.error === null ? 0 : this.error.message.length);
  }

  toResult(): PipelineResult {
    const { id, sequenceId, metadata, error, feed } = this;
    return { id, value: error === null ? this.value : null, sequenceId, metadata, error, feedId: feed.id };
  }
}

/** The rest of an item's way, where that is not the order of the stages. Shared by all items that go it. */
export interface Route {
  /** null: the way ends. */
  readonly stage: Stage | null;
  /** null: from there on it follows the order of the stages. */
  readonly rest: Route | null;
}

/** `<prefix>-<sequence id>`: never stored, so a queued item costs no string and no entry in an index by id. */
export function generatedId(prefix: string, sequenceId: number): string {
  return `${prefix}-${sequenceId}`;
}

/** A worker whose item waits for room in the next stage, and what it will leave its stage as. */
export interface Blocked {
  worker: Worker;
  as: 'completed' | 'skipped';
  /** The stage that it waits for. */
  at: Stage;
  alive: boolean;
}

/**
 * One slot of a stage. It holds one item at a time:
 *
 *     idle ──assign──▶ running ──outcome──▶ idle
 *                        │  ▲ (task, limit wait, hook)
 *                        └──▶ blocked: its item waits for room in the next stage
 *
 * Only the scheduler assigns and frees; only the stage's runner moves it in between. What it does meanwhile is the {@link Slot}'s.
 */
export class Worker extends Slot<Item, Stage> {
  readonly index: number;
  /** To be removed as soon as it is idle: the stage was made smaller. */
  retiring = false;
  /** Set from its assignment until the scheduler runs it. */
  isAssigned = false;
  /** What it is about to run is noted where a crash does not reach. */
  isMarked = false;
  /** Its place among those notes; -1: none yet. */
  slot = -1;
  /** What the events call it; given with its first one. */
  sourceId = 0;
  blocked: Blocked | null = null;
  processingSince = 0;

  // Metrics.
  itemsProcessed = 0;
  itemsFailed = 0;
  lastActive = 0;

  constructor(stage: Stage, index: number) {
    super(`${stage.name}-W${index}`, stage, stage.runner);
    this.index = index;
  }
}

/** The part of a stage's queue that is not in memory, see beyond.ts. */
export interface QueueRest {
  /** How many items it holds. */
  readonly size: number;
  /** At the start: so many wait in the store. */
  begin(count: number): void;
  /** Queues an item whose `ord` is the highest, here or in memory. */
  push(item: Item): void;
  /** At the start, while nothing is in memory: an item takes its old place again. */
  putBack(item: Item): void;
  /** An item that is beyond is taken out of the queue. */
  removed(item: Item): void;
  /** Makes sure that the first one that waits is in memory. */
  refill(): void;
  /** Everything is brought into memory. */
  bringAll(): void;
  /** The store has got what was written of an item: whether it need not be in memory. */
  mayUnpin(item: Item): boolean;
  /** Forgets those that are not in memory any more. */
  unpinned(items: ReadonlySet<Item>): void;
}

/** The workers that exist are `workers`; of these the idle ones are a stack, so that the same few stay warm. */
export class Stage {
  name: string;
  readonly pipelineId: string;
  /** What a store calls it: it stays when the stage is renamed, and is never used again. From 1. */
  readonly no: number;
  index: number;
  /** Of a stage that was removed: where its items go on. */
  next: Stage | null = null;
  spec: StageSpec;
  runner: Runner<Item, Worker>;
  /** What waits for a worker: handed over, fed from outside, and returned from a retry, in one order. */
  readonly queue = new PriorityQueue<Item>((item) => item.status !== 'queued');
  /** Items of the stage before that wait for room in `queue`, in the same order. */
  readonly blocked = new PriorityQueue<Blocked>((entry) => !entry.alive);
  /** What waits after all of `queue`, in a durable store; null without one. */
  beyond: QueueRest | null = null;
  workers: Worker[] = [];
  idle: Worker[] = [];
  /** How many may run. While the stage gets smaller, more workers exist: those that still run do so in place of others. */
  size = 0;
  /** How many of `queue` were handed over by the stage before; at most `capacity`, but for a shutdown. */
  handed = 0;
  capacity: number;
  isPaused = false;
  /** A new definition does not have it: workers that run end their items, everybody else passes through. */
  isRemoved = false;
  /** Executions that go on although their attempt was given up. */
  ignoringSignal = 0;
  /** Whether it hands out items now. */
  isOpen = false;
  /** The store has to catch up first. */
  isHeld = false;
  /** What the events call it; given with its first one. */
  sourceId = 0;

  // What stageStats shows.
  inProgress = 0;
  parked = 0;
  completed = 0;
  failed = 0;
  skipped = 0;
  retried = 0;

  constructor(pipelineId: string, no: number, index: number, spec: StageSpec, runner: Runner<Item, Worker>) {
    this.name = spec.definition.name;
    this.pipelineId = pipelineId;
    this.no = no;
    this.index = index;
    this.spec = spec;
    this.runner = runner;
    this.capacity = queueCapacityOf(spec.definition);
    this.resize(spec.definition.workers);
  }

  get isPull(): boolean {
    return this.spec.definition.pull;
  }

  /** How many items wait in its queue, wherever that is. */
  get waiting(): number {
    return this.beyond === null ? this.queue.size : this.queue.size + this.beyond.size;
  }

  /** Whether an item that comes now can begin at once, because nobody waits before it. */
  get hasIdle(): boolean {
    return this.idle.length > 0 && this.isOpen && this.inProgress < this.size && this.waiting === 0 && this.blocked.size === 0;
  }

  /** To be called whenever the pipeline's state or the stage's pause has changed. */
  update(state: PipelineState): void {
    this.isOpen = !this.isPaused && !this.isRemoved && !this.isHeld && (state === 'running' || state === 'draining');
  }

  /** The workers that are to stay, in the order of their names. */
  get workerNames(): string[] {
    return this.workers.filter((worker) => !worker.retiring).map((worker) => worker.name);
  }

  /**
   * Makes it `count` workers. Idle ones of the highest numbers go at once, busy ones after their item.
   * Numbers are reused from the lowest free one up.
   */
  resize(count: number): void {
    this.size = count;
    for (const worker of this.workers) worker.retiring = worker.index >= count;
    const kept = this.workers.filter((worker) => !worker.retiring);
    const leaving = this.workers.filter((worker) => worker.retiring && worker.item !== null);
    const present = new Set(kept.map((worker) => worker.index));
    for (let index = 0; index < count; index++) {
      if (present.has(index)) continue;
      const worker = new Worker(this, index);
      kept.push(worker);
      this.idle.push(worker);
    }
    this.workers = [...kept.sort((a, b) => a.index - b.index), ...leaving];
    // The stack gives its last one first: the lowest numbers work first.
    this.idle = this.idle.filter((worker) => !worker.retiring).sort((a, b) => b.index - a.index);
  }

  rename(name: string): void {
    this.name = name;
    this.sourceId = 0;
    for (const worker of this.workers) {
      worker.name = `${name}-W${worker.index}`;
      worker.sourceId = 0;
    }
  }

  /** Called when a retiring worker has let go of its item. */
  remove(worker: Worker): void {
    this.workers = this.workers.filter((other) => other !== worker);
  }
}
