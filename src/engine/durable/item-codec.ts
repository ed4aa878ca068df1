import type { RouteNumbers } from '../flow/ways.ts';
import type { Feed } from '../model/feed.ts';
import { NO_METADATA } from '../model/metadata.ts';
import { Item, type Route, type Stage, Worker } from '../model/model.ts';
import type { Parking } from '../model/parking.ts';
import type { Place } from '../model/places.ts';
import { routeOf, toNumbers } from '../model/routes.ts';
import { StoredState } from '../model/stored-state.ts';
import { STAGE_ENDED } from '../stage/index.ts';
import {
  attemptsCell,
  attemptsIn,
  errorsOf,
  GONE,
  STATUS_CODES,
  type StoredError,
  type StoredItem,
  WRITE_ALL,
  WRITE_GONE,
  WRITE_NEW,
  WRITE_STATE,
  type WriteKind,
} from '../store.ts';
import type { EngineClock } from '../time/engine-clock.ts';
import { type History, taskCell } from './history.ts';

/*
 * Turns items into rows of a store, and rows into items. The fields of a row are in contract/item-row.ts.
 *
 * Values are stored as JSON, which loses nothing of the plain data that they are (see values/value-rule.ts). For `undefined` itself an empty text
 * stands.
 */

/** Resolves the numbers in a row. */
export interface RowReferences {
  readonly time: EngineClock;
  /** The prefix of generated ids. */
  readonly idPrefix: string;
  feedOf(ordinal: number): Feed;
  stageOf(no: number): Stage;
  readonly history: History;
}

/** Stands for a fed value that the store does not have. Equals no value. */
const NOTHING = Symbol('not stored');
/** Stands for a route that has to be written again. Equals no route. */
const OTHER: Route = Object.freeze({ stage: null, rest: null });
/** Stands for a value that has to be written again. Equals no value. */
const STALE = Symbol('stale');

const STATUSES = Object.keys(STATUS_CODES) as (keyof typeof STATUS_CODES)[];

/** Which parts of an item have to be written, judged by the parts that the store was last given. */
export function writeKind({ stored, isKept, value, fed, error, lastError, route }: Item): WriteKind {
  const { written } = stored;
  if (written === null) return WRITE_NEW;
  if (!isKept) return WRITE_GONE;
  if (value !== written.value || error !== written.error || lastError !== written.lastError || route !== written.route) return WRITE_ALL;
  // It has completed without a new value: clear the fed value, unless it equals the result.
  return fed === undefined && written.fed !== NOTHING && written.fed !== value ? WRITE_ALL : WRITE_STATE;
}

/** The `written` of an object that replaces another: its texts are all written again. */
export function rewritten(written: StoredState['written']): StoredState['written'] {
  return written === null ? null : { ...written, value: STALE };
}

interface Written {
  time: EngineClock;
  /** The version of the definition, see {@link History}. */
  version: number;
}

/** Fills the fields of `row` that this kind of write sets, and notes on the item which values its texts were made of. */
export function fillRow(row: StoredItem, item: Item, kind: WriteKind, by: Written): void {
  fillNumbers(row, item, by);
  if (kind === WRITE_STATE || kind === WRITE_GONE) return;
  if (kind === WRITE_NEW) {
    row.id = item.givenId;
    row.metadata = item.metadata === NO_METADATA ? null : JSON.stringify(item.metadata);
  }
  fillTexts(row, item);
}

function fillNumbers(row: StoredItem, item: Item, { time, version }: Written): void {
  const { holder, stage } = item;
  let { taskIndex: task, attempts } = item;
  if (holder instanceof Worker) {
    // As a crash would leave it: an unfinished attempt does not count, a finished stage need not run again. It runs by the definition of its
    // worker, and would go on by that of its stage.
    const { runner } = holder;
    const { isPerStage } = runner;
    if (holder.blocked !== null) task = holder.blocked.as === 'completed' ? STAGE_ENDED : 0;
    else task = stage.runner.placeOf(isPerStage ? holder.first : task, runner);
    const hasBegun = holder.task !== null || holder.limitWait !== null || (holder.isBetween && isPerStage);
    if (holder.blocked === null && hasBegun) attempts--;
  }
  const isParked = item.status === 'retrying' && holder !== null && !(holder instanceof Worker);
  row.seq = item.sequenceId;
  row.feed = item.feed.ordinal;
  row.priority = item.priority;
  row.stage = stage.no;
  row.status = item.isKept ? STATUS_CODES[item.status] : GONE;
  row.place = item.place;
  row.ord = item.ord;
  row.task = taskCell(task, version);
  row.attempts = attemptsCell(attempts, item.earlierAttempts);
  row.deliveries = item.stored.deliveries;
  row.accepted = item.stored.accepted ?? time.wall(item.acceptedAt);
  // By the same scale as the instant to come back at: what lies between them is the wait.
  row.updated = isParked ? Math.floor(time.lasting(item.updatedAt)) : time.wall(item.updatedAt);
  row.due = isParked ? holder.due : null;
  row.last_event = item.lastEvent;
}

