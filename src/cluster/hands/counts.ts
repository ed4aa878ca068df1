import type { HandMeasurements } from '../../schemas/hands.ts';
import type { Member } from './member.ts';

/** Counts of hands and of their calls since the process started. */
export class HandCounts {
  /** Hands whose connection ended without a word, or that were silent. */
  lost = 0;
  /** Calls that a hand had and that wait for another one. */
  givenAgain = 0;
  /** Calls that were made in this process, since no hand came back. */
  madeHere = 0;
  /** Over all connections, as frames without their heads. */
  bytesIn = 0;
  bytesOut = 0;

  measured(members: Iterable<Member>, waiting: number): HandMeasurements {
    const connected = { fit: 0, unfit: 0, leaving: 0 };
    let [running, capacity] = [0, 0];
    for (const member of members) {
      connected[member.isLeaving ? 'leaving' : member.fault === null ? 'fit' : 'unfit']++;
      running += member.running;
      if (!member.isLeaving) capacity += member.capacity;
    }
    const { lost, givenAgain, madeHere, bytesIn, bytesOut } = this;
    return { connected, running, capacity, waiting, lost, givenAgain, madeHere, bytesIn, bytesOut };
  }
}
