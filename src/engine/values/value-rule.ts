/*
 * The one rule for values, wherever one comes in or is made: from then on it is plain data, a tree of what JSON can express, which belongs
 * to the engine alone. So it is the same for the next task, in a result, in a store and after a restart, and no code of its author runs
 * again. One walk makes the copy, finds what cannot be expressed, and measures.
 */

import { bytesWithin, DEEPEST } from './json-size.ts';
import { oddnessOf, oddnessOfDate } from './odd-objects.ts';

/** A character takes at most so many bytes as JSON, `\u001f`; everything else is counted so that this holds for it too. */
const BYTES_PER_CHARACTER = 6;
/** A number is counted as four characters; this many of them may be too many. */
const DIGITS_OVER = 3;
const NUMBER = 4;
/** The size of undefined, which is null in an array and nothing in an object. */
const BLANK = 4;
const TOO_LARGE = 'too large';

export interface ValueFault {
  is: 'no-json' | 'too-large';
  /** To stand after the words for the value: `is not JSON: /price is NaN`. */
  message: string;
}

/** The conditions under which values can be kept and shown, and what becomes of them. */
export interface ValueRule {
  /**
   * Takes a value over. Returns its fault, or null; then {@link ValueRule.plain} is a copy as `JSON.parse(JSON.stringify(value))` would make it
   * (only `undefined` stays what it is), and {@link ValueRule.size} says how large it is. `isParsed`: it comes from `JSON.parse`, and is
   * nobody else's: it need not be copied.
   */
  take(value: unknown, isParsed?: boolean): ValueFault | null;
  /** The copy of the value that was taken last. */
  readonly plain: unknown;
  /** About how many characters of JSON it takes. */
  readonly size: number;
}

/** Stands in for a fault while a walk ends. Equals no value. */
const FAULTY = Symbol('faulty');

let size = 0;
let most = 0;
/** How much of `size` may be too much. */
let over = 0;
/** Members that JSON leaves out cost time as well. */
let blanks = 0;
let found = '';
/** The value itself becomes the copy. */
let isOwn = false;
/** Somebody has given all objects members that a loop over an object's own meets. */
let hasStrangers = false;
let path: (string | number)[] = [];

/** `maxBytes`: of the value as JSON in UTF-8. */
export function createValueRule(maxBytes: number): ValueRule {
  const surely = Math.floor(maxBytes / BYTES_PER_CHARACTER);
  const rule = { plain: undefined as unknown, size: 0, take };
  function take(value: unknown, isParsed = false): ValueFault | null {
    if (typeof value === 'number' && Number.isFinite(value) && surely >= NUMBER) {
      rule.plain = value + 0;
      rule.size = NUMBER;
      return null;
    }
    // A getter of the value may feed another one, which is taken in the middle of this.
    const outer = { size, most, over, blanks, path, isOwn };
    const plain = copied(value, maxBytes, isParsed);
    // Only what may be too large is measured to the byte.
    const measured = plain !== FAULTY && size > surely ? bytesWithin(plain, maxBytes) : size;
    const places = path;
    ({ size, most, over, blanks, path, isOwn } = outer);
    rule.plain = undefined;
    rule.size = 0;
    if (plain === FAULTY && found !== TOO_LARGE) {
      const place = places.reverse().map((part) => `/${part}`);
      return { is: 'no-json', message: `is not JSON: ${place.length === 0 ? 'it' : place.join('')} ${found}` };
    }
    if (plain === FAULTY || measured > maxBytes) {
      return { is: 'too-large', message: `is larger than ${maxBytes} bytes as JSON (MAX_VALUE_BYTES)` };
    }
    rule.plain = plain;
    rule.size = measured;
    return null;
  }
  return rule;
}

/** The copy, or {@link FAULTY}. */
function copied(value: unknown, limit: number, isParsed: boolean): unknown {
  isOwn = isParsed;
  size = 0;
  over = 0;
  blanks = 0;
  most = limit;
  path = [];
  hasStrangers = false;
  for (const _ in Object.prototype) hasStrangers = true;
  try {
    const copy = copyOf(value, 0, '');
    // What says of its length that it is no number has none that could be allowed.
    return size <= most + over ? copy : fault(TOO_LARGE);
  } catch (error) {
    return fault(`cannot be read: ${messageOf(error)}`);
  }
}

function copyOf(value: unknown, depth: number, key: string | number): unknown {
  switch (typeof value) {
    case 'string':
      size += value.length + 2;
      return value;
    case 'number':
      size += NUMBER;
      over += DIGITS_OVER;
      // Of the two zeros JSON has one.
      return Number.isFinite(value) ? value + 0 : fault(`is ${value}`);
    case 'boolean':
    case 'undefined':
      size += value === false ? 5 : BLANK;
      return value;
    case 'object':
      if (value !== null) return copyOfObject(value, depth, key);
      size += 4;
      return value;
    default:
      return fault(`is a ${typeof value}`);
  }
}

