import type { PauseAfterFailures } from '../../schemas/definition.ts';
import type { ItemError } from '../../schemas/item.ts';
import type { PipelineState } from '../../schemas/stats.ts';
import { ERROR_CHARACTERS, type PipelineError } from '../contract/errors.ts';
import { LinesOfHistory } from '../contract/event-lines.ts';
import type { DoneHook, StageSpec } from '../definition/stage-spec.ts';
import { EventLog } from '../events/event-log.ts';
import { TaskLimiter } from '../limits/task-limiter.ts';
import { PipelineMeter } from '../measures/pipeline-meter.ts';
import { StageTotals } from '../measures/stage-totals.ts';
import type { Feed } from '../model/feed.ts';
import { KEEPS_NOTHING, type Keeper } from '../model/keeper.ts';
import { type Item, Stage, type Worker } from '../model/model.ts';
import type { Ports } from '../ports.ts';
import type { StageEnvironment } from '../stage/hinge.ts';
import { StageRunner } from '../stage/stage-runner.ts';
import { Drain } from '../time/drain.ts';
import { DueQueue } from '../time/due-queue.ts';
import { EngineClock } from '../time/engine-clock.ts';
import { PAGE_CHARACTERS } from '../values/sizes.ts';
import type { ValueRule } from '../values/value-rule.ts';
import { Admission } from './admission.ts';
import { Breaker } from './breaker.ts';
import type { Careful } from './careful.ts';
import { Evacuation } from './evacuation.ts';
import { FeedRegistry } from './feed-registry.ts';
import { ItemIndex, type Items, type Retention } from './item-index.ts';
import { Ledger } from './ledger.ts';
import type { Quarantine } from './quarantine.ts';
import type { Marks } from './ready-workers.ts';
import { Scheduler } from './scheduler.ts';

export interface CoreOptions {
  id: string;
  specs: StageSpec[];
  collectResults: boolean;
  retention: Retention;
  backlogCapacity: number;
  eventsKept: number;
  /** The bound for live tuning; none by default. */
  maxWorkersPerStage?: number;
  /** The number of workers in other pipelines, and the most that all may have together; no bound by default. */
  workerRoom?: () => { others: number; most: number };
  hookTimeoutSeconds: number;
  /** The hook that is told of feeds that are done. */
  onDone?: DoneHook | undefined;
  /** The rule that values must satisfy; undefined: none. */
  values: ValueRule | undefined;
  /** The most characters of a page and of a document, see sizes.ts. */
  pageCharacters?: number | undefined;
  documentCharacters?: number | undefined;
  /** The bounds of what is remembered of requests, see {@link LocalHostOptions}. */
  maxFeeds?: number | undefined;
  maxIdempotencyKeys?: number | undefined;
  /** The most characters of an error's text. Default 4096. */
  maxErrorCharacters?: number | undefined;
  marks?: Marks;
  careful?: Careful;
  quarantine?: Quarantine;
  /** The identity that a store has kept; without one, a new identity is made. */
  identity?: Identity;
  ports: Ports;
}

/** The prefixes of a pipeline's ids, and the numbers of its stages: they survive a restart. */
export interface Identity {
  /** The prefix of generated item ids. */
  idPrefix: string;
  /** By the names of which event ids begin. */
  lines: LinesOfHistory;
  /** The numbers of the stages by name. */
  stages: Record<string, number>;
  /** The highest number that a stage was ever given. */
  lastStage: number;
}

/** A wait for items to end, which is told when the pipeline was stopped before that. */
export interface Follower {
  cutShort(error: PipelineError): void;
}

/** The parts of a runtime that a core calls. */
export interface CoreHooks {
  /** Called after each end of an item. */
  readonly onEnd: () => void;
  /** Called each time a worker becomes free. */
  readonly onFree: () => void;
  /** Pauses a stage in which too many items have failed, the last one with this error. */
  readonly onFailures: (stage: Stage, limit: PauseAfterFailures, error: ItemError) => void;
  /** Called when a feed is done whose hook is to be called, in the turn in which that is decided. */
  readonly onOwed: (feed: Feed) => void;
}

/** The parts of one pipeline, wired together; its state, and the steps at the end of an item. */
export class Core {
  readonly id: string;
  readonly options: CoreOptions;
  readonly time: EngineClock;
  readonly dues: DueQueue;
  readonly events: EventLog;
  private items: Items;
  private keeping: Keeper = KEEPS_NOTHING;
  /** Prepares a new stage for the store. */
  private prepare: ((stage: Stage) => void) | null = null;
  private readonly suspensions = new Set<string>();
  /** The highest number that a stage was given. */
  private lastStage: number;
  readonly scheduler: Scheduler;
  readonly admission: Admission;
  readonly ledger: Ledger;
  readonly evacuation: Evacuation;
  readonly breaker: Breaker;
  private defined: readonly Stage[];
  private removed: readonly Stage[] = [];

