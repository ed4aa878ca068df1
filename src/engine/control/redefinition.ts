import type { MovedItems, StageChange } from '../../schemas/redefinition.ts';
import { queueCapacityOf, type StageSpec } from '../definition/stage-spec.ts';
import type { Core } from '../flow/core.ts';
import type { DefinitionStep } from '../flow/ways.ts';
import { type Item, type Stage, Worker } from '../model/model.ts';
import { rerouted } from './route.ts';
import { changedFields, matchStages, stageChanges } from './stage-changes.ts';

/** A new definition, and what has to be known to carry it out. */
export interface Redefinition {
  readonly specs: readonly StageSpec[];
  /** The stages that go on, by the place of their new definition. */
  readonly match: readonly (Stage | null)[];
  readonly removed: readonly Stage[];
  /** Whether items may get a way that differs from the order of the stages, or have one. */
  readonly mayReroute: boolean;
  /** The items in memory that it may have to change. */
  readonly changeable: readonly Item[];
}

/**
 * Reads whatever carrying out a definition needs, so that nothing is read once something has changed. Throws `store-unavailable`.
 */
export function plannedStages(core: Core, specs: readonly StageSpec[]): Redefinition {
  const before = core.stages;
  const match = matchStages(
    core,
    specs.map((spec) => spec.definition),
  );
  const removed = before.filter((stage) => !match.includes(stage));
  const isEmpty = core.ledger.inFlight === 0 && core.ledger.failed === 0;
  // Those that are in a stage which comes again have before them what they had when it left, wherever it stands now.
  const comesAgain = match.some((stage) => stage !== null && !before.includes(stage));
  const mayReroute = !isEmpty && (core.hasRoutes || comesAgain || !keepsOrder(before, match));
  for (const stage of removed) stage.beyond?.loadFirst();
  const isLookedAt = mayReroute || match.some((stage, i) => changesTasks(stage, specs[i]));
  return { specs, match, removed, mayReroute, changeable: isLookedAt ? [...core.index.changeable()] : [] };
}

/**
 * Gives a pipeline other stages while its items are in them. What becomes of the items:
 *
 * - A stage that stays keeps its queue, its waits, its counters and its pause. Items that run end by the definition that they
 *   began with; the others go by the new one, after the tasks that they have behind them.
 * - Of a stage that is gone, who waits goes on at the next stage that remains, in the order of the old definition; who runs
 *   ends there first, and if that fails with a retry to come, it goes on, too. Where nothing remains, they are completed.
 * - A stage of another name with the same tasks in the same place is the old one, renamed.
 * - A stage that is added is met by who comes past its place. When stages change their order, an item goes through those it
 *   still had before it, in the new order, and through none twice.
 *
 * All of it happens in one turn of the event loop; nothing can be seen of a state in between. Only of a removed stage's items in a store all but the
 * first follow in later turns, see {@link Evacuation}.
 */
export function redefineStages(
  core: Core,
  { specs, match, removed, mayReroute, changeable }: Redefinition,
  tell: () => void,
): { changes: StageChange[]; moved: MovedItems[]; hasRoutes: boolean } {
  const { scheduler, time } = core;
  time.tick();
  const before = core.stages;
  const definitions = specs.map((spec) => spec.definition);
  const changes = stageChanges(before, match, definitions);
  const oldNext = new Map(core.allStages.map((stage) => [stage, stage.next]));

  const tasks: DefinitionStep['tasks'] = [];
  const after = specs.map((spec, i) => adopt(core, match[i] ?? null, spec, { index: i, changeable, tasks }));
  for (const stage of removed) {
    stage.isRemoved = true;
    stage.resize(0);
  }
  core.rearrange(after, removed);

  const isKept = new Set(before.filter((stage) => !stage.isRemoved));
  const { ways, hasRoutes: inMemory } = rerouted(core, { before, after, isKept, oldNext }, mayReroute ? changeable : null);
  const hasRoutes = core.index.redefined({ tasks, ways }) || inMemory;
  tell();

  // All before any of them: one that leaves may let others in, to where they don't go any more.
  const withdrawn = astray(core).map((worker) => ({ worker, as: scheduler.handOver.withdraw(worker) }));
  const moved = removed.map((stage): MovedItems => {
    let items = core.evacuation.begin(stage);
    for (const worker of [...stage.workers]) {
      if (worker.item === null || worker.blocked !== null || !(worker.isAssigned || worker.limitWait !== null)) continue;
      scheduler.takeBack(worker);
      items++;
    }
    const running = stage.workers.filter((worker) => worker.item !== null).length;
    return { from: stage.name, to: stage.next?.name ?? null, items, running };
  });
  for (const { worker, as } of withdrawn) scheduler.handOver.leaveStage(worker, worker.item as Item, as);
  core.forgetEmpty();
  for (const stage of after) {
    scheduler.handOver.letIn(stage);
    scheduler.fill(stage);
  }
  core.admission.onRoom();
  return { changes, moved, hasRoutes };
}

