import type { FeedOptions, OnDuplicate } from '../../schemas/control.ts';
import { PRIORITY_DEFAULT } from '../../schemas/names.ts';
import { callerGone, SluiceError, storeUnavailable } from '../contract/errors.ts';
import type { FeedRequest } from '../contract/requests.ts';
import type { Feed } from '../model/feed.ts';
import { NO_METADATA } from '../model/metadata.ts';
import { Item, type Stage } from '../model/model.ts';
import { PLACE_BACKLOG } from '../model/places.ts';
import { LARGE } from '../values/sizes.ts';
import type { AdmissionDeps, Opening, RoomWait } from './admission-deps.ts';
import { idOf, isNamed, readNamed } from './incoming.ts';
import { type Checks, ItemCheck } from './item-check.ts';
import type { Items } from './item-index.ts';
import { checkPriority, feedCancelled, feedExists, queueFull, shuttingDown, targetOf } from './refusals.ts';
import { type RoomWaiter, WaitingRoom } from './waiting-room.ts';

/**
 * Accepts items: their ids, duplicates, room in the backlog. Sequence ids are assigned here and nowhere else.
 * Callers that have to wait for room do so in the {@link WaitingRoom}.
 */
export class Admission {
  private readonly deps: AdmissionDeps;
  private readonly waiting: WaitingRoom;
  private readonly looked: ItemCheck;
  private sequence = 0;
  private isClosed = false;
  /** The reason why the store cannot take anything now; null when it can. */
  trouble: string | null = null;

  constructor(deps: AdmissionDeps) {
    this.deps = deps;
    this.looked = new ItemCheck(deps.index, deps.values);
    this.waiting = new WaitingRoom(() => this.room > 0);
  }

  get lastSequence(): number {
    return this.sequence;
  }

  /** At a start: the sequence ids up to this one are taken. */
  restore(lastSequence: number): void {
    this.sequence = lastSequence;
  }

  /** Accepts nothing more, whatever state the pipeline is in, since the process ends. Accepted items stay. */
  close(): void {
    this.isClosed = true;
    this.refuseWaiting(shuttingDown(0));
  }

  /**
   * Opens a feed, which stays open until it is closed or refused. Throws `feed-exists`, `unknown-stage`, `invalid-input` (the priority),
   * `draining`, `shutting-down`, `store-unavailable`.
   */
  openFeed(options: Opening): Feed {
    this.refuseWhenClosed(null);
    const stage = this.stageFor(options);
    const { time, feeds } = this.deps;
    return this.sending(feeds.open(options.feedId, stage, time.wall(time.tick()), options.maker), options);
  }

  private sending(feed: Feed, { trace = null }: Opening): Feed {
    const { tracer, pipelineId } = this.deps;
    const span = tracer === null ? null : tracer.send({ pipeline: pipelineId, feedId: feed.id }, trace);
    feed.begins(span, span?.context ?? trace);
    return feed;
  }

  /** Opens a feed again, for the rest of what its request began to send. Throws `feed-cancelled`, and what {@link Admission.openFeed} throws. */
  reopenFeed(feed: Feed, options: Opening): Feed {
    this.refuseWhenClosed(feed);
    checkPriority(options.priority);
    feed.isOpen = true;
    feed.part = null;
    return this.sending(feed, options);
  }

  /**
   * Opens the feed of this id once more, for a request that appends to it; a new one if there is none. Throws `feed-exists` when it is still being
   * sent or was made under another name, `invalid-input` for another stage, and what {@link Admission.openFeed} throws.
   */
  appendTo(request: FeedRequest): Feed {
    const feed = this.deps.feeds.find(request.feedId as string);
    if (feed === undefined) return this.openFeed(request);
    this.refuseWhenClosed(feed);
    checkPriority(request.priority);
    if (request.isOwnOnly === true && feed.maker !== request.maker) throw feedExists(feed, 'already exists');
    if (feed.isOpen) throw feedExists(feed, 'is still being sent by another request');
    if (request.targetStage !== undefined && request.targetStage !== feed.target.name) {
      const message = `must be that of the feed, "${feed.target.name}", or absent`;
      throw new SluiceError('invalid-input', `targetStage ${message}`, { errors: [{ path: '/targetStage', message }] });
    }
    feed.append();
    return this.sending(feed, request);
  }

  /**
   * Accepts nothing more for a feed, though its request may still be sending, or a repeat of it be about to; fails its waits for room with
   * `feed-cancelled`.
   */
  cancelFeed(feed: Feed): void {
    this.deps.onFed(feed);
    feed.isCancelled = true;
    this.waiting.dismissFeed(feed, feedCancelled(feed));
    this.deps.feeds.look(feed);
  }

  /** See {@link ItemCheck.check}. */
  check(items: readonly unknown[], request: Checks): readonly unknown[] {
    return this.looked.check(items, request);
  }

