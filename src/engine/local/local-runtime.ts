import type { FeedReceipt, ShutdownMode, ShutdownReport } from '../../schemas/control.ts';
import type { PipelineDefinition, StageDefinition } from '../../schemas/definition.ts';
import type { FeedView, WaitReply } from '../../schemas/feed.ts';
import type { ItemDetail, ItemSummary, PipelineResult } from '../../schemas/item.ts';
import type { MovedItems, StageChange, StageTuned, StageTuning } from '../../schemas/redefinition.ts';
import type { DashboardSnapshot, ErrorSummary, PipelineStats, WorkerMetrics, WorkerState } from '../../schemas/stats.ts';
import { SluiceError } from '../contract/errors.ts';
import type {
  FeedRequest,
  FeedResultsQuery,
  FeedsQuery,
  FeedWaitQuery,
  FeedWriter,
  FollowQuery,
  ItemsWaitQuery,
  Replayable,
  RunAnswer,
  RunRequest,
  RunStream,
} from '../contract/requests.ts';
import type { EventSource, ItemsQuery, Page, PipelineDescription, PipelineRuntime, ResultsQuery } from '../contract/runtime.ts';
import { Lifecycle } from '../control/lifecycle.ts';
import { Operations } from '../control/operations.ts';
import { redefineStages, renamedStages } from '../control/redefinition.ts';
import { Shutdown } from '../control/shutdown.ts';
import { wordsFor, workersClaimed } from '../control/worker-room.ts';
import type { StageSpec } from '../definition/stage-spec.ts';
import { settingsOf, Tuning } from '../definition/tuning.ts';
import { Durable, type StoredControl, type StoreLink } from '../durable/durable.ts';
import { type Recovered, recover } from '../durable/recovery.ts';
import { StoredAnswers } from '../durable/stored-answers.ts';
import { Answers, RecentAnswers } from '../feeds/answers.ts';
import { Feeding } from '../feeds/feeding.ts';
import { Feeds } from '../feeds/feeds.ts';
import { waitForItems } from '../feeds/item-wait.ts';
import { Runs } from '../feeds/runs.ts';
import { Core, type CoreOptions } from '../flow/core.ts';
import type { Stage } from '../model/model.ts';
import { waitWithin } from '../time/waited.ts';
import { AnswerGate } from './answer-gate.ts';
import { LiveReads } from './reads.ts';
import { identityFrom, newIdentity, storedControl } from './stored-facts.ts';
import { StoredReads } from './stored-reads.ts';
import { Views } from './views.ts';

/**
 * A pipeline in this process: worker loops and priority queues here, its items in memory, or in a store that is tied to it. Each method of the
 * contract is a line here, and says how its answer is told: see {@link AnswerGate}.
 */
export class LocalRuntime implements PipelineRuntime {
  /** As it was given last, stored or not. */
  current: PipelineDefinition;
  readonly core: Core;
  readonly operations: Operations;
  readonly views: Views;
  private readonly lifecycle: Lifecycle;
  private readonly ending: Shutdown;
  private readonly feeding: Feeding;
  private readonly runs: Runs;
  private readonly feedsOf: Feeds;
  private readonly tuning: Tuning;
  private readonly live: LiveReads;
  readonly gate: AnswerGate;
  readonly durable: Durable | null = null;
  /** Of a pipeline whose definition stands in a file: what the file said last. */
  source: PipelineDefinition | null = null;
  /** Its definition cannot be used any more: it is to get another one before it goes on. */
  isPlaceholder = false;
  /** What operators asked for, while the process ends and stops everything. */
  private lastControl: StoredControl | null = null;

