import type { Hash } from 'node:crypto';
import type { Readable } from 'node:stream';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { type NdjsonOptions, readNdjson } from './ndjson.ts';

export const NDJSON_TYPES = ['application/x-ndjson', 'application/jsonl'];

/** Lets the routes of this instance take NDJSON: their `body` is then the unread stream. */
export function acceptNdjson(app: FastifyInstance): void {
  app.addContentTypeParser(NDJSON_TYPES, (_request, payload, done) => done(null, payload));
}

export const isNdjson = (request: FastifyRequest): boolean => NDJSON_TYPES.includes(request.mediaType ?? '');

/**
 * Reads all items of a body into memory, for what needs them all before it begins; so the body has a limit here.
 * Throws what {@link readNdjson} throws.
 */
export async function collectNdjson(stream: Readable, options: CollectOptions): Promise<unknown[]> {
  const { hash, ...limits } = options;
  const items: unknown[] = [];
  await readNdjson(stream, {
    ...limits,
    onBytes: hash && ((chunk) => void hash.update(chunk)),
    onItems: (batch) => {
      for (const item of batch) items.push(item);
    },
  });
  return items;
}

interface CollectOptions extends Pick<NdjsonOptions, 'maxLineBytes' | 'clock'> {
  maxBytes: number;
  /** Is fed the body as it is read, when its fingerprint is wanted. */
  hash?: Hash | undefined;
}
