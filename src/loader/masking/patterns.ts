/**
 * A form of a secret in a text: a row of characters, each fixed or one of a few.
 */
export interface Pattern {
  readonly name: string;
  /** A code point, or `-1 - i` for one of `choices[i]`. */
  readonly row: Int32Array;
  readonly choices: readonly ReadonlySet<number>[];
  /** Characters that may precede the row and partly belong to the secret. They are left out of the row, so that it starts with a fixed character. */
  readonly before: ReadonlySet<number> | undefined;
  /** True for base64, which may be broken into lines. */
  readonly isBase64: boolean;
  /** True for base64 and hexadecimal. */
  readonly isCoded: boolean;
}

const BASE64 = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';
/** Which characters may stand for six bits: those of base64url too. */
const SEXTETS: readonly string[] = [...BASE64].map((letter) => (letter === '+' ? '+-' : letter === '/' ? '/_' : letter));
const HEX: readonly string[] = [...'0123456789abcdef'].map((digit) => (digit > '9' ? digit + digit.toUpperCase() : digit));
/** A shorter one in other letters is a word of some text. */
const CASELESS_LENGTH_MIN = 8;

/**
 * All the rows that a secret may be found by: itself, in small letters as a host name has it, in Latin-1 as a header has it, in hexadecimal, and in base64,
 * of itself and of what it is in JSON, in a URL and in a form. In a longer base64 text it may begin at any of three places of a group; bits
 * that it shares a character with are left open. That is at least 32 bits that must be right, for a secret of four bytes, so that no length
 * is too short for it.
 *
 * White space around the secret, such as a file leaves behind, is ignored.
 */
export function patternsOf(name: string, value: string, lengthMin: number): Pattern[] {
  const trimmed = value.trim();
  const secret = trimmed.length >= lengthMin ? trimmed : value;
  const texts = new Set([secret, Buffer.from(secret, 'utf8').toString('latin1')]);
  if (secret.length >= CASELESS_LENGTH_MIN) texts.add(secret.toLowerCase());
  const url = encodeURIComponent(secret.toWellFormed());
  const written = new Set([secret, JSON.stringify(secret).slice(1, -1), url, url.replaceAll('%20', '+')]);
  // Byte for byte, each once: JSONata's $base64encode takes the bytes of Latin-1.
  const bytes = new Map(
    [...written].flatMap((text) => [Buffer.from(text, 'utf8'), Buffer.from(text, 'latin1')]).map((each) => [each.toString('hex'), each]),
  );
  return [
    ...[...texts].map((text) => patternOf(name, [...text], 'text')),
    ...[...bytes.keys()].map((hex) => patternOf(name, hexRow(hex), 'hex')),
    ...[...bytes.values()].flatMap((each) => [0, 1, 2].map((before) => patternOf(name, base64Row(each, before), 'base64'))),
  ];
}

function hexRow(hex: string): string[] {
  return Array.from(hex, (digit) => HEX[Number.parseInt(digit, 16)] as string);
}

/** The characters of base64 that hold something of the bytes, when `before` others of the same group stand before them. */
function base64Row(bytes: Buffer, before: number): string[] {
  const from = before * 8;
  const to = from + bytes.length * 8;
  const encoded = Buffer.concat([Buffer.alloc(before), bytes])
    .toString('base64')
    .replace(/=+$/, '');
  return Array.from(encoded, (letter, i) => {
    const sextet = BASE64.indexOf(letter);
    // Which of its bits are of the bytes; the others may be any.
    const known = (0x3f >> Math.max(0, from - i * 6)) & (0x3f << Math.max(0, (i + 1) * 6 - to)) & 0x3f;
    return known === 0x3f ? (SEXTETS[sextet] as string) : SEXTETS.filter((_, other) => (other & known) === (sextet & known)).join('');
  }).slice(Math.floor(from / 6));
}

function patternOf(name: string, row: readonly string[], kind: 'text' | 'hex' | 'base64'): Pattern {
  const choices: Set<number>[] = [];
  const points = row.map((fits) => {
    const all = [...fits].map((letter) => letter.codePointAt(0) as number);
    return all.length === 1 ? (all[0] as number) : -choices.push(new Set(all));
  });
  const isOpen = kind === 'base64' && (row[0] as string).length > 2;
  const before = isOpen ? choices[0] : undefined;
  return {
    name,
    row: Int32Array.from(isOpen ? points.slice(1) : points),
    choices,
    before,
    isBase64: kind === 'base64',
    isCoded: kind !== 'text',
  };
}

/** The characters allowed at a place of the row. */
export function choicesAt({ row, choices }: Pattern, place: number): Iterable<number> {
  const unit = row[place] as number;
  return unit >= 0 ? [unit] : (choices[-1 - unit] as ReadonlySet<number>);
}

export function isAt({ row, choices }: Pattern, place: number, point: number): boolean {
  const unit = row[place] as number;
  return unit >= 0 ? unit === point : (choices[-1 - unit] as ReadonlySet<number>).has(point);
}
