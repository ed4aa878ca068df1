import type { Socket } from 'node:net';
import type { FastifyInstance } from 'fastify';
import { type Clock, unref } from '../../engine/ports.ts';

/** How long what was written may stand without a single byte of it being taken. */
const STANDS_SECONDS = 30;
const LOOK_SECONDS = 5;

/** How far the writing on a connection was when it was last seen to move. */
interface Progress {
  taken: number;
  queued: number;
  since: number;
}

/**
 * Cuts connections whose client does not read what it asked for: whatever waits for it, a document, a list, a stream of results, is
 * held in memory meanwhile. It is the bytes that are looked at, not the reply: who reads slowly is waited for as long as the operating
 * system takes anything at all.
 *
 * All connections are looked at together every few seconds, so that a request costs nothing. Event streams have a rule of their own beside it,
 * see sse-hub.ts.
 */
export function cutUnreadReplies(app: FastifyInstance, clock: Clock): void {
  const open = new Map<Socket, Progress>();
  let timer: unknown;

  function plan(): void {
    timer = clock.setTimer(look, LOOK_SECONDS * 1000);
    unref(timer);
  }

  function look(): void {
    const now = clock.monotonic();
    for (const [socket, progress] of open) {
      const { taken, queued } = writingOf(socket);
      if (socket.writableLength === 0 || taken !== progress.taken || queued !== progress.queued) {
        open.set(socket, { taken, queued, since: now });
      } else if (now - progress.since >= STANDS_SECONDS * 1000) {
        app.log.info({ bytes: socket.writableLength, seconds: STANDS_SECONDS }, 'a reply that nobody read was cut');
        socket.destroy();
      }
    }
    plan();
  }

  app.server.on('connection', (socket) => {
    open.set(socket, { ...writingOf(socket), since: clock.monotonic() });
    socket.once('close', () => {
      open.delete(socket);
      if (open.size > 0) return;
      clock.clearTimer(timer);
      timer = undefined;
    });
  });
  // Before there is something to answer, there is nothing to look at.
  app.server.on('request', () => {
    if (timer === undefined) plan();
  });
}

/**
 * `taken`: what was written and is off our hands, but for the one write that is under way. How much of that is left is known to its handle
 * alone; Node's own timeout of a socket looks there too.
 */
function writingOf(socket: Socket): { taken: number; queued: number } {
  const { _handle: handle } = socket as { _handle?: { writeQueueSize?: number } | null };
  return { taken: socket.bytesWritten - socket.writableLength, queued: handle?.writeQueueSize ?? 0 };
}
