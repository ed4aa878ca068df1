import type { Logger } from '../../engine/ports.ts';
import type { Member } from './member.ts';

const NAMED_HANDS = 10;
const ALONE = 'the hands that have it are kept free for a call that ran whenever a hand was lost, and now runs alone';
const SUSPECTS = 'they ran on a hand that was lost, and each hand takes one such call at a time';

/** Says why calls wait for a hand: to who asks, and once to the log when no hand has their task. */
export class LackOfHands {
  private readonly members: ReadonlySet<Member>;
  private readonly logger: Logger;
  /** Tasks that the log has named. */
  private readonly named = new Set<string>();

  constructor(members: ReadonlySet<Member>, logger: Logger) {
    this.members = members;
    this.logger = logger;
  }

  why(key: string): string {
    const [first] = this.members;
    if (first === undefined) return 'no hand is connected';
    const able = [...this.members].filter((member) => member.hasTask(key));
    if (able.length === 0) return `no hand that is connected has it; ${first.name}: ${first.fault}`;
    const staying = able.filter((member) => !member.isLeaving);
    if (staying.length === 0) return 'the hands that have it are leaving';
    const roomy = staying.filter((member) => member.running < member.capacity);
    if (roomy.length === 0) return 'the hands that have it are busy';
    // A hand with room that takes nothing is kept for a suspect; one that takes something leaves only suspects waiting.
    return roomy.every((member) => member.lone !== null) ? ALONE : SUSPECTS;
  }

  /** A call of this task waits. */
  tell(key: string): void {
    if (this.named.has(key) || this.members.size === 0) return;
    for (const member of this.members) if (member.hasTask(key)) return;
    this.named.add(key);
    const hands = [...this.members].slice(0, NAMED_HANDS).map(({ name, fault }) => ({ name, fault }));
    this.logger.warn({ task: key, hands }, 'a call waits for a hand that has its task; none that is connected has');
  }

  /** A hand has come: what it has is lacking no longer. */
  ended(member: Member): void {
    for (const key of this.named) if (member.hasTask(key)) this.named.delete(key);
  }
}
