import type { FastifyInstance } from 'fastify';

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
