import type { TaskSpec } from '../definition/calls.ts';
import { passBoth } from '../limits/both-limits.ts';
import type { Claim, Gate, KeptStarts, Limit, Passed, Release, SharedWait } from '../limits/gate.ts';
import type { StageLimits } from './hinge.ts';

/** A slot, as far as gates are concerned: the task that runs, and the place that it holds. */
interface Running {
  readonly task: TaskSpec | null;
  release: Release | null;
}

/** The gates of a stage's tasks, by the tasks' places. Tasks of one name share a gate. */
export class StageGates {
  private readonly tasks: readonly TaskSpec[];
  private readonly gateFor: (task: string, limit: Limit) => Gate;
  private readonly gates: (Gate | undefined)[];
  /** Starts of an earlier process, by their tasks, which a gate that is made gets. */
  private readonly earlier = new Map<string, KeptStarts>();

  /** `before`: the runner of the stage until now. Its gates stay in use; the first {@link StageGates.change} sets the new limits. */
  constructor(
    tasks: readonly TaskSpec[],
    gateFor: (task: string, limit: Limit) => Gate,
    before: { gateOf(task: TaskSpec): Gate | undefined } | undefined,
  ) {
    this.tasks = tasks;
    this.gateFor = gateFor;
    this.gates = tasks.map((task) => before?.gateOf(task));
  }

  of(task: Pick<TaskSpec, 'name'>): Gate | undefined {
    return this.gates[this.tasks.findIndex(({ name }) => name === task.name)];
  }

  at(index: number): Gate | undefined {
    return this.gates[index];
  }

  /** Waits for a place for the task at an index under all of its limits. Rejects with the signal's reason when that aborts first. */
  pass(index: number, claim: Claim, signal: AbortSignal, onWait: (wait: SharedWait | null) => void): Promise<Passed> {
    const own = this.gates[index];
    const { limiter: shared } = this.tasks[index] as TaskSpec;
    if (shared !== undefined) return passBoth(own, shared, claim, signal, onWait);
    return (own as Gate).acquire(claim, signal);
  }

  get hasNewStarts(): boolean {
    return this.gates.some((gate) => gate?.hasNewStarts === true);
  }

  /** The starts of each task that has limits, see {@link Gate.keptStarts}. */
  keptStarts(lasting: (monotonic: number) => number): [task: string, starts: KeptStarts][] {
    const gates = new Map<string, Gate>();
    for (const [i, { name }] of this.tasks.entries()) {
      const gate = this.gates[i];
      if (gate !== undefined) gates.set(name, gate);
    }
    return [...gates].map(([name, gate]) => [name, gate.keptStarts(lasting)]);
  }

  /** Counts starts of an earlier process. */
  restore(task: string, starts: KeptStarts): void {
    this.earlier.set(task, starts);
    this.of({ name: task })?.restore(starts);
  }

  /** Sets the limits of the tasks that have some or get some. They hold for waiting slots, and running ones count. */
  change(limits: StageLimits, slots: readonly Running[]): void {
    const fresh = new Map<string, Gate>();
    for (const [i, task] of this.tasks.entries()) {
      const limit = limitOf(task, limits);
      const gate = this.gates[i] ?? fresh.get(task.name);
      if (gate !== undefined) {
        gate.change(limit);
        this.gates[i] = gate;
        fresh.set(task.name, gate);
      } else if (limit.concurrency !== undefined || limit.rate !== undefined) {
        const made = this.gateFor(task.name, limit);
        fresh.set(task.name, made);
        made.restore(this.earlier.get(task.name) ?? []);
        for (const slot of slots) if (slot.task?.name === task.name) slot.release = both(slot.release, made.occupy());
        this.gates[i] = made;
      }
    }
  }
}

/** Releases two places: a running task may already hold one under a shared limiter. */
function both(first: Release | null, added: Release): Release {
  if (first === null) return added;
  return () => {
    first();
    added();
  };
}

function limitOf(task: TaskSpec, limits: StageLimits): Limit {
  const concurrency = limits.taskConcurrencyLimits[task.name] ?? task.defaultLimit.concurrency;
  const rate = limits.taskRateLimits[task.name] ?? task.defaultLimit.rate;
  return { ...(concurrency === undefined ? {} : { concurrency }), ...(rate === undefined ? {} : { rate }) };
}
