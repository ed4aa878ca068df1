import { type DefinitionStep, NewWays, type RouteNumbers } from '../flow/ways.ts';
import { STAGE_ENDED } from '../stage/index.ts';
import { GONE, STATUS_CODES, type StoredItem } from '../store.ts';

/** The definition's history as it is stored: the number of its versions, and the steps that some row may still have before it. */
export interface StoredHistory {
  version: number;
  steps: [version: number, step: DefinitionStep][];
}

/** A row's `task` is the number of tasks that the item has behind it, and this many times the version of the definition that counts them. */
const VERSION_UNIT = 1024;
/** A start looks for steps that no row has before it once there are more than this. */
const STEPS_FEW = 16;

const ENDED: ReadonlySet<number> = new Set([STATUS_CODES.completed, STATUS_CODES.cancelled, GONE]);

/** The `task` of a row. */
export function taskCell(task: number, version: number): number {
  return version * VERSION_UNIT + task;
}

/** The version in the `task` of a row. */
export function versionIn(cell: number): number {
  return Math.floor(cell / VERSION_UNIT);
}

interface OfStep {
  places: ReadonlyMap<number, readonly number[]>;
  ways: NewWays | null;
}

interface Place {
  task: number;
  route: RouteNumbers | null;
}

/**
 * The meaning of the definitions that a pipeline has had for items that only the store has. Each row says by which version it was written; who reads it goes
 * through the steps since then, so that a new definition need not look at any row.
 */
export class History {
  private version = 0;
  private steps: [version: number, step: DefinitionStep][] = [];
  private readonly made = new Map<number, OfStep>();
  /** By what a row says: most of them say the same. */
  private readonly known = new Map<string, Place>();
  private readonly formerNext: (stage: number) => number;

  /** `formerNext`: where a stage leads to that the definition no longer has. */
  constructor(formerNext: (stage: number) => number) {
    this.formerNext = formerNext;
  }

  get stored(): StoredHistory {
    return { version: this.version, steps: this.steps };
  }

  /** The version by which rows are written now. */
  get current(): number {
    return this.version;
  }

  /** `oldest`: the oldest version that a row still has. It is asked only when there are many steps. */
  restore({ version, steps }: StoredHistory, oldest: () => number): void {
    this.version = version;
    const from = steps.length > STEPS_FEW ? oldest() : 0;
    this.steps = steps.filter(([before]) => before > from);
  }

  /** Notes a step, if it is any. `isEmpty`: no row has anything before it. */
  add(step: DefinitionStep, isEmpty: boolean): void {
    if (isEmpty) this.steps = [];
    this.known.clear();
    if (isEmpty || (step.tasks.length === 0 && step.ways === null)) return;
    this.version++;
    this.steps.push([this.version, step]);
  }

  /** The tasks that the item has behind it, by the definition of now, and its way. */
  placeOf({ task: cell, stage, status, route: text }: StoredItem): Place {
    const version = versionIn(cell);
    const task = cell % VERSION_UNIT;
    const isOld = version < this.version && !ENDED.has(status);
    if (!isOld) return { task, route: text === null ? null : (JSON.parse(text) as number[]) };
    const key = `${cell} ${stage} ${text}`;
    let place = this.known.get(key);
    if (place === undefined) {
      place = this.follow(version, stage, { task, route: text === null ? null : (JSON.parse(text) as number[]) });
      this.known.set(key, place);
    }
    return place;
  }

  private follow(from: number, stage: number, place: Place): Place {
    let { task, route } = place;
    for (const [version, step] of this.steps) {
      if (version <= from) continue;
      const { places, ways } = this.of(version, step);
      const known = places.get(stage);
      if (known !== undefined && task !== STAGE_ENDED) task = known[task] ?? 0;
      if (ways !== null) route = ways.route(stage, route);
    }
    return { task, route };
  }

  private of(version: number, { tasks, ways }: DefinitionStep): OfStep {
    let made = this.made.get(version);
    if (made === undefined) {
      made = { places: new Map(tasks), ways: ways === null ? null : new NewWays(ways, this.formerNext) };
      this.made.set(version, made);
    }
    return made;
  }
}