function fillTexts(row: StoredItem, item: Item): void {
  const { value, fed, isKept, error, lastError, route } = item;
  row.value = null;
  row.fed = null;
  row.error = isKept ? errorText(item) : null;
  row.route = route === null ? null : JSON.stringify(toNumbers(route));
  if (isKept) {
    if (value !== fed) row.value = textOf(value);
    // The fed value may be undefined; it is left out only when nobody will ask for it.
    if (value === fed || item.status !== 'completed') row.fed = textOf(fed);
  }
  item.stored.written = { value, fed: row.fed === null ? NOTHING : fed, error, lastError, route };
}

/** The item of a row, as a new object, with the texts that were read. Throws when a field cannot be read, since the store is damaged. */
export function toItem(row: StoredItem, { time, idPrefix, feedOf, stageOf, history }: RowReferences): Item {
  const status = row.status === GONE ? 'completed' : STATUSES[row.status];
  if (status === undefined) throw damaged(row, 'status');
  const fed = row.fed === null ? undefined : valueIn(row, 'fed', row.fed);
  const value = row.value === null ? fed : valueIn(row, 'value', row.value);
  const metadata = row.metadata === null ? NO_METADATA : parsed<Item['metadata']>(row, 'metadata', row.metadata);
  const accepted = time.monotonic(row.accepted);
  const item = new Item(row.id, idPrefix, row.seq, feedOf(row.feed), row.priority, value, metadata, stageOf(row.stage), accepted);
  // The size in the row is that of the newest value, which may not have been read.
  item.size = row.value === null && row.fed !== null ? row.fed.length : row.size;
  item.status = status;
  item.isKept = row.status !== GONE;
  item.place = row.place as Place;
  item.ord = row.ord;
  const { task, route } = placeIn(row, history);
  item.taskIndex = task;
  const { attempts, earlier } = attemptsIn(row.attempts);
  item.attempts = attempts;
  item.earlierAttempts = earlier;
  item.updatedAt = status === 'retrying' ? time.fromLasting(row.updated) : time.monotonic(row.updated);
  // When it came into its stage is not stored; it has not changed since then, unless it has begun there.
  item.enteredAt = Math.floor(item.updatedAt);
  item.lastEvent = row.last_event;
  const { error, lastError } = errorsOf(row.error === null ? null : parsed<StoredError>(row, 'error', row.error), row.status);
  item.error = error;
  item.lastError = lastError;
  item.route = route === null ? null : routeOf(route, stageOf);
  // A cancelled item of an earlier version has only its newest value.
  if (status === 'completed' || (status === 'cancelled' && row.fed === null)) item.fed = undefined;
  else item.fed = row.fed === null ? value : fed;
  item.stored = new StoredState();
  item.stored.isBeyond = status === 'queued' || status === 'retrying';
  if (status === 'retrying') item.holder = parkingOf(row, time);
  item.stored.deliveries = row.deliveries;
  if (accepted > time.now) item.stored.accepted = row.accepted;
  item.stored.written = {
    value,
    fed: row.fed === null ? NOTHING : fed,
    error: item.error,
    lastError: item.lastError,
    route: isAsWritten(row, route) ? item.route : OTHER,
  };
  return item;
}

function errorText({ error, lastError }: Item): string | null {
  if (error === null) return lastError === null ? null : JSON.stringify(lastError);
  return JSON.stringify(lastError === null || lastError === error ? error : { ...error, last: lastError });
}

/** The rest of an item's wait, which is never more than all of it. Its owner says what happens then. */
function parkingOf({ due, updated }: StoredItem, time: EngineClock): Parking {
  const at = due ?? updated;
  return { at: Math.min(time.fromLasting(at), time.now + Math.max(0, at - updated)), due: at, place: -1, run: () => undefined };
}

function placeIn(row: StoredItem, history: History): ReturnType<History['placeOf']> {
  try {
    return history.placeOf(row);
  } catch (cause) {
    throw damaged(row, 'route', cause);
  }
}

const isAsWritten = ({ route: text }: StoredItem, route: RouteNumbers | null): boolean =>
  (text === null && route === null) || (route !== null && JSON.stringify(route) === text);

function textOf(value: unknown): string {
  return JSON.stringify(value) ?? '';
}

function valueIn(row: StoredItem, field: 'value' | 'fed', text: string): unknown {
  return text === '' ? undefined : parsed(row, field, text);
}

function parsed<T>(row: StoredItem, field: keyof StoredItem, text: string): T {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw damaged(row, field, cause);
  }
}

function damaged({ seq }: StoredItem, field: keyof StoredItem, cause?: unknown): Error {
  return new Error(`The store is damaged: the ${field} of the item with the sequence id ${seq} cannot be read`, { cause });
}
