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
import { Durable, type StoredControl, type StoredStages, type StoreLink } from '../durable/durable.ts';
import { type Recovered, recover } from '../durable/recovery.ts';
import { Answers, RecentAnswers, StoredAnswers } from '../feeds/answers.ts';
import { Feeding } from '../feeds/feeding.ts';
import { Feeds } from '../feeds/feeds.ts';
import { waitForItems } from '../feeds/item-wait.ts';
import { Runs } from '../feeds/runs.ts';
import { Core, type CoreOptions, type Identity } from '../flow/core.ts';
import type { Stage } from '../model/model.ts';
import { Views } from './views.ts';

/** A pipeline in this process: worker loops and priority queues here, its items in memory, or in a store that is tied to it. */
export class LocalRuntime implements PipelineRuntime {
  definition: PipelineDefinition;
  readonly core: Core;
  readonly operations: Operations;
  readonly views: Views;
  private readonly lifecycle: Lifecycle;
  private readonly ending: Shutdown;
  private readonly feeding: Feeding;
  private readonly runs: Runs;
  private readonly feedsOf: Feeds;
  private readonly tuning: Tuning;
  readonly durable: Durable | null = null;
  /** Of a pipeline whose definition stands in a file: what the file said last. */
  source: PipelineDefinition | null = null;
  /** Its definition cannot be used any more: it is to get another one before it goes on. */
  isPlaceholder = false;
  /** What operators asked for, while the process ends and stops everything. */
  private lastControl: StoredControl | null = null;

