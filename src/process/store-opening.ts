import type { Clock, Logger } from '../engine/ports.ts';
import { StoreTrouble } from '../engine/store.ts';

export interface StoreOpeningDeps<T> {
  open: () => Promise<T>;
  clock: Clock;
  logger: Logger;
  /** Told why the store cannot be opened now, and null when it is open. */
  tell: (trouble: string | null) => void;
}

/** The time until it is tried again, as for a write that has failed. */
const AGAIN_MS = 500;

/** Opens a store as soon as its disk, or its server, lets it: a full disk is emptied some time, and the start goes on by itself. What stays wrong is thrown. */
export class StoreOpening<T> {
  private readonly deps: StoreOpeningDeps<T>;
  private trouble: string | null = null;

  constructor(deps: StoreOpeningDeps<T>) {
    this.deps = deps;
  }

  /** Tries once; null when it cannot be opened now. */
  async attempt(): Promise<T | null> {
    try {
      const store = await this.deps.open();
      this.note(null);
      return store;
    } catch (error) {
      if (!(error instanceof StoreTrouble)) throw error;
      this.note(error.reason, error);
      return null;
    }
  }

  /** Tries until it is open. */
  async open(): Promise<T> {
    for (;;) {
      await new Promise<void>((resolve) => this.deps.clock.setTimer(resolve, AGAIN_MS));
      const store = await this.attempt();
      if (store !== null) return store;
    }
  }

  private note(trouble: string | null, err?: StoreTrouble): void {
    if (trouble === this.trouble) return;
    const { logger, tell } = this.deps;
    this.trouble = trouble;
    if (trouble === null) logger.info({}, 'the store is open; the start goes on');
    else logger.error({ err, reason: trouble }, 'the store cannot be opened; the start waits until it can');
    tell(trouble);
  }
}
