import type { Hash } from 'node:crypto';
import type { Readable } from 'node:stream';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { SluiceError } from '../../engine/index.ts';
import { type NdjsonOptions, readNdjson } from './ndjson-reader.ts';

/** Every name of it that is in use; none is registered. */
export const NDJSON_TYPES = ['application/x-ndjson', 'application/ndjson', 'application/jsonl', 'application/x-jsonlines'];

/** Lets the routes of this instance take NDJSON: their `body` is then the unread stream. */
export function acceptNdjson(app: FastifyInstance): void {
  app.addContentTypeParser(NDJSON_TYPES, (_request, payload, done) => done(null, payload));
  // What curl says when it is told nothing else.
  app.addContentTypeParser('application/x-www-form-urlencoded', (_request, _payload, done) => {
    done(new SluiceError('unsupported-media-type', `The body is a form (application/x-www-form-urlencoded). ${BY_CURL}`));
  });
}

const BY_CURL = "With curl, send a file of NDJSON by -H 'content-type: application/x-ndjson' --data-binary @file.";

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

interface CollectOptions extends Pick<NdjsonOptions, 'maxLineBytes' | 'idleTimeoutMs' | 'clock' | 'reading'> {
  maxBytes: number;
  /** However small they are, each is held. */
  maxItems: number;
  /** Is shown the next items; what it throws ends the reading. */
  onItems(items: readonly unknown[]): void;
  /** Is fed the body as it is read, when its fingerprint is wanted. */
  hash?: Hash | undefined;
}
