import type { FastifyInstance, onRequestHookHandler } from 'fastify';
import { SluiceError } from '../../engine/index.ts';

/**
 * Lets `app.close()` end: by itself it waits for event streams and for keep-alive connections that were busy when it began.
 *
 * - `preClose` ends the streams, while the server still answers.
 * - While draining every reply carries `Connection: close`, so that a connection ends with the request it is serving; nothing
 *   in flight is lost, as it would be with `forceCloseConnections: true`.
 */
export function closeGently(app: FastifyInstance, deps: { isDraining: () => boolean; endStreams: () => Promise<void> }): void {
  let closing = false;
  app.addHook('preClose', async () => {
    closing = true;
    await deps.endStreams();
  });
  app.addHook('onSend', (_request, reply, payload, done) => {
    if (closing || deps.isDraining()) reply.header('connection', 'close');
    done(null, payload);
  });
}

/** The requests that end work, and go on to the end: cancelling, and a shutdown that becomes a harder one. */
const ENDS_WORK: readonly string[] = [
  'POST /shutdown',
  'POST /pipelines/:id/cancel',
  'DELETE /pipelines/:id/items/:itemId',
  'DELETE /pipelines/:id/feeds/:feedId',
];

/**
 * Whether requests to a route are refused from the moment a shutdown begins, before their body is read: all that change something, or wait for
 * what would not come. What they did would be gone after it, or be done to pipelines that have stopped.
 */
export function isRefusedAtTheEnd(method: string | readonly string[], url: string): boolean {
  const isSafe = [method].flat().every((name) => name === 'GET' || name === 'HEAD' || name === 'OPTIONS');
  return !isSafe && !ENDS_WORK.includes(`${method} ${url}`);
}

/** Refuses these requests while the service shuts down. Call it before the routes are registered. */
export function refuseChanges(app: FastifyInstance, isDraining: () => boolean): void {
  const refuse: onRequestHookHandler = (_request, _reply, done) => done(isDraining() ? new SluiceError('shutting-down') : undefined);
  app.addHook('onRoute', (route) => {
    if (isRefusedAtTheEnd(route.method, route.url)) route.onRequest = [route.onRequest ?? [], refuse].flat();
  });
}
