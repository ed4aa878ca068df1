/**
 * Numbers and texts as bytes. Whole numbers take one byte for each seven bits, six in the first; any other number takes nine. Texts stand behind all numbers as one
 * block of UTF-8; among the numbers are their lengths, in UTF-16 units.
 *
 *     first byte:  more? sign  6 bits        further ones:  more? 7 bits        "minus zero": eight bytes follow, a double
 */

/** The bytes are not those of an entry that this version writes: cut short, changed on their way, or made by something else. */
export class EntryFault extends Error {
  override name = 'EntryFault';
}

const MORE = 0x80;
const SIGN = 0x40;
const FIRST_BITS = 0x3f;
const BITS = 0x7f;
const FIRST_UNIT = 64;
const UNIT = 128;
/** The first byte of a number that is written as a double. */
const DOUBLE = SIGN;
const DOUBLE_BYTES = 8;
/** No number takes more. */
const NUMBER_BYTES = 9;
const SMALL = 2 ** 30;
/** The length of a text that is null. */
const NO_TEXT = 0;

export class ByteWriter {
  private bytes: Uint8Array<ArrayBuffer>;
  /** A view of the same bytes, made when there is a double to write. */
  private view: DataView | null = null;
  private at = 0;
  private readonly texts: string[] = [];

  constructor(expectedBytes = 1024) {
    this.bytes = new Uint8Array(expectedBytes);
  }

  number(value: number): void {
    this.reserve(NUMBER_BYTES);
    if (!Number.isSafeInteger(value)) {
      this.double(value);
      return;
    }
    const sign = value < 0 ? SIGN : 0;
    let rest = value < 0 ? -value : value;
    const { bytes } = this;
    if (rest < FIRST_UNIT) {
      bytes[this.at++] = sign | rest;
      return;
    }
    bytes[this.at++] = MORE | sign | (rest % FIRST_UNIT);
    rest = Math.floor(rest / FIRST_UNIT);
    while (rest >= SMALL) {
      bytes[this.at++] = MORE | (rest % UNIT);
      rest = Math.floor(rest / UNIT);
    }
    while (rest >= UNIT) {
      bytes[this.at++] = MORE | (rest & BITS);
      rest >>>= 7;
    }
    bytes[this.at++] = rest;
  }

  /** A number that is near to another one, which the reader knows. */
  near(value: number, other: number): void {
    const difference = value - other;
    if (Number.isSafeInteger(value) && Number.isSafeInteger(other) && Number.isSafeInteger(difference)) {
      this.number(difference);
      return;
    }
    this.reserve(NUMBER_BYTES);
    this.double(value);
  }

  /** Numbers that mostly grow. */
  numbers(values: readonly number[]): void {
    this.number(values.length);
    let before = 0;
    for (const value of values) {
      this.near(value, before);
      before = value;
    }
  }

  text(text: string | null): void {
    this.number(text === null ? NO_TEXT : text.length + 1);
    if (text !== null && text !== '') this.texts.push(text);
  }

  /** All of it. */
  take(): Uint8Array {
    const block = Buffer.from(this.texts.join(''), 'utf8');
    const head = new ByteWriter(NUMBER_BYTES);
    head.number(this.at);
    const taken = new Uint8Array(head.at + this.at + block.length);
    taken.set(head.bytes.subarray(0, head.at));
    taken.set(this.bytes.subarray(0, this.at), head.at);
    taken.set(block, head.at + this.at);
    return taken;
  }

  private double(value: number): void {
    this.bytes[this.at++] = DOUBLE;
    this.view ??= new DataView(this.bytes.buffer);
    this.view.setFloat64(this.at, value);
    this.at += DOUBLE_BYTES;
  }

  private reserve(count: number): void {
    if (this.at + count <= this.bytes.length) return;
    const bigger = new Uint8Array(this.bytes.length * 2);
    bigger.set(this.bytes);
    this.bytes = bigger;
    this.view = null;
  }
}

/** Reads what a {@link ByteWriter} has written. Every method throws {@link EntryFault} for what none has. */
export class ByteReader {
  private readonly bytes: Uint8Array;
  private readonly view: DataView;
  private readonly end: number;
  private readonly block: string;
  private at = 0;
  private character = 0;
  /** Whether the last number was written as a double. */
  private isDouble = false;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.end = bytes.length;
    const size = this.count();
    this.end = this.at + size;
    this.block = Buffer.from(bytes.buffer, bytes.byteOffset + this.end, bytes.length - this.end).toString('utf8');
  }

  number(): number {
    const first = this.byte();
    this.isDouble = first === DOUBLE;
    if (this.isDouble) {
      if (this.at + DOUBLE_BYTES > this.end) throw new EntryFault('it is truncated');
      const value = this.view.getFloat64(this.at);
      this.at += DOUBLE_BYTES;
      return value;
    }
    let value = first & FIRST_BITS;
    let byte = first;
    for (let unit = FIRST_UNIT; byte >= MORE; unit *= UNIT) {
      byte = this.byte();
      value += (byte & BITS) * unit;
      if (value > Number.MAX_SAFE_INTEGER) throw new EntryFault('a number in it is too large');
    }
    return (first & SIGN) === 0 ? value : -value;
  }

  near(other: number): number {
    const found = this.number();
    return this.isDouble ? found : other + found;
  }

  /** How many of something follow, each of which takes a byte at least: so what was promised is never reserved without being there. */
  count(bytesEach = 1): number {
    const count = this.number();
    if (!Number.isSafeInteger(count) || count < 0 || count * bytesEach > this.end - this.at)
      throw new EntryFault('a length in it is wrong');
    return count;
  }

  numbers(): number[] {
    const values = new Array<number>(this.count());
    let before = 0;
    for (let i = 0; i < values.length; i++) {
      before = this.near(before);
      values[i] = before;
    }
    return values;
  }

  text(): string {
    const text = this.textOrNull();
    if (text === null) throw new EntryFault('a text in it is missing');
    return text;
  }

  textOrNull(): string | null {
    const length = this.number();
    if (length === NO_TEXT) return null;
    const to = this.character + length - 1;
    if (!Number.isSafeInteger(length) || length < 0 || to > this.block.length) throw new EntryFault('a length in it is wrong');
    const text = this.block.slice(this.character, to);
    this.character = to;
    return text;
  }

  /** To be called when everything is read. */
  expectEnd(): void {
    if (this.at !== this.end || this.character !== this.block.length) throw new EntryFault('it has more than belongs to it');
  }

  private byte(): number {
    if (this.at >= this.end) throw new EntryFault('it is truncated');
    return this.bytes[this.at++] as number;
  }
}
