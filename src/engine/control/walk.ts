import type { Core } from '../flow/core.ts';
import type { ListedQuery } from '../flow/item-index.ts';
import type { Item } from '../model/model.ts';
import { TURN_MS, turnGate } from '../time/turn.ts';
import { STINT_CHARACTERS } from '../values/sizes.ts';

/** So many items are read at once. */
const STEP = 128;
/** So many entries of an index are passed over in one turn. */
const PASSED_MAX = 1000;

/** Which items are walked over. */
export type WalkQuery = Pick<ListedQuery, 'status' | 'stage' | 'feedId' | 'texts'>;

/**
 * Visits every kept item that the query has, in feed order, in turns of the event loop that have time left: those of others come in between. An item is visited in the turn
 * in which it was read. `reached` is told the sequence id up to which all have been visited, before the turn ends; `MAX_SAFE_INTEGER` at the end.
 */
export async function walk(
  core: Core,
  query: WalkQuery,
  visit: (item: Item) => void,
  reached: (to: number) => void = () => undefined,
): Promise<void> {
  const steps = stepsOf(core);
  const within = query.feedId === undefined ? undefined : core.feeds.find(query.feedId);
  for (let after = 0; ; ) {
    const isOver = await steps.next();
    const page = core.index.items({ ...query, after, limit: STEP, most: PASSED_MAX, characters: STINT_CHARACTERS }, within);
    let next = page.next;
    for (const [i, item] of page.rows.entries()) {
      visit(item);
      if (!isOver() || i === page.rows.length - 1) continue;
      next = item.sequenceId;
      break;
    }
    reached(next ?? Number.MAX_SAFE_INTEGER);
    if (next === null) return;
    after = next;
  }
}

/** Resolves in a turn of the event loop that has time left, with what tells when that is used up. */
export function stepsOf({ time: { clock } }: Core): { next(): Promise<() => boolean> } {
  const gate = turnGate(clock);
  return {
    async next() {
      await gate.enter({});
      const end = clock.monotonic() + TURN_MS;
      return () => clock.monotonic() > end;
    },
  };
}
