import type { FastifyInstance } from 'fastify';
import { pathOf } from './problem.ts';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Requests of this route are not logged: they are many, and each line costs a good part of what the request does. */
    quiet?: boolean;
  }
}

/** One line a request, when it is answered; the query is left out, because it may hold a secret. */
export function logRequests(app: FastifyInstance): void {
  app.addHook('onResponse', async (request, reply) => {
    const quiet = request.routeOptions.config.quiet === true && reply.statusCode < 500;
    if (quiet) return;
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
  });
}
