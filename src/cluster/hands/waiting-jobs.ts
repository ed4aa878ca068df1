import type { PoolJob } from './pool-job.ts';

interface Lane {
  /** Calls that a hand had: they were asked for before all others. */
  readonly again: Set<PoolJob>;
  readonly first: Set<PoolJob>;
}

/**
 * The jobs that wait for a hand, in the order in which they were asked for: by their task, since a hand may not have all tasks. Suspects wait beside them, and so do
 * those that must run alone, see {@link import('./pool.ts').HandPool}.
 */
export class WaitingJobs {
  private readonly lanes = new Map<string, Lane>();
  private readonly suspects = new Set<PoolJob>();
  private readonly lone = new Set<PoolJob>();
  size = 0;

  add(job: PoolJob, isLone: boolean): void {
    this.size++;
    if (isLone) this.lone.add(job);
    else if (job.isSuspect) this.suspects.add(job);
    else {
      const lane = this.lanes.get(job.key) ?? { again: new Set(), first: new Set() };
      this.lanes.set(job.key, lane);
      (job.attempt > 0 ? lane.again : lane.first).add(job);
    }
  }

  /** True when it was among them. */
  delete(job: PoolJob): boolean {
    const lane = this.lanes.get(job.key);
    const isFound = this.lone.delete(job) || this.suspects.delete(job) || lane?.again.delete(job) || lane?.first.delete(job) || false;
    if (isFound) this.size--;
    if (lane !== undefined && lane.again.size + lane.first.size === 0) this.lanes.delete(job.key);
    return isFound;
  }

  /** The next one for a hand that has these tasks; null when there is none. */
  next(has: (key: string) => boolean, takesSuspects: boolean): PoolJob | null {
    let found: PoolJob | null = null;
    for (const [key, { again, first }] of this.lanes) {
      if (!has(key)) continue;
      const head = headOf(again) ?? headOf(first);
      if (head !== undefined && (found === null || head.number < found.number)) found = head;
    }
    if (!takesSuspects) return found;
    for (const suspect of this.suspects) {
      if (!has(suspect.key)) continue;
      return found === null || suspect.number < found.number ? suspect : found;
    }
    return found;
  }

  nextLone(has: (key: string) => boolean): PoolJob | null {
    for (const job of this.lone) if (has(job.key)) return job;
    return null;
  }

  /** Whether others of its task wait already, which go first. */
  hasBefore(key: string): boolean {
    return this.lanes.has(key);
  }

  /** The tasks that calls wait for which are no suspects. */
  keys(): string[] {
    return [...this.lanes.keys()];
  }

  /** Calls of a task which are no suspects, by the number in which they were asked for. */
  of(key: string): PoolJob[] {
    const lane = this.lanes.get(key);
    return lane === undefined ? [] : [...lane.again, ...lane.first].sort((a, b) => a.number - b.number);
  }

  /** All of them, by the number in which they were asked for. */
  all(): PoolJob[] {
    const all = [...this.lone, ...this.suspects];
    for (const { again, first } of this.lanes.values()) all.push(...again, ...first);
    return all.sort((a, b) => a.number - b.number);
  }

  /** How many wait for each task. */
  counts(): Map<string, { job: PoolJob; calls: number }> {
    const counts = new Map<string, { job: PoolJob; calls: number }>();
    for (const job of this.all()) {
      const found = counts.get(job.key);
      if (found === undefined) counts.set(job.key, { job, calls: 1 });
      else found.calls++;
    }
    return counts;
  }
}

function headOf(jobs: Set<PoolJob>): PoolJob | undefined {
  for (const job of jobs) return job;
  return undefined;
}
