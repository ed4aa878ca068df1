import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import type { FastifyInstance } from 'fastify';
import { type Clock, unref } from '../../engine/ports.ts';

/** Bounds of what is read of a body after its answer. */
export interface LingerBounds {
  /** From the end of the answer to the end of the connection. */
  seconds: number;
  /** Without a byte. */
  idleSeconds: number;
  bytes: number;
}

/** Enough for what an ordinary client has on its way at 100 Mbit/s, and little enough for one that never ends. */
export const LINGER: LingerBounds = { seconds: 30, idleSeconds: 5, bytes: 256 * 1024 * 1024 };

/** Ends the connection of a request with its answer, although its body is not complete. */
export type Linger = (raw: IncomingMessage) => void;

/**
 * Ends connections after their answers in two steps (RFC 9112 section 9.6): nothing more is sent, and what the client still sends is read and
 * thrown away until it has closed its side, within bounds. Closed at once, with bytes that nobody has read, the system resets it, and a client
 * that sends before it reads loses the answer.
 *
 * No other request of such a connection is served: it has been told that there is no further answer. Call it before the other hooks are added.
 */
export function lingerAfterAnswers(app: FastifyInstance, clock: Clock, bounds: LingerBounds = LINGER): Linger {
  const last = new WeakSet<Socket>();

  app.addHook('onRequest', ({ raw }, _reply, done) => {
    if (last.has(raw.socket)) raw.resume();
    else done();
  });

  return (raw) => {
    const { socket } = raw;
    if (last.has(socket)) return;
    last.add(socket);
    // What Node calls when the last answer of a connection is out.
    socket.destroySoon = () => {
      if (socket.destroyed || socket.writableEnded) return;
      socket.end();
      discard(raw, clock, bounds);
    };
  };
}

/** Between two looks at a connection that is read on. */
const LOOK_MS = 100;

/**
 * Reads what comes of a body until the client closes its side; cuts the connection at the bounds. It is the bytes of the connection that are looked at:
 * a body that nobody has begun to read is thrown away by Node before it is one.
 */
function discard(raw: IncomingMessage, clock: Clock, { seconds, idleSeconds, bytes }: LingerBounds): void {
  const { socket } = raw;
  const began = { at: clock.monotonic(), bytes: socket.bytesRead };
  let last = began;
  let timer: unknown;

  function plan(): void {
    timer = clock.setTimer(look, LOOK_MS);
    unref(timer);
  }

  function look(): void {
    const now = clock.monotonic();
    if (socket.bytesRead !== last.bytes) last = { at: now, bytes: socket.bytesRead };
    const isOver = now - began.at >= seconds * 1000 || now - last.at >= idleSeconds * 1000 || last.bytes - began.bytes > bytes;
    if (isOver) socket.destroy();
    else plan();
  }

  plan();
  socket.once('close', () => clock.clearTimer(timer));
  // A reader that still has the body keeps it; what one has left flows on.
  raw.resume();
}
