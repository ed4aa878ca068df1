/** First in, first out, on a circular array that doubles; it allocates nothing while it does not grow. */
export class Ring<T> {
  /** The key by which the owner knows the ring. */
  readonly key: number;
  length = 0;
  private slots: (T | undefined)[];
  private head = 0;

  /** `capacity`: places that it has from the start, a power of two. */
  constructor(key = 0, capacity = 4) {
    this.key = key;
    this.slots = new Array<T | undefined>(capacity).fill(undefined);
  }

  push(value: T): void {
    const size = this.slots.length;
    if (this.length === size) this.grow();
    this.slots[(this.head + this.length) & (this.slots.length - 1)] = value;
    this.length++;
  }

  /** To be called only while `length` is above 0. */
  shift(): T {
    const value = this.slots[this.head] as T;
    this.slots[this.head] = undefined;
    this.head = (this.head + 1) & (this.slots.length - 1);
    this.length--;
    return value;
  }

  peek(): T {
    return this.slots[this.head] as T;
  }

  at(index: number): T {
    return this.slots[(this.head + index) & (this.slots.length - 1)] as T;
  }

  *[Symbol.iterator](): Generator<T> {
    for (let i = 0; i < this.length; i++) yield this.at(i);
  }

  private grow(): void {
    const old = this.slots;
    const bigger = new Array<T | undefined>(old.length * 2);
    for (let i = 0; i < this.length; i++) bigger[i] = old[(this.head + i) & (old.length - 1)];
    for (let i = this.length; i < bigger.length; i++) bigger[i] = undefined;
    this.slots = bigger;
    this.head = 0;
  }
}
