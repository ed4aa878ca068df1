import type { Marks } from '../flow/ready-workers.ts';
import type { Worker } from '../model/model.ts';
import { ENDED, type RunningMarks } from '../store.ts';

/**
 * The places in the file of marks, for the workers of all pipelines. A free one is given again, the lowest first: what is written at once is all
 * between the lowest and the highest place that has changed.
 */
export class Slots {
  private readonly taken: boolean[] = [];
  /** No place below is free. */
  private lowest = 0;

  take(): number {
    while (this.taken[this.lowest] === true) this.lowest++;
    this.taken[this.lowest] = true;
    return this.lowest++;
  }

  free(slot: number): void {
    this.taken[slot] = false;
    if (slot < this.lowest) this.lowest = slot;
  }
}

/**
 * The marks of one pipeline. A worker's slot says what it has begun last, for as long as the worker is there. What stays in a free slot says no more than
 * that of an idle worker: the item has left that place in its queue, as its row tells once it is written; until then a crash would have it run again.
 *
 * One slot is different: that of the highest sequence id that was begun tells the next start which ids tasks have seen, though nothing of the items may be
 * stored. It is not free before a higher id, or the pipeline's removal, is in the store's hands: a worker that goes leaves it behind as the spare one.
 */
export class PipelineMarks implements Marks {
  private readonly pipeline: number;
  private readonly marks: RunningMarks;
  private readonly slots: Slots;
  private readonly own = new Set<number>();
  private highest = 0;
  private highestAt = -1;
  private spare = -1;
  private isOver = false;

  constructor(pipeline: number, marks: RunningMarks, slots: Slots) {
    this.pipeline = pipeline;
    this.marks = marks;
    this.slots = slots;
  }

  note(workers: Iterable<Worker>): void {
    const { marks, pipeline } = this;
    if (this.isOver) return;
    for (const worker of workers) {
      const { item } = worker;
      if (item === null) continue;
      if (worker.slot < 0) worker.slot = this.take();
      if (item.sequenceId >= this.highest) {
        this.highest = item.sequenceId;
        this.highestAt = worker.slot;
      } else if (worker.slot === this.highestAt) {
        if (this.spare < 0) this.spare = this.take();
        this.keepHighest(this.spare);
      }
      marks.set(worker.slot, pipeline, item.sequenceId, item.ord);
    }
    marks.write();
  }

  left(worker: Worker): void {
    const { slot } = worker;
    worker.slot = -1;
    if (!this.own.has(slot)) return;
    if (slot !== this.highestAt) {
      this.free(slot);
      return;
    }
    if (this.spare >= 0) this.free(this.spare);
    this.spare = slot;
    this.keepHighest(slot);
  }

  end(): void {
    this.isOver = true;
    for (const slot of this.own) {
      // To the next start it would be that of a pipeline that was begun and never written.
      this.marks.set(slot, this.pipeline, 0, ENDED);
      this.slots.free(slot);
    }
    this.marks.write();
    this.own.clear();
  }

  private keepHighest(slot: number): void {
    this.highestAt = slot;
    this.marks.set(slot, this.pipeline, this.highest, ENDED);
  }

  private take(): number {
    const slot = this.slots.take();
    this.own.add(slot);
    return slot;
  }

  private free(slot: number): void {
    this.own.delete(slot);
    this.slots.free(slot);
  }
}
