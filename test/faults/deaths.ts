/** The ways in which the service dies, or nearly. Each of them leaves one that listens. */
import { setTimeout as after } from 'node:timers/promises';
import type { Random } from '../engine/simulation/random.ts';
import type { SmallDisk } from './disk.ts';

/** What a death can do to the service of a round. */
export interface Mortal {
  random: Random;
  /** null when it has none that can be full. */
  disk: SmallDisk | null;
  signal(signal: NodeJS.Signals): void;
  /** It has ended, or ends soon. */
  ended(): Promise<void>;
  /** Starts it, waits until it listens, and lets the clients know where. */
  start(): Promise<void>;
  /** Starts it, and waits for nothing. */
  beginStart(): void;
}

type Death = (mortal: Mortal) => Promise<void>;

/** The longest start on a machine that is not busy. */
const START_MS = 900;

async function kill(mortal: Mortal): Promise<void> {
  mortal.signal('SIGKILL');
  await mortal.ended();
}

export const DEATHS: Record<string, Death> = {
  async once(mortal) {
    await kill(mortal);
    await mortal.start();
  },

  /** What the first start has begun to take up is cut short at once. */
  async twice(mortal) {
    await kill(mortal);
    await mortal.start();
    await after(mortal.random.int(0, 60));
    await kill(mortal);
    await mortal.start();
  },

  async duringStarts(mortal) {
    await kill(mortal);
    for (let left = mortal.random.int(1, 3); left > 0; left--) {
      mortal.beginStart();
      await after(mortal.random.int(0, START_MS));
      await kill(mortal);
    }
    await mortal.start();
  },

  /** While it stops as it was asked to. */
  async duringStop(mortal) {
    mortal.signal('SIGTERM');
    await after(mortal.random.int(0, 150));
    await kill(mortal);
    await mortal.start();
  },

  async stop(mortal) {
    mortal.signal('SIGTERM');
    await mortal.ended();
    await mortal.start();
  },

  /** It stands still, and goes on as if nothing had been. */
  async freeze(mortal) {
    mortal.signal('SIGSTOP');
    await after(mortal.random.int(50, 700));
    mortal.signal('SIGCONT');
  },

  async frozen(mortal) {
    mortal.signal('SIGSTOP');
    await after(mortal.random.int(50, 300));
    await kill(mortal);
    await mortal.start();
  },

  async fullDisk(mortal) {
    mortal.disk?.fill();
    await after(mortal.random.int(50, 600));
    mortal.disk?.free();
  },

  async onFullDisk(mortal) {
    mortal.disk?.fill();
    await after(mortal.random.int(20, 300));
    await kill(mortal);
    mortal.disk?.free();
    await mortal.start();
  },
};
