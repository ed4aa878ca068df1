import type { StageDefinition } from '../../schemas/definition.ts';
import type { TaskSpec } from '../definition/stage-spec.ts';
import { type BothPassed, passBoth } from '../limits/both-limits.ts';
import type { LimiterClaim, LimiterWait } from '../limits/shared-limiter.ts';
import { type Limit, type Release, TaskLimiter } from '../limits/task-limiter.ts';
import type { Runner, Worker } from '../model/model.ts';
import type { Clock } from '../ports.ts';

type Limits = Pick<StageDefinition, 'taskConcurrencyLimits' | 'taskRateLimits'>;

/** The limits of a stage's tasks, by their places; those of one name share one. */
export class StageLimits {
  private readonly tasks: readonly TaskSpec[];
  private readonly clock: Clock;
  private readonly limiters: (TaskLimiter | undefined)[];

  /** `before`: what ran the stage until now. Its limits go on, changed to the new ones by the first {@link StageLimits.change}. */
  constructor(tasks: readonly TaskSpec[], clock: Clock, before: Runner | undefined) {
    this.tasks = tasks;
    this.clock = clock;
    this.limiters = tasks.map((task) => before?.limiterOf(task));
  }

  of(task: Pick<TaskSpec, 'name'>): TaskLimiter | undefined {
    return this.limiters[this.tasks.findIndex(({ name }) => name === task.name)];
  }

  at(index: number): TaskLimiter | undefined {
    return this.limiters[index];
  }

  /** Why workers would wait before a task, now. */
  blockedBy(): 'task-limit' | 'rate-limit' | null {
    for (const limiter of this.limiters) {
      const blocked = limiter?.blockedBy();
      if (blocked != null) return blocked.reason;
    }
    return null;
  }

  /** A place for the task at an index under all limits that it has. Rejects with the signal's reason when that aborts first. */
  pass(index: number, claim: LimiterClaim, signal: AbortSignal, onWait: (wait: LimiterWait | null) => void): Promise<BothPassed> {
    const own = this.limiters[index];
    const { limiter: shared } = this.tasks[index] as TaskSpec;
    if (shared !== undefined) return passBoth(own, shared, claim, signal, onWait);
    return (own as TaskLimiter).acquire(claim.priority, signal).then((release) => ({ release, hold: null }));
  }

  /** New limits for the tasks that have some or get some; those who wait are served by the new ones, those who run count. */
  change(limits: Limits, workers: readonly Worker[]): void {
    const fresh = new Map<string, TaskLimiter>();
    for (const [i, task] of this.tasks.entries()) {
      const limit = limitOf(task, limits);
      const limiter = this.limiters[i] ?? fresh.get(task.name);
      if (limiter !== undefined) {
        limiter.change(limit);
        this.limiters[i] = limiter;
        fresh.set(task.name, limiter);
      } else if (limit.concurrency !== undefined || limit.rate !== undefined) {
        const made = new TaskLimiter(limit, this.clock);
        fresh.set(task.name, made);
        for (const worker of workers) if (worker.attempt?.task === task.name) worker.release = both(worker.release, made.occupy());
        this.limiters[i] = made;
      }
    }
  }
}

/** What runs may hold a place under a shared limiter already. */
function both(held: Release | null, added: Release): Release {
  if (held === null) return added;
  return () => {
    held();
    added();
  };
}

function limitOf(task: TaskSpec, limits: Limits): Limit {
  const concurrency = limits.taskConcurrencyLimits[task.name] ?? task.defaultLimit.concurrency;
  const rate = limits.taskRateLimits[task.name] ?? task.defaultLimit.rate;
  return { ...(concurrency === undefined ? {} : { concurrency }), ...(rate === undefined ? {} : { rate }) };
}
