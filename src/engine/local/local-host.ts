/*
 * Room `local`: the runtime of this process: it puts the rooms below together behind the contract, as a host of pipelines and as the
 * library's `Pipeline`.
 *
 * Holds: Every answer is a copy. Every method of the contract begins here.
 * Refuses: to decide anything about items: it delegates and maps.
 */

import { isDeepStrictEqual } from 'node:util';
import type { ShutdownMode, ShutdownReport } from '../../schemas/control.ts';
import type { PipelineDefinition } from '../../schemas/definition.ts';
import { SluiceError, shuttingDown, storeUnavailable } from '../contract/errors.ts';
import type {
  HostMeasurements,
  PipelineHost,
  PutOptions,
  PutOutcome,
  StoreHealth,
  StoreRecovery,
  Validated,
  ValidateOptions,
} from '../contract/host.ts';
import type { Operator } from '../contract/operator.ts';
import type { EventSource, PipelineDescription } from '../contract/runtime.ts';
import { tellOperated } from '../control/told.ts';
import { MAX_WORKERS } from '../control/worker-room.ts';
import { checkDefinition } from '../definition/definition.ts';
import type { TaskRegistry } from '../definition/task-registry.ts';
import { HostStore } from '../durable/host-store.ts';
import { HostEvents } from '../events/host-events.ts';
import { Limiters } from '../limits/limiters.ts';
import { KEEPS_NOTHING, type Keeper } from '../model/keeper.ts';
import type { Blame, Store } from '../store.ts';
import { HostClock } from '../time/host-clock.ts';
import { promised } from './answer-gate.ts';
import { HostChanges } from './host-changes.ts';
import { HostHistory } from './host-history.ts';
import type { LocalHostOptions } from './host-options.ts';
import { limitersOf, notStoredOf, settledWithin, sumOf, withId, workersOf } from './host-parts.ts';
import { recoverPipelines } from './host-recovery.ts';
import { HostRoom } from './host-room.ts';
import { limiterWaiters } from './limiter-users.ts';
import type { LocalRuntime } from './local-runtime.ts';
import { measurePipeline, measureStore } from './measuring.ts';
import { RuntimeBuilder } from './runtime-builder.ts';

const MAX_DELIVERIES = 5;
/** The time that the store has, at a shutdown, to write what is left. */
const LAST_WRITES_MS = 2000;

/** The outcome of loading a definition from a file. */
export interface LoadedPipeline {
  pipeline: PipelineDescription;
  is: 'created' | 'changed' | 'kept';
  /** True when it took the place of a definition that was made by other means. */
  hasReplaced: boolean;
}

/** The pipelines of this process. They end with it; with a store, they go on in the next one. */
export class LocalHost implements PipelineHost {
  readonly tasks: TaskRegistry;
  readonly limiters: Limiters;
  shuttingDown = false;
  /** True when a thread could not be ended at the shutdown: it would keep the process from ending. */
  hasThreadsLeft = false;
  private readonly options: LocalHostOptions;
  private readonly clock: HostClock;
  private readonly pipelines = new Map<string, LocalRuntime>();
  private readonly allEvents: HostEvents;
  private stored: HostStore | null = null;
  private readonly room: HostRoom;
  private readonly builder: RuntimeBuilder;
  private readonly history: HostHistory;
  private readonly changes: HostChanges;
  /** The ids of the pipelines that were loaded from files. */
  private readonly loaded = new Set<string>();
  private recovered: StoreRecovery | null = null;
  /** Set by {@link LocalHost.abandon}. */
  private abandoned: SluiceError | null = null;
  /** True from {@link LocalHost.recover} to {@link LocalHost.goOn}: whatever is not stored by then is made anew by the next start. */
  private isRecovering = false;

  constructor(given: LocalHostOptions) {
    this.clock = new HostClock(given.ports.clock);
    const options = { ...given, ports: { ...given.ports, clock: this.clock } };
    this.options = options;
    this.tasks = options.registry;
    const host = {
      waiters: () => limiterWaiters(this.pipelines.values()),
      promised: <T>(carryOut: () => T) => promised(this.keeper, carryOut),
      onChanged: (name: string, operator: Operator, trace: Record<'before' | 'after', object>) => this.tellUsers(name, operator, trace),
    };
    this.limiters = new Limiters(options.ports, host, options.maxLimiterKeys);
    this.allEvents = new HostEvents(options.ports.uniqueId(), options.ports.clock);
    this.room = new HostRoom(this.pipelines, options.maxWorkers ?? MAX_WORKERS);
    this.builder = new RuntimeBuilder(options, this.limiters, this.room, () => this.stored);
    this.history = new HostHistory({
      clock: options.ports.clock,
      pipelines: () => this.pipelines.values(),
      stored: () => this.stored,
      pointsMax: options.historyPoints,
    });
    this.changes = new HostChanges({
      ...{ options, pipelines: this.pipelines, limiters: this.limiters, events: this.allEvents },
      ...{ room: this.room, builder: this.builder, history: this.history },
      stored: () => this.stored,
      keeper: () => this.keeper,
      get: (id) => this.get(id),
      addEvents: (pipeline) => this.addEvents(pipeline),
      expectNoShutdown: () => this.expectNoShutdown(),
      isRecovering: () => this.isRecovering,
    });
    if (options.store !== undefined) this.keepIn(options.store);
  }

