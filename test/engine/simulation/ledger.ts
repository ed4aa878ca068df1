import type { EventFilter, EventSource, SluiceEvent } from '../../../src/engine/contract/runtime.ts';
import type { FeedEvent } from '../../../src/schemas/feed.ts';
import type { PipelineEvent, PipelineResult, StatusEvent } from '../../../src/schemas/item.ts';
import { createLife, type FeedPlan, type Life } from './life.ts';
import { illegalStep } from './paths.ts';
import { maxAttempts, type Scenario } from './scenario.ts';
import { TaskEvents } from './task-events.ts';
import { show } from './values.ts';
import type { Report } from './violation.ts';

const EVERYTHING: EventFilter = { types: new Set(['status', 'task', 'result', 'pipeline', 'feed']) };

export interface StageCounts {
  completed: number;
  skipped: number;
  failed: number;
  retried: number;
}

/**
 * Follows the events of a pipeline, holds every item's way against what is legal (invariants 1, 6 and 10), and keeps the
 * counters that they add up to.
 */
export class Ledger {
  /** The newest life of each id. */
  readonly lives = new Map<string, Life>();
  readonly all: Life[] = [];
  readonly feeds = new Map<string, FeedPlan>();
  readonly stages: StageCounts[];
  readonly tasks: TaskEvents;
  readonly errorsByType = new Map<string, number>();
  cursor = 0;
  completed = 0;
  failed = 0;
  cancelled = 0;
  /** Called so far; only from the first one on may items go back without a retry. */
  shutdowns = 0;
  /** Stages that have paused themselves and were not resumed, by name. */
  readonly selfPaused = new Set<string>();
  /** How often one of them did. */
  selfPauses = 0;
  /** How often the pipeline has stopped, and what it has accepted since. */
  stops = 0;
  fedSinceStop = 0;
  private readonly scenario: Scenario;
  private readonly report: Report;
  private ended: Life | null = null;
  /** Set for the determinism test. */
  trace: string[] | null = null;

  constructor(scenario: Scenario, now: () => number, report: Report) {
    this.scenario = scenario;
    this.report = report;
    this.stages = scenario.stages.map(() => ({ completed: 0, skipped: 0, failed: 0, retried: 0 }));
    this.tasks = new TaskEvents(scenario, now, report);
  }

  /** Reads what has happened since the last call. */
  read(events: EventSource): void {
    while (this.cursor < events.newest) {
      const read = events.read(this.cursor, 1024, EVERYTHING);
      for (const event of read.events) {
        if (event.seq !== this.cursor + 1) this.report(10, `event ${event.seq} follows event ${this.cursor}`);
        this.cursor = event.seq;
        this.trace?.push(JSON.stringify(event));
        this.take(event);
      }
      if (read.cursor !== this.cursor) {
        this.report(10, `events up to ${read.cursor} were read, and the last one is ${this.cursor}`);
        this.cursor = read.cursor;
      }
    }
  }

  private take(event: SluiceEvent): void {
    if (this.ended !== null && event.type !== 'result') this.report(10, `no result event follows the end of ${this.ended.id}`);
    if (event.type === 'status') this.onStatus(event.data, event.seq);
    else if (event.type === 'result') this.onResult(event.data);
    else if (event.type === 'pipeline') this.onPipeline(event.data);
    else if (event.type === 'feed') this.onFeed(event.data);
    else {
      const life = this.lives.get(event.data.itemId);
      if (life === undefined) this.report(10, `a task event of an item ${event.data.itemId} that was never queued`);
      else this.tasks.take(event.data, life);
    }
  }

  private onFeed({ feedId, total, completed, failed, cancelled }: FeedEvent): void {
    if (completed + failed + cancelled !== total)
      this.report(10, `the feed ${feedId} was told to be done while items of it were in flight`);
  }

  private onPipeline({ change, stage, reason }: PipelineEvent): void {
    if (change === 'stage-paused' && reason !== undefined) {
      this.selfPauses++;
      this.selfPaused.add(stage as string);
    } else if (change === 'stage-resumed') this.selfPaused.delete(stage as string);
    else if (change === 'draining') this.selfPaused.clear();
    if (change !== 'stopped' && change !== 'stopping') return;
    const inFlight = this.all.length - this.completed - this.failed - this.cancelled;
    if (change === 'stopped' && inFlight > 0) this.report(8, `the pipeline has drained with ${inFlight} items in flight`);
    this.stops++;
    this.fedSinceStop = 0;
  }

  private onStatus(event: StatusEvent, seq: number): void {
    const known = this.lives.get(event.itemId);
    // A retry keeps the item in its feed; whoever feeds it meanwhile, to be run again, has taken it over.
    const isRetry = known?.isRetryRequested === true && known.feed.id === event.feedId;
    if (event.status === 'queued' && (known === undefined || (known.isFinal && !isRetry))) {
      this.onAccepted(event, seq);
      return;
    }
    if (known === undefined) {
      this.report(10, `${event.itemId} is ${event.status} without having been queued`);
      return;
    }
    const from = known.status;
    const illegal = illegalStep(this.scenario, known, event, this.shutdowns > 0 || this.selfPauses > 0);
    if (illegal !== null) this.report(10, `${known.id} in stage ${event.stage} went from ${from} to ${event.status}: ${illegal}`);
    known.path.push(event.status);
    this.apply(known, event, seq);
    known.status = event.status;
  }

