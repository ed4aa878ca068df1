import type { Core } from '../flow/core.ts';
import type { Item, Route, Stage } from '../model/model.ts';

/** The change of the stages by a new definition. */
export interface Rearrangement {
  before: readonly Stage[];
  after: readonly Stage[];
  /** The stages of `before` that are also in `after`. */
  isKept: ReadonlySet<Stage>;
  /** Where each stage led to, before. */
  oldNext: ReadonlyMap<Stage, Stage | null>;
}

const END: Route = { stage: null, rest: null };

/**
 * Links the stages in their new order, those that are gone to the next one that remains, and gives the items a way of their own
 * that would else meet a stage twice or miss one that they still had before them. Returns whether there are such items. `changeable`: the items that may
 * be, all of which are in memory; null when the order of the stages is the same, and no item had a way of its own.
 */
export function rerouted(core: Core, change: Rearrangement, changeable: readonly Item[] | null): boolean {
  const { after } = change;
  const place = new Map(after.map((stage, i) => [stage, i]));
  for (const [i, stage] of after.entries()) stage.next = after[i + 1] ?? null;
  const gone = core.leaving;
  for (const stage of gone) stage.next = newWay(change, place, stage, oldWay(change, stage, null))[0] ?? null;

  if (changeable === null) return false;
  const known = new Map<Stage, Map<Route | null, Route | null>>();
  let hasRoutes = false;
  for (const item of changeable) {
    const fresh = routeOf(item);
    hasRoutes ||= fresh !== null;
    if (fresh === item.route) continue;
    item.route = fresh;
    core.keeper.touch(item);
  }
  return hasRoutes;

  function routeOf({ stage, route }: Pick<Item, 'stage' | 'route'>): Route | null {
    let ofStage = known.get(stage);
    if (ofStage === undefined) {
      ofStage = new Map();
      known.set(stage, ofStage);
    }
    let fresh = ofStage.get(route);
    if (fresh === undefined) {
      fresh = toRoute(newWay(change, place, stage, oldWay(change, stage, route)), stage);
      ofStage.set(route, fresh);
    }
    return fresh;
  }
}

/** The stages that an item still had ahead of it. */
function oldWay({ oldNext }: Rearrangement, from: Stage, route: Route | null): Stage[] {
  // One that was gone long before is known to nobody but the items that failed there.
  const nextOf = (stage: Stage): Stage | null => oldNext.get(stage) ?? (oldNext.has(stage) ? null : stage.next);
  const way: Stage[] = [];
  let stage: Stage | null = from;
  let rest = route;
  for (;;) {
    stage = rest === null ? nextOf(stage) : rest.stage;
    if (stage === null) return way;
    if (rest !== null) rest = rest.rest;
    way.push(stage);
  }
}

/** The stages ahead of it now: the remaining ones of those, and the ones added after the place where it is or continues. */
function newWay({ after, isKept }: Rearrangement, place: ReadonlyMap<Stage, number>, from: Stage, old: readonly Stage[]): Stage[] {
  const left = new Set(old.filter((stage) => isKept.has(stage)));
  const goesOn = [...left].map((stage) => place.get(stage) as number);
  const anchor = place.get(from) ?? (goesOn.length === 0 ? after.length : Math.min(...goesOn));
  return after.filter((stage, i) => left.has(stage) || (!isKept.has(stage) && i > anchor && stage !== from));
}

/** null when it is the order of the stages. */
function toRoute(way: readonly Stage[], from: Stage): Route | null {
  let route: Route | null = null;
  for (let i = way.length; i >= 0; i--) {
    const stage = i === 0 ? from : (way[i - 1] as Stage);
    const next = way[i] ?? null;
    if (route === null && stage.next === next) continue;
    route = next === null ? END : { stage: next, rest: route };
  }
  return route;
}
