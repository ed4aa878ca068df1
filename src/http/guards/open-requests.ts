import type { Socket } from 'node:net';
import type { FastifyInstance, FastifyRequest } from 'fastify';

/** The requests that connections serve. */
export interface OpenRequests {
  /** The last request that came over a connection, answered or not. */
  of(socket: Socket): FastifyRequest | undefined;
}

/** Remembers the request of each connection, for what happens to the connection while it is served. Call it before the other hooks are added. */
export function followRequests(app: FastifyInstance): OpenRequests {
  const last = new WeakMap<Socket, FastifyRequest>();
  app.addHook('onRequest', (request, _reply, done) => {
    last.set(request.raw.socket, request);
    done();
  });
  return { of: (socket) => last.get(socket) };
}
