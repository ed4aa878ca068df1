import type { StageDefinition } from '../../schemas/definition.ts';
import type { ItemStatus } from '../../schemas/item.ts';
import { PipelineError } from '../contract/errors.ts';
import type { Operator } from '../contract/operator.ts';
import type { SelectionQuery } from '../contract/runtime.ts';
import { queueCapacityOf } from '../definition/stage-spec.ts';
import { settingsOf } from '../definition/tuning.ts';
import type { Core } from '../flow/core.ts';
import { Item, type Route, type Stage, Worker } from '../model/model.ts';
import { PLACE_NONE } from '../model/places.ts';
import { wayOnFrom } from './route.ts';
import { eachSelected } from './selection.ts';
import { tellChange } from './told.ts';

const UNFINISHED: readonly ItemStatus[] = ['queued', 'in_progress', 'retrying'];

/** Operations on single items and on a running stage. */
export class Operations {
  private readonly core: Core;

  constructor(core: Core) {
    this.core = core;
  }

  /** Throws `item-not-found`. */
  find(id: string): Item {
    const item = this.core.index.get(id);
    if (item === undefined) throw new PipelineError('item-not-found', `no item "${id}"`);
    return item;
  }

  /** Throws `unknown-stage`. */
  stage(name: string): Stage {
    const stage = this.core.stages.find((candidate) => candidate.name === name);
    if (stage === undefined) throw new PipelineError('unknown-stage', `the stage "${name}" was not found`);
    return stage;
  }

  /**
   * Ends an unfinished item as `cancelled`; one that runs is aborted, and its worker is free at once. One whose hook is
   * just told of its end keeps that end. Throws `item-not-found`, `item-final`.
   */
  cancel(id: string): Item {
    const item = this.find(id);
    if (item.isFinal) throw new PipelineError('item-final', `the item is already ${item.status}`);
    this.cancelItem(item);
    return item;
  }

  /** Whether the unfinished item is cancelled, now or as soon as a callback has answered that is just being asked. */
  cancelItem(item: Item): boolean {
    const { core } = this;
    core.time.tick();
    const worker = item.holder;
    if (!(worker instanceof Worker)) {
      core.scheduler.finishWaiting(item, 'cancelled');
    } else if (worker.blocked !== null) {
      core.scheduler.handOver.cancel(worker);
    } else {
      const outcome = worker.runner.abandon(worker, 'cancelled');
      if (outcome !== undefined) core.scheduler.apply(worker, outcome);
    }
    core.scheduler.run();
    if (item.status === 'cancelled') return true;
    if (!(worker instanceof Worker) || worker.item !== item || !worker.cancelAfterCallback) return false;
    const { decided } = worker;
    return decided === null || (decided.kind !== 'fail' && item.nextStage !== null);
  }

  /**
   * A failed item goes on. At the stage where it failed it goes on from the value that it had there (`per_task`: at the
   * task that failed); at the stage that it was fed into, or an earlier one, from the value that was fed; elsewhere from
   * the value that it failed with. Throws `item-not-found`, `item-not-final` (also when it has not failed), `unknown-stage`, `draining`.
   */
  retry(id: string, fromStage?: string): Item {
    const { core } = this;
    const old = this.find(id);
    // What the request names is judged before the state of the item, which is another one a moment later.
    const named = fromStage === undefined ? undefined : this.stage(fromStage);
    if (old.status !== 'failed') {
      throw new PipelineError(
        old.isFinal ? 'item-final' : 'item-not-final',
        `only a failed item can be retried, this one is ${old.status}`,
      );
    }
    this.expectNotDraining();
    const own = core.stages.find((candidate) => candidate.name === old.stage.name) ?? old.stage;
    const stage = named ?? own;
    const isSame = stage === own;
    const fedInto = core.stages.indexOf(old.feed.target as Stage);
    const value = !isSame && stage.index <= fedInto ? old.fed : old.value;
    const now = core.time.tick();
    const fresh = new Item(old.givenId, core.index.prefix, old.sequenceId, old.feed, old.priority, value, old.metadata, stage, now);
    fresh.fed = old.fed;
    fresh.earlierAttempts = old.totalAttempts;
    fresh.lastError = old.lastError;
    fresh.lastEvent = old.lastEvent;
    if (fromStage === undefined) fresh.route = stage === old.stage ? old.route : this.newWay(stage, old);
    // Its stage may be another one of the same name.
    if (isSame && stage.spec.definition.retry === 'per_task') fresh.taskIndex = stage.runner.placeOf(old.taskIndex, old.stage.runner);
    core.uncountFailure(old);
    core.index.replace(old, fresh);
    core.scheduler.enqueue(fresh, PLACE_NONE);
    core.scheduler.run();
    return fresh;
  }

