import { type Clock, type Logger, unref } from '../../engine/ports.ts';
import type { Member } from './member.ts';
import type { PoolJob } from './pool-job.ts';
import type { Presence } from './presence.ts';
import type { WaitingJobs } from './waiting-jobs.ts';

interface ReturningParts {
  clock: Clock;
  logger: Logger;
  waiting: WaitingJobs;
  presence: Presence;
  makeHere: (job: PoolJob) => void;
}

/** Has calls made in this process that wait for a hand and may run here, as soon as none is there any more that has their task. */
export class ReturningCalls {
  private readonly parts: ReturningParts;
  /** When waiting calls are looked at next. */
  private timer: unknown;
  private at = Number.POSITIVE_INFINITY;
  private isOver = false;

  constructor(parts: ReturningParts) {
    this.parts = parts;
  }

  /** A call waits. */
  waits(job: PoolJob): void {
    if (job.mayRunHere) this.lookIn(this.parts.presence.leftMs(job.key));
  }

  /** A hand has gone: what waited for it while it was busy may have to run here. */
  left(member: Member): void {
    const { waiting, presence } = this.parts;
    for (const key of waiting.keys()) {
      if (member.hasTask(key) && waiting.of(key).some((job) => job.mayRunHere)) this.lookIn(presence.leftMs(key));
    }
  }

  end(): void {
    this.isOver = true;
    this.parts.clock.clearTimer(this.timer);
  }

  private lookIn(ms: number): void {
    const { clock } = this.parts;
    const at = clock.monotonic() + ms;
    if (at >= this.at || this.isOver) return;
    clock.clearTimer(this.timer);
    this.at = at;
    this.timer = clock.setTimer(() => {
      this.at = Number.POSITIVE_INFINITY;
      this.look();
    }, ms);
    unref(this.timer);
  }

  private look(): void {
    const { waiting, presence, logger, makeHere } = this.parts;
    let soonest = Number.POSITIVE_INFINITY;
    for (const key of waiting.keys()) {
      const jobs = waiting.of(key).filter((job) => job.mayRunHere);
      const [first] = jobs;
      if (first === undefined) continue;
      const leftMs = presence.leftMs(key);
      if (leftMs > 0) {
        soonest = Math.min(soonest, leftMs);
        continue;
      }
      logger.warn({ task: first.job.use.name, calls: jobs.length }, 'no hand has come back; calls that waited for one are made here');
      for (const job of jobs) {
        waiting.delete(job);
        makeHere(job);
      }
    }
    this.lookIn(soonest);
  }
}
