import type { EventSource } from '../../engine/index.ts';
import type { PipelineEvent } from '../../schemas/item.ts';
import type { OperatorChange } from '../../schemas/operator-change.ts';

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

/** Null for what the pipeline did by itself. */
function changeOf({ timestamp, by, change, stage, before = null, after = null }: PipelineEvent): OperatorChange | null {
  return by === undefined ? null : { at: timestamp, by, action: change, ...(stage !== null && { stage }), details: { before, after } };
}
