import type { Readable } from 'node:stream';
import { SluiceError } from '../../engine/index.ts';
import type { Clock } from '../../engine/ports.ts';

/** The client closed its connection, or broke it, before the body was complete. There is nobody left to answer. */
export class ClientGoneError extends Error {
  override name = 'ClientGoneError';
  /** As Node calls it: no fault of ours, so it is not logged as one. */
  readonly code = 'ECONNRESET';
}

export interface ReadWaiter {
  /**
   * Waits until `read()` is worth another try; false when the stream has ended. Throws {@link ClientGoneError} when it broke
   * off, and `request-timeout` when nothing arrives in time.
   */
  next(): Promise<boolean>;
  /** MUST be called in the end. Leaves no listener on the stream. */
  dispose(): void;
}

/**
 * Waiting for a stream that is read by pulling. Its listeners stay for the whole reading: an event that comes between two
 * waits is remembered, and a request that breaks off meanwhile has its `error` heard (unheard it would end the process).
 */
export function createReadWaiter(stream: Readable, idleTimeoutMs: number, clock: Clock): ReadWaiter {
  let happened = false;
  let wake: (() => void) | undefined;
  const onEvent = (): void => {
    happened = true;
    wake?.();
  };
  const events = ['readable', 'end', 'error', 'close'];
  for (const event of events) stream.on(event, onEvent);

  async function next(): Promise<boolean> {
    if (!happened && !stream.destroyed) {
      await new Promise<void>((resolve, reject) => {
        const timer = clock.setTimer(() => {
          reject(new SluiceError('request-timeout', `No data of the body arrived for ${idleTimeoutMs / 1000} s (UPLOAD_IDLE_SECONDS).`));
        }, idleTimeoutMs);
        wake = () => {
          clock.clearTimer(timer);
          resolve();
        };
      }).finally(() => {
        wake = undefined;
      });
    }
    happened = false;
    if (stream.readableEnded) return false;
    // A request whose connection closes early never emits `end`: Node destroys it with ECONNRESET.
    if (stream.destroyed) {
      const cause = stream.errored ?? undefined;
      throw new ClientGoneError('The client disconnected before the body was complete', { cause });
    }
    return true;
  }

  function dispose(): void {
    for (const event of events) stream.off(event, onEvent);
  }

  return { next, dispose };
}
