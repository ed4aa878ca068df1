import { isUtf8 } from 'node:buffer';
import type { IncomingMessage } from 'node:http';
import type { FastifyInstance } from 'fastify';
import { SluiceError } from '../engine/index.ts';
import { guardJson } from '../schemas/json-guard.ts';

/** A JSON body is small (it has a limit), so its whole arrival has a deadline; NDJSON has an idle timer of its own instead. */
const ARRIVAL_SECONDS = 60;
const LOOK_SECONDS = 5;

/**
 * The bodies that the service takes: JSON in UTF-8, not encoded, guarded. Everything else is a 415; a route that takes NDJSON
 * adds its parser itself. An empty body is no body: whether that will do is the route's schema to say.
 */
export function acceptJsonBodies(app: FastifyInstance): void {
  app.removeContentTypeParser(['text/plain']);
  const arrivals = createArrivals();
  app.addHook('onClose', async () => arrivals.close());
  app.addContentTypeParser('application/json', { parseAs: 'buffer' }, (request, body, done) => {
    arrivals.arrived(request.raw);
    try {
      done(null, parseJsonBody(body as Buffer));
    } catch (error) {
      done(error as Error);
    }
  });

  app.addHook('onRequest', (request, _reply, done) => {
    const encoding = request.headers['content-encoding'];
    if (encoding === undefined || encoding.trim().toLowerCase() === 'identity') {
      if (!request.raw.complete && request.mediaType === 'application/json') arrivals.expect(request.raw);
      done();
    } else done(new SluiceError('unsupported-media-type', `Content-Encoding "${encoding}" is not taken; send the body as it is.`));
  });
}

/**
 * Bodies that are on their way, looked at together every few seconds: nearly all of them have come by then, so that a timer each would be
 * set in vain. A body that does not come in time ends with an error.
 */
function createArrivals(): { expect(body: IncomingMessage): void; arrived(body: IncomingMessage): void; close(): void } {
  /** Bodies with the number of the look before which they were expected. */
  const expected = new Map<IncomingMessage, number>();
  let looks = 0;
  let timer: NodeJS.Timeout | undefined;

  function look(): void {
    looks++;
    for (const [body, since] of expected) {
      const isLate = (looks - since) * LOOK_SECONDS > ARRIVAL_SECONDS;
      // One that is refused unread, or whose sender goes, is never parsed; a refused one does not even close, but its connection does.
      const isOver = body.complete || body.destroyed || body.socket.destroyed;
      if (isLate || isOver) expected.delete(body);
      if (isLate && !isOver) {
        body.emit('error', new SluiceError('request-timeout', `The body did not arrive within ${ARRIVAL_SECONDS} s.`));
      }
    }
    timer = expected.size === 0 ? undefined : setTimeout(look, LOOK_SECONDS * 1000).unref();
  }

  return {
    expect(body) {
      expected.set(body, looks);
      timer ??= setTimeout(look, LOOK_SECONDS * 1000).unref();
    },
    arrived: (body) => void expected.delete(body),
    close: () => clearTimeout(timer),
  };
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
