import type { Clock } from '../../engine/ports.ts';

/** After so long the rest of the process has its turn, as after the work of pipelines. */
const TURN_MS = 5;

interface Waiting {
  since: number;
  enter(waitedMs: number): void;
}

/**
 * Lets requests in so that a turn of the event loop is theirs only in part, however many have come: the others wait, in the order in which they came, with
 * their bodies unread. Without this, a thousand connections with something to say hold every turn for a fifth of a second, of which the pipelines have 5 ms.
 *
 * A request that is let in does most of its work before the next one is.
 */
export class Intake {
  private readonly clock: Clock;
  private readonly waiting: Waiting[] = [];
  private head = 0;
  private isCounting = false;
  private startedAt = 0;

  constructor(clock: Clock) {
    this.clock = clock;
  }

  /** Whether more come than can be let in. */
  get isBusy(): boolean {
    return this.head < this.waiting.length;
  }

  /** Calls `enter`, now or in a turn that has time for it, with how long that took. */
  let(enter: (waitedMs: number) => void): void {
    if (!this.isBusy && !this.isOver()) {
      enter(0);
      return;
    }
    this.waiting.push({ since: this.clock.monotonic(), enter });
    this.clock.defer(this.letIn);
  }

  /** Lets in all who wait, at once. */
  letAllIn(): void {
    while (this.isBusy) this.next();
  }

  /** Called once for each, so that whoever is let in has done its work before the one after it has its chance. */
  private readonly letIn = (): void => {
    if (!this.isBusy) return;
    if (this.isOver()) this.clock.defer(this.letIn);
    else this.next();
  };

  private next(): void {
    const { since, enter } = this.waiting[this.head] as Waiting;
    this.head++;
    if (this.head === this.waiting.length || this.head >= 1000) {
      this.waiting.splice(0, this.head);
      this.head = 0;
    }
    enter(this.clock.monotonic() - since);
  }

  private isOver(): boolean {
    const { clock } = this;
    const now = clock.monotonic();
    if (!this.isCounting) {
      this.isCounting = true;
      this.startedAt = now;
      clock.defer(() => {
        this.isCounting = false;
      });
    }
    return now - this.startedAt > TURN_MS;
  }
}
