import type { FeedReceipt } from '../../schemas/control.ts';
import type { ItemStatus, PipelineResult } from '../../schemas/item.ts';
import type { TraceContext } from '../../schemas/trace-context.ts';
import { Pace } from '../measures/pace.ts';
import type { SendSpan, TracedError } from '../ports.ts';
import { FeedTraces } from './feed-traces.ts';

/** An ended item, as watchers of its feed see it. */
export interface EndedItem {
  readonly id: string;
  readonly sequenceId: number;
  readonly status: ItemStatus;
  /** About how many characters its result is as JSON. */
  readonly resultSize: number;
  toResult(): PipelineResult;
}

/** An item that one feed has brought, when another names its id. */
export interface KnownItem extends EndedItem {
  readonly isFinal: boolean;
  readonly isKept: boolean;
  readonly feed: Feed;
}

/** A listener for the items of a feed. Its methods MUST NOT throw. */
export interface FeedWatcher {
  /** Called when an item has ended and the feed has counted it. */
  onItem(item: EndedItem): void;
  /** Called when the feed takes no more items. */
  onClose(): void;
  /** Called when an id of the feed's request is known. Value and metadata of the item MAY be missing, and MUST NOT be read here. */
  onKnown?(item: KnownItem): void;
  /** Called in the same turn, when the change in which ids turned out to be known is complete: now the items may be read. */
  onKnownMet?(): void;
}

/** The priority of items that are fed without one. */
const DEFAULT_PRIORITY = 100;

/** The stage that a feed's items enter; it may be renamed. */
export interface FeedTarget {
  readonly name: string;
  readonly no: number;
}

/** Told of a request that ended before its body had. */
const BROKEN_OFF: TracedError = { type: 'upload-incomplete', message: 'the request ended before all of its items had been sent' };

/**
 * The items of one feeding request. Each item refers to its feed; the feed refers to no item, it knows only the range of their sequence ids.
 *
 *     open ──close──▶ closed, and done as soon as no item is unfinished ──retry of a failed item──▶ not done
 *       └──◀──the request broke off, and comes again under its key, or another one appends──┘
 */
export class Feed {
  readonly id: string;
  /** The feed's number in the order of creation. */
  readonly ordinal: number;
  /** The stage that its items are fed into. */
  readonly target: FeedTarget;
  /** Whole milliseconds since the Unix epoch, which are the same whenever they are shown. */
  readonly createdAt: number;
  /** The name of the API key of its request; null where none was required. */
  readonly maker: string | null;
  accepted = 0;
  duplicates = 0;
  completed = 0;
  failed = 0;
  cancelled = 0;
  /** The highest priority number among its items; that of a feed from an earlier process is taken for the default. */
  priority = DEFAULT_PRIORITY;
  firstSequence: number | null = null;
  lastSequence: number | null = null;
  /** True while its request is still sending. */
  isOpen = true;
  /** True when the body of the last request that sent items for it has come to its end. */
  isComplete = false;
  /** Counts of the request that appends, or has appended last; null for the one that opened the feed. */
  part: { accepted: number; duplicates: number; firstSequence: number | null; wasComplete: boolean } | null = null;
  /** True when it was cancelled: no more items are accepted. */
  isCancelled = false;
  /** True when it is over and an event has said so; false again when it goes on. */
  isTold = false;
  /** True when the hook of its end is to be called, or is being called. */
  isOwed = false;
  /** How many starts have called that hook again, before it returned. */
  calledAgain = 0;
  /** The places of its requests in traces; null while none has one, so that an item then costs one comparison. */
  traces: FeedTraces | null = null;
  /** The span of the request that sends, with the counts when it began; null without a tracer. */
  private sending: { span: SendSpan; accepted: number; duplicates: number } | null = null;
  /** null while nobody watches, so that an item's end then costs one comparison. */
  watchers: Set<FeedWatcher> | null = null;
  /** The rate at which its items complete or fail, measured by the pipeline's clock of feeds since the first of them began; null before that, and when it is done. */
  private pace: Pace | null = null;
  /** How long it was worked on until it was done, in whole milliseconds of that clock; null: not yet. What was retried later does not count. */
  workedMs: number | null = null;
  /** True while failed items of it run again after it was done. */
  private isRerun = false;

  constructor(id: string, ordinal: number, target: FeedTarget, createdAt: number, maker: string | null = null) {
    this.id = id;
    this.ordinal = ordinal;
    this.target = target;
    this.createdAt = createdAt;
    this.maker = maker;
  }

  get unfinished(): number {
    return this.accepted - this.completed - this.failed - this.cancelled;
  }

  get isDone(): boolean {
    return !this.isOpen && this.unfinished === 0;
  }

  /**
   * Whether it is done and complete: every item has ended, and nobody is expected to send more. One whose upload broke off is not; one that was cancelled
   * is, since it takes no more.
   */
  get isOver(): boolean {
    return this.isDone && (this.isComplete || this.isCancelled);
  }

