import type { Clock } from '../../engine/ports.ts';
import type { Member } from './member.ts';

/** So long after the last hand that had a task has gone, one is taken to come back. */
const BACK_MS = 30_000;

/** For which tasks a hand is there, or was so shortly ago that it is taken to come back. */
export class Presence {
  private readonly members: ReadonlySet<Member>;
  private readonly clock: Clock;
  /** Hands are on their way, whether one is there or not. */
  private readonly isExpected: boolean;
  /** When the last hand has gone that had a task. There are no more of them than tasks. */
  private readonly lastHad = new Map<string, number>();

  constructor(members: ReadonlySet<Member>, clock: Clock, isExpected: boolean) {
    this.members = members;
    this.clock = clock;
    this.isExpected = isExpected;
  }

  isFor(key: string): boolean {
    return this.leftMs(key) > 0;
  }

  /** For how much longer that is so if nobody comes, in milliseconds; 0 when it is not. */
  leftMs(key: string): number {
    if (this.isExpected || this.isConnected(key)) return Number.POSITIVE_INFINITY;
    const at = this.lastHad.get(key);
    return at === undefined ? 0 : Math.max(0, at + BACK_MS - this.clock.monotonic());
  }

  /** A hand that is among the members no longer. */
  left(member: Member): void {
    const now = this.clock.monotonic();
    for (const key of member.taskKeys) if (!this.isConnected(key)) this.lastHad.set(key, now);
  }

  private isConnected(key: string): boolean {
    for (const member of this.members) if (member.hasTask(key)) return true;
    return false;
  }
}
