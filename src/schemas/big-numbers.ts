/*
 * Integers that a JSON text spells out and a number cannot hold: above 2^53 a double has only every second one, and JSON.parse takes another one in
 * silence. They are looked for in the text, since the value no longer tells. What a number writes again as it was read is not among them, such as
 * whatever JSON.stringify has made of numbers.
 */

const DIGITS_MIN = 16;
/** The first integer that no double is written as is 2^53 + 1. */
const LAST_EXACT = '9007199254740992';

const [ZERO, NINE, MINUS, DOT, LOWER_E, UPPER_E] = [0x30, 0x39, 0x2d, 0x2e, 0x65, 0x45];
const [SPACE, COLON, COMMA, BRACKET] = [0x20, 0x3a, 0x2c, 0x5b];
const isDigit = (code: number | undefined): boolean => code !== undefined && code >= ZERO && code <= NINE;

/** Whether a number of a JSON text is an integer whose digits a double does not keep. A fraction or an exponent makes it no integer. */
export function losesDigits(source: string): boolean {
  const digits = source.startsWith('-') ? source.slice(1) : source;
  if (digits.length < DIGITS_MIN || !/^\d+$/.test(digits)) return false;
  if (digits.length === DIGITS_MIN && digits <= LAST_EXACT) return false;
  const [mantissa = '', exponent] = String(Number(digits)).split('e+');
  return (exponent === undefined ? mantissa : mantissa.replace('.', '').padEnd(Number(exponent) + 1, '0')) !== digits;
}

/**
 * Whether a JSON text in UTF-8 may hold an integer that a number cannot; false is certain. It looks at one byte in sixteen, and at what stands around a
 * row of digits: digits in a string are seldom taken for a number.
 */
export function mayLoseDigits(text: Uint8Array): boolean {
  const { length } = text;
  for (let i = DIGITS_MIN - 1; i < length; i += DIGITS_MIN) {
    // Of sixteen digits in a row eight are on one side of each.
    if (!isDigit(text[i]) || !(isDigit(text[i + 8]) || isDigit(text[i - 8]))) continue;
    let start = i;
    while (start > 0 && isDigit(text[start - 1])) start--;
    let end = i + 1;
    while (end < length && isDigit(text[end])) end++;
    const isShort = end - start < DIGITS_MIN || (end - start === DIGITS_MIN && (text[start] as number) < NINE);
    if (!isShort && standsAlone(text, start, end) && losesDigits(latin1.decode(text.subarray(start, end)))) return true;
    i += Math.floor((end - 1 - i) / DIGITS_MIN) * DIGITS_MIN;
  }
  return false;
}

const latin1 = new TextDecoder('latin1');

/** Whether what stands around a row of digits lets them be a whole number. */
function standsAlone(text: Uint8Array, start: number, end: number): boolean {
  const before = text[text[start - 1] === MINUS ? start - 2 : start - 1];
  const after = text[end];
  if (after === DOT || after === LOWER_E || after === UPPER_E) return false;
  return before === undefined || before <= SPACE || before === COLON || before === COMMA || before === BRACKET;
}

/** A place of a value: the object or list that it is in, and its key or index there. */
type IsId = (holder: object, key: string) => boolean;

export interface ExactlyParsed {
  value: unknown;
  /** The first integer of the text that `value` does not have; null when there is none. */
  lost: string | null;
}

/**
 * Parses a JSON text, for which {@link mayLoseDigits} is true. An integer that a number cannot hold is its text where it `isId`, and a number all the same, but named
 * as lost, in any other place. `idsOf`: which places are those of ids in a value, before any of them has been replaced. Throws SyntaxError.
 */
export function parseExactly(text: string, idsOf: (value: unknown) => IsId): ExactlyParsed {
  const found: { holder: Record<string, unknown>; key: string; source: string }[] = [];
  const revive = function (this: Record<string, unknown>, key: string, value: unknown, { source }: { source?: string }): unknown {
    if (source !== undefined && typeof value === 'number' && losesDigits(source)) found.push({ holder: this, key, source });
    return value;
  };
  // TypeScript does not know the third argument yet: https://tc39.es/proposal-json-parse-with-source/
  const value: unknown = JSON.parse(text, revive as (this: unknown, key: string, value: unknown) => unknown);
  const isId = idsOf(value);
  let lost: string | null = null;
  for (const { holder, key, source } of found) {
    if (isId(holder, key)) holder[key] = source;
    else lost ??= source;
  }
  return { value, lost };
}

/** The first integer of a JSON text that a number cannot hold; null when there is none. Throws SyntaxError. */
export function lostIn(text: string): string | null {
  return mayLoseDigits(Buffer.from(text)) ? parseExactly(text, () => () => false).lost : null;
}

/** Names the fault of a text that holds an integer which is lost, to stand after "The body" or "The line". */
export function lostDigits(source: string): string {
  const shown = source.length > 40 ? `${source.slice(0, 40)}…` : source;
  return `holds the integer ${shown}, which a number cannot hold exactly; send it as a string, or take what is left of it with bigNumbers=lossy`;
}
