import type { Transform } from 'node:stream';
import { createBrotliDecompress, createGunzip, createInflate } from 'node:zlib';
import { BrokenResponseError, RefusedResponseError, tooLarge } from './http-trouble.ts';

const CHUNK = { chunkSize: 65_536 };

/** By the name that a server gives, which may be that of any object's member. */
const DECODERS: ReadonlyMap<string, () => Transform> = new Map([
  ['gzip', () => createGunzip(CHUNK)],
  ['x-gzip', () => createGunzip(CHUNK)],
  ['deflate', () => createInflate(CHUNK)],
  ['br', () => createBrotliDecompress(CHUNK)],
]);

/** Unpacks one body, outside the event loop. Destroying it ends that. */
export interface Decoding {
  readonly decoded: Promise<Buffer>;
  destroy(): void;
}

/**
 * The decoding of a body with a `content-encoding`; undefined if there is nothing to unpack. None is requested, but some servers send one all the
 * same. Several, one in the other, are never needed: who sends them wants to see what they do. Throws for those, and for unknown ones.
 */
export function decodingOf(body: Buffer, header: string | undefined, maxBytes: number): Decoding | undefined {
  const codings = (header ?? '')
    .toLowerCase()
    .split(',', 10)
    .map((coding) => coding.trim());
  const [coding, more] = codings.filter((each) => each !== '' && each !== 'identity');
  if (coding === undefined || body.length === 0) return undefined;
  const create = more === undefined ? DECODERS.get(coding) : undefined;
  if (create === undefined) {
    const shown = `"${(header ?? '').slice(0, 40)}"`;
    throw new RefusedResponseError(`the response has the content encoding ${shown}, which was not asked for`);
  }
  const stream = create();
  return { decoded: decode(stream, body, coding, maxBytes), destroy: () => void stream.destroy() };
}

async function decode(stream: Transform, body: Buffer, coding: string, maxBytes: number): Promise<Buffer> {
  const chunks: Buffer[] = [];
  let size = 0;
  stream.end(body);
  try {
    for await (const chunk of stream as AsyncIterable<Buffer>) {
      size += chunk.length;
      if (size > maxBytes) throw tooLarge(maxBytes);
      chunks.push(chunk);
    }
  } catch (error) {
    if (typeof (error as NodeJS.ErrnoException).code !== 'string') throw error;
    throw new BrokenResponseError(`the response is not valid ${coding}: ${(error as Error).message}`);
  }
  return Buffer.concat(chunks, size);
}
