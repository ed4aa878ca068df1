import { type Item, NO_METADATA, type Route, Worker } from '../model/model.ts';
import { GONE, ITEM_CELLS, type PackedItems, STATUS_CODES, WRITE_ALL, WRITE_NEW, WRITE_STATE } from '../store.ts';
import type { EngineClock } from '../time/engine-clock.ts';

/** Puts items into the form in which a store gets them, and notes on each what was written of it. */
export class ItemWrites {
  private cells = new Float64Array(ITEM_CELLS * 256);
  private texts: (string | null)[] = [];
  private count = 0;
  /** Characters of the texts that were added, and of how many items those are. */
  characters = 0;
  withTexts = 0;

  get isEmpty(): boolean {
    return this.count === 0;
  }

  add(item: Item, time: EngineClock): void {
    const what = changeOf(item);
    this.number(item, what, time);
    if (what === WRITE_STATE) return;
    if (what === WRITE_NEW) {
      const metadata = item.metadata === NO_METADATA ? null : JSON.stringify(item.metadata);
      this.texts.push(item.givenId, metadata);
      this.characters += metadata?.length ?? 0;
    }
    this.addTexts(item);
  }

  take(): PackedItems | null {
    if (this.count === 0) return null;
    const packed = { count: this.count, cells: this.cells.slice(0, this.count * ITEM_CELLS), texts: this.texts };
    this.count = 0;
    this.texts = [];
    return packed;
  }

  private number(item: Item, what: number, time: EngineClock): void {
    let at = this.count++ * ITEM_CELLS;
    if (at === this.cells.length) {
      const bigger = new Float64Array(at * 2);
      bigger.set(this.cells);
      this.cells = bigger;
    }
    const { cells } = this;
    const { holder, stage } = item;
    let { taskIndex: task, attempts } = item;
    if (holder instanceof Worker) {
      // What a crash leaves: an attempt that had not ended does not count, a stage that was done need not run again.
      const isPerStage = stage.spec.definition.retry === 'per_stage';
      if (holder.blocked !== null) task = holder.blocked.as === 'completed' ? stage.spec.tasks.length : 0;
      else if (isPerStage) task = 0;
      const hasBegun = holder.attempt !== null || holder.limitWait !== null || (holder.isBetween && isPerStage);
      if (holder.blocked === null && hasBegun) attempts--;
    }
    const isParked = item.status === 'retrying' && holder !== null && !(holder instanceof Worker);
    cells[at++] = what;
    cells[at++] = item.sequenceId;
    cells[at++] = item.feed.ordinal;
    cells[at++] = item.priority;
    cells[at++] = stage.no;
    cells[at++] = item.isKept ? STATUS_CODES[item.status] : GONE;
    cells[at++] = item.place;
    cells[at++] = item.ord;
    cells[at++] = task;
    cells[at++] = attempts;
    cells[at++] = item.stored.deliveries;
    cells[at++] = Math.floor(time.wall(item.acceptedAt));
    cells[at++] = Math.floor(time.wall(item.updatedAt));
    cells[at++] = isParked ? Math.round(time.wall(holder.at)) : -1;
    cells[at++] = item.lastEvent;
  }

  private addTexts(item: Item): void {
    const { value, fed, isKept, error, route } = item;
    let fedText: string | null = null;
    let valueText: string | null = null;
    if (isKept) {
      if (value !== fed) valueText = textOf(value);
      // What was fed can be undefined; it is dropped only when nothing can be retried from it.
      const isDropped = item.status === 'completed' || item.status === 'cancelled';
      if (value === fed || !isDropped) fedText = textOf(fed);
    }
    if (isKept) this.withTexts++;
    this.characters += (fedText?.length ?? 0) + (valueText?.length ?? 0);
    this.texts.push(valueText, fedText, isKept && error !== null ? JSON.stringify(error) : null, route === null ? null : wayOf(route));
    item.stored.kept = { value, fed: fedText === null ? NOTHING : fed, error, route };
  }
}

/** Stands for a value that is not in the store. */
export const NOTHING = Symbol('not stored');

function changeOf({ stored, isKept, value, fed, error, route }: Item): number {
  const { kept } = stored;
  if (kept === null) return WRITE_NEW;
  if (!isKept || value !== kept.value || error !== kept.error || route !== kept.route) return WRITE_ALL;
  // It has completed with the value that it had already: what was fed goes, unless it is that value.
  return fed === undefined && kept.fed !== NOTHING && kept.fed !== value ? WRITE_ALL : WRITE_STATE;
}

/** undefined is not JSON: an empty text stands for it. */
function textOf(value: unknown): string {
  return JSON.stringify(value) ?? '';
}

/** The numbers of the stages of a way, and 0 at its end when it ends there. */
function wayOf(route: Route): string {
  const numbers: number[] = [];
  for (let rest: Route | null = route; rest !== null; rest = rest.rest) numbers.push(rest.stage?.no ?? 0);
  return JSON.stringify(numbers);
}
