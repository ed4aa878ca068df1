import type { ItemError, ItemStatus } from '../../schemas/item.ts';
import type { ItemsQuery, Page, ResultsQuery } from '../contract/runtime.ts';
import { isFailedBy } from '../flow/error-tally.ts';
import type { FoundPage, Stint } from '../flow/item-index.ts';
import type { Clock } from '../ports.ts';
import { TURN_MS, turnGate } from '../time/turn.ts';
import { PAGE_CHARACTERS, STINT_CHARACTERS } from '../values/sizes.ts';

/** The statuses of items that have an error. */
const FAILED: readonly ItemStatus[] = ['failed', 'cancelled'];
/** So many items are looked at in one turn of the event loop: among a million, those that match may be few and far between. */
const LOOKED_MAX = 1000;
const STEP = 250;

/** The parts of an item that the filters of a list look at. */
interface Listed {
  id: string;
  error: ItemError | null;
  sequenceId: number;
  totalAttempts: number;
}

/** Whether a list asks for what no index knows. */
function isSearching({ errorType, errorStatus, group, text, minAttempts }: ItemsQuery): boolean {
  return [errorType, errorStatus, group, text, minAttempts].some((filter) => filter !== undefined);
}

/** Part of a page, as one turn has brought it. */
export interface PartOfPage<Row> extends FoundPage<Row> {
  /** How many items were looked at one by one. */
  looked?: number;
}

/**
 * The part of a list of items, which `read` gives, with only those that match the query. It may end before it is full, even
 * empty: `next` goes on behind the last item that was looked at. `isOver`: whether this turn has lasted long enough.
 */
export function pageMatching<Row extends Listed, Found extends Omit<FoundPage<Row>, 'characters'>>(
  query: ItemsQuery & Stint,
  read: (query: ItemsQuery & Stint) => Found & { rows: Row[] },
  isOver: () => boolean = () => false,
): Found & { looked?: number } {
  if (!isSearching(query)) return read({ ...query, limit: Math.min(query.limit, STEP) });
  const { errorType, errorStatus, group } = query;
  const isByError = errorType !== undefined || errorStatus !== undefined || group !== undefined;
  const status = isByError ? FAILED.filter((ended) => query.status?.includes(ended) ?? true) : query.status;
  const matches = matcherOf(query, isByError);
  const rows: Row[] = [];
  for (let after = query.after, looked = 0; ; ) {
    const page = read({ ...query, ...(status && { status }), after, limit: STEP });
    for (const [i, row] of page.rows.entries()) {
      looked++;
      if (matches(row)) {
        if (rows.length >= query.limit) return { ...page, rows, next: (rows.at(-1) as Row).sequenceId, looked };
        rows.push(row);
      }
      if (isOver() && i < page.rows.length - 1) return { ...page, rows, next: row.sequenceId, looked };
    }
    if (page.next === null || looked >= LOOKED_MAX || isOver() || page.rows.length < STEP) return { ...page, rows, looked };
    after = page.next;
  }
}

function matcherOf(query: ItemsQuery, isByError: boolean): (row: Listed) => boolean {
  const { minAttempts = 0 } = query;
  const text = query.text?.toLowerCase();
  return (row) => {
    if (row.totalAttempts < minAttempts) return false;
    if (text !== undefined && !row.id.toLowerCase().includes(text) && !row.error?.message.toLowerCase().includes(text)) return false;
    return !isByError || isFailedBy(row.error, query);
  };
}

/** A page for which items are looked at one by one is over after so many… */
const SEARCHED_MAX = 50_000;
/** … and one that has to pass over others after so long. */
const SEARCH_MS = 1000;
/** So many entries of an index are passed over in one turn. */
const PASSED_MAX = 1000;

interface PageOptions {
  clock: Pick<Clock, 'defer' | 'monotonic'>;
  /** The most characters of the page. */
  characters?: number | undefined;
}

/**
 * Puts a page together in turns of the event loop that have time left for it, so that no list holds the loop, whatever it passes over. The page is over when it is full or the list is;
 * where it passes over items, also when it has looked long enough.
 */
export async function pageInTurns<Row, Query extends (ItemsQuery | ResultsQuery) & { order?: 'asc' | 'desc' }>(
  query: Query,
  read: (query: Query & Stint, isOver: () => boolean) => PartOfPage<Row>,
  { clock, characters: allowed = PAGE_CHARACTERS }: PageOptions,
): Promise<Page<Row>> {
  const gate = turnGate(clock as Clock);
  const until = isPassing(query) ? clock.monotonic() + SEARCH_MS : Number.POSITIVE_INFINITY;
  const rows: Row[] = [];
  let { after } = query;
  for (let looked = 0, characters = 0; ; ) {
    const turn = gate.enter({});
    if (turn !== undefined) await turn;
    const end = clock.monotonic() + TURN_MS;
    const stint = { most: PASSED_MAX, characters: Math.max(1, Math.min(STINT_CHARACTERS, allowed - characters)) };
    const part = read({ ...query, ...stint, after, limit: query.limit - rows.length } as Query & Stint, () => clock.monotonic() > end);
    for (const row of part.rows) rows.push(row);
    looked += part.looked ?? 0;
    characters += part.characters;
    const isFull = rows.length >= query.limit || (characters >= allowed && rows.length > 0);
    const { next, retired } = part;
    if (next === null || isFull || looked >= SEARCHED_MAX || clock.monotonic() >= until) return { rows, next, retired };
    after = next;
  }
}

/** Whether a list passes over items, since no index has exactly those that it asks for. */
function isPassing(query: ItemsQuery | ResultsQuery): boolean {
  const { feedId, status } = query;
  return ('stage' in query && query.stage !== undefined) || (feedId !== undefined && status !== 'all') || isSearching(query as ItemsQuery);
}
