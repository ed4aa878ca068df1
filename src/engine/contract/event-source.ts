import type { FeedEvent } from '../../schemas/feed.ts';
import type { PipelineEvent, PipelineResult, StatusEvent, TaskEvent } from '../../schemas/item.ts';

/** The filter of a subscriber; an absent field lets everything through. Snapshots are made by the hub, not read from here. */
export interface EventFilter {
  types: ReadonlySet<EventType>;
  /** Only for the events of all pipelines. */
  pipelineId?: ReadonlySet<string>;
  itemId?: ReadonlySet<string>;
  feedId?: ReadonlySet<string>;
  stage?: ReadonlySet<string>;
  status?: ReadonlySet<string>;
}

export type EventType = 'status' | 'task' | 'result' | 'pipeline' | 'feed';

export type SluiceEvent =
  | { seq: number; type: 'status'; data: StatusEvent }
  | { seq: number; type: 'task'; data: TaskEvent }
  | { seq: number; type: 'result'; data: PipelineResult }
  | { seq: number; type: 'pipeline'; data: PipelineEvent }
  | { seq: number; type: 'feed'; data: FeedEvent };

/** How much may be formed of events in one go, in characters of JSON; what was is taken off. */
export interface ReadBudget {
  characters: number;
}

/**
 * The names of lines, by which the ids of events begin. A line begins where events may have been lost that readers were told of: its events have numbers that
 * those had, and other ids.
 */
export interface EventLines {
  /** The name of the newest line, of which the next event is. */
  readonly current: string;
  /** The name of the line that an event is of, or the place after it. */
  nameOf(seq: number): string;
  /** The id of an event, `<name>-<seq>`, or of the place after it. */
  idOf(seq: number): string;
  /** Whether there is such a line, and the seq is not beyond its end; the newest one has none. */
  has(name: string, seq: number): boolean;
}

/**
 * The one sequence of a pipeline's events: seq 1, 2, 3 … without a gap. The newest are kept, so a reader is a cursor:
 * replay and live are the same reading, there is no seam between them.
 */
export interface EventSource {
  /** The first parts of ids. All are other ones when seq starts anew, that is after a restart that kept no events. */
  readonly lines: EventLines;
  /** Number of the oldest event still kept; `newest + 1` if none is. */
  readonly oldest: number;
  /** Number of the newest event; 0 before the first. */
  readonly newest: number;
  /**
   * Events after `after` that fit the filter, scanning at most `scan` of them, and with the event that uses the budget up no more.
   * `cursor` is the seq up to which it looked.
   */
  read(after: number, scan: number, filter: EventFilter, budget?: ReadBudget): { events: SluiceEvent[]; cursor: number };
  /** Calls `wake` in a later turn after events were added, once for many of them. Returns the way to end it. */
  subscribe(wake: () => void): () => void;
}
