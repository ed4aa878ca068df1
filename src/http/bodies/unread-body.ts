import type { IncomingMessage } from 'node:http';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { Linger } from './lingering.ts';

/**
 * Ownership of a request's body, from its first byte to its last:
 *
 * - what a route that declares a body takes as JSON, `readWhole` of json-body.ts, within a deadline;
 * - what it takes as NDJSON, `readNdjson`, which gives up when nothing arrives for a while;
 * - every other one, this file. Nobody waits for it, so it has no deadline and needs none.
 *
 * A body that nobody reads costs nothing but its connection, and that ends with the answer: whatever else the client sent on it would
 * be taken for more of that body. So it is with one whose reader gave up; what still comes after the answer is lingering.ts's to read.
 * Nothing here, nor anywhere, makes a stream fail that another one reads.
 */
export function giveUpUnreadBodies(app: FastifyInstance, linger: Linger): void {
  app.addHook('onRequest', ({ raw, routeOptions }, _reply, done) => {
    if (routeOptions.schema?.body !== undefined || !hasBody(raw)) {
      done();
      return;
    }
    // Its bytes are thrown away as they come. Left in the socket, they would hide that the client has gone.
    raw.resume();
    // By then the bytes that came with the head have been read: a small complete body does not cost the connection.
    setImmediate(done);
  });
  app.addHook('onSend', (request, reply, _payload, done) => {
    endWithUnreadBody(request, reply, linger);
    done();
  });
}

/** Lets the connection end with this answer if there is more to come of the body. For answers that no hook sees. */
export function endWithUnreadBody({ raw }: FastifyRequest, reply: FastifyReply, linger: Linger): void {
  if (!hasBody(raw) || raw.complete) return;
  reply.header('connection', 'close');
  linger(raw);
}

/** Whether it announces one (RFC 9112 section 6.3). Without one it counts as complete only once its handler has returned. */
export function hasBody({ headers }: IncomingMessage): boolean {
  return headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0;
}
