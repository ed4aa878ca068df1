/*
 * Reading a text through what was done to it on its way: percent signs of a URL, backslashes of JSON, entities of HTML, one inside the
 * other. Only characters that begin an escape can be read in more than one way.
 */

export const PERCENT = 0;
/** As {@link PERCENT}, and a plus sign is a space. */
export const FORM = 1;
export const BACKSLASH = 2;
export const ENTITY = 3;
export type Scheme = typeof PERCENT | typeof FORM | typeof BACKSLASH | typeof ENTITY;

/** The layers of encoding of a text, outermost first: `[BACKSLASH, PERCENT]` is JSON that contains a URL. */
export type Layers = readonly Scheme[];

const PERCENT_SIGN = 0x25;
const AMPERSAND = 0x26;
const PLUS = 0x2b;
const SPACE = 0x20;
const REVERSE_SOLIDUS = 0x5c;
const NUMBER_SIGN = 0x23;
const SEMICOLON = 0x3b;
const BRACE_OPEN = 0x7b;
const BRACE_CLOSE = 0x7d;
const LOWER_U = 0x75;
const LOWER_X = 0x78;
const UPPER_X = 0x58;

const SHORT_ESCAPES: ReadonlyMap<number, number> = new Map(
  Object.entries({ b: '\b', f: '\f', n: '\n', r: '\r', t: '\t', '"': '"', "'": "'", '/': '/', '\\': '\\' }).map(
    ([short, means]) => [short.charCodeAt(0), means.charCodeAt(0)] as const,
  ),
);
const ENTITIES = Object.entries({ amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" }).map(
  ([name, means]) => [[...name].map((letter) => letter.charCodeAt(0)), means.charCodeAt(0)] as const,
);
/** `&#x0010FFFF;` */
const ENTITY_DIGITS_MAX = 8;

/** Where the character that {@link readAt} read ends. */
export let readEnd = 0;

/*
 * Cache of readings at nearby places, by layer. Escapes in a row are read over and over, for each way that one of them may be part of the
 * one before: without this the work would grow with every layer by a power of them.
 */
const PLACES = 64;
const SCHEMES = 4;
const PATHS = 1 + SCHEMES + SCHEMES ** 2 + SCHEMES ** 3;
const knownText = new Int32Array(PLACES * PATHS);
const knownAt = new Int32Array(PLACES * PATHS);
const knownPoint = new Int32Array(PLACES * PATHS);
const knownEnd = new Int32Array(PLACES * PATHS);
let textNumber = 0;

/** Before the first {@link readAt} of another text. */
export function beginText(): void {
  textNumber = (textNumber + 1) | 0;
}

/** A number that identifies the first `depth` layers. */
function pathOf(layers: Layers, depth: number): number {
  let path = 0;
  for (let i = 0; i < depth; i++) path = path * SCHEMES + 1 + (layers[i] as Scheme);
  return path;
}

/** The code point at `at`, when the first `depth` of the layers are taken off; -1 at the end of the text. Sets {@link readEnd}. */
export function readAt(text: string, at: number, layers: Layers, depth: number): number {
  if (depth === 0) return readRaw(text, at);
  const slot = (at % PLACES) * PATHS + pathOf(layers, depth);
  if (knownText[slot] === textNumber && knownAt[slot] === at) {
    readEnd = knownEnd[slot] as number;
    return knownPoint[slot] as number;
  }
  const point = readLayer(text, at, layers, depth - 1);
  knownText[slot] = textNumber;
  knownAt[slot] = at;
  knownPoint[slot] = point;
  knownEnd[slot] = readEnd;
  return point;
}

function readLayer(text: string, at: number, layers: Layers, inner: number): number {
  const first = readAt(text, at, layers, inner);
  const end = readEnd;
  const scheme = layers[inner];
  let found = -1;
  if (scheme === ENTITY) {
    if (first === AMPERSAND) found = afterAmpersand(text, layers, inner);
  } else if (scheme === BACKSLASH) {
    if (first === REVERSE_SOLIDUS) found = afterBackslash(text, layers, inner);
  } else if (first === PERCENT_SIGN) found = afterPercent(text, layers, inner);
  else if (first === PLUS && scheme === FORM) return SPACE;
  if (found >= 0) return found;
  readEnd = end;
  return first;
}

/** The next one; an escape reads the characters that it is made of so. */
function read(text: string, layers: Layers, depth: number): number {
  return readAt(text, readEnd, layers, depth);
}

function readRaw(text: string, at: number): number {
  const point = text.codePointAt(at);
  readEnd = at;
  if (point === undefined) return -1;
  readEnd = at + (point > 0xffff ? 2 : 1);
  return point;
}

/** `%41`, of the bytes of a character in UTF-8 or Latin-1, and `%u0041`. */
function afterPercent(text: string, layers: Layers, depth: number): number {
  const start = readEnd;
  if (read(text, layers, depth) === LOWER_U) return hex(text, layers, depth, 4);
  readEnd = start;
  return character(text, layers, depth, [PERCENT_SIGN]);
}

function afterBackslash(text: string, layers: Layers, depth: number): number {
  const kind = read(text, layers, depth);
  const short = SHORT_ESCAPES.get(kind);
  if (short !== undefined) return short;
  if (kind === LOWER_X) return character(text, layers, depth, [REVERSE_SOLIDUS, LOWER_X]);
  if (kind !== LOWER_U) return -1;
  const start = readEnd;
  if (read(text, layers, depth) === BRACE_OPEN) return digits(text, layers, depth, 16, BRACE_CLOSE);
  readEnd = start;
  const unit = hex(text, layers, depth, 4);
  if (unit < 0xd800 || unit > 0xdbff) return unit;
  const end = readEnd;
  const low = read(text, layers, depth) === REVERSE_SOLIDUS && read(text, layers, depth) === LOWER_U ? hex(text, layers, depth, 4) : -1;
  if (low >= 0xdc00 && low <= 0xdfff) return 0x10000 + ((unit - 0xd800) << 10) + (low - 0xdc00);
  readEnd = end;
  return unit;
}

function afterAmpersand(text: string, layers: Layers, depth: number): number {
  const first = read(text, layers, depth);
  const afterFirst = readEnd;
  if (first === NUMBER_SIGN) {
    const before = readEnd;
    const kind = read(text, layers, depth);
    if (kind === LOWER_X || kind === UPPER_X) return digits(text, layers, depth, 16, SEMICOLON);
    readEnd = before;
    return digits(text, layers, depth, 10, SEMICOLON);
  }
  for (const [[begin, ...rest], means] of ENTITIES) {
    // Read once for all of them: each layer that is taken off would multiply what is read anew.
    if (begin !== first) continue;
    readEnd = afterFirst;
    if (rest.every((letter) => read(text, layers, depth) === letter) && read(text, layers, depth) === SEMICOLON) return means;
  }
  return -1;
}

/** A byte in two hexadecimal digits, and those that make one character with it, each after `mark`. A byte for itself counts as Latin-1. */
function character(text: string, layers: Layers, depth: number, mark: readonly number[]): number {
  const first = hex(text, layers, depth, 2);
  if (first < 0xc2 || first > 0xf4) return first;
  const end = readEnd;
  const more = first < 0xe0 ? 1 : first < 0xf0 ? 2 : 3;
  let point = first & (0x3f >> more);
  for (let i = 0; i < more; i++) {
    const byte = mark.every((letter) => read(text, layers, depth) === letter) ? hex(text, layers, depth, 2) : -1;
    if (byte < 0x80 || byte > 0xbf) {
      readEnd = end;
      return first;
    }
    point = (point << 6) | (byte & 0x3f);
  }
  return point;
}

/** Exactly so many hexadecimal digits; -1 when there is something else among them. */
function hex(text: string, layers: Layers, depth: number, count: number): number {
  let value = 0;
  for (let i = 0; i < count; i++) {
    const digit = digitOf(read(text, layers, depth));
    if (digit < 0) return -1;
    value = value * 16 + digit;
  }
  return value;
}

/** Some digits up to the end mark; where they have none, up to what is no digit. */
function digits(text: string, layers: Layers, depth: number, base: number, endMark: number): number {
  let value = -1;
  for (let i = 0; i < ENTITY_DIGITS_MAX; i++) {
    const before = readEnd;
    const digit = digitOf(read(text, layers, depth));
    if (digit < 0 || digit >= base) {
      readEnd = before;
      break;
    }
    value = Math.max(value, 0) * base + digit;
  }
  const before = readEnd;
  if (value >= 0 && read(text, layers, depth) !== endMark) readEnd = before;
  return value;
}

function digitOf(point: number): number {
  if (point >= 0x30 && point <= 0x39) return point - 0x30;
  const lower = point | 0x20;
  return lower >= 0x61 && lower <= 0x66 ? lower - 0x61 + 10 : -1;
}