  private apply(life: Life, event: StatusEvent, seq: number): void {
    const stage = this.stages[life.stage] as StageCounts;
    switch (event.status) {
      case 'queued':
        this.onQueued(life, event, seq);
        return;
      case 'in_progress':
        life.hasBegun = false;
        // Who was being asked whether to skip it goes on.
        if (this.selfPaused.has(event.stage) && this.stageOf(life).skipIf?.pace !== 'sleep') {
          this.report(4, `${life.id} begins in ${event.stage}, which has paused itself`);
        }
        return;
      case 'retrying':
        stage.retried++;
        this.tasks.onRetrying(life, event);
        return;
      case 'completed':
      case 'skipped':
        stage[event.status]++;
        if (event.final) this.end(life, 'completed');
        else life.hasLeft = true;
        return;
      case 'failed': {
        stage.failed++;
        const { error, errorType, attempts } = event.metadata as { error: string; errorType: string; attempts: number };
        life.error = { type: errorType, message: error, stage: event.stage, attempts };
        this.errorsByType.set(errorType, (this.errorsByType.get(errorType) ?? 0) + 1);
        this.end(life, 'failed');
        return;
      }
      case 'cancelled':
        this.tasks.abandon(life);
        this.end(life, 'cancelled');
    }
  }

  private onAccepted(event: StatusEvent, seq: number): void {
    const feed = this.feeds.get(event.feedId);
    if (feed === undefined) {
      this.report(10, `${event.itemId} was queued by a feed ${event.feedId} that nobody made`);
      return;
    }
    let raw = feed.raws[feed.next++];
    // Those that were fed before it and did not come are duplicates: of an id that is known, then.
    while (raw?.id !== undefined && raw.id !== event.itemId) {
      if (!this.lives.has(raw.id)) this.report(1, `${raw.id} of feed ${feed.id} was not accepted, and its id was not known`);
      raw = feed.raws[feed.next++];
    }
    if (raw === undefined || (raw.id === undefined && event.itemId.startsWith('own-'))) {
      this.report(3, `${event.itemId} of feed ${feed.id} was accepted out of turn`);
      return;
    }
    const life = createLife(event.itemId, feed, raw);
    life.path.push('queued');
    feed.lives.push(life);
    this.lives.set(life.id, life);
    this.all.push(life);
    this.fedSinceStop++;
    if (event.stage !== this.scenario.stages[life.stage]?.name) this.report(10, `${life.id} was fed into ${event.stage}`);
    this.onQueued(life, event, seq);
  }

  private onQueued(life: Life, event: StatusEvent, seq: number): void {
    // Back from a retry, or given back by a shutdown.
    life.isBack = !life.isFinal && !life.hasLeft && life.path.length > 1;
    if (life.isFinal) this.revive(life, event);
    else if (life.hasLeft) {
      life.stage++;
      life.stageValue = life.taskValue;
      life.task = 0;
      life.failures = 0;
      life.notBefore = 0;
      life.place = 'handed';
    } else if (life.path.length > 1) {
      // A retry comes back, or a shutdown gave it back: then what ran has ended without being counted.
      life.place = 'none';
      if (life.status !== 'retrying' && life.hooks.onSuccess + life.hooks.onFailure + life.hooks.onSkip > 0) {
        this.report(10, `${life.id} went back to its queue although its hook was told of an end`);
      }
      this.tasks.abandon(life);
      this.tasks.toStart(life);
    }
    life.hasLeft = false;
    life.hooks = { onSuccess: 0, onFailure: 0, onSkip: 0 };
    life.queuedSeq = seq;
    life.queuedAt = Date.parse(event.timestamp);
  }

  /** A failed item was retried by hand. */
  private revive(life: Life, event: StatusEvent): void {
    const failedIn = life.stage;
    const stage = this.scenario.stages.findIndex((candidate) => candidate.name === event.stage);
    const { type } = life.error as { type: string };
    this.failed--;
    (this.stages[failedIn] as StageCounts).failed--;
    this.errorsByType.set(type, (this.errorsByType.get(type) ?? 0) - 1);
    const perTask = this.scenario.stages[failedIn]?.retry === 'per_task';
    const left = perTask ? life.taskValue : life.stageValue;
    const value = stage !== failedIn && stage <= life.feed.stage ? life.raw.shown : left;
    life.task = stage === failedIn && perTask ? life.task : 0;
    life.stage = stage;
    life.stageValue = value;
    life.taskValue = value;
    life.failures = 0;
    life.notBefore = 0;
    life.place = 'none';
    life.isFinal = false;
    life.isRetryRequested = false;
    life.error = null;
  }

  private end(life: Life, as: 'completed' | 'failed' | 'cancelled'): void {
    this[as]++;
    life.isFinal = true;
    life.isCancelRequested = false;
    this.ended = life;
  }

  private onResult(result: PipelineResult): void {
    const life = this.ended;
    this.ended = null;
    if (life === null || life.id !== result.id) {
      this.report(10, `a result event of ${result.id} follows no end of it`);
      return;
    }
    if (life.status === 'failed' && show(result.error) !== show(life.error)) {
      this.report(6, `${life.id} failed with ${show(life.error)}, its result says ${show(result.error)}`);
    }
    if (life.status === 'failed' && life.error !== null && life.error.attempts > maxAttempts(this.stageOf(life))) {
      this.report(6, `${life.id} failed after ${life.error.attempts} attempts`);
    }
  }

  private stageOf(life: Life): Scenario['stages'][number] {
    return this.scenario.stages[life.stage] as Scenario['stages'][number];
  }
}
