import type { Hash } from 'node:crypto';
import type { Readable } from 'node:stream';
import { Transform } from 'node:stream';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { SluiceError } from '../engine/index.ts';
import { ClientGoneError, readNdjson } from './ndjson.ts';

export const NDJSON_TYPES = ['application/x-ndjson', 'application/jsonl'];

/** Lets the routes of this instance take NDJSON: their `body` is then the unread stream. */
export function acceptNdjson(app: FastifyInstance): void {
  app.addContentTypeParser(NDJSON_TYPES, (_request, payload, done) => done(null, payload));
  // Of a body that was refused in its middle nobody reads the rest: the connection can serve no other request.
  app.addHook('onSend', async (request, reply) => {
    if (isNdjson(request) && !request.raw.complete) reply.header('connection', 'close');
  });
}

export const isNdjson = (request: FastifyRequest): boolean => NDJSON_TYPES.includes(request.mediaType ?? '');

/**
 * Reads all items of a body into memory, for what needs them all before it begins; so the body has a limit here.
 * Throws `body-too-large`, and what {@link readNdjson} throws.
 */
export async function collectNdjson(
  stream: Readable,
  limits: { maxBytes: number; maxLineBytes: number; hash?: Hash | undefined },
): Promise<unknown[]> {
  const { hash } = limits;
  const items: unknown[] = [];
  let bytes = 0;
  const counted = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      bytes += chunk.length;
      if (bytes > limits.maxBytes) done(new SluiceError('body-too-large', `The body is over ${limits.maxBytes} bytes.`));
      else done(null, chunk);
    },
  });
  // Not `pipeline`: it would destroy the request, and with it the way to answer.
  stream.once('close', () => {
    if (!stream.readableEnded) counted.destroy();
  });
  stream.pipe(counted);
  try {
    await readNdjson(counted, {
      maxLineBytes: limits.maxLineBytes,
      onBytes: hash && ((chunk) => void hash.update(chunk)),
      onItems: (batch) => {
        for (const item of batch) items.push(item);
      },
    });
  } catch (error) {
    throw error instanceof ClientGoneError && error.cause instanceof SluiceError ? error.cause : error;
  }
  return items;
}
