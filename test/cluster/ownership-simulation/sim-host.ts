import type { Owned } from '../../../src/cluster/node.ts';
import type { Clock } from '../../../src/engine/ports.ts';
import { type Store, StoreTrouble, type Writes } from '../../../src/engine/store.ts';
import { noWrites } from '../../stores/store-writes.ts';

/** What a host tells those who watch it. */
export interface HostWatch {
  /** It begins something, and will write it under this number. */
  begins(): number;
  answers(id: number): void;
  random: () => number;
}

const AGAIN_MS = 500;

/** The part of an engine that matters here: it begins nothing while its store is in trouble, and writes one thing at a time, again until it is stored. */
export class SimHost implements Owned {
  private readonly store: Store;
  private readonly clock: Clock;
  private readonly watch: HostWatch;
  private trouble: StoreTrouble | null = null;
  private isOver = false;
  private isWriting = false;

  constructor(store: Store, clock: Clock, watch: HostWatch) {
    this.store = store;
    this.clock = clock;
    this.watch = watch;
    store.watch?.((trouble) => {
      if (trouble !== null || !this.isWriting) this.trouble = trouble;
    });
    this.work();
  }

  async depose(): Promise<void> {
    this.isOver = true;
  }

  /** As when an answer of a task reaches the engine: it reads the clock, and begins the next. */
  private readonly work = (): void => {
    if (this.isOver) return;
    this.clock.setTimer(this.work, 100 + 1200 * this.watch.random());
    this.clock.monotonic();
    if (this.isOver || this.isWriting || this.trouble !== null) return;
    const id = this.watch.begins();
    this.isWriting = true;
    this.write(id, noWrites(1, { facts: [['id', String(id)]] }));
  };

  private write(id: number, writes: Writes): void {
    this.store.write(writes).then(
      () => {
        this.isWriting = false;
        this.trouble = null;
        if (!this.isOver) this.watch.answers(id);
      },
      (error: unknown) => {
        if (this.isOver) return;
        if (!(error instanceof StoreTrouble)) throw error;
        this.trouble = error;
        this.clock.setTimer(() => this.isOver || this.write(id, writes), AGAIN_MS);
      },
    );
  }
}
