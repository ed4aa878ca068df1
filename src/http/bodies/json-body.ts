/*
 * Room `bodies`: request bodies, JSON and NDJSON: read, bounded, checked and cut off.
 *
 * Holds: Memory stays bounded whatever is sent, the sender is slowed down rather than buffered, and every body has a deadline.
 * Refuses: to know routes and pipelines: it hands over values, or throws what is wrong with them.
 */

import { isUtf8 } from 'node:buffer';
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { SluiceError } from '../../engine/index.ts';
import type { Clock } from '../../engine/ports.ts';
import { guardJson, isPlainText } from '../../schemas/json-guard.ts';
import { exactBody, ItemFault, type ItemReading } from './item-reading.ts';
import { hasBody } from './unread-body.ts';
import { wholeBodies } from './whole-body.ts';

/**
 * The bodies that the service takes: JSON in UTF-8, not encoded, guarded. Everything else is a 415; a route that takes NDJSON
 * adds its parser itself. An empty body is no body: whether that will do is the route's schema to say.
 *
 * A body has one owner for its whole life, see unread-body.ts; that of a JSON body is whole-body.ts, and only while that reads is
 * there a deadline.
 */
export function acceptJsonBodies(app: FastifyInstance, clock: Clock): void {
  app.removeContentTypeParser(['text/plain', 'application/json']);
  app.addContentTypeParser('application/json', wholeBodies(clock, parseJsonBody));

  app.addHook('onRequest', (request, _reply, done) => {
    const encoding = request.headers['content-encoding'];
    // The encoding of a body that nobody reads does not matter.
    const isRead = request.routeOptions.schema?.body !== undefined && hasBody(request.raw);
    if (encoding === undefined || !isRead || encoding.trim().toLowerCase() === 'identity') done();
    else done(new SluiceError('unsupported-media-type', `Content-Encoding "${encoding}" is not supported; send the body unencoded.`));
  });
}

/** Throws `malformed-json`; undefined for an empty body. The query has not been checked yet: what it cannot be is taken for what is absent. */
function parseJsonBody(body: Buffer, { query }: FastifyRequest): unknown {
  const reading = query as ItemReading;
  if (body.length === 0) return undefined;
  if (!isUtf8(body)) throw new SluiceError('malformed-json', 'The body is not valid UTF-8.');
  const read = body.toString('utf8');
  // RFC 8259 section 8.1 lets a parser ignore a byte order mark.
  const text = read.charCodeAt(0) === 0xfeff ? read.slice(1) : read;
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new SluiceError('malformed-json', `The body is not valid JSON: ${(error as Error).message}.`, { cause: error });
  }
  const fault = guardJson(value, isPlainText(text));
  if (fault !== null) throw new SluiceError('malformed-json', `The body ${fault}.`);
  const exact = exactBody(body, text, value, reading);
  if (exact instanceof ItemFault) throw new SluiceError('malformed-json', `The body ${exact.reason}.`);
  return exact;
}
