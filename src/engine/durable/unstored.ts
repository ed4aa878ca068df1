import type { Clock } from '../ports.ts';
import { type TurnQueue, turnQueue } from '../time/turn.ts';

/** With this many changed items that are not stored, no worker takes another item; below half of it they go on. */
const FULL = 3072;
/** With this many of them, or this much text, feeding waits for the store. */
const CROWDED = 1536;
const CROWDED_CHARACTERS = 2 * 1024 * 1024;
/**
 * With this much text that no transaction has taken on, no worker takes another item either. It takes a few hundredths of a second to gather, during
 * which nothing else happens.
 */
const FULL_CHARACTERS = 3 * 1024 * 1024;

type Told = (isFull: boolean) => void;

/**
 * How much of all pipelines of a host is not stored yet: however many there are, they share one store and one memory. When it is much, no pipeline takes
 * on more, until the store has caught up. All are told at once that it is full, but one after the other that they may go on, since each of them begins to
 * work at once: as many in a turn as fit. Those who are not told before it is full again go first the next time.
 */
export class Unstored {
  /** Changed items. */
  items = 0;
  /** Characters of their large values, without those that are being written. */
  characters = 0;
  isFull = false;
  private readonly turns: TurnQueue;
  /** Whoever may take on more, and whoever must not, each in the order in which they were told. */
  private readonly free = new Set<Told>();
  private readonly held = new Set<Told>();

  constructor(clock: Clock) {
    this.turns = turnQueue(clock);
  }

  /** Calls `told` when workers must pause until the store catches up, with false when they may go on. Returns the function that unsubscribes. */
  watch(told: Told): () => void {
    if (this.isFull) this.hold(told);
    else this.free.add(told);
    return () => void (this.free.delete(told) || this.held.delete(told));
  }

  add(items: number, characters: number): void {
    this.items += items;
    this.characters += characters;
    if (this.isFull || (this.items < FULL && this.characters < FULL_CHARACTERS)) return;
    this.isFull = true;
    for (const told of this.free) this.hold(told);
  }

  remove(items: number, characters: number): void {
    this.items -= items;
    this.characters -= characters;
    if (!this.isFull || this.items >= FULL / 2 || this.characters >= FULL_CHARACTERS / 2) return;
    this.isFull = false;
    this.turns.add(this.letNextOn);
  }

  /** Whether feeding is to wait; `meanCharacters` is the average size of an item, as far as it is known. */
  isCrowded(meanCharacters: number): boolean {
    return this.items >= CROWDED || Math.max(this.characters, this.items * meanCharacters) >= CROWDED_CHARACTERS;
  }

  private hold(told: Told): void {
    this.free.delete(told);
    this.held.add(told);
    told(true);
  }

  private readonly letNextOn = (): void => {
    const [told] = this.held;
    if (this.isFull || told === undefined) return;
    this.held.delete(told);
    this.free.add(told);
    // What fits into this turn follows in it.
    this.turns.add(this.letNextOn);
    told(false);
  };
}
