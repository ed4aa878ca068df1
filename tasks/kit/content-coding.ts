import type { Transform } from 'node:stream';
import { createBrotliDecompress, createGunzip, createInflate, createInflateRaw } from 'node:zlib';
import { BrokenResponseError, RefusedResponseError, tooLarge } from './http-trouble.ts';

const CHUNK = { chunkSize: 65_536 };

/** By the name that a server gives, which may be that of any object's member. */
const DECODERS: ReadonlyMap<string, (body: Buffer) => Transform> = new Map<string, (body: Buffer) => Transform>([
  ['gzip', () => createGunzip(CHUNK)],
  ['x-gzip', () => createGunzip(CHUNK)],
  // RFC 9110 8.4.1.2: some servers send it without the wrapping of zlib.
  ['deflate', (body) => (isZlib(body) ? createInflate(CHUNK) : createInflateRaw(CHUNK))],
  ['br', () => createBrotliDecompress(CHUNK)],
]);

/** Names under which nothing is encoded. The others are charsets and transfer encodings that some servers put there. */
const PLAIN: ReadonlySet<string> = new Set(['', 'identity', 'none', 'utf-8', 'utf8', 'us-ascii', 'iso-8859-1', '8bit', 'binary']);

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
  const [coding, more] = codings.filter((each) => !PLAIN.has(each));
  if (coding === undefined || body.length === 0) return undefined;
  const create = more === undefined ? DECODERS.get(coding) : undefined;
  if (create === undefined) {
    const shown = `"${(header ?? '').slice(0, 40)}"`;
    throw new RefusedResponseError(`the response has the content encoding ${shown}, which was not asked for`);
  }
  const stream = create(body);
  return { decoded: decode(stream, body, coding, maxBytes), destroy: () => void stream.destroy() };
}

/** RFC 1950 2.2: the method in the first byte is deflate, and both together are a multiple of 31. */
function isZlib(body: Buffer): boolean {
  return body.length >= 2 && ((body[0] as number) & 15) === 8 && body.readUInt16BE(0) % 31 === 0;
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
