/*
 * Room `local`: the runtime of this process: it puts the rooms below together behind the contract, as a host of pipelines and as the
 * library's `Pipeline`.
 *
 * Holds: Whatever is answered is a copy. Every method of the contract begins here.
 * Refuses: to decide anything about items: it delegates and maps.
 */

import { isDeepStrictEqual } from 'node:util';
import type { ShutdownMode, ShutdownReport } from '../../schemas/control.ts';
import type { PipelineDefinition } from '../../schemas/definition.ts';
import { SluiceError } from '../contract/errors.ts';
import type { EventSource, PipelineDescription, PipelineHost, PutOutcome, StoreHealth, StoreRecovery } from '../contract/runtime.ts';
import { expectRoomFor, MAX_WORKERS } from '../control/worker-room.ts';
import { checkDefinition, checkStoredDefinition, type DefinitionLimits } from '../definition/definition.ts';
import { placeholderStage, resolveStage, type SpecEnvironment } from '../definition/stage-spec.ts';
import type { TaskRegistry } from '../definition/task-registry.ts';
import type { StoreLink } from '../durable/durable.ts';
import { HostStore } from '../durable/host-store.ts';
import { HostEvents } from '../events/host-events.ts';
import type { CoreOptions } from '../flow/core.ts';
import { Limiters } from '../limits/limiters.ts';
import { KEEPS_NOTHING, type Keeper } from '../model/keeper.ts';
import type { Ports } from '../ports.ts';
import type { Blame, Store } from '../store.ts';
import { createValueRule, type ValueRule } from '../values/json-fault.ts';
import { promised } from './answer-gate.ts';
import { sumOf, withId, workersOf, workersStored } from './host-parts.ts';
import { LocalRuntime } from './local-runtime.ts';

export interface LocalHostOptions extends DefinitionLimits {
  registry: TaskRegistry;
  ports: Ports;
  /** Bounds for pipelines that name none of their own. */
  retentionMaxItems: number;
  retentionMaxAgeSeconds: number;
  backlogCapacity: number;
  /** How many events each pipeline keeps, for resuming readers and item histories. */
  eventsKept: number;
  hookTimeoutSeconds: number;
  /** Where everything is kept; without it, everything ends with the process. */
  store?: Store;
  /** Where pages of lists and documents with all results end, see sizes.ts. */
  pageCharacters?: number;
  documentCharacters?: number;
  /** What an item may take as it is fed, and a result of a task, as JSON in UTF-8; at most 128 MiB. Default 16 MiB. */
  maxValueBytes?: number;
  /** An item that was running in so many processes that crashed is not tried again. Default 5. */
  maxDeliveries?: number;
  /** How many items of a stage's queue are kept in memory at most, the others in the store; by default by what they take. */
  queueWindow?: number;
}

const MAX_DELIVERIES = 5;
const MAX_PIPELINES = 1000;
const MAX_VALUE_BYTES = 16 * 1024 * 1024;
/** At a shutdown: how long the store may take to write what is left. */
const LAST_WRITES_MS = 2000;
/** How many items that are not stored a report names. */
const IDS_NAMED = 100;

/** The pipelines of this process. They live as long as it does; with a store, they go on in the next one. */
export class LocalHost implements PipelineHost {
  readonly tasks: TaskRegistry;
  readonly limiters: Limiters;
  shuttingDown = false;
  /** A thread could not be ended at the shutdown: whoever waits for it waits for ever. */
  hasThreadsLeft = false;
  private readonly options: LocalHostOptions;
  private readonly pipelines = new Map<string, LocalRuntime>();
  private readonly allEvents: HostEvents;
  private readonly stored: HostStore | null;
  private readonly values: ValueRule;
  /** Those of files, as far as they are loaded. */
  private readonly loaded = new Set<string>();
  private recovered: StoreRecovery | null = null;

  constructor(options: LocalHostOptions) {
    this.options = options;
    this.tasks = options.registry;
    this.limiters = new Limiters(options.ports);
    this.values = createValueRule(options.maxValueBytes ?? MAX_VALUE_BYTES);
    this.allEvents = new HostEvents(options.ports.uniqueId());
    const { store, ports, maxDeliveries = MAX_DELIVERIES, queueWindow } = options;
    this.stored = store === undefined ? null : new HostStore(store, ports, { maxDeliveries, queueWindow });
  }

  get storeHealth(): StoreHealth {
    const { stored, recovered } = this;
    return { kind: stored?.store.kind ?? 'memory', trouble: stored?.flusher.trouble ?? null, recovered };
  }