  /**
   * Accepts all items or none. Calls `accepted` with one id for each item, in order, in the same turn and before any task can run, and returns
   * its result. Without room it throws `queue-full`, or waits for `waitSeconds` if given, behind those that already wait with the same priority
   * or a better one, and then resolves or rejects.
   */
  admitAll<T>(items: readonly unknown[], feed: Feed, options: FeedOptions, wait: RoomWait, accepted: (ids: string[]) => T): T | Promise<T> {
    this.refuseWhenClosed(feed);
    const needed = this.countNew(items, options.onDuplicate);
    if (needed <= this.roomFor(options)) return this.takeAll(items, feed, options, accepted);
    if (!wait.waitSeconds || needed > this.deps.backlogCapacity) throw this.queueFull(needed, feed.target as Stage);
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    let least = needed;
    const waiter: RoomWaiter = {
      feed,
      alive: true,
      needs: () => least,
      admit: () => {
        // Counting is expensive, so it is done only when they may fit. The count changes as ids become known or are forgotten.
        if (this.room < least) return false;
        try {
          this.refuseWhenClosed(feed);
          if (options.onDuplicate === 'reject') this.check(items, options);
          least = this.countNew(items, options.onDuplicate);
          if (this.room < least) return false;
          this.takeAll(items, feed, options, (ids) => resolve(accepted(ids)));
        } catch (error) {
          reject(error);
        }
        return true;
      },
      fail: reject,
    };
    return this.waitFor(waiter, promise, feed, options, wait);
  }

  private takeAll<T>(items: readonly unknown[], feed: Feed, options: FeedOptions, accepted: (ids: string[]) => T): T {
    const answer = accepted(this.admitFrom(items, 0, items.length, feed, options, true));
    this.deps.scheduler.run();
    return answer;
  }

  /** Waits in the waiting room until `admitted` settles, the time is up, or the caller has disconnected. */
  private waitFor<T>(
    waiter: RoomWaiter,
    admitted: Promise<T>,
    feed: Feed,
    options: FeedOptions,
    { waitSeconds = 0, signal }: RoomWait,
  ): Promise<T> {
    const { time, dues } = this.deps;
    const late = dues.add(time.tick() + waitSeconds * 1000, () =>
      this.waiting.dismiss(waiter, this.queueFull(waiter.needs(), feed.target as Stage)),
    );
    const gone = (): void => this.waiting.dismiss(waiter, callerGone());
    signal?.addEventListener('abort', gone, { once: true });
    this.waiting.enter(priorityOf(options), waiter);
    if (signal?.aborted) gone();
    return admitted.finally(() => {
      dues.cancel(late);
      signal?.removeEventListener('abort', gone);
    });
  }

  /**
   * Accepts items in order as room appears. Rejects with `draining`, `shutting-down`, `feed-cancelled` or `store-unavailable` when no more are
   * taken, or with `queue-full` when it may not wait for a pipeline that is not running; items accepted by then stay.
   */
  admitWhenRoom(items: readonly unknown[], feed: Feed, options: FeedOptions, mayWaitWhileStopped: boolean): Promise<void> {
    const { scheduler, state } = this.deps;
    let at = 0;
    let isRefused = false;
    const admit = (): boolean => {
      // A task that runs in between may drain or shut down the pipeline, or cancel this feed.
      while (at < items.length && !isRefused && this.isOpenFor(feed)) {
        const { room } = this;
        if (room <= 0) break;
        const end = Math.min(items.length, at + room);
        this.admitFrom(items, at, end, feed, options, false);
        at = end;
        // Idle workers take items at once, which makes room again.
        scheduler.run();
      }
      return at === items.length;
    };
    return new Promise((resolve, reject) => {
      try {
        this.refuseWhenClosed(feed);
        if (!this.waiting.isAhead(priorityOf(options)) && admit()) {
          resolve();
          return;
        }
        if (!mayWaitWhileStopped && (state() === 'created' || state() === 'stopped')) {
          throw this.queueFull(items.length - at, feed.target as Stage);
        }
        this.refuseWhenClosed(feed);
      } catch (error) {
        reject(error);
        return;
      }
      const waiter: RoomWaiter = {
        feed,
        alive: true,
        needs: () => items.length - at,
        admit: () => {
          try {
            if (!admit()) return false;
            resolve();
          } catch (error) {
            waiter.fail(error as SluiceError);
          }
          return true;
        },
        fail: (error) => {
          isRefused = true;
          reject(new SluiceError(error.code, error.message, { details: { ...error.details, accepted: feed.accepted } }));
        },
      };
      this.waiting.enter(priorityOf(options), waiter);
    });
  }

  /** Stops accepting for this reason; null: accepts again. */
  setTrouble(reason: string | null): void {
    this.trouble = reason;
    if (reason !== null) this.refuseWaiting(storeUnavailable(reason, 0));
  }

  /** Called when a place in the backlog becomes free. */
  onRoom(): void {
    this.waiting.serve();
  }

  /** Fails all waits for room with this error. */
  refuseWaiting(error: SluiceError): void {
    this.waiting.dismissAll(error);
  }

  /** Applies the capacity of a new definition; items beyond a smaller one stay. */
  resize(backlogCapacity: number): void {
    this.deps.backlogCapacity = backlogCapacity;
    this.onRoom();
  }

