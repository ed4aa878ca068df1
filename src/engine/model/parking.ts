import type { Due } from '../time/due-queue.ts';

/** The wait of an item between two attempts. */
export interface Parking extends Due {
  /** The instant as it is stored, in whole milliseconds of {@link EngineClock.lasting}. */
  due: number;
}
