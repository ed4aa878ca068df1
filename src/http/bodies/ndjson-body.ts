import type { Hash } from 'node:crypto';
import type { Readable } from 'node:stream';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { SluiceError } from '../../engine/index.ts';
import { type NdjsonOptions, readNdjson } from './ndjson-reader.ts';

export const NDJSON_TYPES = ['application/x-ndjson', 'application/jsonl'];

/** Lets the routes of this instance take NDJSON: their `body` is then the unread stream. */
export function acceptNdjson(app: FastifyInstance): void {
  app.addContentTypeParser(NDJSON_TYPES, (_request, payload, done) => done(null, payload));
}

export const isNdjson = (request: FastifyRequest): boolean => NDJSON_TYPES.includes(request.mediaType ?? '');

/**
 * Reads all items of a body into memory, for what needs them all before it begins; so the body has a limit here.
 * Throws `body-too-large`, and what {@link readNdjson} throws.
 */
export async function collectNdjson(stream: Readable, options: CollectOptions): Promise<unknown[]> {
  const { hash, maxItems, onItems, ...limits } = options;
  const items: unknown[] = [];
  await readNdjson(stream, {
    ...limits,
    onBytes: hash && ((chunk) => void hash.update(chunk)),
    onItems: (batch) => {
      onItems(batch);
      if (items.length + batch.length > maxItems) throw new SluiceError('body-too-large', `The body has more than ${maxItems} items.`);
      for (const item of batch) items.push(item);
    },
  });
  return items;
}

interface CollectOptions extends Pick<NdjsonOptions, 'maxLineBytes' | 'clock' | 'reading'> {
  maxBytes: number;
  /** However small they are, each is held. */
  maxItems: number;
  /** Is shown the next items; what it throws ends the reading. */
  onItems(items: readonly unknown[]): void;
  /** Is fed the body as it is read, when its fingerprint is wanted. */
  hash?: Hash | undefined;
}
