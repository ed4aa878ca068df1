import type { Core } from '../flow/core.ts';
import { NewWays, type Ways } from '../flow/ways.ts';
import type { Item, Route, Stage } from '../model/model.ts';
import { routeOf, toNumbers } from '../model/routes.ts';

/** The change of the stages by a new definition. */
export interface Rearrangement {
  before: readonly Stage[];
  after: readonly Stage[];
  /** The stages of `before` that are also in `after`. */
  isKept: ReadonlySet<Stage>;
  /** Where each stage led to, before. */
  oldNext: ReadonlyMap<Stage, Stage | null>;
}

/**
 * Links the stages in their new order, those that are gone to the next one that remains, and gives the items a way of their own
 * that would else meet a stage twice or miss one that they still had before them. `changeable`: the items in memory; null when the order of the stages is
 * the same, and no item had a way of its own. Returns what to do with the others, and whether any of those in memory has a way of its own.
 */
export function rerouted(
  core: Core,
  { after, isKept, oldNext }: Rearrangement,
  changeable: readonly Item[] | null,
): { ways: Ways | null; hasRoutes: boolean } {
  const stages = new Map([...oldNext.keys(), ...after].map((stage) => [stage.no, stage]));
  const ways: Ways = {
    after: after.map(({ no }) => no),
    kept: after.filter((stage) => isKept.has(stage)).map(({ no }) => no),
    before: [...oldNext].map(([{ no }, next]) => [no, next?.no ?? 0]),
    now: [],
  };
  // Stages that were gone long before are known to nobody but the items that failed there.
  for (const { stage, route } of changeable ?? []) {
    for (let on: Stage | null = stage; on !== null && !stages.has(on.no); on = on.next) stages.set(on.no, on);
    for (let rest = route; rest !== null; rest = rest.rest) if (rest.stage !== null) stages.set(rest.stage.no, rest.stage);
  }
  const stageOf = (no: number): Stage => stages.get(no) as Stage;
  const formerNext = (no: number): number => stageOf(no).next?.no ?? 0;
  for (const [i, stage] of after.entries()) stage.next = after[i + 1] ?? null;
  const before = new NewWays(ways, formerNext);
  for (const stage of core.leaving) stage.next = stages.get(before.nextOfRemoved(stage.no)) ?? null;
  if (changeable === null) return { ways: null, hasRoutes: false };

  ways.now = [...after, ...core.leaving].map(({ no, next }) => [no, next?.no ?? 0]);
  const now = new NewWays(ways, formerNext);
  const known = new Map<Stage, Map<Route | null, Route | null>>();
  let hasRoutes = false;
  for (const item of changeable) {
    const fresh = newRoute(item);
    hasRoutes ||= fresh !== null;
    if (fresh === item.route) continue;
    item.route = fresh;
    core.keeper.touch(item);
  }
  return { ways, hasRoutes };

  function newRoute({ stage, route }: Pick<Item, 'stage' | 'route'>): Route | null {
    let ofStage = known.get(stage);
    if (ofStage === undefined) {
      ofStage = new Map();
      known.set(stage, ofStage);
    }
    let fresh = ofStage.get(route);
    if (fresh === undefined) {
      const numbers = now.route(stage.no, route === null ? null : toNumbers(route));
      fresh = numbers === null ? null : routeOf(numbers, stageOf);
      ofStage.set(route, fresh);
    }
    return fresh;
  }
}

/**
 * The way on of an item that failed in a stage which is gone, and goes on in `stage`, a later one of the same name: through the stages that it still had before it.
 * null: it is the order of the stages.
 */
export function wayOnFrom(stage: Stage, failed: Pick<Item, 'stage' | 'route'>): Route | null {
  const ahead: Stage[] = [];
  let { route } = failed;
  for (let at: Stage | null = failed.stage; at !== null; ) {
    at = route === null ? at.next : route.stage;
    route = route?.rest ?? null;
    if (at !== null && at !== stage && !at.isRemoved) ahead.push(at);
  }
  let way: Route | null = null;
  for (let i = ahead.length; i >= 0; i--) {
    const next = ahead[i] ?? null;
    if (way !== null || (ahead[i - 1] ?? stage).next !== next) way = { stage: next, rest: way };
  }
  return way;
}
