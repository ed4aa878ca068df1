/**
 * Reads a body of newline-delimited JSON of any length, in constant memory.
 *
 * The stream is read by pulling: nothing is taken from it while a batch is being handed over, so that its buffer fills, the
 * socket is no longer read and TCP stops the client. That is the backpressure.
 *
 * Lines end with LF or CRLF (https://github.com/ndjson/ndjson-spec and jsonlines.org); nothing else ends one, U+2028 and
 * U+2029 stand in strings as they are (RFC 8259 allows it). Blank lines are skipped, and so is a byte order mark at the start,
 * which RFC 8259 section 8.1 permits a parser to ignore. The last line may lack its newline.
 */
import type { Readable } from 'node:stream';
import { SluiceError } from '../../engine/index.ts';
import { type Clock, systemClock } from '../../engine/ports.ts';
import { mayLoseDigits } from '../../schemas/big-numbers.ts';
import { guardJson, isPlainText } from '../../schemas/json-guard.ts';
import { exactItem, ItemFault, type ItemReading, withIdOf } from './item-reading.ts';
import { createReadWaiter } from './read-waiter.ts';

export { ClientGoneError } from './read-waiter.ts';

export interface NdjsonOptions {
  /** Bytes in a line without its LF; 1 MiB when absent. */
  maxLineBytes?: number;
  /** Bytes in all; as many as come when absent. */
  maxBytes?: number;
  /** How long the client may send nothing while it is waited for; the time in which a batch is handed over does not count. */
  idleTimeoutMs?: number;
  /** A batch is handed over when it has as many items, … */
  batchItems?: number;
  /** … or its lines as many characters, or when no more bytes are there yet: an item never waits for the next one to arrive. */
  batchBytes?: number;
  clock?: Clock;
  reading?: ItemReading | undefined;
  /** Is shown all bytes as they are read. */
  onBytes?: ((bytes: Buffer) => void) | undefined;
  /**
   * Takes the next items; `firstLine` is the line of the first one, from 1. The stream is not read until it resolves. When it
   * rejects, reading ends with that error.
   */
  onItems(items: unknown[], firstLine: number): Promise<void> | void;
}

export interface NdjsonSummary {
  /** Lines in all, blank ones too. */
  lines: number;
  items: number;
}

const LF = 0x0a;
const SPACE = 0x20;
const BYTE_ORDER_MARK = 0xfeff;
const MIB = 1024 * 1024;
const NOTHING = Buffer.alloc(0);

// A decoder that swallowed byte order marks would do so at the start of each decode(), in the middle of a body too.
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/**
 * Hands over every line of `stream` as a parsed value, in order, in batches.
 *
 * Rejects with `malformed-line` or `line-too-large` (both with `details.line`), `body-too-large`, `request-timeout`,
 * {@link ClientGoneError} or what `onItems` threw. The items of all lines before a bad one, and of all complete lines before the client went, have been
 * handed over by then, and no part of a line ever is. The stream is left as it is, so that the request can still be answered; an
 * answer to a body that was not read to its end should carry `Connection: close`.
 */