function copyOfObject(value: object, depth: number, key: string | number): unknown {
  if (size > most + over) return fault(TOO_LARGE);
  if (depth > DEEPEST) return fault(`is nested deeper than ${DEEPEST} levels, or refers to itself`);
  const { toJSON } = value as { toJSON?: unknown };
  if (typeof toJSON === 'function') return copyOfJson(value, toJSON as (key: string) => unknown, depth, key);
  if (Array.isArray(value)) return copyOfArray(value, depth);
  // Most values are plain objects, and this is on the way of every item.
  if (Object.getPrototypeOf(value) !== Object.prototype) {
    if (value instanceof Number || value instanceof String || value instanceof Boolean) return copyOf(value.valueOf(), depth, key);
    const oddness = oddnessOf(value);
    if (oddness !== null) return fault(`is ${oddness}`);
  }
  return copyOfMembers(value, depth);
}

/** A value that says itself what JSON makes of it. */
function copyOfJson(value: object, toJSON: (this: unknown, key: string) => unknown, depth: number, key: string | number): unknown {
  // A buffer makes an array of its bytes, which may not fit into memory.
  if (ArrayBuffer.isView(value) && 2 * value.byteLength > most + over - size) return fault(TOO_LARGE);
  const oddness = oddnessOfDate(value);
  if (oddness !== null) return fault(`is ${oddness}`);
  let json: unknown;
  try {
    json = toJSON.call(value, String(key));
  } catch (error) {
    return fault(`has a toJSON that threw: ${messageOf(error)}`);
  }
  if (typeof json !== 'object' || json === null) return copyOf(json, depth, key);
  if (Array.isArray(json)) return copyOfArray(json, depth);
  const odd = oddnessOf(json);
  return odd === null ? copyOfMembers(json, depth) : fault(`is ${odd}`);
}

function copyOfArray(value: readonly unknown[], depth: number): unknown {
  const { length } = value;
  size += length === 0 ? 2 : length + 1;
  if (size > most + over) return fault(TOO_LARGE);
  // A slice of an array of some class would be one of that class.
  const copy: unknown[] = isOwn
    ? (value as unknown[])
    : Object.getPrototypeOf(value) === Array.prototype
      ? value.slice()
      : Array.from(value);
  for (let i = 0; i < length; i++) {
    const element = copy[i];
    const copied = copyOf(element, depth + 1, i);
    if (copied === FAULTY) return at(i);
    if (size > most + over) return fault(TOO_LARGE);
    if (copied !== element || copied === 0 || copied === undefined) copy[i] = copied === undefined ? null : copied;
  }
  return copy;
}

function copyOfMembers(value: object, depth: number): unknown {
  // Members that are read once, in the order of the value and with its shape, for far less than one by one.
  const copy: Record<string, unknown> = isOwn ? (value as Record<string, unknown>) : { ...value };
  let count = 0;
  let omitted = 0;
  for (const key in copy) {
    if (hasStrangers && !Object.hasOwn(copy, key)) continue;
    const member = copy[key];
    // The key, its colon, and a comma or the first brace.
    const own = key.length + 4;
    size += own;
    count++;
    if (typeof member === 'string') {
      size += member.length + 2;
      continue;
    }
    const copied = copyOf(member, depth + 1, key);
    if (copied === FAULTY) return at(key);
    if (copied === undefined) {
      size -= own + BLANK;
      omitted++;
      if (member !== undefined) copy[key] = undefined;
      if (++blanks > most) return fault(TOO_LARGE);
      continue;
    }
    if (size > most + over) return fault(TOO_LARGE);
    if (copied !== member || copied === 0) copy[key] = copied;
  }
  size += count === omitted ? 2 : 1;
  return omitted === 0 && (isOwn || Object.getOwnPropertySymbols(copy).length === 0) ? copy : withoutBlanks(copy);
}

/** Without members that are undefined or named by a symbol. */
function withoutBlanks(object: Record<string, unknown>): object {
  return Object.fromEntries(Object.entries(object).filter(([, member]) => member !== undefined));
}

function fault(text: string): typeof FAULTY {
  found = text;
  return FAULTY;
}

function at(place: string | number): typeof FAULTY {
  if (found !== TOO_LARGE) path.push(place);
  return FAULTY;
}

function messageOf(error: unknown): string {
  try {
    return error instanceof Error ? String(error.message) : 'it threw';
  } catch {
    // What it threw cannot be looked at either.
    return 'it threw';
  }
}
