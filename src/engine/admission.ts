import type { FeedOptions, OnDuplicate } from '../schemas/control.ts';
import { PRIORITY_DEFAULT, PRIORITY_MAX } from '../schemas/names.ts';
import type { PipelineState } from '../schemas/stats.ts';
import type { EngineClock } from './engine-clock.ts';
import { SluiceError } from './errors.ts';
import { idFaults, idOf, isNamed, readNamed } from './incoming.ts';
import type { ItemIndex } from './item-index.ts';
import { Feed, Item, NO_METADATA, PLACE_BACKLOG, type Stage } from './model.ts';
import { PriorityQueue } from './priority-queue.ts';
import type { Scheduler } from './scheduler.ts';

export interface AdmissionDeps {
  time: EngineClock;
  index: ItemIndex;
  scheduler: Scheduler;
  uniqueId: () => string;
  /** What generated item ids begin with. */
  idPrefix: string;
  state: () => PipelineState;
  stages: () => readonly Stage[];
  backlogCapacity: number;
  /** Seconds until so many places will be free, from the drain rate. */
  secondsUntilRoom: (places: number) => number;
  /** Counts accepted items. */
  onAccepted: (count: number) => void;
}

/** Somebody who feeds and waits for room. */
interface Waiter {
  admit: () => boolean;
  fail: (error: SluiceError) => void;
  alive: boolean;
}

/** How many feeds are remembered after they are done. */
const FEEDS_KEPT = 10_000;
/** How many of the oldest are looked at for each new one: more than one, so that the finished ones run out. */
const FEEDS_LOOKED_AT = 4;

/**
 * The way in: ids, duplicates, room in the backlog. Only here items are made and sequence ids given.
 * Those who wait for room are served by priority, so that an urgent item does not queue behind blocked feeders.
 */
export class Admission {
  private readonly deps: AdmissionDeps;
  private readonly feeds = new Map<string, Feed>();
  private readonly waiting = new PriorityQueue<Waiter>((waiter) => !waiter.alive);
  private lastSequence = 0;
  private isWakeScheduled = false;
  private isClosed = false;

  constructor(deps: AdmissionDeps) {
    this.deps = deps;
  }

  /** The process ends: nothing is accepted any more, in whatever state the pipeline is. What was accepted stays. */
  close(): void {
    this.isClosed = true;
    this.refuseWaiting(shuttingDown(0));
  }

  feed(id: string): Feed | undefined {
    return this.feeds.get(id);
  }

  /** Throws `feed-exists`. The feed stays open until {@link Admission.closeFeed}. */
  openFeed(options: FeedOptions): Feed {
    this.refuseWhenClosed(0);
    const stage = this.stageFor(options);
    const id = options.feedId ?? this.generateFeedId();
    if (this.feeds.has(id)) throw new SluiceError('feed-exists', `the feed "${id}" exists`);
    const feed = new Feed(id, stage.name, this.deps.time.tick());
    this.feeds.set(id, feed);
    return feed;
  }

  /** Nothing more comes for this feed. The oldest finished feeds beyond a bound are forgotten. */
  closeFeed(feed: Feed): void {
    feed.isOpen = false;
    if (this.feeds.size <= FEEDS_KEPT) return;
    let looked = 0;
    for (const old of this.feeds.values()) {
      if (this.feeds.size <= FEEDS_KEPT || ++looked > FEEDS_LOOKED_AT) return;
      this.feeds.delete(old.id);
      // One that goes on goes to the end, so that it does not keep the finished ones behind it.
      if (!old.isDone) this.feeds.set(old.id, old);
    }
  }

  /** A feed that never accepted anything leaves no trace. */
  dropFeed(feed: Feed): void {
    feed.isOpen = false;
    if (feed.accepted === 0 && feed.duplicates === 0) this.feeds.delete(feed.id);
  }

