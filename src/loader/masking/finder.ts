import { choicesAt, isAt, type Pattern } from './patterns.ts';
import { BACKSLASH, beginText, ENTITY, FORM, type Layers, PERCENT, readAt, readEnd, type Scheme } from './reading.ts';

/** A place in a text that reads as a secret. */
export interface Finding {
  start: number;
  end: number;
  name: string;
}

/** A line of the log holds a message, that an answer, that a document, that an address: how deep one thing may be written into another. */
const LAYERS_MAX = 3;
/** More than there are in any text that somebody wrote. */
const WAYS_MAX = 16;
const KNOWN_MAX = 256;
/** So many characters of base64 are no accident. */
const SURE_LENGTH = 7;
const SPACE = 0x20;
const LINE_BREAKS = [0x0a, 0x0d];
const ALL_UNITS = Array.from({ length: 128 }, (_, unit) => unit);
/** Marks of a pair of characters: it occurs near the start of a secret, or it is the start. */
const GOES_ON = 1;
const BEGINS = 2;
const STEP_MAX = 3;
const REVERSE_SOLIDUS = 0x5c;
const PLUS = 0x2b;
/** A backslash that was escaped {@link LAYERS_MAX} times. */
const RUN_MAX = 2 ** LAYERS_MAX;
const POWERS = LAYERS_MAX + 1;

/** Layers, and those with one more. */
interface LayerTree {
  layers: Layers;
  deeper: readonly LayerTree[];
}

function treeOf(schemes: readonly Scheme[], layers: Layers = []): LayerTree {
  const deeper = layers.length < LAYERS_MAX ? schemes.map((scheme) => treeOf(schemes, [...layers, scheme])) : [];
  return { layers, deeper };
}

/** A way to read the character at a place. */
interface Reading {
  point: number;
  end: number;
  /** For a backslash that stands in a row of them: as how many it counts, as a power of two. */
  power: number;
}

/**
 * Finds secrets in texts. Each place is looked at by its two first characters alone, in a table; few texts hold a pair that begins a secret,
 * and those are compared from there on, character for character, and an escape in each way that it can be read. So the work grows with the
 * text, and a text without a secret costs hardly more than to walk through it.
 */
