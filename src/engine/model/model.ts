/*
 * Room `model`: items, feeds, stages and workers, which the rest of the engine works on.
 *
 * Holds: State, and the rules that keep it consistent. Instants are milliseconds of the monotonic clock.
 * Refuses: to decide. A field's owner is in a room above.
 */

import type { ItemError, ItemStatus, Metadata, PipelineResult } from '../../schemas/item.ts';
import type { PipelineState } from '../../schemas/stats.ts';
import type { TraceContext } from '../../schemas/trace-context.ts';
import { queueCapacityOf, type StageSpec } from '../definition/stage-spec.ts';
import type { Moment } from '../measures/moment.ts';
import type { PipelineMeter } from '../measures/pipeline-meter.ts';
import { StageMeter } from '../measures/stage-meter.ts';
import { PriorityQueue } from '../queues/priority-queue.ts';
import type { Runner } from '../stage/hinge.ts';
import { Slot } from '../stage/slot.ts';
import { sizeWithin } from '../values/json-size.ts';
import type { Feed } from './feed.ts';
import { NO_METADATA } from './metadata.ts';
import type { Parking } from './parking.ts';
import { generatedId, PLACE_NONE, type Place } from './places.ts';
import type { QueueRestOf, RetryRestOf } from './rests.ts';
import type { RouteOver } from './routes.ts';
import { StageCounts, type WorkerFigures } from './stage-counts.ts';
import { NOT_STORED, type StoredState } from './stored-state.ts';

/** Characters of a row as JSON without its fields of unbounded length. */
const ROW_SIZE = 200;
/** The same of an error, and of the name of the input beside it. */
const ERROR_SIZE = 100;

/**
 * A payload on its way. It is one object from acceptance to its final state, and never changes after that (except that retention removes its
 * value), so events and pages may refer to it. A failed item that is retried goes on as a new object with the same id and sequence id.
 */
export class Item {
  /** The caller's id, or the prefix of a generated one, which is made from the sequence id when asked for. */
  private readonly name: string;
  private readonly isNamed: boolean;
  readonly sequenceId: number;
  readonly feed: Feed;
  readonly priority: number;
  /** The value to go on from: the input of the stage, or of the next task. */
  value: unknown;
  /** About how many characters the value takes as JSON; 0 where it was not measured. */
  size = 0;
  /** The value as it was fed, for a retry from the stage that it was fed into, and for who looks at what failed; cleared when it has completed. */
  fed: unknown;
  metadata: Metadata;
  status: ItemStatus = 'queued';
  stage: Stage;
  /** The task to go on with, within the stage. */
  taskIndex = 0;
  /** Attempts begun of the current unit: the task (`per_task`) or the stage (`per_stage`). */
  attempts = 0;
  /** Attempts begun of all units before that, in every stage and in every run. */
  earlierAttempts = 0;
  place: Place = PLACE_NONE;
  /** Set when a new definition reordered the stages on this item's way; otherwise it follows `stage.next`. */
  route: Route | null = null;
  /** The worker that runs it, or the wait between two attempts. */
  holder: Worker | Parking | null = null;
  readonly acceptedAt: number;
  updatedAt: number;
  /** When it came into its stage, in whole milliseconds: such a number takes no memory of its own. */
  enteredAt: number;
  /** Its errors, in an object of their own since most items have none, and each field of an item counts where many are in memory. */
  private errors: { ended: ItemError | null; last: ItemError | null } | null = null;
  /** The seq of its newest status event: the head of the chain that is its history. */
  lastEvent = 0;
  /** False when retention has removed it, or it goes on as another object: then only events that are still kept refer to it. */
  isKept = true;
  /** Its place in its queue within its priority; see {@link ordAt}. The moments of a pipeline have one order. */
  ord = 0;
  /** Its state in a durable store; an object of its own from the first change that is recorded, see journal.ts. */
  stored: StoredState = NOT_STORED;

