/*
 * Room `bodies`: request bodies, JSON and NDJSON: read, bounded, checked and cut off.
 *
 * Holds: Memory stays bounded whatever is sent, the sender is slowed down rather than buffered, and every body has a deadline.
 * Refuses: to know routes and pipelines: it hands over values, or throws what is wrong with them.
 */

import { isUtf8 } from 'node:buffer';
import type { Readable } from 'node:stream';
import type { FastifyInstance } from 'fastify';
import { SluiceError } from '../../engine/index.ts';
import type { Clock } from '../../engine/ports.ts';
import { guardJson, isPlainText } from '../../schemas/json-guard.ts';
import { createDeadlines, type Deadlines } from './deadlines.ts';
import { exactBody, ItemFault, type ItemReading } from './item-reading.ts';
import { ClientGoneError } from './read-waiter.ts';
import { hasBody } from './unread-body.ts';

/** A JSON body is small (it has a limit), so its whole arrival has a deadline; NDJSON has an idle timer of its own instead. */
const ARRIVAL_SECONDS = 60;

/**
 * The bodies that the service takes: JSON in UTF-8, not encoded, guarded. Everything else is a 415; a route that takes NDJSON
 * adds its parser itself. An empty body is no body: whether that will do is the route's schema to say.
 *
 * A body has one owner for its whole life, see unread-body.ts; that of a JSON body is {@link readWhole}, and only while it reads is
 * there a deadline.
 */
export function acceptJsonBodies(app: FastifyInstance, clock: Clock): void {
  app.removeContentTypeParser(['text/plain', 'application/json']);
  const deadlines = createDeadlines(clock, ARRIVAL_SECONDS * 1000);
  app.addContentTypeParser('application/json', (request, body, done) => {
    // A route that declares no body answers without one.
    if (request.routeOptions.schema?.body === undefined) {
      done(null, undefined);
      return;
    }
    const maxBytes = request.routeOptions.bodyLimit;
    if (Number(request.headers['content-length']) > maxBytes) {
      done(tooLarge(maxBytes));
      return;
    }
    readWhole(body, maxBytes, deadlines, (error, bytes) => {
      if (error !== null) {
        done(error);
        return;
      }
      let value: unknown;
      try {
        value = parseJsonBody(bytes, request.query as ItemReading);
      } catch (fault) {
        done(fault as Error);
        return;
      }
      done(null, value);
    });
  });

  app.addHook('onRequest', (request, _reply, done) => {
    const encoding = request.headers['content-encoding'];
    // The encoding of a body that nobody reads does not matter.
    const isRead = request.routeOptions.schema?.body !== undefined && hasBody(request.raw);
    if (encoding === undefined || !isRead || encoding.trim().toLowerCase() === 'identity') done();
    else done(new SluiceError('unsupported-media-type', `Content-Encoding "${encoding}" is not supported; send the body unencoded.`));
  });
}

/**
 * Reads a body into memory. `done` is called once: with the bytes, or with `body-too-large`, `request-timeout`, or
 * {@link ClientGoneError}. No listener is left behind.
 */
function readWhole(body: Readable, maxBytes: number, deadlines: Deadlines, done: (error: Error | null, bytes: Buffer) => void): void {
  const chunks: Buffer[] = [];
  let bytes = 0;
  const onData = (chunk: Buffer): void => {
    bytes += chunk.length;
    if (bytes > maxBytes) end(tooLarge(maxBytes));
    else chunks.push(chunk);
  };
  const onEnd = (): void => end(null);
  // A request that breaks off never ends. Its error is heard here, and `close` in case that it has none.
  const onBroken = (cause?: Error): void => end(new ClientGoneError('The client disconnected before the body was complete', { cause }));
  const disarm = deadlines.arm(() => end(new SluiceError('request-timeout', `The body did not arrive within ${ARRIVAL_SECONDS} s.`)));

  function end(error: Error | null): void {
    disarm();
    body.off('data', onData).off('end', onEnd).off('error', onBroken).off('close', onBroken);
    if (error !== null) done(error, NOTHING);
    else done(null, chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks, bytes));
  }

  body.on('data', onData).on('end', onEnd).on('error', onBroken).on('close', onBroken);
}

const NOTHING = Buffer.alloc(0);

function tooLarge(maxBytes: number): SluiceError {
  return new SluiceError('body-too-large', `The body is larger than ${maxBytes} bytes.`);
}

/** Throws `malformed-json`; undefined for an empty body. `reading` has not been checked yet: what it cannot be is taken for what is absent. */
function parseJsonBody(body: Buffer, reading: ItemReading): unknown {
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