  /** With a `link`, everything is kept in its store, and what is there already goes on: see {@link LocalRuntime.recover}. */
  constructor(definition: PipelineDefinition, options: CoreOptions, link?: StoreLink) {
    this.current = definition;
    const identity = link?.facts ? identityFrom(link.facts) : newIdentity(options);
    this.core = new Core(link === undefined ? options : { ...options, identity });
    this.lifecycle = new Lifecycle(this.core);
    this.ending = new Shutdown(this.core, this.lifecycle);
    this.operations = new Operations(this.core);
    this.views = new Views(this.core);
    this.tuning = new Tuning(options.maxWorkersPerStage ?? Number.POSITIVE_INFINITY);
    const { clock } = options.ports;
    if (link !== undefined) {
      this.durable = new Durable(this.core, link, identity, {
        definition: () => ({ definition: this.current, source: this.source }),
        control: () => this.control(),
        operated: () => {
          const { definition, workers, secrets } = this.live.describe();
          return { definition, workers, secrets, ...this.control() };
        },
      });
    }
    const { durable } = this;
    const answers = new Answers(durable === null ? new RecentAnswers(clock) : new StoredAnswers(durable.journal, durable.shelf, clock));
    this.feedsOf = new Feeds(this.core, this.operations);
    this.feeding = new Feeding(this.core, answers);
    this.runs = new Runs(this.core, this.lifecycle, this.feedsOf, answers);
    this.live = new LiveReads(this.core, this.views, this.feedsOf, this.operations, () => ({
      definition: this.current,
      overrides: this.tuning.view(),
    }));
    this.gate = new AnswerGate(this.core, this.live, durable === null ? null : new StoredReads(durable, this.views));
  }

  /** As it was given last and is stored. */
  get definition(): PipelineDefinition {
    return this.durable?.journal.stored?.operated.definition ?? this.current;
  }

  get events(): EventSource {
    return this.core.events;
  }

  /** Of a new pipeline: from now on everything is written down. */
  beginStored(): void {
    if (this.durable === null) return;
    this.durable.begin();
    for (const fact of ['identity', 'definition', 'stages', 'control'] as const) this.core.keeper.touchFact(fact);
  }

  /** Takes up what the store has. Nothing runs before {@link LocalRuntime.goOn}. */
  recover(): Recovered {
    const durable = this.durable as Durable;
    const control = storedControl(durable.link);
    this.tuning.restore(control.overrides);
    for (const stage of this.core.stages) {
      const defined = this.defined(stage.name);
      const effective = this.tuning.effective(defined);
      // Without tasks of its own it gets another definition before it needs more than one worker.
      if (!this.isPlaceholder) this.operations.apply(stage, effective);
      stage.isPaused = control.pausedStages.includes(stage.name);
    }
    this.lastControl = control;
    const found = recover(durable);
    durable.journal.recovered();
    return found;
  }

  /** Everything is as it was before the restart: it runs, is paused, drains, or is stopped. */
  goOn(): void {
    const control = this.lastControl;
    this.lastControl = null;
    if (control === null || control.state === 'created' || control.state === 'stopped') return;
    this.lifecycle.start(control.state === 'paused' ? 'paused' : 'running');
    if (control.state === 'draining') this.lifecycle.join().catch(() => undefined);
  }

  /** The process ends: what is stopped for that goes on after the next start. */
  keepControl(): void {
    this.lastControl ??= this.control();
  }

  private control(): StoredControl {
    const { core } = this;
    return (
      this.lastControl ?? {
        state: core.state,
        pausedStages: core.stages.filter((stage) => stage.isPaused).map((stage) => stage.name),
        overrides: this.tuning.view(),
      }
    );
  }

  describe(): Promise<PipelineDescription> {
    return this.gate.read((reads) => reads.describe());
  }

  feed(items: readonly unknown[], request: FeedRequest): Promise<FeedReceipt & Replayable> {
    return this.gate.promise(
      () => this.feeding.feed(items, request),
      ({ accepted }) => accepted,
    );
  }
  openFeed(request: FeedRequest): Promise<FeedWriter> {
    return this.gate.writer(() => this.feeding.open(request));
  }
  run(items: readonly unknown[], request: RunRequest): Promise<RunAnswer> {
    return this.gate.promise(
      () => this.runs.run(items, request),
      ({ results }) => results.length,
    );
  }
  gauge(request: RunRequest): (items: readonly unknown[]) => void {
    const mayWait = Boolean(request.waitSeconds) || request.idempotency !== undefined;
    return this.core.admission.gauge(request, mayWait);
  }
  openRun(request: RunRequest, items?: readonly unknown[]): Promise<RunStream> {
    return this.gate.stream(() => this.runs.open(request, items), request, items !== undefined);
  }