  /** Gives the host its store, if that was not open when the host was made. To be called once, before anything else. */
  keepIn(store: Store): void {
    const { ports, maxDeliveries = MAX_DELIVERIES, queueWindow } = this.options;
    const { clock, allEvents: events } = this;
    this.stored = new HostStore(store, ports, { maxDeliveries, queueWindow }, { events, startAfter: (at) => clock.startAfter(at) });
    this.limiters.keepWith(this.stored.limiters);
  }

  get storeHealth(): StoreHealth {
    const { stored, recovered } = this;
    const unusable = [...this.pipelines].flatMap(([pipelineId, { unusable }]) =>
      unusable ? [{ pipelineId, reason: unusable.reason }] : [],
    );
    return { kind: stored?.store.kind ?? 'memory', trouble: stored?.flusher.trouble ?? null, recovered, unusable };
  }

  /**
   * Restores the pipelines of the store, and resolves when what it counted is stored; to be called once, before anything else. None of them
   * runs before {@link LocalHost.goOn}. One whose definition can no longer be used stays `stopped`, with its items, until it has another one; the ids
   * in `replaced` are about to be loaded anew. Throws `invalid-pipeline` when there are more workers than there may be: then nothing in the store has
   * changed. Throws `shutting-down` when a shutdown begins meanwhile; then the next start does what is left.
   */
  async recover(replaced: ReadonlySet<string> = new Set()): Promise<StoreRecovery> {
    const { stored } = this;
    const total: StoreRecovery = { pipelines: 0, queued: 0, running: 0, retrying: 0, poisoned: 0, seconds: 0 };
    if (stored === null) return total;
    this.isRecovering = true;
    const { room, builder, limiters } = this;
    const { clock, logger } = this.options.ports;
    const startedAt = clock.monotonic();
    for await (const { pipeline, counts } of recoverPipelines({ stored, room, builder, limiters, clock, logger }, replaced)) {
      this.expectNoShutdown();
      pipeline.loadSeries = () => this.history.load(pipeline);
      this.pipelines.set(pipeline.core.id, pipeline);
      this.addEvents(pipeline);
      total.pipelines++;
      for (const kind of ['queued', 'running', 'retrying', 'poisoned'] as const) total[kind] += counts[kind];
    }
    this.expectNoShutdown();
    // How often an item was running in a crash is stored before it can run again, however long that takes.
    await stored.flusher.settledAtLast()?.isStored;
    this.expectNoShutdown();
    total.seconds = (clock.monotonic() - startedAt) / 1000;
    this.recovered = total;
    return total;
  }

  private addEvents({ core, durable }: LocalRuntime): void {
    this.allEvents.add(core.id, core.events, durable?.link.pipeline);
  }

  /** Throws `invalid-pipeline` when there are more workers than there may be. Call it after the last {@link LocalHost.load}. */
  expectRoom(): void {
    this.room.expectAll();
  }

  /** Lets the recovered pipelines go on. From here on, what runs is this process's, and what the one before has left is accounted for. */
  goOn(): void {
    this.isRecovering = false;
    const { stored } = this;
    if (stored?.crash().isUncertain === true) {
      stored.careful.begin();
      const message =
        'the process before ran items that are not stored as such; for ten minutes no task is called before its item is stored';
      this.options.ports.logger.warn({}, message);
    }
    stored?.store.forgetMarked();
    stored?.quarantine.begin(() => this.fillAll());
    if (stored !== null && stored.quarantine.size > 0) {
      const { size: suspects, isExclusive } = stored.quarantine;
      this.options.ports.logger.warn(
        { suspects, isExclusive },
        'items that ran in a crash run apart from each other until one run of theirs has ended',
      );
    }
    for (const pipeline of this.pipelines.values()) pipeline.asked.goOn();
    if (this.options.keepsHistory === true) this.history.begin();
    stored?.quarantine.opened();
  }

