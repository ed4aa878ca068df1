/** The changes that a new definition makes to items that wait, by the numbers of stages. */
export interface DefinitionStep {
  /** The stages with other tasks: for each number of tasks that an item has behind it, how many of the new ones those are. */
  tasks: [stage: number, places: number[]][];
  /** null: no item's way changes. */
  ways: Ways | null;
}

/** A change of the order of stages. 0 stands for the end of the way. */
export interface Ways {
  /** The stages in their new order. */
  after: number[];
  /** The ones among them that were there before. */
  kept: number[];
  /** Where each stage led to, before and now. */
  before: [stage: number, next: number][];
  now: [stage: number, next: number][];
}

/** The rest of an item's way where that is not the order of the stages: the numbers of its next stages, with a final 0 when it ends there. */
export type RouteNumbers = readonly number[];

/**
 * Where a stage led to that was gone long before the change. It is known to nobody but the items that failed there, and leads to the same stage for ever.
 */
export type FormerNext = (stage: number) => number;

/** The way on of an item after a change: the stages that it still had before it, in the new order, and those added past its place. */
export class NewWays {
  private readonly after: readonly number[];
  private readonly kept: ReadonlySet<number>;
  private readonly place: ReadonlyMap<number, number>;
  private readonly before: ReadonlyMap<number, number>;
  private readonly now: Map<number, number>;
  private readonly formerNext: FormerNext;

  constructor({ after, kept, before, now }: Ways, formerNext: FormerNext) {
    this.after = after;
    this.kept = new Set(kept);
    this.place = new Map(after.map((stage, i) => [stage, i]));
    this.before = new Map(before);
    this.now = new Map(now);
    this.formerNext = formerNext;
  }

  /** Where a removed stage leads to now. */
  nextOfRemoved(stage: number): number {
    return this.way(stage, this.oldWay(stage, null))[0] ?? 0;
  }

  /** null when it is the order of the stages. */
  route(stage: number, route: RouteNumbers | null): RouteNumbers | null {
    const way = this.way(stage, this.oldWay(stage, route));
    // As long as it has to be: from there on it is the order of the stages.
    for (let end = way.length + 1; end > 0; end--) {
      const from = end === 1 ? stage : (way[end - 2] as number);
      const next = way[end - 1] ?? 0;
      if ((this.now.get(from) ?? this.formerNext(from)) !== next) return [...way.slice(0, end), ...(end > way.length ? [0] : [])];
    }
    return null;
  }

  /** The stages that an item still had ahead of it. */
  private oldWay(from: number, route: RouteNumbers | null): number[] {
    const way: number[] = [];
    for (let stage = from, i = 0; ; i++) {
      stage = route?.[i] ?? this.before.get(stage) ?? this.formerNext(stage);
      if (stage === 0) return way;
      way.push(stage);
    }
  }

  /** The stages ahead of it now: the remaining ones of those, and the ones added after the place where it is or continues. */
  private way(from: number, old: readonly number[]): number[] {
    const { after, kept, place } = this;
    const left = new Set(old.filter((stage) => kept.has(stage)));
    const goesOn = [...left].map((stage) => place.get(stage) as number);
    const anchor = place.get(from) ?? (goesOn.length === 0 ? after.length : Math.min(...goesOn));
    return after.filter((stage, i) => left.has(stage) || (!kept.has(stage) && i > anchor && stage !== from));
  }
}