  private stateNow: PipelineState = 'created';
  /** Why it is in its state, when nobody asked for it. */
  private reasonNow: string | null = null;

  /** Whether any item's way may differ from the order of the stages. */
  hasRoutes = false;
  readonly drain = new Drain();
  /** The measurements of the pipeline. */
  readonly meter = new PipelineMeter();
  /** The counters of its stages, by name. */
  readonly stageTotals = new StageTotals();
  readonly feeds: FeedRegistry;

  readonly followers = new Set<Follower>();

  private readonly hooks: CoreHooks;
  private readonly environment: StageEnvironment<Item, Worker>;

  constructor(options: CoreOptions, hooks: CoreHooks) {
    const { clock, random, uniqueId, logger, secrets } = options.ports;
    this.id = options.id;
    this.options = options;
    this.hooks = hooks;
    this.time = new EngineClock(clock);
    this.dues = new DueQueue(clock);
    this.ledger = new Ledger(this.time, this.meter);
    this.events = new EventLog(
      options.id,
      options.identity?.lines ?? new LinesOfHistory({ epoch: uniqueId() }),
      options.eventsKept,
      this.time,
      {
        whole: (sequenceId) => this.index.bySequence(sequenceId) as Item,
        face: (sequenceId) => this.index.peekSequence(sequenceId) as Item,
      },
    );
    const idPrefix = options.identity?.idPrefix ?? uniqueId();
    this.items = new ItemIndex(
      options.retention,
      this.time,
      idPrefix,
      options.pageCharacters ?? PAGE_CHARACTERS,
      () => this.events.oldest,
      (sequenceId) => this.ledger.forget(sequenceId),
    );
    this.breaker = new Breaker({ time: this.time, state: () => this.state, pause: hooks.onFailures });
    this.scheduler = new Scheduler({
      time: this.time,
      dues: this.dues,
      events: this.events,
      drain: this.drain,
      meter: this.meter,
      marks: options.marks ?? null,
      careful: options.careful ?? null,
      touch: (item) => this.keeper.touch(item),
      quarantine: options.quarantine ?? null,
      onFinal: (item, status) => this.onFinal(item, status),
      onFailure: (worker, item, outcome) => this.breaker.failed(worker, item, outcome),
      onRoom: () => this.admission.onRoom(),
      stages: () => this.allStages,
      isHeld: () => this.suspensions.size > 0,
      onFree: hooks.onFree,
    });
    this.evacuation = new Evacuation({
      scheduler: this.scheduler,
      clock,
      isHeld: () => this.suspensions.size > 0,
      onEmpty: () => this.forgetEmpty(),
    });
    this.environment = {
      time: this.time,
      dues: this.dues,
      turn: this.scheduler.turn,
      events: this.events,
      random,
      logger,
      pipelineId: options.id,
      notes: options.ports.notes ?? null,
      tracer: options.ports.tracer ?? null,
      maskSecrets: secrets.mask,
      maxErrorCharacters: options.maxErrorCharacters ?? ERROR_CHARACTERS,
      gateFor: (_task, limit) => new TaskLimiter(limit, clock),
      done: (worker, outcome) => {
        this.scheduler.apply(worker, outcome);
        this.scheduler.run();
      },
      values: options.values,
      onLarge: (size) => this.keeper.grow(size),
      hookTimeoutMs: options.hookTimeoutSeconds * 1000,
    };
    this.lastStage = options.identity?.lastStage ?? 0;
    this.defined = options.specs.map((spec, i) => this.createStage(spec, i, options.identity?.stages[spec.definition.name]));
    for (const [i, stage] of this.stages.entries()) stage.next = this.stages[i + 1] ?? null;
    this.feeds = new FeedRegistry(uniqueId, (feed) => this.onOver(feed), options.maxFeeds);
    this.admission = new Admission({
      pipelineId: options.id,
      time: this.time,
      dues: this.dues,
      index: () => this.index,
      scheduler: this.scheduler,
      feeds: this.feeds,
      idPrefix,
      values: options.values,
      onLarge: (size) => this.keeper.grow(size),
      state: () => this.state,
      stages: () => this.stages,
      backlogCapacity: options.backlogCapacity,
      secondsUntilRoom: (places, stage) => this.drain.secondsUntil(places, stage.size, this.time.tick()),
      onFed: (feed) => this.keeper.touchFeed(feed),
      ledger: this.ledger,
      tracer: options.ports.tracer ?? null,
    });
  }

  get index(): Items {
    return this.items;
  }

  /** Told of every change; it keeps nothing until {@link Core.keepWith}. */
  get keeper(): Keeper {
    return this.keeping;
  }

  /** Ties the pipeline to a store, which has its items from now on, and prepares its stages, present and future ones. */
  storeIn(items: Items, prepare: (stage: Stage) => void): void {
    this.items = items;
    this.prepare = prepare;
    for (const stage of this.stages) prepare(stage);
  }