  /** With a `link`, everything is kept in its store, and what is there already goes on: see {@link LocalRuntime.recover}. */
  constructor(definition: PipelineDefinition, options: CoreOptions, link?: StoreLink) {
    this.definition = definition;
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
        definition: () => ({ definition: this.definition, source: this.source }),
        control: () => this.control(),
      });
    }
    const { durable } = this;
    const answers = new Answers(durable === null ? new RecentAnswers(clock) : new StoredAnswers(durable.journal, durable.shelf, clock));
    this.feedsOf = new Feeds(this.core, this.operations);
    this.feeding = new Feeding(this.core, answers);
    this.runs = new Runs(this.core, this.lifecycle, this.feedsOf, answers);
  }

  get events(): EventSource {
    return this.core.events;
  }

  /** Of a new pipeline: from now on everything is written down. */
  beginStored(): void {
    if (this.durable === null) return;
    this.durable.begin();
    for (const fact of ['identity', 'definition', 'stages', 'control'] as const) this.core.journal?.touchFact(fact);
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
    return recover(durable);
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

  async describe(): Promise<PipelineDescription> {
    const { core } = this;
    return {
      definition: this.definition,
      state: core.state,
      itemsProcessed: core.ledger.processed,
      itemsFailed: core.ledger.failed,
      itemsCancelled: core.ledger.cancelled,
      itemsInFlight: core.ledger.inFlight,
      workers: this.views.workerNames(),
      pausedStages: core.stages.filter((stage) => stage.isPaused).map((stage) => stage.name),
      overrides: this.tuning.view(),
      secrets: [...new Set(core.stages.flatMap((stage) => stage.spec.secrets))].sort(),
    };
  }

  async feed(items: readonly unknown[], request: FeedRequest): Promise<FeedReceipt & Replayable> {
    const receipt = await this.feeding.feed(items, request);
    if (this.core.journal !== null) await this.core.promised(receipt.accepted);
    return receipt;
  }
  openFeed(request: FeedRequest): Promise<FeedWriter> {
    return this.feeding.open(request);
  }
  async run(items: readonly unknown[], request: RunRequest): Promise<RunAnswer> {
    const answer = await this.runs.run(items, request);
    if (this.core.journal !== null) await this.core.promised(answer.results.length);
    return answer;
  }
  gauge(request: RunRequest): (items: readonly unknown[]) => void {
    const mayWait = Boolean(request.waitSeconds) || request.idempotency !== undefined;
    return this.core.admission.gauge(request, mayWait);
  }
  openRun(request: RunRequest, items?: readonly unknown[]): Promise<RunStream> {
    return this.runs.open(request, items);
  }

  async feeds(query: FeedsQuery): Promise<Page<FeedView>> {
    return this.feedsOf.list(query);
  }
  async feedMaker(feedId: string): Promise<string | null> {
    return this.feedsOf.makerOf(feedId);
  }
  async feedView(feedId: string): Promise<FeedView> {
    return this.feedsOf.view(feedId);
  }
  async feedResults(feedId: string, query: FeedResultsQuery): Promise<Page<PipelineResult>> {
    return this.feedsOf.results(feedId, query);
  }
  followFeed(feedId: string, query: FollowQuery): AsyncIterable<readonly PipelineResult[]> {
    return this.feedsOf.follow(feedId, query);
  }
  async waitForFeed(feedId: string, query: FeedWaitQuery): Promise<{ done: boolean; feed: FeedView }> {
    return this.kept(await this.feedsOf.wait(feedId, query));
  }
  async cancelFeed(feedId: string): Promise<number> {
    return this.kept(await this.feedsOf.cancel(feedId));
  }
  async retryFeed(feedId: string): Promise<number> {
    return this.kept(await this.feedsOf.retry(feedId));
  }
  async waitForItems(query: ItemsWaitQuery): Promise<WaitReply> {
    return this.kept(await waitForItems(this.core, query));
  }

  async start(): Promise<void> {
    await this.kept(this.lifecycle.start());
  }
  async pause(): Promise<void> {
    await this.kept(this.lifecycle.pause());
  }
  async resume(): Promise<void> {
    await this.kept(this.lifecycle.resume());
  }
  async pauseStage(stage: string): Promise<void> {
    await this.kept(this.lifecycle.pauseStage(stage));
  }
  async resumeStage(stage: string): Promise<void> {
    await this.kept(this.lifecycle.resumeStage(stage));
  }

  /** What is answered is stored before, when there is a store and it can be written. */
  private async kept<T>(answer: T): Promise<T> {
    if (this.core.journal !== null) await this.core.settled();
    return answer;
  }

  async join(timeoutSeconds?: number): Promise<{ done: boolean; stats: PipelineStats }> {
    const joined = this.lifecycle.join().then(() => true);
    if (timeoutSeconds === undefined) return this.kept({ done: await joined, stats: this.views.stats() });
    const { dues, time } = this.core;
    const { promise: late, resolve: tooLate } = Promise.withResolvers<false>();
    const limit = dues.add(time.tick() + timeoutSeconds * 1000, () => tooLate(false));
    try {
      const done = await Promise.race([joined, late]);
      return await this.kept({ done, stats: this.views.stats() });
    } finally {
      dues.cancel(limit);
      // The draining goes on; when a shutdown cuts it short, nobody waits here any more.
      joined.catch(() => undefined);
    }
  }

  async shutdown(mode: ShutdownMode, timeoutSeconds?: number): Promise<ShutdownReport> {
    return this.kept(await this.ending.shutdown(mode, timeoutSeconds));
  }

  async tune(name: string, tuning: StageTuning): Promise<StageTuned> {
    const stage = this.operations.stage(name);
    const defined = this.defined(name);
    const { others, most } = this.core.options.workerRoom?.() ?? { others: 0, most: Number.POSITIVE_INFINITY };
    const before = workersClaimed(defined, stage.spec.definition, stage);
    const rest = others + this.workersClaimed() - before;
    const roomFault = (workers: number): string | null =>
      workers <= before || workers + rest <= most ? null : wordsFor(workers, rest, most, 'stages and pipelines');
    this.operations.settle(stage, this.tuning.change(defined, tuning, roomFault));
    this.core.journal?.touchFact('control');
    return this.kept(this.tuned(name));
  }

  async untune(name: string): Promise<StageTuned> {
    const stage = this.operations.stage(name);
    this.tuning.drop(name);
    this.operations.settle(stage, this.defined(name));
    this.core.journal?.touchFact('control');
    return this.kept(this.tuned(name));
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
    this.definition = definition;
    this.isPlaceholder = false;
    Object.assign(core.options, bounds);
    core.index.retain(bounds.retention);
    const before = core.stages;
    const outcome = redefineStages(core, specs);
    for (const stage of before) if (stage.isRemoved) this.durable?.keepFormer(stage);
    this.tuning.follow(definition.stages, nameBefore);
    core.admission.resize(bounds.backlogCapacity);
    for (const fact of ['definition', 'stages', 'control'] as const) core.journal?.touchFact(fact);
    return outcome;
  }

  /** How many workers it counts with among all that there may be; with another definition, if one is given. */
  workersClaimed(definition = this.definition): number {
    const { core, tuning } = this;
    if (this.isPlaceholder && definition === this.definition) return core.held;
    const nameBefore = definition === this.definition ? new Map<string, string>() : renamedStages(core, definition.stages);
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
    return this.definition.stages.find(({ name }) => name === stage) as StageDefinition;
  }

  private tuned(stage: string): StageTuned {
    const { spec } = this.operations.stage(stage);
    return { stage, effective: settingsOf(spec.definition), defined: settingsOf(this.defined(stage)) };
  }

  async stats(): Promise<PipelineStats> {
    return this.kept(this.views.stats());
  }
  async workerNames(): Promise<Record<string, string[]>> {
    return this.views.workerNames();
  }
  async workerStates(): Promise<Record<string, WorkerState>> {
    return this.views.workerStates();
  }
  async workerMetrics(): Promise<Record<string, WorkerMetrics>> {
    return this.views.workerMetrics();
  }
  async snapshot(): Promise<DashboardSnapshot> {
    return this.kept(this.views.snapshot());
  }
  async errors(): Promise<ErrorSummary> {
    return this.views.errors();
  }

  async results(query: ResultsQuery): Promise<Page<PipelineResult>> {
    this.core.time.tick();
    this.core.index.retireAged();
    if (!this.core.options.collectResults && query.status === 'completed')
      return { rows: [], next: null, retired: this.core.index.retired };
    const page = this.core.index.results(query, this.rangeOf(query.feedId));
    return { ...page, rows: page.rows.map((item) => item.toResult()) };
  }

  async items(query: ItemsQuery): Promise<Page<ItemSummary>> {
    this.core.time.tick();
    this.core.index.retireAged();
    const page = this.core.index.items(query, this.rangeOf(query.feedId));
    return { ...page, rows: page.rows.map((item) => this.views.summary(item)) };
  }

  async item(itemId: string): Promise<ItemDetail> {
    this.core.time.tick();
    this.core.index.retireAged();
    return this.views.detail(this.operations.find(itemId));
  }
  async cancelItem(itemId: string): Promise<ItemSummary> {
    return this.kept(this.views.summary(this.operations.cancel(itemId)));
  }
  async retryItem(itemId: string, fromStage?: string): Promise<ItemSummary> {
    return this.kept(this.views.summary(this.operations.retry(itemId, fromStage)));
  }
  async retryFailed(query: { stage?: string; errorType?: string; feedId?: string }): Promise<number> {
    return this.kept(await this.operations.retryFailed(query));
  }

  /** Where the items of a feed are; undefined when it is not known any more. */
  private rangeOf(feedId: string | undefined) {
    return feedId === undefined ? undefined : this.core.feeds.find(feedId);
  }
}

function newIdentity({ specs, ports }: CoreOptions): Identity {
  const stages = Object.fromEntries(specs.map(({ definition }, i) => [definition.name, i + 1]));
  return { idPrefix: ports.uniqueId(), epoch: ports.uniqueId(), stages, lastStage: specs.length };
}

function identityFrom(facts: Readonly<Record<string, string>>): Identity {
  const { idPrefix, epoch } = JSON.parse(facts.identity as string) as Pick<Identity, 'idPrefix' | 'epoch'>;
  const rows = JSON.parse(facts.stages as string) as StoredStages;
  const stages = Object.fromEntries(rows.filter(({ isRemoved }) => !isRemoved).map(({ name, no }) => [name, no]));
  return { idPrefix, epoch, stages, lastStage: Math.max(...rows.map(({ no }) => no)) };
}

function storedControl({ facts }: StoreLink): StoredControl {
  return JSON.parse(facts?.control as string) as StoredControl;
}
