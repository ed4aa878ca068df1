import type { StoreTrouble, Writes } from '../../engine/store.ts';
import { toldOf } from './trouble.ts';
import type { Writer } from './writer.ts';

export type Told = (trouble: StoreTrouble | null) => void;

/** Executes writes, in this process or in a thread. */
export interface Sink {
  /** Rejects with a {@link StoreTrouble} when the same write may succeed later, and with any other error when it never will. `place`: the one that a copy has with it. */
  write(writes: Writes, place?: string): Promise<void>;
  /** Calls `told` when the files are found to be missing, and when they are back. */
  watch(told: Told): void;
  close(): Promise<void>;
}

/** Numbers the writes of one store; a write that is tried again keeps its number, by which a {@link Writer} knows what it has already. */
export class WriteNumbers {
  private number: number;
  private last: Writes | null = null;

  /** `applied`: the number of the last write that the file has. */
  constructor(applied: number) {
    this.number = applied;
  }

  of(writes: Writes): number {
    if (writes !== this.last) {
      this.last = writes;
      this.number++;
    }
    return this.number;
  }

  /** The last one is stored. */
  done(): void {
    this.last = null;
  }
}

export class LocalSink implements Sink {
  private readonly writer: Writer;
  private readonly numbers: WriteNumbers;

  constructor(writer: Writer) {
    this.writer = writer;
    this.numbers = new WriteNumbers(writer.applied);
  }

  async write(writes: Writes, place?: string): Promise<void> {
    try {
      this.writer.apply(writes, this.numbers.of(writes), place);
    } catch (error) {
      throw toldOf(error);
    }
    this.numbers.done();
    while (this.writer.dropSome());
  }

  /** It looks at its files when it writes. */
  watch(): void {}

  async close(): Promise<void> {
    this.writer.close();
  }
}
