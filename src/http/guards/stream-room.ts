import type { ServerResponse } from 'node:http';
import { SluiceError } from '../../engine/index.ts';
import type { Caller } from './caller.ts';

/** The bounds of what is open at once. */
export interface StreamBounds {
  maxStreams: number;
  /** The most for the keys of one name. */
  maxStreamsPerKey: number;
}

export interface StreamRoom {
  /** How many streams are open. */
  readonly size: number;
  /**
   * Takes a place for an answer that stays open, until it is over or its client has gone. To be called before the request does anything. Throws
   * `too-many-streams`.
   */
  enter(caller: Caller, response: ServerResponse): void;
}

/** Counts the answers that stay open. Callers without a key are counted together with all others only. */
export function createStreamRoom({ maxStreams, maxStreamsPerKey }: StreamBounds): StreamRoom {
  const byName = new Map<string, number>();
  let size = 0;

  return {
    get size() {
      return size;
    },

    enter({ name }, response) {
      const own = byName.get(name) ?? 0;
      if (size >= maxStreams) throw new SluiceError('too-many-streams', `there are already ${size} open streams (MAX_STREAMS)`);
      if (name !== '' && own >= maxStreamsPerKey) {
        throw new SluiceError('too-many-streams', `the key "${name}" already has ${own} open streams (MAX_STREAMS_PER_KEY)`);
      }
      if (response.destroyed) return;
      size++;
      byName.set(name, own + 1);
      let isOpen = true;
      const leave = (): void => {
        if (!isOpen) return;
        isOpen = false;
        size--;
        const left = (byName.get(name) ?? 1) - 1;
        if (left === 0) byName.delete(name);
        else byName.set(name, left);
      };
      response.once('close', leave).once('finish', leave);
    },
  };
}
