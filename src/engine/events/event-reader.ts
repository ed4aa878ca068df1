import { type FeedEvent, resultsPath } from '../../schemas/feed.ts';
import type { ItemStatus, Metadata, PipelineEvent, PipelineResult, StatusEvent, TaskEvent, TaskEventType } from '../../schemas/item.ts';
import { SluiceError } from '../contract/errors.ts';
import type { EventFilter, EventType, SluiceEvent } from '../contract/runtime.ts';
import { NO_METADATA } from '../model/metadata.ts';
import type { Item } from '../model/model.ts';
import type { TaskEventExtra } from '../stage/hinge.ts';
import { EVENTS_CHARACTERS, SUMMARY_CHARACTERS } from '../values/sizes.ts';
import { FEED, FIRST_TASK, RESULT, STATUSES, TASK_TYPES } from './event-codes.ts';
import type { EventNames } from './event-names.ts';
import type { EventRing } from './event-ring.ts';

/** The most events whose items are held. */
const HELD_MAX = 1000;
/** About how many characters an event takes as JSON without its extra. */
const EVENT_SIZE = 250;

/** A feed that is done, as its event keeps it: id, instant of its creation, accepted, completed, failed, cancelled, duplicates, and 1 if its upload was complete. */
export type FeedExtra = readonly [string, number, number, number, number, number, number, number];

/** Finds the items that events refer to. Each MUST be found as long as an event of it is kept. */
export interface EventItems {
  whole: (sequenceId: number) => Item;
  /** The item for its ids and status only: its value and metadata may be missing. */
  face: (sequenceId: number) => Item;
}

/** Forms event objects from the numbers of a ring, for readers. */
export class EventReader {
  private readonly pipelineId: string;
  private readonly ring: EventRing;
  private readonly names: EventNames;
  private items: EventItems;

  constructor(pipelineId: string, ring: EventRing, names: EventNames, items: EventItems) {
    this.pipelineId = pipelineId;
    this.ring = ring;
    this.names = names;
    this.items = items;
  }

  /**
   * Takes the items of the newest events into memory, as many as fit, so that these can be read when no index has them any more. Returns the seq of the first
   * of those events.
   */
  hold(): number {
    const { ring } = this;
    const held = new Map<number, Item>();
    let left = EVENTS_CHARACTERS;
    let first = ring.last + 1;
    while (first > ring.oldest && ring.last - first < HELD_MAX) {
      const sequenceId = ring.sequenceIdOf(first - 1);
      if (sequenceId !== 0 && !held.has(sequenceId)) {
        const item = unlessUnreadable(() => this.items.whole(sequenceId));
        if (item === undefined) break;
        left -= EVENT_SIZE + item.resultSize;
        if (left < 0) break;
        held.set(sequenceId, item);
      }
      first--;
    }
    const find = (sequenceId: number): Item => held.get(sequenceId) as Item;
    this.items = { whole: find, face: find };
    return first;
  }

  /** The kept status events of an item, oldest first, as many as fit into an answer, and whether older ones were left out. */
  history(item: Pick<Item, 'lastEvent'>): { events: StatusEvent[]; truncated: boolean } {
    const { ring } = this;
    const events: StatusEvent[] = [];
    let seq = item.lastEvent;
    const oldest = ring.oldest;
    for (let left = SUMMARY_CHARACTERS; seq >= oldest && left > 0; seq = ring.numberOf(seq)) {
      left -= this.sizeOf(seq);
      events.push((this.form(seq) as Extract<SluiceEvent, { type: 'status' }>).data);
    }
    return { events: events.reverse(), truncated: seq > 0 };
  }

  fits(seq: number, filter: EventFilter): boolean {
    const { ring } = this;
    const code = ring.codeOf(seq);
    const type = typeOf(code);
    if (!filter.types.has(type)) return false;
    if (filter.stage !== undefined && ring.sourceOf(seq) !== 0 && !filter.stage.has(this.names.source(ring.sourceOf(seq)).stage))
      return false;
    const sequenceId = ring.sequenceIdOf(seq);
    // Someone who asked for items does not want events that concern none.
    if (sequenceId === 0) return filter.itemId === undefined && filter.status === undefined && this.fitsFeed(seq, filter);
    if (filter.itemId === undefined && filter.feedId === undefined && (filter.status === undefined || type !== 'result')) {
      return filter.status === undefined || type === 'task' || filter.status.has(STATUSES[code] as string);
    }
    const item = this.items.face(sequenceId);
    if (filter.itemId !== undefined && !filter.itemId.has(item.id)) return false;
    if (filter.feedId !== undefined && !filter.feedId.has(item.feed.id)) return false;
    if (filter.status === undefined || type === 'task') return true;
    return filter.status.has(type === 'status' ? (STATUSES[code] as string) : item.status);
  }