  /**
   * Takes up what the store has, once, before anything else; nothing of it runs before {@link LocalHost.goOn}. A pipeline whose
   * definition cannot be used any more throws what `create` throws, `details.pipelineId` naming it, unless it is in `replaced`: then it is
   * about to be loaded anew.
   */
  async recover(replaced: ReadonlySet<string> = new Set()): Promise<StoreRecovery> {
    const { stored } = this;
    const total: StoreRecovery = { pipelines: 0, queued: 0, running: 0, retrying: 0, poisoned: 0, seconds: 0 };
    if (stored === null) return total;
    const { clock, logger } = this.options.ports;
    const startedAt = clock.monotonic();
    const found = stored.pipelines();
    this.expectRoomForStored(found.filter(({ definition }) => !replaced.has(definition.id)));
    for (const { link, definition, source } of found) {
      const began = clock.monotonic();
      const pipeline = this.rebuild(definition, link, replaced.has(definition.id));
      pipeline.source = source;
      const counts = pipeline.recover();
      this.pipelines.set(definition.id, pipeline);
      this.allEvents.add(definition.id, pipeline.events);
      const seconds = (clock.monotonic() - began) / 1000;
      logger.info({ pipeline: definition.id, ...counts, seconds }, 'pipeline recovered');
      total.pipelines++;
      for (const kind of ['queued', 'running', 'retrying', 'poisoned'] as const) total[kind] += counts[kind];
    }
    // How often an item was running in a crash is stored before it can run again.
    await stored.flusher.settled();
    stored.store.forgetMarked();
    total.seconds = (clock.monotonic() - startedAt) / 1000;
    this.recovered = total;
    return total;
  }

  /** After the last {@link LocalHost.load}. Throws `invalid-pipeline` when there are more workers than there may be. */
  expectRoom(): void {
    const counts = [...this.pipelines].map(([id, pipeline]) => ({ id, workers: pipeline.workersClaimed() }));
    this.expectRoomForAll('all pipelines together', counts);
  }

  /** The pipelines that were recovered go on. */
  goOn(): void {
    for (const pipeline of this.pipelines.values()) pipeline.goOn();
  }