  /** An `id` of null: it gets one made of `prefix` and its sequence id. */
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
    this.enteredAt = Math.floor(now);
  }

  /**
   * The status that answers show. An item that a worker has is `in_progress`, as in the counters, even while its predicate runs; its events
   * say so only once its first task begins.
   */
  get shownStatus(): ItemStatus {
    return this.status === 'queued' && this.holder instanceof Worker ? 'in_progress' : this.status;
  }

  /** The place in a trace of the request that fed it. */
  get trace(): TraceContext | null {
    return this.feed.traces?.of(this.sequenceId) ?? null;
  }

  /** The stage it enters next; null when it ends with this one. */
  get nextStage(): Stage | null {
    return this.route === null ? this.stage.next : this.route.stage;
  }

  /** Its priority in its stage's queue: half a step before its own once it has begun there. */
  get turn(): number {
    return this.ord < 0 ? this.priority - 0.5 : this.priority;
  }

  /** The error that it ended with. */
  get error(): ItemError | null {
    return this.errors === null ? null : this.errors.ended;
  }

  set error(error: ItemError | null) {
    if (this.errors !== null) this.errors.ended = error;
    else if (error !== null) this.errors = { ended: error, last: null };
  }

  /** The error of the last attempt that failed, whatever came after it. */
  get lastError(): ItemError | null {
    return this.errors === null ? null : this.errors.last;
  }

  set lastError(error: ItemError | null) {
    if (this.errors !== null) this.errors.last = error;
    else if (error !== null) this.errors = { ended: null, last: error };
  }

  /** Attempts begun in every stage and in every run. */
  get totalAttempts(): number {
    return this.earlierAttempts + this.attempts;
  }

  /** Has it begin with the first task of the stage that it enters next. */
  beginAnew(): void {
    this.taskIndex = 0;
    this.earlierAttempts += this.attempts;
    this.attempts = 0;
  }

  /** Moves it into the stage that was its next one. */
  arrive(stage: Stage): void {
    this.stage = stage;
    if (this.route !== null) this.route = this.route.rest;
  }

  get id(): string {
    return this.isNamed ? this.name : generatedId(this.name, this.sequenceId);
  }

  /** The id that the caller gave; null if none. */
  get givenId(): string | null {
    return this.isNamed ? this.name : null;
  }

  /** Whether it has ended. `completed` means that it has left its last stage. */
  get isFinal(): boolean {
    const { status } = this;
    return status === 'completed' || status === 'failed' || status === 'cancelled';
  }

  /** About how many characters its result is as JSON. */
  get resultSize(): number {
    const metadata = this.metadata === NO_METADATA ? 0 : sizeWithin(this.metadata, Number.MAX_SAFE_INTEGER);
    return ROW_SIZE + metadata + (this.error === null ? this.size : ERROR_SIZE + this.error.message.length + this.fedSize);
  }

  /** About how many characters the value as it was fed takes as JSON. */
  get fedSize(): number {
    return this.fed === this.value && this.size > 0 ? this.size : sizeWithin(this.fed, Number.MAX_SAFE_INTEGER);
  }

  /** About how many characters its row in a list of items is as JSON, which has no value. */
  get listedSize(): number {
    const { error, lastError } = this;
    return ROW_SIZE + (error?.message.length ?? 0) + (lastError?.message.length ?? 0);
  }

  toResult(): PipelineResult {
    const { id, sequenceId, metadata, error, feed, fed } = this;
    const result = { id, value: error === null ? this.value : null, sequenceId, metadata, error, feedId: feed.id };
    return error === null || fed === undefined ? result : { ...result, input: fed };
  }
}

/** A worker whose item waits for room in the next stage, and the status with which the item will leave its own. */
export interface Blocked {
  worker: Worker;
  as: 'completed' | 'skipped';
  /** The stage that has no room. */
  at: Stage;
  alive: boolean;
}

/**
 * One slot of a stage. It has one item at a time:
 *
 *     idle ──assign──▶ running ──outcome──▶ idle
 *                        │  ▲ (task, limit wait, hook)
 *                        └──▶ blocked: its item waits for room in the next stage
 *
 * Only the scheduler assigns and frees it; only the stage's runner moves it in between. {@link Slot} has the fields of the run itself.
 */
export class Worker extends Slot<Item, Stage> {
  readonly index: number;
  /** True when it is to be removed as soon as it is idle, because the stage was made smaller. */
  retiring = false;
  /** True from its assignment until the scheduler runs it. */
  isAssigned = false;
  /** True while its item stands in the file of marks, which survives a crash. */
  isMarked = false;
  /** Its place in that file; -1: none yet. */
  slot = -1;
  /** The number by which events refer to it, assigned with its first event; 0 until then. */
  sourceId = 0;
  blocked: Blocked | null = null;
  processingSince = 0;
  /** `busyMs` when it got its item. */
  busyBefore = 0;

  // Metrics.
  itemsProcessed = 0;
  itemsFailed = 0;
  lastActive = 0;

  constructor(stage: Stage, index: number) {
    super(`${stage.name}-W${index}`, stage, stage.runner);
    this.index = index;
  }
}

export type Route = RouteOver<Stage>;
export type QueueRest = QueueRestOf<Item>;
export type RetryRest = RetryRestOf<Item>;

