import type { ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { FastifyInstance } from 'fastify';
import { type Clock, unref } from '../../engine/ports.ts';
import type { KeyRing } from './key-ring.ts';
import type { OpenRequests } from './open-requests.ts';

/** The time that a request of a revoked key may still take; then its connection is cut. */
const GRACE_SECONDS = 2;

/**
 * Ends what a key has begun when it is revoked, or no longer gives the same rights: event streams, uploads, waits. Its short requests may still end; two
 * seconds later the connections of the others are cut. What was accepted of an upload stays accepted.
 */
export function cutRevokedKeys(
  app: FastifyInstance,
  { keys, requests, clock }: { keys: KeyRing; requests: OpenRequests; clock: Clock },
): void {
  const sockets = new Set<Socket>();
  app.server.on('connection', (socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  });

  /** The answers that are under way to keys which are not in force, by connection. */
  function revoked(): Map<Socket, { answer: ServerResponse; name: string }> {
    const found = new Map<Socket, { answer: ServerResponse; name: string }>();
    for (const socket of sockets) {
      const { _httpMessage: answer } = socket as { _httpMessage?: ServerResponse | null };
      const caller = requests.of(socket)?.caller;
      if (answer && caller?.key && !keys.holds(caller.key)) found.set(socket, { answer, name: caller.name });
    }
    return found;
  }

  keys.onChange(() => {
    const open = revoked();
    if (open.size === 0) return;
    const timer = clock.setTimer(() => {
      const names = new Set<string>();
      let connections = 0;
      for (const [socket, { answer, name }] of revoked()) {
        if (open.get(socket)?.answer !== answer) continue;
        names.add(name);
        connections++;
        socket.destroy();
      }
      if (connections > 0) app.log.info({ keys: [...names].sort(), connections }, 'what revoked keys had open was cut');
    }, GRACE_SECONDS * 1000);
    unref(timer);
  });
}
