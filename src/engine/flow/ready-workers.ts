import type { Item, Worker } from '../model/model.ts';
import { Ring } from '../queues/ring.ts';
import type { Outcome } from '../stage/hinge.ts';
import type { EngineClock } from '../time/engine-clock.ts';
import { TURN_MS, Turn } from '../time/turn.ts';
import type { Beginner, Careful } from './careful.ts';

/** Records which items are about to run in a file that survives a crash, see `RunningMarks` in store.ts. */
export interface Marks {
  /** Records the items of all these workers at once. */
  note(workers: Iterable<Worker>): void;
  /** A worker without an item is gone, and needs its place no more. */
  left(worker: Worker): void;
  /** The pipeline is gone, from the store too. */
  end(): void;
}

interface ReadyWorkersDeps {
  time: EngineClock;
  /** null without a store. */
  marks: Marks | null;
  /** Holds items until they are stored; null without a store. */
  careful: Careful | null;
  /** Has the store told of an item's present state. */
  touch: (item: Item) => void;
  /** Whether nothing may begin now, because the store has to catch up or is in trouble. Whoever ends that calls {@link ReadyWorkers.run}. */
  isHeld: () => boolean;
  /** Carries out an outcome that came at once. */
  apply: (worker: Worker, outcome: Outcome) => void;
}

/**
 * The workers that have an item and have not begun it, and the one loop that runs them. Tasks are never called from within an outcome, so
 * nothing recurses. The loop ends with its {@link Turn}, even when tasks settle in microtasks only, so a busy pipeline cannot starve I/O.
 */
export class ReadyWorkers implements Beginner {
  readonly turn: Turn;
  private readonly deps: ReadyWorkersDeps;
  private readonly ready = new Ring<Worker>(0, 64);
  private isRunning = false;
  private isYielding = false;
  private sinceCheck = 0;

  constructor(deps: ReadyWorkersDeps) {
    this.deps = deps;
    this.turn = new Turn(deps.time, () => {
      if (!this.isYielding) return;
      this.isYielding = false;
      this.run();
    });
  }

  push(worker: Worker): void {
    this.ready.push(worker);
  }

  /** Runs all of them, including those that become ready meanwhile. A nested call does nothing, nor does one between two turns of this loop. */
  run(): void {
    if (this.isRunning || this.isYielding) return;
    this.isRunning = true;
    this.turn.sync();
    const { time, careful } = this.deps;
    const since = time.fresh();
    try {
      for (;;) {
        if (this.ready.length === 0 || this.deps.isHeld()) break;
        // Checked after every sixteenth item, and at once after a slow one: sixteen of those would take long.
        if (((++this.sinceCheck & 15) === 0 || this.turn.wasAsked || time.fresh() - since > TURN_MS) && this.turn.isOver(since)) {
          this.isYielding = true;
          return;
        }
        const worker = this.ready.shift();
        if (!worker.isAssigned || (careful?.isOn === true && careful.holds(worker, this))) continue;
        if (this.deps.marks !== null && !worker.isMarked) this.mark(this.deps.marks, worker);
        worker.isAssigned = false;
        const outcome = worker.runner.run(worker, worker.item as Item);
        if (outcome !== undefined) this.deps.apply(worker, outcome);
      }
      // Feeding items one by one calls this for each.
      if (!this.turn.wasAsked && time.fresh() - since > TURN_MS) this.turn.isOver(since);
    } finally {
      this.isRunning = false;
    }
  }

  touch(item: Item): void {
    this.deps.touch(item);
  }

  begin(worker: Worker): void {
    this.push(worker);
    this.deps.time.tick();
    this.run();
  }

  /** Marks all workers that run next, which costs no more than marking one; while they may have to wait for the store, this one. */
  private mark(marks: Marks, first: Worker): void {
    const next = this.deps.careful?.isOn === true ? [first] : [first, ...this.ready];
    const workers = next.filter((worker) => worker.isAssigned);
    for (const worker of workers) worker.isMarked = true;
    marks.note(workers);
  }
}