  private isOpenFor(feed: Feed): boolean {
    return !this.isClosed && this.trouble === null && !feed.isCancelled && this.deps.state() !== 'draining';
  }

  private get room(): number {
    return this.deps.backlogCapacity - this.deps.scheduler.backlog;
  }

  private admitFrom(items: readonly unknown[], from: number, to: number, feed: Feed, options: FeedOptions, wantsIds: boolean): string[] {
    const { scheduler, time, idPrefix, ledger, onLarge } = this.deps;
    const index = this.deps.index();
    // It may have been removed meanwhile: then the items pass through it.
    const stage = feed.target as Stage;
    const priority = priorityOf(options);
    const ids: string[] = [];
    // A store that cannot be read says so before anything has changed.
    const found = lookUp(index, items, from, to);
    // Each of the items needs a number, and those with an id may take that of another one.
    const taken = index.takenAfter(this.sequence, to - from + (found?.length ?? 0));
    const now = time.tick();
    this.deps.onFed(feed);
    let hasMet = false;
    for (let i = from; i < to; i++) {
      const raw = items[i];
      let id: string | null = null;
      let value = raw;
      let metadata = NO_METADATA;
      if (isNamed(raw)) {
        ({ id, value, metadata } = readNamed(raw));
        // An earlier one of these may have the same id.
        const known = index.inMemory(id) ?? found?.[i - from];
        if (known !== undefined) {
          if (options.onDuplicate !== 'rerun' || !known.isFinal) {
            feed.meet(known);
            ledger.refuseDuplicate();
            hasMet = true;
            if (wantsIds) ids.push(id);
            continue;
          }
          index.remove(known);
        }
      }
      const item = new Item(id, idPrefix, this.nextSequence(index, taken), feed, priority, value, metadata, stage, now);
      item.size = this.looked.sizeOf(raw);
      if (item.size > LARGE) onLarge(item.size);
      if (wantsIds) ids.push(item.id);
      feed.take(item.sequenceId, priority);
      index.add(item);
      ledger.accept();
      scheduler.enqueue(item, PLACE_BACKLOG);
    }
    if (hasMet) feed.met();
    return ids;
  }

  /**
   * For items that arrive in pieces and are to be accepted together. The returned function is called with each piece, and throws `queue-full`
   * once more items have come than there is room for, so that nobody has to buffer the rest. It reserves nothing.
   */
  gauge(options: FeedOptions, mayWait: boolean): (items: readonly unknown[]) => void {
    const stage = this.stageFor(options);
    const count = this.looked.counter(options.onDuplicate);
    return (items) => {
      const needed = count(items);
      if (needed > (mayWait ? this.deps.backlogCapacity : this.roomFor(options))) throw this.queueFull(needed, stage);
    };
  }

  private countNew(items: readonly unknown[], onDuplicate: OnDuplicate | undefined): number {
    return this.looked.counter(onDuplicate)(items);
  }

  /** The room for a newcomer: none while others wait whose turn comes first. */
  private roomFor(options: FeedOptions): number {
    return this.waiting.isAhead(priorityOf(options)) ? 0 : this.room;
  }

  private stageFor({ targetStage, priority }: FeedOptions): Stage {
    checkPriority(priority);
    return targetOf(this.deps.stages(), targetStage);
  }

  private refuseWhenClosed(feed: Feed | null): void {
    const accepted = feed?.accepted ?? 0;
    if (this.isClosed) throw shuttingDown(accepted);
    if (this.trouble !== null) throw storeUnavailable(this.trouble, accepted);
    if (this.deps.state() === 'draining') {
      throw new SluiceError('draining', 'the pipeline is finishing its items and accepts no more', { details: { accepted } });
    }
    if (feed?.isCancelled === true) throw feedCancelled(feed);
  }

  private queueFull(needed: number, stage: Stage): SluiceError {
    const { backlogCapacity, secondsUntilRoom } = this.deps;
    const room = Math.max(0, this.room);
    const waitedFor = this.waiting.needs;
    const retryAfterSeconds = secondsUntilRoom(Math.max(1, needed + waitedFor - room), stage);
    return queueFull(needed, { capacity: backlogCapacity, room, waitedFor, retryAfterSeconds });
  }

  /** The next sequence id whose generated id no caller has given to an item of its own. `taken`: those of the store. */
  private nextSequence(index: Items, taken: ReadonlySet<number>): number {
    do this.sequence++;
    while (taken.has(this.sequence) || index.isTaken(this.sequence));
    return this.sequence;
  }
}

const priorityOf = ({ priority = PRIORITY_DEFAULT }: FeedOptions): number => priority;

/** The known items of these, by their places; null when none has an id of its caller's. */
function lookUp(index: Items, items: readonly unknown[], from: number, to: number): (Item | undefined)[] | null {
  let found: (Item | undefined)[] | null = null;
  for (let i = from; i < to; i++) {
    const raw = items[i];
    if (!isNamed(raw)) continue;
    found ??= [];
    found[i - from] = index.peek(idOf(raw) as string);
  }
  return found;
}