export function createFinder(patterns: readonly Pattern[]): (text: string) => Finding[] {
  const byFirst = new Map<number, Pattern[]>();
  const byFirstEscaped = new Map<number, Pattern[]>();
  /** Which pairs, by their last seven bits each, are worth a look: they begin a secret, or are among its first ones. */
  const pairs = new Uint8Array(128 * 128);
  const hasSpace = patterns.some(({ row }) => row.includes(SPACE));
  const leads = new Set([...(hasSpace ? '%\\&+' : '%\\&')].map((lead) => lead.charCodeAt(0)));
  const tree = treeOf(hasSpace ? [FORM, BACKSLASH, ENTITY] : [PERCENT, BACKSLASH, ENTITY]);
  const step = Math.max(1, Math.min(STEP_MAX, ...patterns.map((pattern) => unitsOf(pattern, STEP_MAX + 1).length - 1)));
  const mayBeWrapped = hasSpace ? /[%\\&+]|[\r\n]./s : /[%\\&]|[\r\n]./s;
  for (const lead of leads) mark([lead], ALL_UNITS, BEGINS);
  for (const pattern of patterns) {
    for (const first of choicesAt(pattern, 0)) {
      addTo(byFirst, first, pattern);
      // Nobody escapes letters and digits of base64 and hexadecimal; of other texts, whoever wants to.
      if (!pattern.isCoded || !isAlphanumeric(first)) addTo(byFirstEscaped, first, pattern);
    }
    const units = unitsOf(pattern, step + 1);
    const [begin = [], second = []] = units;
    const wrapped = [...second, ...leads, ...(pattern.isBase64 ? LINE_BREAKS : [])];
    for (let i = 1; i < step; i++) mark(units[i] ?? [], units[i + 1] ?? [], GOES_ON);
    mark(begin, wrapped, BEGINS);
  }

  function mark(firsts: readonly number[], seconds: readonly number[], as: number): void {
    for (const first of firsts) for (const next of seconds) pairs[pairOf(first, next)] = Math.max(pairs[pairOf(first, next)] as number, as);
  }

  return (text) => {
    const found: Finding[] = [];
    let looker: ((at: number) => void) | undefined;
    const look = (at: number): void => {
      looker ??= lookerIn(text, found);
      looker(at);
    };
    if (mayBeWrapped.test(text)) walk(text, look);
    else stride(text, look);
    return found;
  };

  /** Looks where a pair begins a secret. */
  function walk(text: string, look: (at: number) => void): void {
    const { length } = text;
    let first = text.charCodeAt(0);
    for (let at = 1; at < length; at++) {
      const second = text.charCodeAt(at);
      if (pairs[pairOf(first, second)] === BEGINS) look(at - 1);
      first = second;
    }
  }

  /**
   * The same for a text without escapes, where a secret stands in one piece: with steps no longer than the shortest of them, one of its first
   * pairs is met, whatever stands before it.
   */
  function stride(text: string, look: (at: number) => void): void {
    const { length } = text;
    for (let at = step - 1; at < length; at += step) {
      if (pairs[pairOf(text.charCodeAt(at), text.charCodeAt(at + 1))] === 0) continue;
      for (let start = at - step + 1; start <= at; start++)
        if (pairs[pairOf(text.charCodeAt(start), text.charCodeAt(start + 1))] === BEGINS) look(start);
    }
  }

  /** Notes every secret that begins at a place of the text. */
  function lookerIn(text: string, found: Finding[]): (at: number) => void {
    const known = new Map<number, readonly Reading[]>();
    beginText();
    return (start) => {
      const point = text.codePointAt(start) as number;
      if (leads.has(point)) {
        const readings = readingsAt(start);
        for (const first of new Set(readings.map((reading) => reading.point))) {
          for (const pattern of (first === point ? byFirst : byFirstEscaped).get(first) ?? [])
            note(pattern, start, endRead(start, pattern, 0));
        }
      } else {
        for (const pattern of byFirst.get(point) ?? []) note(pattern, start, endOf(start, pattern));
      }
    };

    /** A character before the row that is partly of the secret goes with it; a short secret is none without. */
    function note({ name, before, row }: Pattern, start: number, end: number): void {
      if (end < 0) return;
      const isBefore = before?.has(text.charCodeAt(start - 1)) === true;
      if (isBefore || before === undefined || row.length > SURE_LENGTH) found.push({ start: isBefore ? start - 1 : start, end, name });
    }

    /** Where the secret that begins at a place ends; -1 when there is none. Up to the first escape there is one way to read it. */
    function endOf(start: number, pattern: Pattern): number {
      const { row, isBase64 } = pattern;
      let at = start;
      for (let place = 0; place < row.length; ) {
        const unit = text.charCodeAt(at);
        if (leads.has(unit)) return endRead(at, pattern, place);
        const point = unit >= 0xd800 && unit <= 0xdbff ? (text.codePointAt(at) as number) : unit;
        if (isAt(pattern, place, point)) place++;
        else if (!isBase64 || !isLineBreak(point)) return -1;
        at += point > 0xffff ? 2 : 1;
      }
      return at;
    }

    /**
     * The same from a place of the secret on, in every way to read the text: the longest. Ways that meet are one again. A way is a place in the
     * text and, behind a backslash, as how many that one counted: the next one counts as many.
     */
    function endRead(at: number, pattern: Pattern, from: number): number {
      const { row, isBase64 } = pattern;
      let ways = [at * POWERS];
      for (let place = from; place < row.length; place++) {
        const next: number[] = [];
        for (const way of ways) {
          const before = row[place - 1] === REVERSE_SOLIDUS && place > from ? way % POWERS : -1;
          for (const { point, end, power } of readingsAt(Math.floor(way / POWERS))) {
            if (point === REVERSE_SOLIDUS && before >= 0 && before !== power) continue;
            if (isAt(pattern, place, point)) add(next, end * POWERS + power);
            else if (isBase64 && isLineBreak(point)) add(ways, end * POWERS);
          }
        }
        if (next.length === 0) return -1;
        ways = next;
      }
      return Math.floor(Math.max(...ways) / POWERS);
    }

    function readingsAt(at: number): readonly Reading[] {
      let readings = known.get(at);
      if (readings === undefined) {
        readings = readingsOf(text, at);
        // Places that are read again are close by.
        if (known.size === KNOWN_MAX) known.clear();
        known.set(at, readings);
      }
      return readings;
    }
  }

  /** As it stands there first, and in all other ways. */
  function readingsOf(text: string, at: number): readonly Reading[] {
    const point = readAt(text, at, [], 0);
    if (point < 0) return [];
    const list: Reading[] = [{ point, end: readEnd, power: 0 }];
    if (!leads.has(point)) return list;
    const run = point === REVERSE_SOLIDUS ? runOf(text, at) : 1;
    // In a row of backslashes two, four or eight stand for one, and the last one starts an escape, whatever the others stand for.
    for (let power = 1; 2 ** power <= run; power++) list.push({ point, end: at + 2 ** power, power });
    if (run <= RUN_MAX && (point === PLUS || mayEscape(text, at))) addReadings(text, at + run - 1, tree, list);
    return list;
  }

  /**
   * Whether an escape can begin here. Behind its first character stands one that says which, and where that one begins an escape itself it is
   * written in a layer further in: there are no more of them in a row than layers. A text of nothing but percent signs is no work so.
   */
  function mayEscape(text: string, start: number): boolean {
    let at = start;
    for (let layers = 0; layers <= LAYERS_MAX; layers++) {
      const unit = text.charCodeAt(at);
      if (!leads.has(unit)) return true;
      at += unit === REVERSE_SOLIDUS ? runOf(text, at) : 1;
    }
    return false;
  }

  /** The other ways to read the escape at a place. */
  function addReadings(text: string, at: number, { deeper }: LayerTree, list: Reading[]): void {
    for (const next of deeper) {
      const point = readAt(text, at, next.layers, next.layers.length);
      const end = readEnd;
      const isKnown = list.some((each) => each.point === point && each.end === end);
      if (!isKnown) list.push({ point, end, power: 0 });
      // A layer that is not to be seen here may begin with the next character: JSON in HTML is `\&quot;`.
      if (isKnown ? leads.has(text.charCodeAt(at + 1)) : leads.has(point)) addReadings(text, at, next, list);
    }
  }
}