  /** A definition as it stands in a file: it is what holds, unless the file said the same before and it was changed since. */
  async load(raw: unknown): Promise<{ pipeline: PipelineDescription; is: 'created' | 'changed' | 'kept' }> {
    const definition = checkDefinition(raw, this.specs, this.options);
    const known = this.pipelines.get(definition.id);
    if (known?.source && !known.isPlaceholder && isDeepStrictEqual(known.source, definition))
      return { pipeline: known.describeNow(), is: 'kept' };
    // Those that come after it may still make room: all of them are looked at in the end.
    const workers = known?.workersClaimed(definition) ?? workersOf(definition);
    expectRoomFor(workers, this.workersOf(this.loaded, definition.id), this.maxWorkers);
    const { isCreated, changes } = await this.putWithin(definition.id, raw, {}, false);
    this.loaded.add(definition.id);
    const pipeline = this.get(definition.id);
    pipeline.source = definition;
    pipeline.core.keeper.touchFact('definition');
    return { pipeline: pipeline.describeNow(), is: isCreated ? 'created' : changes.length > 0 ? 'changed' : 'kept' };
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

  /** Of those that are there, as {@link AnswerGate} says. */
  private async each<T>(look: (pipeline: LocalRuntime) => Promise<T>): Promise<T[]> {
    const nothing = (error: unknown): T[] => {
      if (error instanceof SluiceError && error.code === 'pipeline-not-found') return [];
      throw error;
    };
    const found = await Promise.all([...this.pipelines.values()].map((pipeline) => look(pipeline).then((one) => [one], nothing)));
    return found.flat();
  }

  create(raw: unknown, options: { start?: boolean } = {}): Promise<PipelineDescription> {
    return promised(this.keeper, () => this.createWithin(raw, options, true));
  }

  /** Of what concerns the host, not one of its pipelines. */
  private get keeper(): Pick<Keeper, 'trouble' | 'settled'> {
    return this.stored?.flusher ?? KEEPS_NOTHING;
  }

  private async createWithin(raw: unknown, options: { start?: boolean }, checksRoom: boolean): Promise<PipelineDescription> {
    if (this.shuttingDown) throw new SluiceError('shutting-down', undefined, { retryAfterSeconds: 5 });
    const definition = checkDefinition(raw, this.specs, this.options);
    if (this.isLeaving(definition.id)) await this.hasLeft();
    if (this.pipelines.has(definition.id)) throw new SluiceError('pipeline-exists', `a pipeline "${definition.id}" already exists`);
    const { maxPipelines = MAX_PIPELINES } = this.options;
    if (this.pipelines.size >= maxPipelines) {
      const message = `there are already ${this.pipelines.size} pipelines, the most that MAX_PIPELINES allows`;
      throw new SluiceError('invalid-pipeline', message, { errors: [{ path: '', message }] });
    }
    if (checksRoom) expectRoomFor(workersOf(definition), this.workersBeside(definition.id), this.maxWorkers);
    const pipeline = this.build(definition, this.stored?.create(definition.id));
    this.pipelines.set(definition.id, pipeline);
    pipeline.beginStored();
    this.allEvents.add(definition.id, pipeline.events);
    if (options.start !== false) pipeline.begin();
    return pipeline.describeNow();
  }

  private isLeaving(id: string): boolean {
    return this.pipelines.get(id)?.gate.isLeaving === true;
  }

  /** What is being removed is gone then. Throws `store-unavailable` when that cannot be stored now. */
  private hasLeft(): Promise<void> {
    return promised(this.keeper, () => undefined);
  }

  put(id: string, raw: unknown, options: { start?: boolean } = {}): Promise<PutOutcome> {
    return promised(this.keeper, () => this.putWithin(id, raw, options, true));
  }

  private async putWithin(id: string, raw: unknown, options: { start?: boolean }, checksRoom: boolean): Promise<PutOutcome> {
    if (this.shuttingDown) throw new SluiceError('shutting-down', undefined, { retryAfterSeconds: 5 });
    const definition = checkDefinition(withId(id, raw), this.specs, this.options);
    if (this.isLeaving(id)) await this.hasLeft();
    const pipeline = this.pipelines.get(id);
    if (pipeline === undefined) {
      return { isCreated: true, pipeline: await this.createWithin(definition, options, checksRoom), changes: [], moved: [] };
    }
    if (isDeepStrictEqual(pipeline.current, definition)) {
      return { isCreated: false, pipeline: pipeline.describeNow(), changes: [], moved: [] };
    }
    const workers = pipeline.workersClaimed(definition);
    // Less than before is taken, whatever there is.
    if (checksRoom && workers > pipeline.workersClaimed()) expectRoomFor(workers, this.workersBeside(id), this.maxWorkers);
    const outcome = pipeline.redefine(definition, this.boundsOf(definition), (stage) => resolveStage(stage, this.specs));
    return { isCreated: false, pipeline: pipeline.describeNow(), ...outcome };
  }

  get(id: string): LocalRuntime {
    const pipeline = this.pipelines.get(id);
    if (pipeline === undefined) throw new SluiceError('pipeline-not-found', `no pipeline "${id}"`);
    return pipeline;
  }

  remove(id: string, mode?: 'drain' | 'force'): Promise<void> {
    return promised(this.keeper, () => this.removeWithin(id, mode));
  }

  private async removeWithin(id: string, mode: 'drain' | 'force' | undefined): Promise<void> {
    if (this.isLeaving(id)) await this.hasLeft();
    const pipeline = this.get(id);
    const inFlight = pipeline.core.ledger.inFlight;
    if (mode === undefined && inFlight > 0) {
      throw new SluiceError('items-in-flight', `${inFlight} items are unfinished`, { details: { itemsInFlight: inFlight } });
    }
    await pipeline.stop(mode ?? 'force');
    if (this.pipelines.get(id) !== pipeline || pipeline.gate.isLeaving) return;
    pipeline.gate.isLeaving = true;
    const gone = (): void => {
      this.pipelines.delete(id);
      this.allEvents.remove(id);
      this.options.ports.notes?.leave(id);
    };
    if (pipeline.durable === null || this.stored === null) gone();
    else this.stored.drop(pipeline.durable, gone);
  }

  async shutdown(mode: ShutdownMode, timeoutSeconds: number): Promise<ShutdownReport> {
    this.shuttingDown = true;
    for (const pipeline of this.pipelines.values()) {
      pipeline.keepControl();
      pipeline.core.admission.close();
    }
    const reports = await Promise.all([...this.pipelines.values()].map((pipeline) => pipeline.stop(mode, timeoutSeconds)));
    const report = sumOf(mode, reports);
    const [haveThreadsEnded] = await Promise.all([this.options.ports.threads?.close(), this.lastWrites()]);
    if (haveThreadsEnded === false) this.hasThreadsLeft = true;
    const { count, ids } = this.notStored();
    return count === 0 ? report : { ...report, notKept: count, notKeptIds: ids };
  }

  /**
   * What a durable store cannot vouch for, since its last writes are not on disk: items whose newest state it does not have (these are named
   * first), and those that are unfinished, whose last change it may not have. What was acknowledged goes on at the next start all the same.
   */
  notStored(): { count: number; ids: string[] } {
    const ids = new Set<string>();
    let count = 0;
    if (this.stored?.flusher.isBehind !== true) return { count, ids: [] };
    for (const { core } of this.pipelines.values()) {
      count += core.ledger.inFlight;
      for (const item of core.keeper.unstoredItems()) {
        if (item.isFinal) count++;
        if (ids.size < IDS_NAMED) ids.add(item.id);
      }
    }
    return { count, ids: [...ids] };
  }

  /** Who ends this process, or holds its event loop: the next one counts it on nobody else. */
  blame(blame: Blame): void {
    this.stored?.store.blame(blame);
  }

  /** After {@link LocalHost.shutdown} and the last look: lets go of the store. */
  async close(): Promise<void> {
    await this.stored?.close();
  }

  private get maxWorkers(): number {
    return this.options.maxWorkers ?? MAX_WORKERS;
  }

  /** How many workers the other pipelines count with. */
  private workersBeside(id: string): number {
    return this.workersOf(this.pipelines.keys(), id);
  }

  private workersOf(ids: Iterable<string>, except: string): number {
    let sum = 0;
    for (const id of ids) if (id !== except) sum += this.pipelines.get(id)?.workersClaimed() ?? 0;
    return sum;
  }

  /** Before any of them is made: throws `invalid-pipeline` when there are more than there may be. */
  private expectRoomForStored(stored: readonly { definition: PipelineDefinition; link: StoreLink }[]): void {
    const counts = stored.map(({ definition, link }) => ({ id: definition.id, workers: workersStored(definition, link) }));
    this.expectRoomForAll('the pipelines of the store', counts);
  }

  private expectRoomForAll(whose: string, counts: readonly { id: string; workers: number }[]): void {
    const sum = counts.reduce((total, { workers }) => total + workers, 0);
    if (sum <= this.maxWorkers) return;
    const largest = counts.toSorted((a, b) => b.workers - a.workers).slice(0, 3);
    const message =
      `${whose} have ${sum} workers, more than MAX_WORKERS allows (${this.maxWorkers}), most of them ` +
      `${largest.map(({ id, workers }) => `"${id}" (${workers})`).join(', ')}: set it to ${sum} or more, and lower it when they have fewer`;
    throw new SluiceError('invalid-pipeline', message);
  }

  private lastWrites(): Promise<unknown> {
    const settled = this.stored?.flusher.settled();
    if (settled === undefined) return Promise.resolve();
    const { clock } = this.options.ports;
    return new Promise((resolve) => {
      const late = clock.setTimer(() => resolve(undefined), LAST_WRITES_MS);
      void settled.then(() => {
        clock.clearTimer(late);
        resolve(undefined);
      });
    });
  }

  private get specs(): SpecEnvironment {
    const { registry, ports } = this.options;
    return { registry, ports, limiters: this.limiters };
  }

  private boundsOf({ collectResults, retention, backlogCapacity }: PipelineDefinition) {
    const { options } = this;
    return {
      collectResults,
      retention: {
        maxItems: retention?.maxItems ?? options.retentionMaxItems,
        maxAgeSeconds: retention?.maxAgeSeconds ?? options.retentionMaxAgeSeconds,
      },
      backlogCapacity: backlogCapacity ?? options.backlogCapacity,
    };
  }

  private rebuild(definition: PipelineDefinition, link: StoreLink, isReplaced: boolean): LocalRuntime {
    try {
      // One that was accepted by an earlier version goes on, whatever it takes.
      checkStoredDefinition(definition, this.specs, this.options);
    } catch (error) {
      if (!(error instanceof SluiceError)) throw error;
      const { code, message, errors = [] } = error;
      if (!isReplaced) throw new SluiceError(code, message, { errors, details: { pipelineId: definition.id } });
      const pipeline = this.build(definition, link, true);
      pipeline.isPlaceholder = true;
      return pipeline;
    }
    return this.build(definition, link);
  }

  private build(definition: PipelineDefinition, link?: StoreLink, isReplaced = false): LocalRuntime {
    const { options } = this;
    const core: CoreOptions = {
      id: definition.id,
      specs: definition.stages.map((stage) => (isReplaced ? placeholderStage(stage) : resolveStage(stage, this.specs))),
      ...this.boundsOf(definition),
      maxWorkersPerStage: options.maxWorkersPerStage,
      workerRoom: () => ({ others: this.workersBeside(definition.id), most: this.maxWorkers }),
      eventsKept: options.eventsKept,
      hookTimeoutSeconds: options.hookTimeoutSeconds,
      values: this.values,
      pageCharacters: options.pageCharacters,
      documentCharacters: options.documentCharacters,
      ports: options.ports,
    };
    if (link !== undefined && this.stored !== null) core.marks = this.stored.marksOf(link.pipeline);
    return new LocalRuntime(definition, core, link);
  }
}

/** The host whose pipelines run in this process. */
export function createLocalHost(options: LocalHostOptions): LocalHost {
  return new LocalHost(options);
}
