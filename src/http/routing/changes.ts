import { type EventSource, SluiceError } from '../../engine/index.ts';
import type { PipelineEvent } from '../../schemas/item.ts';
import type { OperatorChange } from '../../schemas/operator-change.ts';
import { knownSeq, readEventId } from '../sse/event-query.ts';

const ONLY_CHANGES = { types: new Set(['pipeline'] as const) };
/** So many events are looked at in one step… */
const STEP = 1000;
/** … and for a page so many steps are made. */
const STEPS_MAX = 50;

/**
 * The changes by operators among the events before a number, the newest first. `next` is the number to go on from, null once all that are kept have been
 * looked at; a page may end before it is full.
 */
export function changesBefore(events: EventSource, before: number, limit: number): { changes: OperatorChange[]; next: number | null } {
  const changes: OperatorChange[] = [];
  const oldest = Math.max(1, events.oldest);
  let end = Math.min(before, events.newest + 1);
  for (let steps = 0; steps < STEPS_MAX && end > oldest; steps++) {
    const from = Math.max(oldest, end - STEP);
    const found = events.read(from - 1, end - from, ONLY_CHANGES).events;
    for (const { seq, data } of found.toReversed()) {
      if (seq >= end) continue;
      const change = changeOf(data as PipelineEvent);
      if (change === null) continue;
      if (changes.length === limit) return { changes, next: end };
      changes.push(change);
      end = seq;
    }
    end = from;
  }
  return { changes, next: end > oldest ? end : null };
}

/** The number to go on from, by the id that stands for it in a cursor. Throws `invalid-cursor` for one of a life of the pipeline whose events are not these. */
export function numberIn(events: EventSource, id: number | string): number {
  const read = readEventId(String(id));
  const number = read && knownSeq(events, read);
  if (number === null) throw new SluiceError('invalid-cursor', 'The cursor was issued for events that are not there any more.');
  return number;
}

/** Null for what the pipeline did by itself. */
function changeOf({ timestamp, by, change, stage, before = null, after = null }: PipelineEvent): OperatorChange | null {
  return by === undefined ? null : { at: timestamp, by, action: change, ...(stage !== null && { stage }), details: { before, after } };
}