  private fillAll(): void {
    for (const { core } of this.pipelines.values()) for (const stage of core.stages) core.scheduler.fillNow(stage);
  }

  /** A definition that can be loaded, as far as it alone can tell. Throws what `create` throws but `pipeline-exists`; changes nothing. */
  check(raw: unknown): PipelineDefinition {
    return checkDefinition(raw, this.builder.specs, this.options);
  }

  /**
   * Puts a definition from a file. If the file has not changed since it was last loaded, changes made by other means stay. `isStart`: more definitions follow,
   * and {@link LocalHost.expectRoom}.
   */
  async load(raw: unknown, { operator, isStart = true }: { operator?: Operator; isStart?: boolean } = {}): Promise<LoadedPipeline> {
    this.expectNoShutdown();
    const definition = this.check(raw);
    const known = this.pipelines.get(definition.id);
    if (known?.defined.inFile && known.unusable === null && isDeepStrictEqual(known.defined.inFile, definition))
      return { pipeline: known.describeNow(), is: 'kept', hasReplaced: false };
    const isOwn =
      known === undefined ||
      isDeepStrictEqual(known.defined.current, known.defined.inFile) ||
      isDeepStrictEqual(known.defined.current, definition);
    // Those that come after it may still make room: all of them are looked at in the end.
    const workers = known?.defined.workersClaimed(definition) ?? workersOf(definition);
    if (isStart) this.room.expect(workers, definition.id, this.loaded);
    const { isCreated, changes, changedFields } = await this.changes.put(definition, { ...(operator && { operator }) }, !isStart);
    this.loaded.add(definition.id);
    const pipeline = this.get(definition.id);
    pipeline.defined.inFile = definition;
    pipeline.core.keeper.touchFact('definition');
    return {
      pipeline: pipeline.describeNow(),
      is: isCreated ? 'created' : changes.length + changedFields.length > 0 ? 'changed' : 'kept',
      hasReplaced: !isOwn,
    };
  }

  /** The text that {@link LocalHost.keepFiles} has kept last, in this process or an earlier one; null: none. Throws `store-unavailable`. */
  get filesLoaded(): string | null {
    return this.stored?.files ?? null;
  }

  /**
   * Keeps what tells files from those that were loaded now, as JSON. Call it after the last {@link LocalHost.load}. Resolves when it is stored. Throws `shutting-down`
   * when it never will be.
   */
  async keepFiles(files: string): Promise<void> {
    const { stored } = this;
    if (stored === null) return;
    stored.keepFiles(files);
    if ((await stored.flusher.settledAtLast()?.isStored) === false) throw shuttingDown();
  }

  get events(): EventSource {
    return this.allEvents.begin();
  }

  list(): Promise<PipelineDescription[]> {
    return this.each((pipeline) => pipeline.describe());
  }

  snapshots() {
    return this.each(async (pipeline) => ({ pipelineId: pipeline.core.id, ...(await pipeline.snapshot()) }));
  }

  async measure(): Promise<HostMeasurements> {
    const store = await measureStore(this.stored, this.options.ports.clock);
    const pipelines = [...this.pipelines.values()].filter(({ gate }) => !gate.isLeaving).map(measurePipeline);
    return { pipelines, limiters: this.limiters.measure(), store };
  }

  /** The answers of all pipelines, without those that are gone by the time of their answer. */
  private async each<T>(look: (pipeline: LocalRuntime) => Promise<T>): Promise<T[]> {
    const nothing = (error: unknown): T[] => {
      if (error instanceof SluiceError && error.code === 'pipeline-not-found') return [];
      throw error;
    };
    this.expectHere();
    const found = await Promise.all([...this.pipelines.values()].map((pipeline) => look(pipeline).then((one) => [one], nothing)));
    return found.flat();
  }

  create(raw: unknown, options: PutOptions = {}): Promise<PipelineDescription> {
    return promised(this.keeper, () => {
      this.expectNoShutdown();
      return this.changes.create(this.check(raw), options, true);
    });
  }

  /** The keeper of the host's own changes: which pipelines there are. */
  private get keeper(): Pick<Keeper, 'trouble' | 'settled'> {
    return this.stored?.flusher ?? KEEPS_NOTHING;
  }

  private expectNoShutdown(): void {
    this.expectHere();
    if (this.shuttingDown) throw shuttingDown();
  }

  put(id: string, raw: unknown, options: PutOptions = {}): Promise<PutOutcome> {
    return promised(this.keeper, () => {
      this.expectNoShutdown();
      return this.changes.put(this.check(withId(id, raw)), options, true);
    });
  }