/** How many backslashes stand there, as far as it matters. */
function runOf(text: string, at: number): number {
  let run = 1;
  while (run <= RUN_MAX && text.charCodeAt(at + run) === REVERSE_SOLIDUS) run++;
  return run;
}

function addTo(lists: Map<number, Pattern[]>, first: number, pattern: Pattern): void {
  const list = lists.get(first);
  if (list === undefined) lists.set(first, [pattern]);
  else list.push(pattern);
}

function isAlphanumeric(point: number): boolean {
  return (point >= 0x30 && point <= 0x39) || ((point | 0x20) >= 0x61 && (point | 0x20) <= 0x7a);
}

function add(ways: number[], way: number): void {
  if (ways.length < WAYS_MAX && !ways.includes(way)) ways.push(way);
}

function isLineBreak(point: number): boolean {
  return LINE_BREAKS.includes(point);
}

function pairOf(first: number, second: number): number {
  return ((first & 127) << 7) | (second & 127);
}

/** The possible first code units of a row. */
function unitsOf(pattern: Pattern, count: number): number[][] {
  const units: number[][] = [];
  for (let place = 0; place < pattern.row.length && units.length < count; place++) {
    const [point = 0, ...others] = choicesAt(pattern, place);
    if (point > 0xffff) units.push(...[...String.fromCodePoint(point)].flatMap((pair) => [[pair.charCodeAt(0)], [pair.charCodeAt(1)]]));
    else units.push([point, ...others]);
  }
  return units.slice(0, count);
}
