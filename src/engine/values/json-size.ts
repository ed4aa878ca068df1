/*
 * How much JSON a value is, by a walk that never costs more than the bound allows: a value that refers to its parts again and again is counted
 * as the tree that JSON would make of it, and the walk ends where that is too large. What JSON cannot express ends it, too.
 */

/** Deeper than this, no value is kept. */
export const DEEPEST = 200;
/** Strings are measured in pieces, so that no second copy of a long one is made. */
const PIECE = 64 * 1024;

let size = 0;
let most = 0;
/** Counted in bytes to the last one, or in characters, roughly and fast. */
let isExact = false;
/** Members that JSON leaves out cost time as well. */
let blanks = 0;

/** About how many characters of JSON a value takes; when that is over `limit`, some number over it. */
export function sizeWithin(value: unknown, limit: number): number {
  return walk(value, limit, false);
}

/** How many bytes a value takes as JSON in UTF-8; when that is over `limit`, some number over it. */
export function bytesWithin(value: unknown, limit: number): number {
  return walk(value, limit, true);
}

function walk(value: unknown, limit: number, exact: boolean): number {
  size = 0;
  blanks = 0;
  most = limit;
  isExact = exact;
  try {
    // Where it was seen to be too large without counting, it counts all the same.
    if (look(value, 0) === TOO_LARGE) size = Math.max(size, most + 1);
  } catch {
    // It throws when it is looked at; what was seen before counts.
  }
  return size;
}

/** Whether to go on: not where the value is too large, or cannot be expressed. */
type Seen = typeof GO_ON | typeof TOO_LARGE | typeof NO_JSON;
const GO_ON = 0;
const TOO_LARGE = 1;
const NO_JSON = 2;

function look(value: unknown, depth: number): Seen {
  switch (typeof value) {
    case 'string':
      size += isExact ? bytesOf(value) : value.length + 2;
      return GO_ON;
    case 'number':
      size += isExact ? String(value).length : 4;
      return Number.isFinite(value) ? GO_ON : NO_JSON;
    case 'boolean':
    case 'undefined':
      size += value === false ? 5 : 4;
      return GO_ON;
    case 'object':
      if (value !== null) return lookInto(value, depth);
      size += 4;
      return GO_ON;
    default:
      return NO_JSON;
  }
}

function lookInto(value: object, depth: number): Seen {
  if (size > most) return TOO_LARGE;
  if (depth > DEEPEST) return NO_JSON;
  if (Array.isArray(value)) return lookIntoArray(value, depth);
  // Most values are plain objects, and this is on the way of every item.
  const isPlain = Object.getPrototypeOf(value) === Object.prototype;
  const { toJSON } = value as { toJSON?: unknown };
  if (typeof toJSON === 'function') {
    // A buffer makes an array of its bytes, which may not fit into memory.
    if (ArrayBuffer.isView(value) && 2 * value.byteLength > most - size) return TOO_LARGE;
    const json: unknown = toJSON.call(value);
    if (typeof json !== 'object' || json === null) return look(json, depth);
    return Array.isArray(json) ? lookIntoArray(json, depth) : lookIntoMembers(json, depth);
  }
  if (!isPlain && isContainer(value)) return NO_JSON;
  return lookIntoMembers(value, depth);
}

/** Objects that JSON would write as empty. */
function isContainer(value: object): boolean {
  return value instanceof Map || value instanceof Set || value instanceof WeakMap || value instanceof Promise || ArrayBuffer.isView(value);
}

function lookIntoArray(value: readonly unknown[], depth: number): Seen {
  const { length } = value;
  size += length === 0 ? 2 : length + 1;
  for (let i = 0; i < length; i++) {
    const found = look(value[i], depth + 1);
    if (found !== GO_ON) return found;
    if (size > most) return TOO_LARGE;
  }
  return GO_ON;
}

function lookIntoMembers(value: object, depth: number): Seen {
  let count = 0;
  for (const key of Object.keys(value)) {
    const member = (value as Record<string, unknown>)[key];
    if (member === undefined && isExact) {
      if (++blanks > most) return TOO_LARGE;
      continue;
    }
    // The key, its colon, and a comma or the first brace.
    size += (isExact ? bytesOf(key) : key.length + 2) + 2;
    count++;
    if (typeof member === 'string' && !isExact) {
      size += member.length + 2;
      continue;
    }
    const found = look(member, depth + 1);
    if (found !== GO_ON) return found;
    if (size > most) return TOO_LARGE;
  }
  size += count === 0 ? 2 : 1;
  return GO_ON;
}

/** Size of a string as JSON in UTF-8, with its quotes. Counting stops once the bound is exceeded. */
function bytesOf(text: string): number {
  if (text.length + 2 > most - size) return text.length + 2;
  let bytes = 2;
  for (let from = 0; from < text.length; ) {
    let to = Math.min(text.length, from + PIECE);
    // A pair of surrogates is one character.
    if (to < text.length && (text.charCodeAt(to - 1) & 0xfc00) === 0xd800) to--;
    bytes += Buffer.byteLength(JSON.stringify(text.slice(from, to))) - 2;
    from = to;
  }
  return bytes;
}
