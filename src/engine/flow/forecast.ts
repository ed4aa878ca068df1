import type { PipelineState } from '../../schemas/stats.ts';
import { lowestOf } from '../limits/allowed-rate.ts';
import type { AllowedRate, Gate } from '../limits/gate.ts';
import type { Feed } from '../model/feed.ts';
import type { Stage } from '../model/model.ts';

/** The parts of a pipeline that a forecast is made of. */
export interface Predictable {
  readonly time: { readonly now: number };
  readonly state: PipelineState;
  readonly ledger: { readonly inFlight: number };
  readonly stages: readonly Stage[];
}

/**
 * Tells how long it takes until what is in flight has ended, at one moment; the one source of every `etaSeconds`:
 *
 *     time of a stage = items that still have to pass it / pace of its work        ETA = the longest of these times
 *
 * Items that still have to pass a stage are those in it and, less the share that fails before they get there, those in the stages before it. The pace is {@link Pace}
 * by the work clock of the stage, and never more than the limits of its tasks allow: neither idle time nor a pause is in it, nor the time in which all its workers are blocked. A feed waits
 * for what has its turn before its last item: items of a lower priority number, and those of its own that were fed before. It is never less than the time until
 * the last retry is due that has been planned.
 *
 * null: unknown. That is so while the pipeline or a stage on the way is paused, or stopped, and until enough items have left each stage on the way.
 */
export class Forecast {
  private readonly core: Predictable;
  private readonly unfinished: readonly Feed[];

  /** `feeds`: all that may have unfinished items; needed for feeds only. */
  constructor(core: Predictable, feeds: readonly Feed[] = []) {
    this.core = core;
    this.unfinished = feeds.filter((feed) => feed.unfinished > 0);
  }

  /** Seconds until all items in flight have ended. */
  all(): number | null {
    return this.core.ledger.inFlight === 0 ? 0 : this.from(0, 0);
  }

  /** Seconds until the items of a feed that were accepted so far have ended. */
  feed(feed: Feed): number | null {
    if (feed.unfinished === 0) return feed.isDone ? 0 : null;
    const target = this.core.stages.findIndex(({ no }) => no === feed.target.no);
    let ahead = feed.unfinished;
    for (const other of this.unfinished) if (other !== feed) ahead += aheadOf(feed, other);
    return this.from(Math.max(0, target), Math.max(0, this.core.ledger.inFlight - ahead));
  }

  /** The time of the stages from `first` on; `behind`: how many items, the rearmost ones, do not count. */
  private from(first: number, behind: number): number | null {
    const { stages, state, time } = this.core;
    if (state !== 'running' && state !== 'draining') return null;
    let left = behind;
    for (const stage of stages.slice(0, first)) left -= loadOf(stage);
    left = Math.max(0, left);
    let seconds = 0;
    let passing = 0;
    for (const stage of stages.slice(first)) {
      const load = loadOf(stage);
      const here = Math.max(0, load - left);
      left = Math.max(0, left - load);
      passing += here;
      if (passing > 0) {
        const perSecond = paceOf(stage, time.now);
        if (stage.isPaused || perSecond === null) return null;
        seconds = Math.max(seconds, passing / perSecond);
        if (behind === 0 && stage.parked > 0) seconds = Math.max(seconds, (stage.parkedUntil - time.now) / 1000);
      }
      passing *= passedShare(stage);
    }
    return seconds;
  }
}

/**
 * The pace of the work of a stage, at most that which the limits of its tasks allow: a whole window is used up at once, and says nothing of the next one. null:
 * unknown; so it is until a window is over, where the limit of it depends on the items.
 */
function paceOf({ meter, size, inProgress, spec, runner }: Stage, now: number): number | null {
  const { work, workClock } = meter;
  const at = workClock.at(now);
  if (!work.isKnown(Math.min(size, work.total + inProgress))) return null;
  const measured = work.perSecond(at);
  const allowed = lowestOf(spec.tasks.flatMap((task) => [ownRate(runner.gateOf(task)), task.limiter?.rateNow?.() ?? null]));
  if (allowed === null) return measured;
  if (allowed.perSecond !== null) return Math.min(measured, allowed.perSecond);
  return work.elapsed(at) < allowed.windowSeconds * 1000 ? null : measured;
}

function ownRate(gate: Gate | undefined): AllowedRate | null {
  const rate = gate?.current.rate;
  return rate === undefined ? null : { perSecond: rate.limit / rate.perSeconds, windowSeconds: rate.perSeconds };
}

/** How many items of another feed have their turn before the last one of this feed. */
function aheadOf(feed: Feed, other: Feed): number {
  if (other.priority !== feed.priority) return other.priority < feed.priority ? other.unfinished : 0;
  const last = feed.lastSequence ?? 0;
  const otherLast = other.lastSequence ?? 0;
  if (otherLast <= last) return other.unfinished;
  // Those that were fed first have ended first: what is left of it ends with its last item, as densely as it was fed.
  const span = otherLast - (other.firstSequence ?? 0) + 1;
  const after = ((otherLast - Math.max(last, (other.firstSequence ?? 0) - 1)) * other.accepted) / span;
  return Math.max(0, other.unfinished - after);
}

/** The items that have to pass a stage before they go on: those that its workers hold for the next one have. */
function loadOf(stage: Stage): number {
  return stage.waiting + stage.parked + stage.inProgress;
}

/** The share of those that leave a stage which go on to the next one. */
function passedShare({ meter: { completed, skipped, failed } }: Stage): number {
  const left = completed + skipped + failed;
  return left === 0 ? 1 : (completed + skipped) / left;
}