  feeds(query: FeedsQuery): Promise<Page<FeedView>> {
    return this.gate.read((reads) => reads.feeds(query));
  }
  feedMaker(feedId: string): Promise<string | null> {
    return this.gate.read((reads) => reads.feedMaker(feedId));
  }
  feedView(feedId: string): Promise<FeedView> {
    return this.gate.read((reads) => reads.feedView(feedId));
  }
  feedResults(feedId: string, query: FeedResultsQuery): Promise<Page<PipelineResult>> {
    return this.gate.read((reads) => reads.feedResults(feedId, query));
  }
  followFeed(feedId: string, query: FollowQuery): AsyncIterable<readonly PipelineResult[]> {
    return this.gate.follow((reads) => reads.feedMaker(feedId), this.feedsOf.follow(feedId, query), query.signal);
  }
  waitForFeed(feedId: string, query: FeedWaitQuery): Promise<{ done: boolean; feed: FeedView }> {
    return this.gate.wait(
      query,
      () => this.feedsOf.wait(feedId, query),
      (stored) => {
        const feed = stored.feedView(feedId);
        return { done: feed.done, feed };
      },
    );
  }
  cancelFeed(feedId: string): Promise<number> {
    return this.gate.promise(() => this.feedsOf.cancel(feedId));
  }
  retryFeed(feedId: string): Promise<number> {
    return this.gate.promise(() => this.feedsOf.retry(feedId));
  }
  waitForItems(query: ItemsWaitQuery): Promise<WaitReply> {
    return this.gate.wait(
      query,
      () => waitForItems(this.core, query),
      (stored) => stored.itemsNow(query),
    );
  }

  start(): Promise<void> {
    return this.gate.promise(() => this.lifecycle.start());
  }
  pause(): Promise<void> {
    return this.gate.promise(() => this.lifecycle.pause());
  }
  resume(): Promise<void> {
    return this.gate.promise(() => this.lifecycle.resume());
  }
  pauseStage(stage: string): Promise<void> {
    return this.gate.promise(() => this.lifecycle.pauseStage(stage));
  }
  resumeStage(stage: string): Promise<void> {
    return this.gate.promise(() => this.lifecycle.resumeStage(stage));
  }
  join(timeoutSeconds?: number): Promise<{ done: boolean; stats: PipelineStats }> {
    return this.gate.begin(
      { timeoutSeconds },
      () => this.joined(timeoutSeconds),
      (stored) => ({ done: false, stats: stored.stats() }),
    );
  }
  shutdown(mode: ShutdownMode, timeoutSeconds?: number): Promise<ShutdownReport> {
    return this.gate.promise(() => this.stop(mode, timeoutSeconds));
  }
  tune(stage: string, tuning: StageTuning): Promise<StageTuned> {
    return this.gate.promise(() => this.tuneNow(stage, tuning));
  }
  untune(stage: string): Promise<StageTuned> {
    return this.gate.promise(() => this.untuneNow(stage));
  }

  stats(): Promise<PipelineStats> {
    return this.gate.read((reads) => reads.stats());
  }
  workerNames(): Promise<Record<string, string[]>> {
    return this.gate.read((reads) => reads.workerNames());
  }
  workerStates(): Promise<Record<string, WorkerState>> {
    return this.gate.read((reads) => reads.workerStates());
  }
  /** As they are now: no store keeps them. */
  async workerMetrics(): Promise<Record<string, WorkerMetrics>> {
    return this.views.workerMetrics();
  }
  snapshot(): Promise<DashboardSnapshot> {
    return this.gate.read((reads) => reads.snapshot());
  }
  errors(): Promise<ErrorSummary> {
    return this.gate.read((reads) => reads.errors());
  }

  results(query: ResultsQuery): Promise<Page<PipelineResult>> {
    return this.gate.read((reads) => reads.results(query));
  }
  items(query: ItemsQuery): Promise<Page<ItemSummary>> {
    return this.gate.read((reads) => reads.items(query));
  }
  item(itemId: string): Promise<ItemDetail> {
    return this.gate.read((reads) => reads.item(itemId));
  }
  cancelItem(itemId: string): Promise<ItemSummary> {
    return this.gate.promise(() => this.views.summary(this.operations.cancel(itemId)));
  }
  retryItem(itemId: string, fromStage?: string): Promise<ItemSummary> {
    return this.gate.promise(() => this.views.summary(this.operations.retry(itemId, fromStage)));
  }
  retryFailed(query: { stage?: string; errorType?: string; feedId?: string }): Promise<number> {
    return this.gate.promise(() => this.operations.retryFailed(query));
  }

  // From here on, what is done and not told: whoever calls it answers for it.

  /** Of a new one: it begins to run. */
  begin(): void {
    this.lifecycle.start();
  }