  /** Tells a keeper of every change from now on. */
  keepWith(keeper: Keeper): void {
    this.keeping = keeper;
    this.events.keepWith(keeper);
    this.feeds.keepWith(keeper);
  }

  get state(): PipelineState {
    return this.stateNow;
  }

  /** Why the pipeline is in its state, when nobody asked for it; else null. */
  get stateReason(): string | null {
    return this.reasonNow;
  }

  /** The stages of the definition, in their order. */
  get stages(): readonly Stage[] {
    return this.defined;
  }

  /** Stages that a new definition no longer has, while their workers still run or items wait there. */
  get leaving(): readonly Stage[] {
    return this.removed;
  }

  /** Puts the pipeline into a state, and its stages with it. The lifecycle decides which state may follow which. */
  enter(state: PipelineState, reason: string | null = null): void {
    this.stateNow = state;
    this.reasonNow = reason;
    for (const stage of this.defined) stage.update(state);
  }

  /** Replaces the stages by those of another definition; `removed` ones leave as soon as none of their workers runs and no item waits there. */
  rearrange(stages: readonly Stage[], removed: readonly Stage[]): void {
    this.defined = stages;
    this.removed = [...new Set([...this.removed, ...removed])].filter((stage) => stage.isRemoved);
    for (const stage of this.allStages) stage.update(this.stateNow);
  }

  /** Forgets removed stages in which nothing runs or waits any more. */
  forgetEmpty(): void {
    const forgotten = this.removed.filter((stage) => !stage.isBusy && !this.evacuation.has(stage));
    for (const { name, meter } of forgotten) this.stageTotals.leaves(name, meter);
    this.removed = this.removed.filter((stage) => !forgotten.includes(stage));
  }

  /** The number of items that workers have, in all stages. */
  get inProgress(): number {
    return this.allStages.reduce((sum, stage) => sum + stage.inProgress, 0);
  }

  /** The stages of the definition, and those that are leaving. */
  get allStages(): readonly Stage[] {
    return this.removed.length === 0 ? this.defined : [...this.defined, ...this.removed];
  }

  createRunner(spec: StageSpec, before?: Stage): StageRunner<Item, Worker> {
    return new StageRunner(spec, this.environment, before);
  }

  createStage(spec: StageSpec, index: number, no = ++this.lastStage): Stage {
    const stage = new Stage(this.id, no, index, spec, this.createRunner(spec), this.meter);
    const { marks } = this.options;
    if (marks !== undefined) stage.onLeft = (worker) => marks.left(worker);
    this.prepare?.(stage);
    return stage;
  }

  /** Adds or removes a reason for which no worker takes another item. */
  suspend(reason: string, isSuspended: boolean): void {
    const before = this.suspensions.size > 0;
    if (isSuspended) this.suspensions.add(reason);
    else this.suspensions.delete(reason);
    const after = this.suspensions.size > 0;
    if (before === after) return;
    for (const stage of this.allStages) {
      stage.isSuspended = after;
      stage.update(this.state);
    }
    this.time.tick();
    if (after) return;
    for (const stage of this.stages) this.scheduler.fill(stage);
    this.scheduler.retries.goOn();
    this.evacuation.goOn();
  }

  /** Corrects the counts for a failed item that is in flight again. */
  uncountFailure(item: Item): void {
    const { feed } = item;
    feed.goOn();
    item.stage.failed--;
    this.ledger.goesOn(item);
    this.keeper.touchFeed(feed);
  }

  private onFinal(item: Item, status: 'completed' | 'failed' | 'cancelled'): void {
    const feed = item.feed;
    if (status === 'completed') {
      feed.completed++;
      item.fed = undefined;
    } else if (status === 'failed') {
      feed.failed++;
    } else {
      feed.cancelled++;
    }
    if (status !== 'cancelled') feed.measure(Math.floor(this.meter.feedClock.at(this.time.now)));
    feed.rest();
    this.ledger.end(item, status);
    this.events.result(item);
    if (feed.watchers !== null) for (const watcher of feed.watchers) watcher.onItem(item);
    // Those who wait for this feed have its value by now; nobody else may see it.
    if (!this.options.collectResults && status === 'completed') {
      item.value = undefined;
      item.size = 0;
    }
    this.keeper.touchFeed(feed);
    this.index.finish(item);
    if (feed.isDone) this.feeds.look(feed);
    this.hooks.onEnd();
  }

  /** A feed is done: an event says so, and the store knows of the call of its hook in the same write as of the last end. */
  private onOver(feed: Feed): void {
    this.events.feed(feed);
    if (this.options.onDone === undefined) return;
    feed.isOwed = true;
    this.keeper.touchFeed(feed);
    this.hooks.onOwed(feed);
  }
}