  async validate(raw: unknown, { against, within }: ValidateOptions = {}): Promise<Validated> {
    this.expectHere();
    const pipeline = against === undefined ? undefined : this.get(against);
    const definition = this.check(against === undefined ? raw : withId(against, raw));
    return this.changes.preview(definition, pipeline, within);
  }

  /** Adds an event of a changed limiter to each pipeline that uses it. */
  private tellUsers(name: string, { by }: Operator, trace: Record<'before' | 'after', object>): void {
    for (const { core, defined } of this.pipelines.values()) {
      if (limitersOf(defined.current).has(name)) tellOperated(core, { by }, { change: 'limiter-changed', ...trace });
    }
  }

  get(id: string): LocalRuntime {
    const pipeline = this.pipelines.get(id);
    if (pipeline === undefined) throw new SluiceError('pipeline-not-found', `no pipeline "${id}"`);
    return pipeline;
  }

  remove(id: string, mode?: 'drain' | 'force', options: Pick<PutOptions, 'within' | 'operator'> = {}): Promise<void> {
    return promised(this.keeper, () => this.changes.remove(id, mode, options));
  }

  async shutdown(mode: ShutdownMode, timeoutSeconds: number, operator?: Operator): Promise<ShutdownReport> {
    if (this.abandoned !== null) return sumOf(mode, []);
    this.shuttingDown = true;
    this.limiters.close();
    for (const pipeline of this.pipelines.values()) pipeline.close();
    const reports = await Promise.all(
      [...this.pipelines.values()].map((pipeline) => pipeline.stop(mode, 'process', timeoutSeconds, operator)),
    );
    const report = sumOf(mode, reports);
    this.history.end();
    const { threads, hands, clock } = this.options.ports;
    const lastWrites = settledWithin(LAST_WRITES_MS, this.stored?.flusher.settled(), clock);
    const [haveThreadsEnded] = await Promise.all([threads?.close(), hands?.close(), lastWrites]);
    if (haveThreadsEnded === false) this.hasThreadsLeft = true;
    // What it still had when it was abandoned is another host's.
    if (this.abandoned !== null) return sumOf(mode, []);
    const { count, ids } = this.notStored();
    return count === 0 ? report : { ...report, notKept: count, notKeptIds: ids };
  }

  /**
   * The items that a durable store cannot vouch for, since its last writes are not on disk: items whose newest state it does not have (these are
   * named first), and unfinished items, whose last change it may not have. Acknowledged items go on at the next start all the same.
   */
  notStored(): { count: number; ids: string[] } {
    const isBehind = this.stored?.flusher.isBehind === true && !this.isRecovering && this.abandoned === null;
    return isBehind ? notStoredOf(this.pipelines.values()) : { count: 0, ids: [] };
  }

  /** Resolves when everything that has changed until now is stored, through trouble, or after two seconds, or when it is abandoned. */
  settle(): Promise<void> {
    return settledWithin(LAST_WRITES_MS, this.stored?.flusher.settledAtLast()?.isStored, this.options.ports.clock);
  }

  /**
   * Leaves everything as it is in the store to another host, of this process or another. At once: nothing begins, nothing is written, what runs is aborted,
   * who waits is answered with `store-unavailable` and this reason, or with `shutting-down` where the process ends, and so is whoever comes. No event is shown any more; those that were can be read. The
   * store stays open, and is the caller's to close. Resolves when no write is under way: before that, nobody else may write to the same {@link Store}. Idempotent.
   */
  abandon(reason = 'another node owns the pipelines now'): Promise<void> {
    const error = this.shuttingDown ? shuttingDown() : storeUnavailable(reason, 0);
    const unused = this.stored?.abandon(reason) ?? Promise.resolve();
    if (this.abandoned !== null) return unused;
    this.abandoned = error;
    this.history.abandon();
    this.limiters.abandon(error);
    for (const pipeline of this.pipelines.values()) pipeline.abandon(error);
    for (const id of this.pipelines.keys()) this.options.ports.notes?.leave(id);
    // They end by themselves; what they run is aborted.
    void this.options.ports.threads?.close();
    return unused;
  }

  private expectHere(): void {
    if (this.abandoned !== null) throw this.abandoned;
  }

  /** Notes the item that ends this process or holds its event loop: the next process counts the crash against no other item. */
  blame(blame: Blame): void {
    this.stored?.store.blame(blame);
  }

  /** Closes the store, unless it was abandoned to somebody else. Call it after {@link LocalHost.shutdown} and the last read. */
  async close(): Promise<void> {
    if (this.abandoned === null) await this.stored?.close();
  }
}

/** Makes a host whose pipelines run in this process. */
export function createLocalHost(options: LocalHostOptions): LocalHost {
  return new LocalHost(options);
}
