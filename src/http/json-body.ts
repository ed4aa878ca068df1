import { isUtf8 } from 'node:buffer';
import type { FastifyInstance } from 'fastify';
import { SluiceError } from '../engine/index.ts';
import { guardJson } from './json-guard.ts';

/** A JSON body is small (it has a limit), so its whole arrival has a deadline; NDJSON has an idle timer of its own instead. */
const ARRIVAL_SECONDS = 60;

/**
 * The bodies that the service takes: JSON in UTF-8, not encoded, guarded. Everything else is a 415; a route that takes NDJSON
 * adds its parser itself. An empty body is no body: whether that will do is the route's schema to say.
 */
export function acceptJsonBodies(app: FastifyInstance): void {
  app.removeContentTypeParser(['text/plain']);
  app.addContentTypeParser('application/json', { parseAs: 'buffer' }, (_request, body, done) => {
    try {
      done(null, parseJsonBody(body as Buffer));
    } catch (error) {
      done(error as Error);
    }
  });

  app.addHook('onRequest', async (request) => {
    const encoding = request.headers['content-encoding'];
    if (encoding !== undefined && encoding.trim().toLowerCase() !== 'identity') {
      throw new SluiceError('unsupported-media-type', `Content-Encoding "${encoding}" is not taken; send the body as it is.`);
    }
  });

  app.addHook('preParsing', (request, reply, payload, done) => {
    if (request.raw.complete || request.mediaType !== 'application/json') return done(null, payload);
    const late = setTimeout(() => {
      payload.emit('error', new SluiceError('request-timeout', `The body did not arrive within ${ARRIVAL_SECONDS} s.`));
    }, ARRIVAL_SECONDS * 1000);
    const clear = (): void => clearTimeout(late);
    payload.once('end', clear);
    // A body that is refused unread (413) neither ends nor closes; then an error on it would be heard by nobody.
    reply.raw.once('close', clear);
    done(null, payload);
  });
}

/** Throws `malformed-json`; undefined for an empty body. */
export function parseJsonBody(body: Buffer): unknown {
  if (body.length === 0) return undefined;
  if (!isUtf8(body)) throw new SluiceError('malformed-json', 'The body is not valid UTF-8.');
  const text = body.toString('utf8');
  let value: unknown;
  try {
    // RFC 8259 section 8.1 lets a parser ignore a byte order mark.
    value = JSON.parse(text.charCodeAt(0) === 0xfeff ? text.slice(1) : text);
  } catch (error) {
    throw new SluiceError('malformed-json', `The body is no valid JSON: ${(error as Error).message}.`, { cause: error });
  }
  const fault = guardJson(value);
  if (fault !== null) throw new SluiceError('malformed-json', `The body ${fault}.`);
  return value;
}
