import type { WaitingFor } from '../../schemas/item.ts';
import type { PipelineStats } from '../../schemas/stats.ts';
import type { Blockage } from '../limits/gate.ts';
import type { PipelineFace, StageFace, WorkerFace } from './face.ts';

type Bottleneck = NonNullable<PipelineStats['bottleneck']>;

/** Why the items of a stage wait. `until`: monotonic milliseconds. */
export interface HoldUp {
  reason: Bottleneck['reason'];
  task: string | null;
  limiter: string | null;
  until: number | null;
  /** The stage that has no room, for `next-stage-full`. */
  at: string | null;
  /** How many workers wait for just that. */
  workersWaiting: number;
}

const FREE: HoldUp = { reason: 'workers', task: null, limiter: null, until: null, at: null, workersWaiting: 0 };
/** A stage whose queue is this full is slower than the one before it. */
const NEARLY_FULL = 0.8;

/** Why the item of a worker waits; null when it does not. */
export function workerHoldUp(worker: WorkerFace): HoldUp | null {
  if (worker.blocked !== null) return { ...FREE, reason: 'next-stage-full', at: worker.blocked.at.name, workersWaiting: 1 };
  const task = worker.waitingTask;
  if (task === null) return null;
  const waiting = { ...FREE, task: task.name, workersWaiting: 1 };
  if (worker.waitingFor === 'thread' || worker.waitingFor === 'hand') return { ...waiting, reason: worker.waitingFor };
  // What it waits for can change while it waits: a place came, and now the window is full.
  const blocked = worker.sharedWait?.blockedBy() ?? worker.runner.gateOf(task)?.blockedBy();
  const reason = blocked?.reason ?? worker.waitingFor ?? 'task-limit';
  return { ...waiting, reason, limiter: worker.sharedWait?.name ?? null, until: blocked?.until ?? null };
}

/**
 * Why items in the queue of a stage wait. `workers` only where another worker would help: otherwise it is what most of its workers wait for, or what another one
 * would, since all that have an item run tasks whose limits are used up.
 */
export function holdUpOf(stage: StageFace): HoldUp {
  if (!stage.isOpen) return { ...FREE, reason: 'paused' };
  const waits = stage.workers.map(workerHoldUp).filter((wait) => wait !== null);
  const groups = new Map<string, HoldUp>();
  for (const wait of waits) {
    const key = JSON.stringify([wait.reason, wait.task, wait.limiter, wait.at]);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, { ...wait });
    else {
      group.workersWaiting++;
      if (wait.until !== null) group.until = Math.min(group.until ?? wait.until, wait.until);
    }
  }
  const all = [...groups.values()];
  const blocked = all.filter(({ reason }) => reason === 'next-stage-full');
  const { next } = stage;
  const most = largest(blocked.length > 0 ? blocked : all);
  // The worker that runs now would be blocked next, and so would another one.
  if (blocked.length === 0 && next !== null && hasNoRoom(next)) return { ...FREE, reason: 'next-stage-full', at: next.name };
  return most ?? usedUp(stage) ?? FREE;
}

/** The same for a queued item, as answers show it. */
export function queuedWaitsFor(stage: StageFace, instant: (monotonic: number) => string): WaitingFor {
  const holdUp = holdUpOf(stage);
  const shown = waitingForOf(holdUp, instant);
  return shown.stage === undefined && shown.task === undefined ? { ...shown, stage: stage.name } : shown;
}

export function waitingForOf({ reason, task, limiter, until, at }: HoldUp, instant: (monotonic: number) => string): WaitingFor {
  return {
    reason,
    ...(task !== null && { task }),
    ...(limiter !== null && { limiter }),
    ...(until !== null && { until: instant(until) }),
    ...(at !== null && { stage: at }),
  };
}

