import { isDeepStrictEqual } from 'node:util';
import type { ItemStatus } from '../../schemas/item.ts';
import type { ItemFilter } from '../contract/runtime.ts';
import type { Core } from '../flow/core.ts';
import { isFailedBy } from '../flow/error-tally.ts';
import type { Item } from '../model/model.ts';
import { stepsOf, walk } from './walk.ts';

/** How selected items are dealt with. */
export interface Dealing {
  filter: ItemFilter;
  /** Only items of these statuses. */
  statuses: readonly ItemStatus[];
  /** Whether an item is to be acted on. */
  suits: (item: Item) => boolean;
  /** Absent: they are only counted. Returns whether it did something. */
  act?: ((item: Item) => boolean) | undefined;
}

/**
 * Deals with every kept item that a filter selects, in feed order and in steps that do not hold the event loop; returns how many. An item that is acted on is as it is
 * at that moment: what was done to those before it may have changed it.
 */
export async function eachSelected(core: Core, { filter, statuses, suits, act }: Dealing): Promise<number> {
  const status = statuses.filter((one) => filter.status?.includes(one) ?? true);
  if (status.length === 0) return 0;
  let count = 0;
  const look = (found: Item): void => {
    if (!status.includes(found.shownStatus) || !isSelected(found, filter) || !suits(found)) return;
    if (act === undefined) {
      count++;
      return;
    }
    const item = core.index.current(found);
    if (item !== undefined && status.includes(item.shownStatus) && suits(item) && act(item)) count++;
  };
  if (filter.itemIds === undefined) {
    const { stage, feedId } = filter;
    await walk(core, { status, texts: textsFor(filter, status), ...givenOf({ stage, feedId }) }, look);
  } else {
    const steps = stepsOf(core);
    let isOver = await steps.next();
    for (const id of await inFeedOrder(core, filter.itemIds)) {
      if (isOver()) isOver = await steps.next();
      const item = core.index.get(id);
      if (item !== undefined) look(item);
    }
  }
  return count;
}

/** These of the ids that are kept, each once, in the order of their items. */
async function inFeedOrder(core: Core, ids: readonly string[]): Promise<string[]> {
  const steps = stepsOf(core);
  const known: [id: string, sequenceId: number][] = [];
  let isOver = await steps.next();
  for (const id of new Set(ids)) {
    if (isOver()) isOver = await steps.next();
    const item = core.index.peek(id);
    if (item !== undefined) known.push([id, item.sequenceId]);
  }
  return known.sort(([, a], [, b]) => a - b).map(([id]) => id);
}

/** The texts of rows that the filter needs: of an item that has not failed, its last error is among those that are read only when they are asked for. */
function textsFor({ metadata, errorType, errorStatus, group }: ItemFilter, status: readonly ItemStatus[]): 'facts' | 'none' {
  if (metadata !== undefined) return 'facts';
  const needsError = errorType !== undefined || errorStatus !== undefined || group !== undefined;
  return needsError && status.some((one) => one !== 'failed' && one !== 'cancelled') ? 'facts' : 'none';
}

function isSelected(item: Item, { stage, feedId, metadata, errorType, errorStatus, group }: ItemFilter): boolean {
  // By the name that the stage has now: the error has the one of that time.
  if (stage !== undefined && item.stage.name !== stage) return false;
  if (feedId !== undefined && item.feed.id !== feedId) return false;
  const isByError = errorType !== undefined || errorStatus !== undefined || group !== undefined;
  const error = item.isFinal ? item.error : item.lastError;
  if (isByError && !isFailedBy(error, givenOf({ errorType, errorStatus, group }))) return false;
  return metadata === undefined || Object.entries(metadata).every(([name, value]) => hasEqual(item.metadata, name, value));
}

function hasEqual(metadata: Item['metadata'], name: string, value: unknown): boolean {
  return Object.hasOwn(metadata, name) && isDeepStrictEqual(metadata[name], value);
}

function givenOf<T extends object>(fields: T): { [K in keyof T]: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as never;
}