  /** Throws `invalid-input` with every fault, or `duplicate-items` when those are to be rejected. */
  check(items: readonly unknown[], onDuplicate: OnDuplicate | undefined): void {
    const faults = idFaults(items);
    if (faults.length > 0) throw new SluiceError('invalid-input', `${faults.length} of the items have no usable id`, { errors: faults });
    if (onDuplicate !== 'reject') return;
    const seen = new Set<string>();
    const known: string[] = [];
    for (const raw of items) {
      if (!isNamed(raw)) continue;
      const id = idOf(raw) as string;
      if (seen.has(id) || this.deps.index.get(id) !== undefined) known.push(id);
      seen.add(id);
    }
    if (known.length > 0) {
      throw new SluiceError('duplicate-items', `${known.length} ids are known already`, { details: { ids: known.slice(0, 1000) } });
    }
  }

  /** Accepts all of them now, or throws `queue-full` and accepts none. Returns one id an item, in order. */
  admitAll(items: readonly unknown[], feed: Feed, options: FeedOptions): string[] {
    this.refuseWhenClosed(feed.accepted);
    const needed = this.countNew(items, options.onDuplicate);
    const room = this.deps.backlogCapacity - this.deps.scheduler.backlog;
    if (needed > room) throw this.queueFull(needed, room);
    const ids = this.admitFrom(items, 0, items.length, feed, options, true);
    this.deps.scheduler.run();
    return ids;
  }

  /** Accepts them in order as there is room. Rejects with `draining` or `shutting-down` when no more is taken; what was accepted stays. */
  admitWhenRoom(items: readonly unknown[], feed: Feed, options: FeedOptions, mayWaitWhileStopped: boolean): Promise<void> {
    const { scheduler, backlogCapacity, state } = this.deps;
    let at = 0;
    let isRefused = false;
    const admit = (): boolean => {
      // A task that runs in between may join or shut down the pipeline.
      while (at < items.length && !isRefused && !this.isClosed && state() !== 'draining') {
        const room = backlogCapacity - scheduler.backlog;
        if (room <= 0) break;
        const end = Math.min(items.length, at + room);
        this.admitFrom(items, at, end, feed, options, false);
        at = end;
        // Idle workers take items at once, and so make room again.
        scheduler.run();
      }
      return at === items.length;
    };
    return new Promise((resolve, reject) => {
      try {
        this.refuseWhenClosed(feed.accepted);
        this.stageFor(options);
        if (this.waiting.size === 0 || this.waiting.peekPriority() > (options.priority ?? PRIORITY_DEFAULT)) {
          if (admit()) {
            resolve();
            return;
          }
        }
        if (!mayWaitWhileStopped && (state() === 'created' || state() === 'stopped')) {
          throw this.queueFull(items.length - at, 0);
        }
        this.refuseWhenClosed(feed.accepted);
      } catch (error) {
        reject(error);
        return;
      }
      const waiter: Waiter = {
        alive: true,
        admit: () => {
          if (!admit()) return false;
          resolve();
          return true;
        },
        fail: (error) => {
          isRefused = true;
          reject(new SluiceError(error.code, error.message, { details: { ...error.details, accepted: feed.accepted } }));
        },
      };
      this.waiting.push(options.priority ?? PRIORITY_DEFAULT, waiter);
      this.onRoom();
    });
  }

  /** Room has come. Those who wait are served in a microtask, once for many places. */
  onRoom(): void {
    if (this.waiting.size === 0 || this.isWakeScheduled) return;
    this.isWakeScheduled = true;
    queueMicrotask(() => {
      this.isWakeScheduled = false;
      this.deps.time.tick();
      while (this.waiting.size > 0 && this.deps.scheduler.backlog < this.deps.backlogCapacity) {
        const waiter = this.waiting.peek() as Waiter;
        if (!waiter.admit()) break;
        // A task that ran meanwhile may have had it refused already.
        if (!waiter.alive) continue;
        waiter.alive = false;
        this.waiting.removed();
      }
    });
  }

  /** Whoever waits for room is told that none will come. */
  refuseWaiting(error: SluiceError): void {
    for (let waiter = this.waiting.shift(); waiter !== undefined; waiter = this.waiting.shift()) {
      waiter.alive = false;
      waiter.fail(error);
    }
  }

