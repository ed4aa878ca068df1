import type { Item, Worker } from '../model/model.ts';
import { Ring } from '../queues/ring.ts';
import type { Outcome } from '../stage/hinge.ts';
import type { EngineClock } from '../time/engine-clock.ts';
import { TURN_MS, Turn } from '../time/turn.ts';

/** Notes what is about to run where a crash of the process does not reach, see `RunningMarks` in store.ts. */
export interface Marks {
  /** The items of all of these workers, in one go. */
  note(workers: Iterable<Worker>): void;
}

interface ReadyWorkersDeps {
  time: EngineClock;
  /** null when nobody wants to know. */
  marks: Marks | null;
  /** Carries out what became of a worker's item at once. */
  apply: (worker: Worker, outcome: Outcome) => void;
}

/**
 * The workers that have got an item and not begun it, and the one loop that runs them. Tasks are never called from within an
 * outcome, so nothing recurses, and the loop ends with its {@link Turn}, also when tasks settle in microtasks only, so that a
 * busy pipeline cannot starve I/O.
 */
export class ReadyWorkers {
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

  /** Runs them all, those that become ready meanwhile too. Within itself, and until its next turn, a call does nothing. */
  run(): void {
    if (this.isRunning || this.isYielding) return;
    this.isRunning = true;
    this.turn.sync();
    const { time } = this.deps;
    const since = time.fresh();
    try {
      for (;;) {
        if (this.ready.length === 0) break;
        // Looked at seldom, but after an item that took long at once: sixteen of those would be a long time.
        if (((++this.sinceCheck & 15) === 0 || this.turn.isMarked || time.fresh() - since > TURN_MS) && this.turn.isOver(since)) {
          this.isYielding = true;
          return;
        }
        const worker = this.ready.shift();
        if (!worker.isAssigned) continue;
        if (this.deps.marks !== null && !worker.isMarked) this.mark(this.deps.marks, worker);
        worker.isAssigned = false;
        const outcome = worker.runner.run(worker, worker.item as Item);
        if (outcome !== undefined) this.deps.apply(worker, outcome);
      }
      // Who feeds one item after the other calls this for each.
      if (time.fresh() - since > TURN_MS) this.turn.isOver(since);
    } finally {
      this.isRunning = false;
    }
  }

  /** All that run next are noted together: it costs as much as one alone. */
  private mark(marks: Marks, first: Worker): void {
    const workers = [first, ...this.ready].filter((worker) => worker.isAssigned);
    for (const worker of workers) worker.isMarked = true;
    marks.note(workers);
  }
}
