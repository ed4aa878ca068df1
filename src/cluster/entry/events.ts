import type { StoredEnds, StoredEvents } from '../../engine/store.ts';
import type { ByteReader, ByteWriter } from './bytes.ts';

/** Numbers of an event: its kind, its instant, a duration or the number of another event, and its item. */
const CELLS = 4;
/** Kinds and items have a second number above these. */
const KIND_UNIT = 2 ** 32;
const ITEM_UNIT = 2 ** 40;
/** Durations are kept in microseconds, instants in milliseconds, as a store keeps them. */
const MICROS = 1000;

/** Events: instants and items as the difference to the event before, the number of another event as the distance to it. */
export function packEvents(out: ByteWriter, events: StoredEvents | null): void {
  out.number((events?.cells.length ?? 0) / CELLS);
  if (events === null) return;
  const { first, cells, extras } = events;
  out.number(first);
  let [time, item] = [0, 0];
  for (let i = 0; i < cells.length; i += CELLS) {
    const kind = cells[i] as number;
    const at = Math.floor(cells[i + 1] as number);
    const number = cells[i + 2] as number;
    const of = cells[i + 3] as number;
    const sequenceId = of % ITEM_UNIT;
    out.number(kind % KIND_UNIT);
    out.number(Math.floor(kind / KIND_UNIT));
    out.near(at, time);
    packNumber(out, number, first + i / CELLS);
    out.near(sequenceId, item);
    out.number(Math.floor(of / ITEM_UNIT));
    time = at;
    item = sequenceId;
  }
  out.number(extras.length);
  for (const [place, json] of extras) {
    out.number(place);
    out.text(json);
  }
}

export function unpackEvents(from: ByteReader): StoredEvents | null {
  const count = from.count(CELLS);
  if (count === 0) return null;
  const first = from.number();
  const cells = new Float64Array(count * CELLS);
  let [time, item] = [0, 0];
  for (let i = 0; i < cells.length; i += CELLS) {
    const low = from.number();
    cells[i] = low + from.number() * KIND_UNIT;
    time = from.near(time);
    cells[i + 1] = time;
    cells[i + 2] = unpackNumber(from, first + i / CELLS);
    item = from.near(item);
    cells[i + 3] = item + from.number() * ITEM_UNIT;
  }
  const extras: [number, string][] = Array.from({ length: from.count() }, () => [from.number(), from.text()]);
  return { first, cells, extras };
}

const NONE = 0;
/** Odd: the distance to an event before. */
const EVENT = 1;
/** Even, and not {@link NONE}: microseconds. */
const DURATION = 2;
/** Anything else follows as it is. */
const OTHER = -1;
const MICROS_MOST = 2 ** 51;

function packNumber(out: ByteWriter, number: number, own: number): void {
  const micros = Math.round(number * MICROS);
  if (number === 0) out.number(NONE);
  else if (Number.isSafeInteger(number) && number > 0 && number < own) out.number((own - number) * 2 + EVENT);
  else if (micros >= 0 && micros < MICROS_MOST) out.number(micros * 2 + DURATION);
  else {
    out.number(OTHER);
    out.number(number);
  }
}

function unpackNumber(from: ByteReader, own: number): number {
  const found = from.number();
  if (found === NONE) return 0;
  if (found === OTHER) return from.number();
  return found % 2 === EVENT ? own - (found - EVENT) / 2 : (found - DURATION) / 2 / MICROS;
}

/** Ends: pairs of numbers that mostly grow. */
export function packEnds(out: ByteWriter, ends: StoredEnds | null): void {
  out.number((ends?.pairs.length ?? 0) / 2);
  if (ends === null) return;
  const { first, at, pairs } = ends;
  out.number(first);
  out.number(at);
  for (let i = 0; i < pairs.length; i++) out.near(pairs[i] as number, i < 2 ? 0 : (pairs[i - 2] as number));
}

export function unpackEnds(from: ByteReader): StoredEnds | null {
  const count = from.count(2);
  if (count === 0) return null;
  const first = from.number();
  const at = from.number();
  const pairs = new Float64Array(count * 2);
  for (let i = 0; i < pairs.length; i++) pairs[i] = from.near(i < 2 ? 0 : (pairs[i - 2] as number));
  return { first, at, pairs };
}
