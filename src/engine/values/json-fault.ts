/*
 * One walk over a value tells whether it is JSON without loss, and how much JSON that would be. It never costs more than the
 * bound allows: a value that refers to its parts again and again is counted as the tree that JSON would make of it, and the walk ends
 * where that is too large.
 */

const DEEPEST = 200;
/** A character takes at most so many bytes as JSON, `\u001f`; everything else is counted so that this holds for it too. */
const BYTES_PER_CHARACTER = 6;
/** Strings are measured in pieces, so that no second copy of a long one is made. */
const PIECE = 64 * 1024;
const TOO_LARGE = 'too large';

export interface ValueFault {
  is: 'no-json' | 'too-large';
  /** To stand after the words for the value: `is not JSON: /price is NaN`. */
  message: string;
}

/** The conditions under which values can be kept and shown. */
export interface ValueRule {
  /** The fault of a value, or null. */
  fault(value: unknown): ValueFault | null;
  /** About how many characters of JSON the value takes that was looked at last. */
  readonly size: number;
}

let size = 0;
let most = 0;
/** Counted in bytes to the last one, or in characters, roughly and fast. */
let isExact = false;
/** Members that JSON leaves out cost time as well. */
let blanks = 0;
let path: (string | number)[] = [];

/** `maxBytes`: of the value as JSON in UTF-8. */
export function createValueRule(maxBytes: number): ValueRule {
  const surely = Math.floor(maxBytes / BYTES_PER_CHARACTER);
  return {
    fault(value) {
      let found = walk(value, surely, false);
      // Only what may be too large is measured to the byte.
      if (found === TOO_LARGE) found = walk(value, maxBytes, true);
      if (found === null) return null;
      if (found === TOO_LARGE) return { is: 'too-large', message: `is larger than ${maxBytes} bytes as JSON (MAX_VALUE_BYTES)` };
      const place = path.reverse().map((part) => `/${part}`);
      return { is: 'no-json', message: `is not JSON: ${place.length === 0 ? 'it' : place.join('')} ${found}` };
    },
    get size() {
      return size;
    },
  };
}

/** About how many characters of JSON a value takes; when that is over `limit`, some number over it. */
export function sizeWithin(value: unknown, limit: number): number {
  walk(value, limit, false);
  return size;
}

/** The fault, {@link TOO_LARGE}, or null. */
function walk(value: unknown, limit: number, exact: boolean): string | null {
  size = 0;
  blanks = 0;
  most = limit;
  isExact = exact;
  path = [];
  try {
    const found = look(value, 0) ?? (size > most ? TOO_LARGE : null);
    // Where it was seen without counting, it counts all the same.
    if (found === TOO_LARGE) size = Math.max(size, most + 1);
    return found;
  } catch (error) {
    return `cannot be read: ${error instanceof Error ? error.message : 'it threw'}`;
  }
}

function look(value: unknown, depth: number): string | null {
  switch (typeof value) {
    case 'string':
      size += isExact ? bytesOf(value) : value.length + 2;
      return null;
    case 'number':
      size += isExact ? String(value).length : 4;
      return Number.isFinite(value) ? null : `is ${value}`;
    case 'boolean':
    case 'undefined':
      size += value === false ? 5 : 4;
      return null;
    case 'object':
      if (value !== null) return lookInto(value, depth);
      size += 4;
      return null;
    default:
      return `is a ${typeof value}`;
  }
}

function lookInto(value: object, depth: number): string | null {
  if (size > most) return TOO_LARGE;
  if (depth > DEEPEST) return `is nested deeper than ${DEEPEST} levels, or refers to itself`;
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
  if (!isPlain && isContainer(value)) return `is a ${value.constructor.name}`;
  return lookIntoMembers(value, depth);
}

/** Objects that JSON would write as empty. */
function isContainer(value: object): boolean {
  return value instanceof Map || value instanceof Set || value instanceof WeakMap || value instanceof Promise || ArrayBuffer.isView(value);
}

function lookIntoArray(value: readonly unknown[], depth: number): string | null {
  const { length } = value;
  size += length === 0 ? 2 : length + 1;
  for (let i = 0; i < length; i++) {
    const found = look(value[i], depth + 1);
    if (found !== null) return at(i, found);
    if (size > most) return TOO_LARGE;
  }
  return null;
}

function lookIntoMembers(value: object, depth: number): string | null {
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
    if (found !== null) return at(key, found);
    if (size > most) return TOO_LARGE;
  }
  size += count === 0 ? 2 : 1;
  return null;
}

function at(place: string | number, found: string): string {
  if (found !== TOO_LARGE) path.push(place);
  return found;
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