/**
 * The stage that holds up the rest, never one that only waits for it; null when no item waits. A paused stage in which items wait holds up the rest. Otherwise it is the
 * stage that would take the longest for the items that still have to pass it, at the speed of its work ({@link Pace}), and from there on down to the first
 * stage that is neither full nor blocks the one before it.
 */
export function bottleneckOf({ stages, time }: PipelineFace): Bottleneck | null {
  const loaded: StageFace[] = stages.filter((stage) => stage.waiting + stage.blocked.size + stage.parked > 0);
  if (loaded.length === 0) return null;
  const closed = loaded.filter((stage) => !stage.isOpen);
  let worst: StageFace | undefined = largestBy(closed, loadPerWorker);
  if (worst === undefined) {
    // Who is between two attempts needs no worker, and holds up nobody else.
    const queued = loaded.filter((stage) => stage.waiting + stage.blocked.size > 0);
    worst = largestBy(queued.length > 0 ? queued : loaded, (stage) => secondsLeft(stages, stage, time.now)) as StageFace;
    for (let { next } = worst; next !== null && isSlower(worst, next); next = worst.next) worst = next;
  }
  const isResting = worst.isOpen && worst.waiting === 0 && worst.blocked.size === 0;
  const { reason, task, limiter, until, workersWaiting } = isResting ? { ...FREE, reason: 'retry' as const } : holdUpOf(worst);
  return {
    stage: worst.name,
    reason,
    task,
    limiter,
    until: until === null ? null : time.instant(until),
    workersWaiting,
    workers: worst.workers.length,
  };
}

/** How long a stage needs for the items in it and before it. While nothing has left it yet, half of the time it has worked is the best guess at a worker's pace. */
function secondsLeft(stages: readonly StageFace[], stage: StageFace, now: number): number {
  const { work, workClock } = stage.meter;
  let items = 0;
  for (const one of stages) {
    items += one.waiting + one.inProgress + one.parked;
    if (one === stage) break;
  }
  const at = workClock.at(now);
  const guess = (1000 * stage.workers.length) / (2 * Math.max(1, at));
  return items / (work.isKnown(Math.min(stage.workers.length, work.total + stage.inProgress)) ? work.perSecond(at) : guess);
}

function isSlower(stage: StageFace, next: StageFace): boolean {
  const busy = stage.inProgress;
  if (next.isPull) return next.blocked.size > 0 && 2 * next.blocked.size >= busy;
  return next.capacity > 0 && next.handed >= NEARLY_FULL * next.capacity;
}

function hasNoRoom(next: StageFace): boolean {
  return next.isPull ? next.blocked.size > 0 : next.handed >= next.capacity;
}

/** The limit that would hold another worker, since all that have an item run tasks whose limits are used up. */
function usedUp(stage: StageFace): HoldUp | null {
  let found: HoldUp | null = null;
  for (const worker of stage.workers) {
    if (worker.item === null) continue;
    const { task } = worker;
    const own: Blockage | null = task === null ? null : (worker.runner.gateOf(task)?.blockedBy() ?? null);
    const shared = own === null ? (task?.limiter?.fullNow?.() ?? null) : null;
    const full = own ?? shared;
    if (full === null) return null;
    found ??= { ...FREE, reason: full.reason, task: task?.name ?? null, limiter: shared?.name ?? null, until: full.until ?? null };
  }
  return found;
}

const largest = (holdUps: readonly HoldUp[]): HoldUp | undefined => largestBy(holdUps, ({ workersWaiting }) => workersWaiting);

const loadPerWorker = (stage: StageFace): number => (stage.waiting + stage.blocked.size + stage.parked) / Math.max(1, stage.workers.length);

/** The first one with the highest number. */
function largestBy<T>(all: readonly T[], numberOf: (one: T) => number): T | undefined {
  let best: T | undefined;
  let most = Number.NEGATIVE_INFINITY;
  for (const one of all) {
    const number = numberOf(one);
    if (number > most) {
      most = number;
      best = one;
    }
  }
  return best;
}
