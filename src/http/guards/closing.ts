import type { FastifyInstance, onRequestHookHandler } from 'fastify';
import { SluiceError } from '../../engine/index.ts';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** The route brings new work: it is refused as soon as a shutdown begins, before its body is read. */
    newWork?: boolean;
  }
}

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

/** Refuses the routes that bring new work (`config.newWork`) while the service shuts down. Call it before they are registered. */
export function refuseNewWork(app: FastifyInstance, isDraining: () => boolean): void {
  const refuse: onRequestHookHandler = (_request, _reply, done) => done(isDraining() ? new SluiceError('shutting-down') : undefined);
  app.addHook('onRoute', (route) => {
    if (route.config?.newWork) route.onRequest = [route.onRequest ?? [], refuse].flat();
  });
}