/** A stage at run time. `workers` are all workers that exist; the idle ones among them form a stack, so that the same few stay warm. */
export class Stage extends StageCounts {
  name: string;
  readonly pipelineId: string;
  /** The stage's number in a store, from 1. It survives a rename and is never reused. */
  readonly no: number;
  index: number;
  /** The stage after this one; for a removed stage, the one in which its items go on. */
  next: Stage | null = null;
  spec: StageSpec;
  runner: Runner<Item, Worker>;
  /** Items that wait for a worker: handed over, fed from outside and returned from a retry, in one order. */
  readonly queue = new PriorityQueue<Item>((item) => item.status !== 'queued');
  /** Items of the previous stage that wait for room in `queue`, in the same order. */
  readonly blocked = new PriorityQueue<Blocked>((entry) => !entry.alive);
  /** Items in a durable store that wait behind all of `queue`; null without a store. */
  beyond: QueueRest | null = null;
  /** Items that wait apart from `queue`, since they ran in a crash; see flow/quarantine.ts. */
  readonly aside = new Set<Item>();
  /** Parked items in a durable store that come back later than those in memory; null without a store. */
  parkedRest: RetryRest | null = null;
  workers: Worker[] = [];
  idle: Worker[] = [];
  /** How many workers may run. After the stage was made smaller, more exist for a while; those that still run count against this number. */
  size = 0;
  /** How many of `queue` the previous stage has handed over; at most `capacity`, except in a shutdown. */
  handed = 0;
  capacity: number;
  isPaused = false;
  /** Why it is paused, when nobody asked for it; else null. */
  pauseReason: string | null = null;
  /** True when a new definition no longer has it: running workers finish their items, all other items pass through. */
  isRemoved = false;
  /** Number of executions that go on although their attempt was given up. */
  ignoringSignal = 0;
  /** Whether it hands out items now. */
  isOpen = false;
  /** True while the store has to catch up, or is in trouble. */
  isSuspended = false;
  /** The number by which events refer to it, assigned with its first event; 0 until then. */
  sourceId = 0;
  /** Its measurements. */
  readonly meter: StageMeter;
  /** How many of its workers are blocked by the next stage. Changed by the hand-over alone. */
  blockedWorkers = 0;
  /** Told of each worker that is gone. */
  onLeft: ((worker: Worker) => void) | null = null;

  /** Figures that workers had in an earlier process and that do not exist yet, by their index. */
  readonly earlierWorkers = new Map<number, WorkerFigures>();

  constructor(pipelineId: string, no: number, index: number, spec: StageSpec, runner: Runner<Item, Worker>, pipelineMeter: PipelineMeter) {
    super();
    this.meter = new StageMeter(pipelineMeter);
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

  /** Whether any of its workers has an item, or a handler goes on. */
  get isBusy(): boolean {
    return this.inProgress > 0 || this.ignoringSignal > 0;
  }

  /** How many items wait in its queue, in memory and in the store, and beside it. */
  get waiting(): number {
    return this.queued + this.aside.size;
  }

  private get queued(): number {
    return this.beyond === null ? this.queue.size : this.queue.size + this.beyond.size;
  }

  /** Whether an item that arrives now can begin at once: a worker is idle and no other item waits in the queue. */
  get hasIdle(): boolean {
    return this.idle.length > 0 && this.isOpen && this.inProgress < this.size && this.queued === 0 && this.blocked.size === 0;
  }

  /** To be called whenever a worker has got or lost an item, or is blocked or no longer is: the work clock runs while one of them works. */
  keepTime(moment: Moment): void {
    const isAtWork = this.inProgress > this.blockedWorkers;
    if (isAtWork !== this.meter.isAtWork) this.meter.works(isAtWork, moment.now);
  }

  /** Recomputes `isOpen`. To be called whenever the pipeline's state, the stage's pause or its suspension has changed. */
  update(state: PipelineState): void {
    this.isOpen = !this.isPaused && !this.isRemoved && !this.isSuspended && (state === 'running' || state === 'draining');
  }

  /** The workers that are to stay, in the order of their names. */
  get workerNames(): string[] {
    return this.workers.filter((worker) => !worker.retiring).map((worker) => worker.name);
  }

  /**
   * Resizes the stage to `count` workers, numbered from 0. Workers with higher numbers go, idle ones at once and busy ones after their item;
   * missing numbers are filled.
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
      const earlier = this.earlierWorkers.get(index);
      if (earlier !== undefined) {
        Object.assign(worker, earlier);
        this.earlierWorkers.delete(index);
      }
      kept.push(worker);
      this.idle.push(worker);
    }
    this.workers = [...kept.sort((a, b) => a.index - b.index), ...leaving];
    if (this.onLeft !== null) for (const worker of this.idle) if (worker.retiring) this.onLeft(worker);
    // The last of the stack is taken first, so the lowest numbers work first.
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

  /** Removes a retiring worker that no longer has an item. */
  remove(worker: Worker): void {
    this.workers = this.workers.filter((other) => other !== worker);
    this.onLeft?.(worker);
  }
}
