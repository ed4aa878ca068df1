import { once } from 'node:events';
import { extname } from 'node:path';
import { Worker } from 'node:worker_threads';
import type { TextPlace } from './documents.ts';
import type { ReadingReply } from './reading-thread.ts';

export type ReadApart =
  | { faults: readonly (TextPlace & { message: string })[] }
  | { faults: null; content: unknown; placesOf(pointers: readonly string[]): Promise<TextPlace[]> };

/** A hostile text of a few kilobytes can take minutes, and a harmless one of this service's largest definition takes a second. */
const READING_MS = 10_000;
/** A text grows in memory, and one that grows without end is ended. */
const HEAP_MB = 256;
const FROM_START: TextPlace = { line: 1, column: 1 };

/**
 * Reads a text of one YAML document in a thread of its own, which is ended when `use` is over: a text of 64 KiB would hold the event loop for a fifth of a
 * second. A text that cannot be read in ten seconds, or in the memory of the thread, has that as its fault.
 */
export async function readYamlApart<T>(text: string, use: (read: ReadApart) => Promise<T>): Promise<T> {
  const file = new URL(`./reading-thread${extname(import.meta.url)}`, import.meta.url);
  const thread = new Worker(file, { workerData: { text }, resourceLimits: { maxOldGenerationSizeMb: HEAP_MB } });
  // It may end in a moment in which nobody waits for what it says.
  thread.on('error', () => undefined);
  const said = async (): Promise<ReadingReply> => (await once(thread, 'message'))[0] as ReadingReply;
  let late: NodeJS.Timeout | undefined;
  try {
    const first = said();
    const timeUp = new Promise<never>((_, reject) => {
      late = setTimeout(() => reject(new Error(`takes longer than ${READING_MS / 1000} s to read`)), READING_MS);
    });
    let reply: ReadingReply;
    try {
      reply = await Promise.race([first, timeUp]);
    } catch (error) {
      reply = { is: 'faulty', faults: [{ ...FROM_START, message: wordsFor(error as Error) }] };
    }
    clearTimeout(late);
    if (reply.is !== 'content') return await use({ faults: reply.is === 'faulty' ? reply.faults : [] });
    const placesOf = async (pointers: readonly string[]): Promise<TextPlace[]> => {
      const asked = said();
      thread.postMessage(pointers);
      const answer = await asked;
      return answer.is === 'places' ? answer.places : [];
    };
    return await use({ faults: null, content: reply.content, placesOf });
  } finally {
    clearTimeout(late);
    await thread.terminate();
  }
}

function wordsFor(error: Error & { code?: string }): string {
  if (error.code === 'ERR_WORKER_OUT_OF_MEMORY') return 'takes more memory to read than it may';
  return error instanceof RangeError ? 'is nested too deeply' : error.message;
}
