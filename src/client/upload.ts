import type { Items } from './items.ts';

/** `fetch` can stream a body in Node, Deno and Bun. In a browser only over HTTP/2, which it finds out by failing. */
export const canStream = (): boolean => !('document' in globalThis) && !('WorkerGlobalScope' in globalThis);

/** A chunk of this many characters is sent at once; of a source that waits, what there is. */
const CHUNK_CHARACTERS = 64 * 1024;

interface Reading {
  most: { characters: number; lines: number };
  /** How long a source that has given something may take for its next line before that is passed on. */
  moment: () => Promise<void>;
  /** True when nobody is interested any more. */
  isOver?: () => boolean;
}

/** The next lines of a source as one text, empty at its end. */
export async function readLines(items: Items, { most, moment, isOver = () => false }: Reading): Promise<string> {
  let text = '';
  for (let lines = 0; lines < most.lines && text.length < most.characters; lines++) {
    const filling = items.fill();
    if (filling !== undefined) {
      if (text !== '' && !(await settlesWithin(filling, moment))) break;
      await filling;
      if (isOver()) break;
    }
    const line = items.take();
    if (line === undefined) break;
    text += line;
  }
  return text;
}

/** A source that has its next line at hand needs no more than some microtasks for it. */
async function someMicrotasks(): Promise<void> {
  for (let turns = 0; turns < 10; turns++) await null;
}

async function settlesWithin(promise: Promise<unknown>, moment: () => Promise<void>): Promise<boolean> {
  const settled = promise.then(
    () => true,
    () => true,
  );
  return Promise.race([settled, moment().then(() => false)]);
}

interface BodyOptions {
  /** Called ahead of each chunk. */
  before: () => Promise<void>;
  /** Called with the number of lines that have been given away so far. */
  onChunk: (position: number) => void;
  /** Called when the source fails: `fetch` tells only that its request has. */
  onFailure: (error: unknown) => void;
  isOver: () => boolean;
}

/** The rest of a source as the body of one request, read only as fast as the request sends it. */
export function bodyOf(items: Items, { before, onChunk, onFailure, isOver }: BodyOptions): ReadableStream<Uint8Array> {
  const encoder = new TextEncoder();
  const reading: Reading = { most: { characters: CHUNK_CHARACTERS, lines: Number.POSITIVE_INFINITY }, moment: someMicrotasks, isOver };
  return new ReadableStream<Uint8Array>(
    {
      async pull(controller) {
        try {
          await before();
          const text = await readLines(items, reading);
          if (isOver()) return;
          if (text === '') controller.close();
          else controller.enqueue(encoder.encode(text));
          onChunk(items.position);
        } catch (error) {
          if (!isOver()) onFailure(error);
          throw error;
        }
      },
    },
    { highWaterMark: 0 },
  );
}
