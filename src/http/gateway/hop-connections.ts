import type { Socket } from 'node:net';
import type { Clock } from '../../engine/ports.ts';

/**
 * Connections on which other nodes pass requests on. A server that closes one while it is idle may cross a request that is on its way, and then nobody knows whether that was carried
 * out. So an owner that ends closes none: it still answers what comes, that it ends, and closes the connection with the answer; the others close theirs when they
 * hear that it has left.
 */
export class HopConnections {
  private readonly sockets = new Set<Socket>();
  private gone: (() => void) | null = null;

  note(socket: Socket): void {
    if (this.sockets.has(socket)) return;
    this.sockets.add(socket);
    socket.once('close', () => {
      this.sockets.delete(socket);
      if (this.sockets.size === 0) this.gone?.();
    });
  }

  /** Resolves when there is none, or after `ms` milliseconds: one whose node is cut off is never closed by it. */
  async allGone(clock: Clock, ms: number): Promise<void> {
    if (this.sockets.size === 0) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.gone = resolve;
    const late = clock.setTimer(resolve, ms);
    await promise;
    clock.clearTimer(late);
  }
}
