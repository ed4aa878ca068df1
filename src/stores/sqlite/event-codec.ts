import type { StoredEvents } from '../../engine/store.ts';

/*
 * Events as they are kept: six numbers each, most of them a byte, instead of 32 bytes. Time and item are written as the difference
 * to the event before; the event before of the same item as how far back it is.
 */

const CELLS = 4;
const KIND_UNIT = 2 ** 32;
const TASK_UNIT = 2 ** 40;
/** Below these bits of a kind are the codes of status events, see event-log.ts. */
const CODE_MASK = 31;
const FIRST_TASK = 8;
const RESULT = 16;
/** Durations are kept in microseconds. */
const MICROS = 1000;

export function encodeEvents({ first, cells }: Pick<StoredEvents, 'first' | 'cells'>): Uint8Array {
  const out = new Bytes(cells.length * 3);
  let time = 0;
  let item = 0;
  for (let i = 0; i < cells.length; i += CELLS) {
    const kind = cells[i] as number;
    const at = Math.floor(cells[i + 1] as number);
    const number = cells[i + 2] as number;
    const of = cells[i + 3] as number;
    const low = kind % KIND_UNIT;
    const sequenceId = of % TASK_UNIT;
    out.unsigned(low);
    out.unsigned(Math.floor(kind / KIND_UNIT));
    out.signed(at - time);
    const code = low & CODE_MASK;
    if (code < FIRST_TASK) out.unsigned(number === 0 ? 0 : first + i / CELLS - number);
    else if (code < RESULT) out.unsigned(Math.max(0, Math.round(number * MICROS)));
    out.signed(sequenceId - item);
    out.unsigned(Math.floor(of / TASK_UNIT));
    time = at;
    item = sequenceId;
  }
  return out.taken();
}

export function decodeEvents(first: number, count: number, bytes: Uint8Array): Float64Array {
  const cells = new Float64Array(count * CELLS);
  const from = new Bytes(0, bytes);
  let time = 0;
  let item = 0;
  for (let i = 0; i < cells.length; i += CELLS) {
    const low = from.readUnsigned();
    const source = from.readUnsigned();
    time += from.readSigned();
    const code = low & CODE_MASK;
    let number = 0;
    if (code < FIRST_TASK) {
      const back = from.readUnsigned();
      number = back === 0 ? 0 : first + i / CELLS - back;
    } else if (code < RESULT) {
      number = from.readUnsigned() / MICROS;
    }
    item += from.readSigned();
    cells[i] = low + source * KIND_UNIT;
    cells[i + 1] = time;
    cells[i + 2] = number;
    cells[i + 3] = item + from.readUnsigned() * TASK_UNIT;
  }
  return cells;
}

/** Pairs of numbers that mostly grow, each as the difference to the pair before. */
export function encodePairs(pairs: Float64Array): Uint8Array {
  const out = new Bytes(pairs.length * 2);
  let before = [0, 0];
  for (let i = 0; i < pairs.length; i += 2) {
    const pair = [pairs[i] as number, pairs[i + 1] as number];
    out.signed((pair[0] as number) - (before[0] as number));
    out.signed((pair[1] as number) - (before[1] as number));
    before = pair;
  }
  return out.taken();
}

export function decodePairs(count: number, bytes: Uint8Array): Float64Array {
  const pairs = new Float64Array(count * 2);
  const from = new Bytes(0, bytes);
  for (let i = 0; i < pairs.length; i++) pairs[i] = (i < 2 ? 0 : (pairs[i - 2] as number)) + from.readSigned();
  return pairs;
}

/** Whole numbers up to 2^53, seven bits a byte, the lowest first. */
class Bytes {
  private bytes: Uint8Array<ArrayBufferLike>;
  private at = 0;

  constructor(size: number, bytes: Uint8Array = new Uint8Array(Math.max(64, size))) {
    this.bytes = bytes;
  }

  taken(): Uint8Array {
    return this.bytes.slice(0, this.at);
  }

  unsigned(value: number): void {
    if (this.at + 8 >= this.bytes.length) {
      const bigger = new Uint8Array(this.bytes.length * 2);
      bigger.set(this.bytes);
      this.bytes = bigger;
    }
    let rest = value;
    while (rest >= 128) {
      this.bytes[this.at++] = (rest % 128) | 128;
      rest = Math.floor(rest / 128);
    }
    this.bytes[this.at++] = rest;
  }

  signed(value: number): void {
    this.unsigned(value < 0 ? -value * 2 - 1 : value * 2);
  }

  readUnsigned(): number {
    let value = 0;
    for (let unit = 1; ; unit *= 128) {
      const byte = this.bytes[this.at++];
      if (byte === undefined) throw new RangeError('a chunk of events is truncated');
      value += (byte & 127) * unit;
      if (byte < 128) return value;
    }
  }

  readSigned(): number {
    const value = this.readUnsigned();
    return value % 2 === 1 ? -(value + 1) / 2 : value / 2;
  }
}
