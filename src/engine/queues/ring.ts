import type { Worker } from '../model/model.ts';

/** First in, first out; it grows to the number of workers that were ready at the same time, and allocates nothing after that. */
export class WorkerRing {
  private slots: (Worker | undefined)[] = new Array<Worker | undefined>(64).fill(undefined);
  private head = 0;
  length = 0;

  push(worker: Worker): void {
    const size = this.slots.length;
    if (this.length === size) {
      const inOrder = [...this.slots.slice(this.head), ...this.slots.slice(0, this.head)];
      this.slots = [...inOrder, ...new Array<Worker | undefined>(size).fill(undefined)];
      this.head = 0;
    }
    this.slots[(this.head + this.length) & (this.slots.length - 1)] = worker;
    this.length++;
  }

  *[Symbol.iterator](): Generator<Worker> {
    for (let i = 0; i < this.length; i++) yield this.slots[(this.head + i) & (this.slots.length - 1)] as Worker;
  }

  shift(): Worker {
    const worker = this.slots[this.head] as Worker;
    this.head = (this.head + 1) & (this.slots.length - 1);
    this.length--;
    return worker;
  }
}
