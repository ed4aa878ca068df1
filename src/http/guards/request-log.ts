import type { FastifyInstance, onResponseHookHandler } from 'fastify';
import { pathOf } from '../problems/problem.ts';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Requests of this route are not logged: they are many, and each line costs a good part of what the request does. */
    quiet?: boolean;
  }
}

/** One line a request, when it is answered; the query is left out, because it may hold a secret. */
export function logRequests(app: FastifyInstance): void {
  app.addHook('onRoute', (route) => {
    if (route.config?.quiet === true) return;
    route.onResponse = [...[route.onResponse ?? []].flat(), logRequest];
  });
}

const logRequest: onResponseHookHandler = (request, reply, done) => {
  request.log.info(
    {
      method: request.method,
      path: pathOf(request.url),
      statusCode: reply.statusCode,
      ...(request.problemCode === null ? {} : { code: request.problemCode }),
      durationSeconds: Math.round(reply.elapsedTime * 1000) / 1e6,
    },
    'request',
  );
  done();
};
