import type { FastifyInstance } from 'fastify';
import type { Clock } from '../../engine/ports.ts';

const LOG_EVERY_MS = 10_000;

/**
 * Bounds the connections. Node closes one too many as soon as it is made: an answer would need what there is none left of. A warning at most every ten
 * seconds tells how many were closed.
 */
export function boundConnections(app: FastifyInstance, most: number, clock: Clock): void {
  app.server.maxConnections = most;
  let closed = 0;
  let toldAt = Number.NEGATIVE_INFINITY;
  app.server.on('drop', () => {
    closed++;
    if (clock.monotonic() < toldAt + LOG_EVERY_MS) return;
    toldAt = clock.monotonic();
    app.log.warn({ closed, most }, 'connections are closed unanswered: there are as many as MAX_CONNECTIONS allows');
    closed = 0;
  });
}