  private newWay(stage: Stage, old: Item): Route | null {
    const route = wayOnFrom(stage, old);
    if (route !== null && !this.core.hasRoutes) {
      this.core.hasRoutes = true;
      this.core.keeper.touchFact('definition');
    }
    return route;
  }

  /** Every failed item that matches, in feed order, in steps that do not hold the event loop; returns how many. Throws `unknown-stage`, `draining`. */
  retryFailed({ dryRun = false, ...filter }: SelectionQuery): Promise<number> {
    if (filter.stage !== undefined) this.stage(filter.stage);
    const suits = (item: Item): boolean => {
      if (item.status !== 'failed') return false;
      this.expectNotDraining();
      return true;
    };
    const act = (item: Item): boolean => {
      this.retry(item.id);
      return true;
    };
    return eachSelected(this.core, { filter, statuses: ['failed'], suits, act: dryRun ? undefined : act });
  }

  /**
   * Cancels every unfinished item that matches, those that wait first, so that no worker begins one that is cancelled next; in steps that do not hold the event
   * loop. Returns how many. Throws `unknown-stage`.
   */
  async cancelSelected({ dryRun = false, ...filter }: SelectionQuery): Promise<number> {
    if (filter.stage !== undefined) this.stage(filter.stage);
    const act = dryRun ? undefined : (item: Item) => this.cancelItem(item);
    const dealing = { filter, statuses: UNFINISHED, act };
    const isHeld = (item: Item): boolean => item.holder instanceof Worker;
    const waiting = await eachSelected(this.core, { ...dealing, suits: (item) => !isHeld(item) });
    return (
      waiting + (await eachSelected(this.core, { ...dealing, suits: (item) => (dryRun ? isHeld(item) && isCancellable(item) : true) }))
    );
  }

  private expectNotDraining(): void {
    if (this.core.state === 'draining') throw new PipelineError('draining', 'the pipeline is finishing its items and accepts no more');
  }

  /**
   * Changes a stage at once, without losing an item: more workers begin at once, surplus ones leave after their item;
   * new limits hold for those who wait too. `definition` MUST differ in what can be tuned only.
   */
  settle(stage: Stage, definition: StageDefinition, operator?: Operator): void {
    const { core } = this;
    core.time.tick();
    const before = settingsOf(stage.spec.definition);
    this.apply(stage, definition);
    tellChange(core, operator, { change: 'tuned', stage: stage.name, before, after: settingsOf(definition) });
    core.scheduler.handOver.letIn(stage);
    core.scheduler.fill(stage);
  }

  /** The same at a start, when nobody waits for it. */
  apply(stage: Stage, definition: StageDefinition): void {
    const { workers } = stage.spec.definition;
    stage.spec = { ...stage.spec, definition };
    stage.runner.changeLimits(definition, stage.workers);
    stage.capacity = queueCapacityOf(definition);
    if (workers !== definition.workers) stage.resize(definition.workers);
  }
}

/** Whether a cancel of an item that a worker has would end it, as {@link Operations.cancelItem} answers: a callback may be told of another end just now. */
function isCancellable(item: Item): boolean {
  const { holder } = item;
  if (!(holder instanceof Worker) || holder.blocked !== null || !holder.inCallback) return true;
  const { decided } = holder;
  return decided === null || (decided.kind !== 'fail' && item.nextStage !== null);
}