export async function readNdjson(stream: Readable, options: NdjsonOptions): Promise<NdjsonSummary> {
  const {
    maxLineBytes = MIB,
    maxBytes = Number.POSITIVE_INFINITY,
    idleTimeoutMs = 300_000,
    batchItems = 1000,
    batchBytes = MIB,
    clock = systemClock,
    reading = {},
    onBytes,
    onItems,
  } = options;
  let lines = 0;
  let bytesRead = 0;
  let handedOver = 0;
  let batch: unknown[] = [];
  let batchSize = 0;
  let firstLine = 0;
  /** The beginning of a line whose end has not arrived: the first `restBytes` of a buffer that grows by doubling. */
  let rest = NOTHING;
  let restBytes = 0;

  async function flush(): Promise<void> {
    if (batch.length === 0) return;
    const items = batch;
    batch = [];
    batchSize = 0;
    await onItems(items, firstLine);
    handedOver += items.length;
  }

  async function refuse(code: 'malformed-line' | 'line-too-large', reason: string, cause?: unknown): Promise<never> {
    const line = lines + 1;
    await flush();
    throw new SluiceError(code, `Line ${line} ${reason}.`, { cause, details: { line } });
  }

  /**
   * Takes one line without its LF. Returns a promise only when there is something to wait for. `isPlain`: see {@link isPlainText}; `mayLose`: see
   * {@link mayLoseDigits}.
   */
  function take(line: string, isPlain: boolean, mayLose: boolean): Promise<void> | undefined {
    const text = lines === 0 && line.charCodeAt(0) === BYTE_ORDER_MARK ? line.slice(1) : line;
    // A UTF-16 unit takes at most three bytes: only a line that could be too long is measured.
    if (line.length * 3 > maxLineBytes && Buffer.byteLength(line) > maxLineBytes)
      return refuse('line-too-large', tooLarge(maxLineBytes) + hintAt(line));
    if (isBlank(text)) {
      lines++;
      // The lines of a batch follow each other, so that an item's place in it tells its line.
      return batch.length > 0 ? flush() : undefined;
    }
    let item: unknown;
    try {
      // The CR of a CRLF is white space to JSON.
      item = JSON.parse(text);
    } catch (error) {
      return refuse('malformed-line', `is not valid JSON (${(error as Error).message})${hintAt(text)}`, error);
    }
    const fault = guardJson(item, isPlain);
    if (fault !== null) return refuse('malformed-line', fault);
    if (mayLose) item = exactItem(text, item, reading);
    if (reading.idField !== undefined && !(item instanceof ItemFault)) item = withIdOf(item, reading.idField);
    if (item instanceof ItemFault) return refuse('malformed-line', item.reason);
    lines++;
    if (batch.length === 0) firstLine = lines;
    batch.push(item);
    batchSize += text.length;
    return batch.length >= batchItems || batchSize >= batchBytes ? flush() : undefined;
  }

  /** Takes bytes that end with the end of a line. */
  async function takeLines(bytes: Buffer): Promise<void> {
    let text: string;
    try {
      text = decoder.decode(bytes);
    } catch (error) {
      return takeLinesWithFault(bytes, error);
    }
    const isPlain = isPlainText(text);
    const mayLose = mayLoseDigits(bytes);
    for (let start = 0; start < text.length; ) {
      const end = lineEnd(text.indexOf('\n', start), text.length);
      const waiting = take(text.slice(start, end), isPlain, mayLose);
      if (waiting !== undefined) await waiting;
      start = end + 1;
    }
  }

  /** The same, one line after the other, to find the one that is not UTF-8. */
  async function takeLinesWithFault(bytes: Buffer, cause: unknown): Promise<void> {
    for (let start = 0; start < bytes.length; ) {
      const end = lineEnd(bytes.indexOf(LF, start), bytes.length);
      const line = bytes.subarray(start, end);
      let text: string;
      try {
        text = decoder.decode(line);
      } catch {
        if (line.length > maxLineBytes) await refuse('line-too-large', tooLarge(maxLineBytes) + hintAt(line));
        return refuse('malformed-line', 'is not valid UTF-8', cause);
      }
      await take(text, false, true);
      start = end + 1;
    }
  }

  async function takeChunk(chunk: Buffer): Promise<void> {
    // In UTF-8 the byte 0x0A is a line feed wherever it stands, never a part of another character.
    const complete = chunk.lastIndexOf(LF) + 1;
    if (complete > 0) {
      const head = chunk.subarray(0, complete);
      const bytes = restBytes === 0 ? head : Buffer.concat([rest.subarray(0, restBytes), head]);
      rest = NOTHING;
      restBytes = 0;
      await takeLines(bytes);
    }
    if (complete < chunk.length) await setAside(chunk.subarray(complete));
  }

  async function setAside(bytes: Buffer): Promise<void> {
    const needed = restBytes + bytes.length;
    if (needed > maxLineBytes)
      await refuse('line-too-large', tooLarge(maxLineBytes) + hintAt(restBytes > 0 ? rest.subarray(0, restBytes) : bytes));
    if (needed > rest.length) {
      const larger = Buffer.allocUnsafe(Math.max(needed, 2 * rest.length));
      rest.copy(larger, 0, 0, restBytes);
      rest = larger;
    }
    bytes.copy(rest, restBytes);
    restBytes = needed;
  }

  const waiter = createReadWaiter(stream, idleTimeoutMs, clock);
  try {
    for (;;) {
      const chunk = stream.read() as Buffer | string | null;
      if (chunk !== null) {
        const bytes = typeof chunk === 'string' ? Buffer.from(chunk) : chunk;
        bytesRead += bytes.length;
        if (bytesRead > maxBytes) throw new SluiceError('body-too-large', `The body is larger than ${maxBytes} bytes.`);
        onBytes?.(bytes);
        await takeChunk(bytes);
        continue;
      }
      await flush();
      if (!(await waiter.next())) break;
    }
    if (restBytes > 0) await takeLines(rest.subarray(0, restBytes));
    await flush();
  } finally {
    waiter.dispose();
  }
  return { lines, items: handedOver };
}

function tooLarge(maxLineBytes: number): string {
  return `is longer than ${maxLineBytes} bytes`;
}

/** A hint for a line that holds several values, as when something took the newlines out; empty for any other. */
function hintAt(line: string | Buffer): string {
  return line.includes('}{') || line.includes('][')
    ? '; it looks like several values in one line: "curl -d @file" takes newlines out, "curl --data-binary @file" keeps them'
    : '';
}

function lineEnd(found: number, length: number): number {
  return found === -1 ? length : found;
}

/** Nothing but white space as JSON knows it. */
function isBlank(text: string): boolean {
  const first = text.charCodeAt(0);
  return first > SPACE ? false : /^[ \t\r]*$/.test(text);
}