  /** A request begins to send for it, under this span, from this place in a trace. */
  begins(span: SendSpan | null, trace: TraceContext | null): void {
    if (span !== null) this.sending = { span, accepted: this.accepted, duplicates: this.duplicates };
    if (trace === null && this.traces === null) return;
    this.traces ??= new FeedTraces();
    this.traces.begin(trace);
  }

  /** Counts an item that was accepted. */
  take(sequenceId: number, priority: number): void {
    this.priority = this.accepted === 0 ? priority : Math.max(this.priority, priority);
    this.accepted++;
    if (this.traces !== null) this.traces.take(sequenceId);
    this.firstSequence ??= sequenceId;
    this.lastSequence = sequenceId;
    if (this.part === null) return;
    this.part.accepted++;
    this.part.firstSequence ??= sequenceId;
  }

  /** Counts an id that is known, one that the feed has itself too: `accepted` and `duplicates` are together all items that requests have brought for it. */
  meet(item: KnownItem): void {
    if (this.part !== null) this.part.duplicates++;
    this.duplicates++;
    if (this.watchers !== null) for (const watcher of this.watchers) watcher.onKnown?.(item);
  }

  /** Tells the watchers that what they have met may be read. To be called before any task can run. */
  met(): void {
    if (this.watchers !== null) for (const watcher of this.watchers) watcher.onKnownMet?.();
  }

  /** Opens it again for a request that appends. */
  append(): void {
    this.part = { accepted: 0, duplicates: 0, firstSequence: null, wasComplete: this.isComplete };
    this.isComplete = false;
    this.isOpen = true;
    this.isRerun = false;
  }

  /**
   * `isComplete`: whether the request's body has come to its end; `error`: why it has not, if that is known. One that brought nothing changes nothing.
   */
  close(isComplete: boolean, error?: TracedError): void {
    this.endSending(isComplete ? undefined : (error ?? BROKEN_OFF));
    const { part } = this;
    const isAsBefore = part?.wasComplete === true && part.accepted + part.duplicates === 0;
    this.isComplete = isComplete || isAsBefore;
    if (!isAsBefore) this.isTold = false;
    this.isOpen = false;
    this.rest();
    if (this.watchers !== null) for (const watcher of this.watchers) watcher.onClose();
  }

  private endSending(error: TracedError | undefined): void {
    const { sending } = this;
    if (sending === null) return;
    this.sending = null;
    const accepted = this.accepted - sending.accepted;
    const duplicates = this.duplicates - sending.duplicates;
    sending.span.end(error === undefined ? { accepted, duplicates } : { accepted, duplicates, error });
  }

  /** Whether its rate is measured; else {@link Feed.begin} is to be called when one of its items begins. */
  get isMeasured(): boolean {
    return this.pace !== null;
  }

  /** `at`: the instant, by the pipeline's clock of feeds. */
  begin(at: number): void {
    this.pace = new Pace(at);
  }

  /** Counts an item that has completed or failed, at an instant of that clock. */
  measure(at: number): void {
    if (this.pace === null) this.begin(at);
    this.pace?.add(at);
  }

  /** A failed item of it runs again. */
  goOn(): void {
    if (this.isDone) this.isRerun = true;
    this.failed--;
    this.isTold = false;
  }

  /** The same until now, also while it is worked on; 0: not yet. */
  get workedSoFarMs(): number {
    const { pace, isRerun, workedMs } = this;
    const now = pace === null || isRerun || pace.total === 0 ? 0 : Math.max(1, Math.round(pace.spanMs));
    return (workedMs ?? 0) + now;
  }

  /** To be called after whatever may have ended it. */
  rest(): void {
    if (!this.isDone || this.pace === null) return;
    this.workedMs = this.workedSoFarMs || null;
    this.isRerun = false;
    this.pace = null;
  }

  /** Items a second: recently while it runs, on average when it is done. `at`: the instant, by the pipeline's clock of feeds. */
  perSecond(at: number): number {
    if (this.pace !== null && this.pace.total > 0) return this.pace.perSecond(at);
    return this.workedMs === null ? 0 : ((this.completed + this.failed) * 1000) / this.workedMs;
  }

  watch(watcher: FeedWatcher): void {
    this.watchers ??= new Set();
    this.watchers.add(watcher);
  }

  /** Idempotent. */
  unwatch(watcher: FeedWatcher): void {
    this.watchers?.delete(watcher);
    if (this.watchers?.size === 0) this.watchers = null;
  }

  receipt(ids?: string[]): FeedReceipt {
    const { accepted, duplicates, firstSequence } = this.part ?? this;
    const lastSequence = accepted === 0 ? null : this.lastSequence;
    return { feedId: this.id, accepted, duplicates, firstSequence, lastSequence, ...(ids === undefined ? {} : { ids }) };
  }
}
