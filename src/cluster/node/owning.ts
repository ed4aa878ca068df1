import type { Clock } from '../../engine/ports.ts';
import { StoreTrouble } from '../../engine/store.ts';
import type { ReplicatedStore } from '../replicated-store.ts';
import { within } from '../within.ts';
import type { Owned } from './contract.ts';

/** One ownership as it is carried out: its store, its host, its beats. */
export class Owning {
  private readonly store: ReplicatedStore;
  private readonly making: Promise<Owned>;
  private owned: Owned | null = null;
  /** Until it has appended something, a store names the instant at which it was made: that proves nothing. */
  private readonly madeAt: number;
  private isBeating = false;
  private deposing: Promise<void> | null = null;

  constructor(store: ReplicatedStore, host: Promise<Owned>) {
    this.store = store;
    this.madeAt = store.confirmedAt;
    this.making = host.then((owned) => {
      this.owned = owned;
      return owned;
    });
  }

  /** When the newest entry that this store has in the log for certain was sent; null before there is one. */
  get confirmedAt(): number | null {
    const { confirmedAt } = this.store;
    return confirmedAt === this.madeAt ? null : confirmedAt;
  }

  /** Resolves when the host works; rejects when it could not be made. */
  async begun(): Promise<void> {
    await this.making;
  }

  /** One at a time. Rejects when it is not known whether it is in the log. */
  async beat(): Promise<void> {
    if (this.isBeating) return;
    this.isBeating = true;
    try {
      await this.store.beat();
    } finally {
      this.isBeating = false;
    }
  }

  /** Nothing begins, for this reason; null: it goes on. */
  hold(reason: string | null): void {
    this.store.hold(reason === null ? null : new StoreTrouble(reason));
  }

  /** The host is thrown away in this turn; one that is still being made, as soon as it is there. Idempotent. */
  depose(): Promise<void> {
    // Whatever is still being made begins nothing until then.
    this.hold('this node does not own any more');
    this.deposing ??=
      this.owned?.depose() ??
      this.making.then(
        (owned) => owned.depose(),
        // There is none.
        () => undefined,
      );
    return this.deposing;
  }

  /** Writes the last entry of the ownership, after the host is gone. */
  async leave(clock: Clock, answerMs: number): Promise<void> {
    await this.depose();
    await within(clock, answerMs, () => this.store.leave());
  }
}
