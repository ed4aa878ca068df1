import type { FastifyInstance, onResponseHookHandler } from 'fastify';
import { pathOf } from '../problems/path-of.ts';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Requests of this route are not logged: they are many, and each line costs a good part of what the request does. */
    quiet?: boolean;
  }
}

/**
 * One line a request, when it is answered; the query is left out, because it may hold a secret. A refused one has its line from
 * {@link import('../problems/refusals.ts').createRefusals}.
 */
export function logRequests(app: FastifyInstance): void {
  app.addHook('onRoute', (route) => {
    if (route.config?.quiet === true) return;
    route.onResponse = [...[route.onResponse ?? []].flat(), logRequest];
  });
}

const logRequest: onResponseHookHandler = (request, reply, done) => {
  if (request.problemCode !== null) {
    done();
    return;
  }
  request.log.info(
    {
      method: request.method,
      path: pathOf(request.url),
      statusCode: reply.statusCode,
      durationSeconds: Math.round(reply.elapsedTime * 1000) / 1e6,
    },
    'request',
  );
  done();
};