/** Whether the stages that stay are in the order in which they were. `match`: as {@link matchStages} gives them. */
function keepsOrder(before: readonly Stage[], match: readonly (Stage | null)[]): boolean {
  const stays = match.filter((stage) => stage !== null && before.includes(stage));
  return before.filter((stage) => stays.includes(stage)).every((stage, i) => stage === stays[i]);
}

function changesTasks(stage: Stage | null | undefined, spec: StageSpec | undefined): boolean {
  return stage != null && spec !== undefined && changedFields(stage.spec.definition, spec.definition).includes('tasks');
}

interface Adopting {
  index: number;
  changeable: readonly Item[];
  /** Gets what the tasks of items in the store become. */
  tasks: DefinitionStep['tasks'];
}

/** The stage with its new definition; a new one when there was none. */
function adopt(core: Core, stage: Stage | null, spec: StageSpec, { index, changeable, tasks }: Adopting): Stage {
  const { definition } = spec;
  if (stage === null) return core.createStage(spec, index);
  const old = stage.spec.definition;
  if (stage.name !== definition.name) {
    core.stageTotals.renamed(stage.name, definition.name);
    core.ledger.renamed(stage.name, definition.name);
    stage.rename(definition.name);
  }
  const fields = changedFields(old, definition);
  stage.isRemoved = false;
  stage.index = index;
  if (fields.length > 0) {
    const runner = core.createRunner(spec, stage);
    if (fields.includes('tasks')) {
      translateWaiting(core, stage, runner, changeable);
      const { runner: before } = stage;
      tasks.push([stage.no, Array.from({ length: old.tasks.length + 1 }, (_, passed) => runner.placeOf(passed, before))]);
    }
    stage.runner = runner;
  }
  stage.spec = spec;
  stage.capacity = queueCapacityOf(definition);
  stage.resize(definition.workers);
  return stage;
}

/**
 * Items that no worker runs go on after the tasks that they have behind them. Who runs is translated when its attempt has ended; what is stored
 * of it says already where it would go on after a crash.
 */
function translateWaiting(core: Core, stage: Stage, runner: Stage['runner'], changeable: readonly Item[]): void {
  for (const item of changeable) {
    if (item.stage !== stage) continue;
    const isRunning = item.holder instanceof Worker;
    if (item.taskIndex === 0 && !isRunning) continue;
    if (!isRunning) item.taskIndex = runner.placeOf(item.taskIndex, stage.runner);
    core.keeper.touch(item);
  }
}

/** Workers that wait for room in a stage which is no longer the next one of their item; on a way of its own it waits nowhere. */
function astray(core: Core): Worker[] {
  return core.allStages
    .flatMap((stage) => stage.workers)
    .filter(({ blocked, item }) => blocked !== null && (item?.nextStage !== blocked.at || item.route !== null))
    .sort((a, b) => orderOf(a.item as Item, b.item as Item));
}

function orderOf(a: Item, b: Item): number {
  return a.priority - b.priority || a.sequenceId - b.sequenceId;
}