  private admitFrom(items: readonly unknown[], from: number, to: number, feed: Feed, options: FeedOptions, wantsIds: boolean): string[] {
    const { index, scheduler, time, idPrefix, onAccepted } = this.deps;
    const stage = this.stageFor(options);
    const priority = options.priority ?? PRIORITY_DEFAULT;
    const ids: string[] = [];
    const now = time.tick();
    for (let i = from; i < to; i++) {
      const raw = items[i];
      let id: string | null = null;
      let value = raw;
      let metadata = NO_METADATA;
      if (isNamed(raw)) {
        ({ id, value, metadata } = readNamed(raw));
        const known = index.get(id);
        if (known !== undefined) {
          if (options.onDuplicate !== 'rerun' || !known.isFinal) {
            feed.duplicates++;
            if (wantsIds) ids.push(id);
            continue;
          }
          index.remove(known);
        }
      }
      const item = new Item(id, idPrefix, this.nextSequence(), feed, priority, value, metadata, stage, now);
      if (wantsIds) ids.push(item.id);
      feed.accepted++;
      feed.firstSequence ??= item.sequenceId;
      feed.lastSequence = item.sequenceId;
      index.add(item);
      onAccepted(1);
      scheduler.enqueue(item, PLACE_BACKLOG);
    }
    return ids;
  }

  private countNew(items: readonly unknown[], onDuplicate: OnDuplicate | undefined): number {
    const { index } = this.deps;
    const fresh = new Set<string>();
    let unnamed = 0;
    for (const raw of items) {
      if (!isNamed(raw)) unnamed++;
      else {
        const id = idOf(raw) as string;
        const known = index.get(id);
        if (known === undefined || (onDuplicate === 'rerun' && known.isFinal)) fresh.add(id);
      }
    }
    return unnamed + fresh.size;
  }

  private stageFor({ targetStage, priority }: FeedOptions): Stage {
    const stages = this.deps.stages();
    if (priority !== undefined && !(Number.isInteger(priority) && priority >= 0 && priority <= PRIORITY_MAX)) {
      const message = `must be a whole number from 0 to ${PRIORITY_MAX}`;
      throw new SluiceError('invalid-input', `priority ${message}`, { errors: [{ path: '/priority', message }] });
    }
    if (targetStage === undefined) return stages[0] as Stage;
    const stage = stages.find((candidate) => candidate.name === targetStage);
    if (stage !== undefined) return stage;
    const message = `the stage "${targetStage}" was not found`;
    throw new SluiceError('unknown-stage', message, { errors: [{ path: '/targetStage', message }] });
  }

  private refuseWhenClosed(accepted: number): void {
    if (this.isClosed) throw shuttingDown(accepted);
    if (this.deps.state() === 'draining') {
      throw new SluiceError('draining', 'the pipeline finishes its items and takes no more', { details: { accepted } });
    }
  }

  private queueFull(needed: number, room: number): SluiceError {
    const { backlogCapacity, secondsUntilRoom } = this.deps;
    const retryAfterSeconds = secondsUntilRoom(needed - room);
    const text = `${needed} items do not fit: the backlog has room for ${Math.max(0, room)} of ${backlogCapacity}`;
    return new SluiceError('queue-full', text, { retryAfterSeconds });
  }

  /** The next one whose generated id no caller has taken for an item of his own. */
  private nextSequence(): number {
    do this.lastSequence++;
    while (this.deps.index.isTaken(this.lastSequence));
    return this.lastSequence;
  }

  private generateFeedId(): string {
    for (;;) {
      const id = `feed-${this.deps.uniqueId()}`;
      if (!this.feeds.has(id)) return id;
    }
  }
}

function shuttingDown(accepted: number): SluiceError {
  return new SluiceError('shutting-down', 'the service shuts down and takes no more', { retryAfterSeconds: 5, details: { accepted } });
}
