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

/**
 * How much of all pipelines of a host is not stored yet: however many there are, they share one store and one memory. When it is much, no pipeline takes
 * on more, until the store has caught up.
 */
export class Unstored {
  /** Changed items. */
  items = 0;
  /** Characters of their large values, without those that are being written. */
  characters = 0;
  isFull = false;
  private listeners: ((isFull: boolean) => void)[] = [];

  /** Calls `changed` when workers must pause until the store catches up, with false when it has. Returns the function that unsubscribes. */
  watch(changed: (isFull: boolean) => void): () => void {
    this.listeners.push(changed);
    if (this.isFull) changed(true);
    return () => {
      this.listeners = this.listeners.filter((other) => other !== changed);
    };
  }

  add(items: number, characters: number): void {
    this.items += items;
    this.characters += characters;
    if (!this.isFull && (this.items >= FULL || this.characters >= FULL_CHARACTERS)) this.set(true);
  }

  remove(items: number, characters: number): void {
    this.items -= items;
    this.characters -= characters;
    if (this.isFull && this.items < FULL / 2 && this.characters < FULL_CHARACTERS / 2) this.set(false);
  }

  /** Whether feeding is to wait; `meanCharacters` is the average size of an item, as far as it is known. */
  isCrowded(meanCharacters: number): boolean {
    return this.items >= CROWDED || Math.max(this.characters, this.items * meanCharacters) >= CROWDED_CHARACTERS;
  }

  private set(isFull: boolean): void {
    this.isFull = isFull;
    const served = new Set<(isFull: boolean) => void>();
    for (const changed of this.listeners) {
      served.add(changed);
      changed(isFull);
      // Those who go on first may have filled it again.
      if (this.isFull !== isFull) break;
    }
    // The others go on before them the next time.
    this.listeners = [...this.listeners.filter((each) => !served.has(each)), ...this.listeners.filter((each) => served.has(each))];
  }
}