  /** Ends it, whether that can be stored or not. */
  stop(mode: ShutdownMode, timeoutSeconds?: number): Promise<ShutdownReport> {
    return this.ending.shutdown(mode, timeoutSeconds);
  }

  /** As it is now, stored or not. */
  describeNow(): PipelineDescription {
    return this.live.describe();
  }

  private async joined(timeoutSeconds: number | undefined): Promise<{ done: boolean; stats: PipelineStats }> {
    const { dues, time } = this.core;
    const joined = this.lifecycle.join();
    const waited = await waitWithin(joined, { timeoutSeconds }, time, dues);
    // The draining goes on; when a shutdown cuts it short, nobody waits here any more.
    joined.catch(() => undefined);
    return { done: waited.is === 'done', stats: this.views.stats() };
  }

  private tuneNow(name: string, tuning: StageTuning): StageTuned {
    const stage = this.operations.stage(name);
    const defined = this.defined(name);
    const { others, most } = this.core.options.workerRoom?.() ?? { others: 0, most: Number.POSITIVE_INFINITY };
    const before = workersClaimed(defined, stage.spec.definition, stage);
    const rest = others + this.workersClaimed() - before;
    const roomFault = (workers: number): string | null =>
      workers <= before || workers + rest <= most ? null : wordsFor(workers, rest, most, 'stages and pipelines');
    this.operations.settle(stage, this.tuning.change(defined, tuning, roomFault));
    this.core.keeper.touchFact('control');
    return this.tuned(name);
  }

  private untuneNow(name: string): StageTuned {
    const stage = this.operations.stage(name);
    this.tuning.drop(name);
    this.operations.settle(stage, this.defined(name));
    this.core.keeper.touchFact('control');
    return this.tuned(name);
  }

  /**
   * Gives it another definition while it runs; see redefinition.ts for what becomes of the items. Live tuning stays where its stages
   * do. `specOf` turns a stage's definition into functions; it throws before anything is changed.
   */
  redefine(
    definition: PipelineDefinition,
    bounds: Pick<CoreOptions, 'collectResults' | 'retention' | 'backlogCapacity'>,
    specOf: (stage: StageDefinition) => StageSpec,
  ): { changes: StageChange[]; moved: MovedItems[] } {
    const { core } = this;
    if (this.lifecycle.isShuttingDown) throw new SluiceError('invalid-state', 'the pipeline is being shut down');
    const nameBefore = renamedStages(core, definition.stages);
    const specs = definition.stages.map((stage) => specOf(this.tuning.effective(stage, nameBefore.get(stage.name))));
    this.current = definition;
    this.isPlaceholder = false;
    Object.assign(core.options, bounds);
    core.index.retain(bounds.retention);
    const before = core.stages;
    const outcome = redefineStages(core, specs);
    for (const stage of before) if (stage.isRemoved) this.durable?.keepFormer(stage);
    this.tuning.follow(definition.stages, nameBefore);
    core.admission.resize(bounds.backlogCapacity);
    for (const fact of ['definition', 'stages', 'control'] as const) core.keeper.touchFact(fact);
    return outcome;
  }

  /** How many workers it counts with among all that there may be; with another definition, if one is given. */
  workersClaimed(definition = this.current): number {
    const { core, tuning } = this;
    if (this.isPlaceholder && definition === this.current) return core.inProgress;
    const nameBefore = definition === this.current ? new Map<string, string>() : renamedStages(core, definition.stages);
    const stays = new Set<Stage>();
    let claimed = 0;
    for (const defined of definition.stages) {
      const name = nameBefore.get(defined.name) ?? defined.name;
      const stage = core.stages.find((candidate) => candidate.name === name);
      if (stage !== undefined) stays.add(stage);
      claimed += workersClaimed(defined, tuning.effective(defined, name), stage);
    }
    // Of stages that go, who runs stays until its item has ended.
    for (const stage of core.allStages) if (!stays.has(stage)) claimed += stage.inProgress;
    return claimed;
  }

  private defined(stage: string): StageDefinition {
    return this.current.stages.find(({ name }) => name === stage) as StageDefinition;
  }

  private tuned(stage: string): StageTuned {
    const { spec } = this.operations.stage(stage);
    return { stage, effective: settingsOf(spec.definition), defined: settingsOf(this.defined(stage)) };
  }
}