  private fitsFeed(seq: number, { feedId }: EventFilter): boolean {
    if (feedId === undefined) return true;
    return this.ring.codeOf(seq) === FEED && feedId.has((this.ring.extraOf(seq) as FeedExtra)[0]);
  }

  form(seq: number): SluiceEvent {
    const { ring, items } = this;
    const code = ring.codeOf(seq);
    const timestamp = new Date(ring.timeOf(seq)).toISOString();
    if (code < FIRST_TASK) {
      const item = items.face(ring.sequenceIdOf(seq));
      const { stage, worker } = this.names.source(ring.sourceOf(seq));
      return {
        seq,
        type: 'status',
        data: {
          itemId: item.id,
          feedId: item.feed.id,
          stage,
          status: STATUSES[code] as ItemStatus,
          final: ring.isFinal(seq),
          worker,
          timestamp,
          metadata: (ring.extraOf(seq) as Metadata | undefined) ?? NO_METADATA,
        },
      };
    }
    if (code < RESULT) return { seq, type: 'task', data: this.formTask(seq, code, timestamp) };
    if (code === RESULT) return { seq, type: 'result', data: this.formResult(seq) };
    if (code === FEED) return { seq, type: 'feed', data: this.formFeed(seq, timestamp) };
    const extra = ring.extraOf(seq) as Omit<PipelineEvent, 'pipelineId' | 'stage' | 'timestamp'>;
    const source = ring.sourceOf(seq);
    const stage = source === 0 ? null : this.names.source(source).stage;
    return { seq, type: 'pipeline', data: { pipelineId: this.pipelineId, ...extra, stage, timestamp } };
  }

  /** About how many characters of JSON an event is. */
  sizeOf(seq: number): number {
    const { ring } = this;
    const size = EVENT_SIZE + ring.extraSizeOf(seq);
    // Forming the event has read the item already.
    return ring.codeOf(seq) === RESULT ? size + this.items.whole(ring.sequenceIdOf(seq)).resultSize : size;
  }

  private formFeed(seq: number, timestamp: string): FeedEvent {
    const { ring, pipelineId } = this;
    const [feedId, created, total, completed, failed, cancelled, duplicates, isComplete] = ring.extraOf(seq) as FeedExtra;
    return {
      pipelineId,
      feedId,
      createdAt: new Date(created).toISOString(),
      total,
      completed,
      failed,
      cancelled,
      duplicates,
      uploadComplete: isComplete === 1,
      done: true,
      results: resultsPath(pipelineId, feedId),
      timestamp,
    };
  }

  private formResult(seq: number): PipelineResult {
    const extra = this.ring.extraOf(seq) as Pick<PipelineResult, 'error'> | undefined;
    const item = this.items.whole(this.ring.sequenceIdOf(seq));
    const result = item.toResult();
    if (extra === undefined && item.isKept) return result;
    // The result as it was then, of an item that goes on. Events of an older version contain all of it.
    const input = extra?.error == null || item.fed === undefined ? {} : { input: item.fed };
    return { ...result, value: null, ...extra, ...input };
  }

  private formTask(seq: number, code: number, timestamp: string): TaskEvent {
    const { ring, names } = this;
    const { stage, worker } = names.source(ring.sourceOf(seq));
    const extra = ring.extraOf(seq) as TaskEventExtra | undefined;
    const eventType = TASK_TYPES[code - FIRST_TASK] as TaskEventType;
    return {
      itemId: this.items.face(ring.sequenceIdOf(seq)).id,
      stage,
      taskName: names.task(ring.taskOf(seq)),
      worker: worker as string,
      eventType,
      attempt: ring.attemptOf(seq),
      timestamp,
      error: extra?.error ?? null,
      durationSeconds: eventType === 'start' || eventType === 'progress' ? null : ring.numberOf(seq) / 1000,
      ...(extra?.taskStatus === undefined ? undefined : { taskStatus: extra.taskStatus }),
      ...(extra?.fraction === undefined ? undefined : { fraction: extra.fraction }),
    };
  }
}

/** Undefined when the item cannot be read now. */
function unlessUnreadable(find: () => Item): Item | undefined {
  try {
    return find();
  } catch (error) {
    if (error instanceof SluiceError && error.code === 'store-unavailable') return undefined;
    throw error;
  }
}

function typeOf(code: number): EventType {
  if (code < FIRST_TASK) return 'status';
  if (code < RESULT) return 'task';
  return code === RESULT ? 'result' : code === FEED ? 'feed' : 'pipeline';
}
