import { createReadStream, statSync } from 'node:fs';
import { Readable } from 'node:stream';
import { type ItemSource, ndjson } from '../client/index.ts';
import { CommandEnd, EXIT } from './exit-codes.ts';

/** NDJSON from a file or stdin. */
export interface Input {
  source: ItemSource;
  /** Bytes in all, or null for a stream. */
  size: number | null;
  /** Bytes read so far; of a file that is read again, those of the last time. */
  read(): number;
}

/** A file can be read again from its beginning, so nothing of it is kept in memory; stdin and pipes are read once. */
export function openInput(file: string, stdin: NodeJS.ReadStream): Input {
  let readBytes = 0;
  const counted = (stream: Readable): ReadableStream<Uint8Array> => {
    readBytes = 0;
    const counting = new TransformStream<Uint8Array, Uint8Array>({
      transform(chunk, controller) {
        readBytes += chunk.length;
        controller.enqueue(chunk);
      },
    });
    return (Readable.toWeb(stream) as ReadableStream<Uint8Array>).pipeThrough(counting);
  };
  const read = (): number => readBytes;
  if (file === '-') {
    if (stdin.isTTY) throw new CommandEnd(EXIT.usage, 'Name a file, or give the items on stdin, one JSON value a line.');
    return { source: ndjson(counted(stdin)), size: null, read };
  }
  const { size, isFile } = lookAt(file);
  const open = () => ndjson(counted(createReadStream(file)));
  return { source: isFile ? open : open(), size: isFile ? size : null, read };
}

function lookAt(file: string): { size: number; isFile: boolean } {
  try {
    const stats = statSync(file);
    if (stats.isDirectory()) throw new CommandEnd(EXIT.usage, `${file} is a folder`);
    return { size: stats.size, isFile: stats.isFile() };
  } catch (error) {
    if (error instanceof CommandEnd) throw error;
    throw new CommandEnd(EXIT.usage, `${file} cannot be read: ${(error as Error).message}`);
  }
}
