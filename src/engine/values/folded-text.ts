/**
 * Folds a message so that two that differ only in what varies from item to item become the same text: ids, numbers with their units, uuids, instants, hexadecimal
 * from eight digits on, whatever is in quotes, and the queries of URLs. For comparing alone; nobody is shown it.
 *
 *     order-4711 was refused after 2.5 s: "no such sku"   ──▶   order-# was refused after #: "…"
 *
 * Folding twice is folding once, and it takes time in proportion to the text, whatever that is.
 */
export function foldText(text: string): string {
  let folded = '';
  let isInUrl = false;
  let isAfterWord = false;
  /** The marks of which no closing one follows: they are looked for no more. */
  const unclosed = new Set<string>();
  for (let at = 0; at < text.length; ) {
    const char = text[at] as string;
    if (/\s/.test(char)) {
      isInUrl = false;
      at = endOf(SPACE, text, at);
      folded += ' ';
      isAfterWord = false;
      continue;
    }
    const closing = CLOSING[char];
    if (closing !== undefined && !unclosed.has(char) && (char !== "'" || !isAfterWord)) {
      isInUrl = false;
      const end = closingAt(text, at + 1, closing);
      if (end < 0) unclosed.add(char);
      else {
        folded += end === at + 1 ? char + closing : `${char}…${closing}`;
        isAfterWord = false;
        at = end + 1;
        continue;
      }
    }
    if (text.startsWith('://', at)) isInUrl = true;
    if (isInUrl && char === '?') {
      folded += '?…';
      isAfterWord = true;
      at = endOf(QUERY, text, at + 1);
      continue;
    }
    if (!isWord(char)) {
      folded += char;
      isAfterWord = false;
      at++;
      continue;
    }
    isAfterWord = true;
    const end = variableEnd(text, at);
    if (end < 0) {
      const next = endOf(WORD, text, at);
      folded += text.slice(at, next);
      at = next;
      continue;
    }
    folded += '#';
    at = withFollowing(text, end);
  }
  return folded;
}

const CLOSING: Readonly<Record<string, string | undefined>> = { '"': '"', "'": "'", '`': '`', '“': '”', '«': '»' };
const SPACE = /\s+/y;
const QUERY = /[^\s"'`“”«»<>]*/y;
const WORD = /[\p{L}\p{N}\p{M}_#…]+/uy;
const UUID = /[\da-f]{8}-[\da-f]{4}-[\da-f]{4}-[\da-f]{4}-[\da-f]{12}(?![\p{L}\p{N}\p{M}_#…])/iuy;
/** A unit that belongs to the number before it. */
const UNIT = /(?:%|\s+(?:ns|µs|us|ms|s|secs?|seconds?|min|minutes?|h|hours?|days?|bytes?|[kKMGT]i?B|B|%))(?![\p{L}\p{N}\p{M}_#…])/uy;

function isWord(char: string | undefined): boolean {
  return char !== undefined && /[\p{L}\p{N}\p{M}_#…]/u.test(char);
}

/** Where a match that begins at a place ends; that place if there is none. */
function endOf(pattern: RegExp, text: string, at: number): number {
  pattern.lastIndex = at;
  return pattern.test(text) ? pattern.lastIndex : at;
}

/** The end of the variable word that begins at a place; -1 if it says the same in every message. */
function variableEnd(text: string, at: number): number {
  const uuid = endOf(UUID, text, at);
  if (uuid > at) return uuid;
  const end = endOf(WORD, text, at);
  if (end === at) return -1;
  const word = text.slice(at, end);
  return /[\p{N}#]/u.test(word) || /^[\da-f]{8,}$/i.test(word) ? end : -1;
}

/** The end of all that belongs to a variable word: its unit, and further ones, as an instant and an address have them. */
function withFollowing(text: string, from: number): number {
  for (let end = from; ; ) {
    const unit = endOf(UNIT, text, end);
    if (unit > end) {
      end = unit;
      continue;
    }
    const isJoined = '-.:,+/'.includes(text[end] ?? ' ');
    const next = isJoined ? variableEnd(text, end + 1) : -1;
    if (next < 0) return end;
    end = next;
  }
}

/** The place of the closing mark; an apostrophe within a word closes nothing. */
function closingAt(text: string, from: number, closing: string): number {
  for (let end = text.indexOf(closing, from); end >= 0; end = text.indexOf(closing, end + 1)) {
    if (closing !== "'" || !isWord(text[end + 1])) return end;
  }
  return -1;
}
