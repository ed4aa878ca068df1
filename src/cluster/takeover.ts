import { ENDED, STATUS_CODES, type Store } from '../engine/store.ts';

/** See Store.marked. */
export interface Mark {
  pipeline: number;
  seq: number;
  ord: number;
}

/** A node that dies has given tasks the ids of fewer items than this that were not stored. */
const UNSTORED_IDS = 2 ** 18;
const STEP = 1000;

/**
 * The items that were running when the node before this one died, as far as the log has that; and for each pipeline an id beyond all that may have been given to tasks
 * without being stored, so that none of these is given to another item.
 */
export function leftBy(store: Store): Mark[] {
  return store.pipelines().flatMap(({ pipeline, facts }) => {
    const { lastSequence = 0 } = JSON.parse(facts.counters ?? '{}') as { lastSequence?: number };
    return [...runningIn(store, pipeline), { pipeline, seq: lastSequence + UNSTORED_IDS, ord: ENDED }];
  });
}

function* runningIn(store: Store, pipeline: number): Generator<Mark> {
  const shelf = store.shelf(pipeline);
  const query = { statuses: [STATUS_CODES.in_progress], feed: null, stages: null, last: Number.MAX_SAFE_INTEGER, limit: STEP };
  for (let after = 0; ; ) {
    const { rows, isAll } = shelf.page({ ...query, after, characters: Number.MAX_SAFE_INTEGER, texts: 'none' });
    for (const { seq, ord } of rows) yield { pipeline, seq, ord };
    if (isAll) return;
    after = rows.at(-1)?.seq ?? Number.MAX_SAFE_INTEGER;
  }
}
