import { JsonText } from './lines.ts';

type Rows = Iterable<unknown> | AsyncIterable<unknown> | ReadableStream<unknown>;

/**
 * Where items come from. An array, or a function that begins anew with each call, is read again after an interruption; of anything else the items that the
 * service has not confirmed are kept in memory.
 */
export type ItemSource = Rows | (() => Rows);

/** The lines of NDJSON that items are sent as, from any position that has not been confirmed. */
export interface Items {
  /** The position of the line that comes next: the number of those before it. */
  readonly position: number;
  /** Whether it can be read from its beginning at any time. */
  readonly canRestart: boolean;
  /** Characters that are kept in case they must be sent again. */
  readonly keptLength: number;
  /** Gets the next line ready, or learns that there is none. Undefined when that is done at once; a promise that is left alone loses nothing. */
  fill(): Promise<void> | undefined;
  /** The line that {@link fill} got ready, with its newline, and goes on to the next one; undefined at the end. */
  take(): string | undefined;
  /** Goes back, or on, to a position. Rejects with {@link SourceEnded} when the source is shorter. */
  seek(position: number): Promise<void>;
  /** Lines before the position will not be asked for again. */
  confirm(position: number): void;
  close(): void;
}

/** A source that is continued has fewer items than were sent before. */
export class SourceEnded extends Error {
  override readonly name = 'SourceEnded';
}

export function createItems(source: ItemSource): Items {
  return typeof source === 'function' || Array.isArray(source) ? createReopened(source) : createKept(source);
}

/** A source that can be opened again: nothing is kept. */
function createReopened(source: (() => Rows) | Rows): Items {
  const open = (): Cursor => createCursor(typeof source === 'function' ? source() : source);
  let cursor = open();
  let position = 0;
  const items: Items = {
    get position() {
      return position;
    },
    canRestart: true,
    keptLength: 0,
    fill: () => cursor.fill(),
    take() {
      const line = cursor.take();
      if (line !== undefined) position++;
      return line;
    },
    async seek(to) {
      if (to < position) {
        cursor.close();
        cursor = open();
        position = 0;
      }
      await passOver(items, to);
    },
    confirm() {},
    close: () => cursor.close(),
  };
  return items;
}

/** A source that is read once: lines stay until they are confirmed. */
function createKept(source: Rows): Items {
  const cursor = createCursor(source);
  let kept: string[] = [];
  /** The position of the first line of `kept`. */
  let start = 0;
  let position = 0;
  let keptLength = 0;
  const items: Items = {
    get position() {
      return position;
    },
    canRestart: false,
    get keptLength() {
      return keptLength;
    },
    fill: () => (position - start < kept.length ? undefined : cursor.fill()),
    take() {
      let line = kept[position - start];
      if (line === undefined) {
        line = cursor.take();
        if (line === undefined) return undefined;
        kept.push(line);
        keptLength += line.length;
      }
      position++;
      return line;
    },
    async seek(to) {
      if (to < start) throw new Error(`the service has ${to} items of the ${start} that it had confirmed`);
      position = Math.min(to, start + kept.length);
      await passOver(items, to);
    },
    confirm(to) {
      const count = Math.max(0, Math.min(to, position) - start);
      for (const line of kept.slice(0, count)) keptLength -= line.length;
      kept = kept.slice(count);
      start += count;
    },
    close: () => cursor.close(),
  };
  return items;
}

async function passOver(items: Items, to: number): Promise<void> {
  while (items.position < to) {
    const filling = items.fill();
    if (filling !== undefined) await filling;
    if (items.take() === undefined)
      throw new SourceEnded(`the feed has ${to} items already, this source only ${items.position}: it is another one`);
    items.confirm(items.position);
  }
}

/** Reads a source line by line, each when it is asked for. */
type Cursor = Pick<Items, 'fill' | 'take' | 'close'>;

function createCursor(rows: Rows): Cursor {
  let head: string | undefined;
  let isEnded = false;
  let arriving: Promise<void> | undefined;
  const arrive = ({ done, value }: IteratorResult<unknown>): void => {
    if (done) isEnded = true;
    else head = lineOf(value);
    arriving = undefined;
  };
  const isReady = (): boolean => head !== undefined || isEnded;
  const take = (): string | undefined => {
    const line = head;
    head = undefined;
    return line;
  };
  if (Symbol.iterator in rows) {
    const iterator = rows[Symbol.iterator]();
    return {
      fill() {
        if (!isReady()) arrive(iterator.next());
        return undefined;
      },
      take,
      close: () => void iterator.return?.(),
    };
  }
  const iterator = Symbol.asyncIterator in rows ? rows[Symbol.asyncIterator]() : readerOf(rows);
  return {
    fill() {
      if (isReady()) return undefined;
      arriving ??= iterator.next().then(arrive);
      return arriving;
    },
    take,
    close() {
      // A generator ends when what it waits for has come, which may be never; and nobody is interested in how it ends.
      iterator.return?.().then(undefined, () => undefined);
    },
  };
}

function lineOf(item: unknown): string {
  if (item instanceof JsonText) return `${item.text}\n`;
  const text = JSON.stringify(item) as string | undefined;
  if (text === undefined) throw new TypeError(`an item of type ${typeof item} cannot be sent as JSON`);
  return `${text}\n`;
}

/** Streams can be iterated in Node, but not in every browser. */
function readerOf(stream: ReadableStream<unknown>): AsyncIterator<unknown> {
  const reader = stream.getReader();
  return {
    next: async () => (await reader.read()) as IteratorResult<unknown>,
    async return() {
      await reader.cancel();
      return { done: true, value: undefined };
    },
  };
}
