import { createHash, type Hash } from 'node:crypto';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';
import type { IdempotencyKey, Replayable } from '../../engine/index.ts';
import { isNdjson } from '../bodies/ndjson-body.ts';

/** Headers of the routes that are safe to repeat with an `Idempotency-Key`. */
export const idempotencyHeaders = z.object({
  'idempotency-key': z
    .string()
    .regex(/^[!-~]{1,255}$/, 'must be 1 to 255 visible ASCII characters')
    .optional()
    .meta({
      description:
        'Makes the request safe to repeat: a request with the same key gets the first answer again, and waits for it while the first request is still running. ' +
        'A different request with the same key is refused. Each API key has its own set of keys. A refused request may be sent again under its key. ' +
        'If a streamed NDJSON body breaks off, or the service crashes meanwhile, send the body again from its beginning: the items that were accepted are compared and not fed ' +
        'again, the rest is, and the answer is about all of them. Keys are kept for a day, ' +
        'the newest 10 000 of each pipeline (`MAX_IDEMPOTENCY_KEYS`).',
      examples: ['order-import-2026-11-23'],
    }),
});

/** The key of a request with the fingerprint of all that it asks but the body; undefined without a key. */
function keyOf(request: FastifyRequest, form: string): IdempotencyKey | undefined {
  const key = request.headers['idempotency-key'];
  if (typeof key !== 'string') return undefined;
  const options = Object.entries(request.query as object).sort(([a], [b]) => (a < b ? -1 : 1));
  // The same key from two callers means two different requests.
  return {
    key: `${request.caller.name} ${key}`,
    request: JSON.stringify([request.routeOptions.url, isNdjson(request) ? 'ndjson' : 'json', form, options]),
  };
}

/**
 * For a body that was read already. Two JSON texts of the same content are the same body; NDJSON is compared byte by byte, as it is
 * when it is read piece by piece. `form`: what kind of answer is asked for, where there are several.
 */
export function keyWithBody(request: FastifyRequest, body: unknown, form = ''): IdempotencyKey | undefined {
  const key = keyOf(request, form);
  return key && { ...key, body: createHash('sha256').update(JSON.stringify(body)).digest('base64url') };
}

/** For a body that is yet to be read: what goes through `hash` meanwhile is its fingerprint. */
export function keyWithHash(request: FastifyRequest, form = ''): { idempotency: IdempotencyKey | undefined; hash: Hash | undefined } {
  const idempotency = keyOf(request, form);
  return { idempotency, hash: idempotency && createHash('sha256') };
}

/** Says so when the answer is that of an earlier request. */
export function markReplay(reply: FastifyReply, { replayed }: Replayable): void {
  if (replayed) reply.header('idempotency-replayed', 'true');
}
