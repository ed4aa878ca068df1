import type { EventFilter, EventSource } from '../../engine/index.ts';
import { eventFrame, type Payload, toPayload } from './frame.ts';

/** One filtered view of one pipeline's events; everyone who asks for the same shares it, and with it the serialised batches. */
export interface EventView {
  readonly key: string;
  readonly events: EventSource;
  readonly filter: EventFilter;
  readers: number;
  /** How many events the next read looks at; it follows how many fitted into the last batch. */
  scan: number;
}

/** The events of a view after `from`, up to and with `to`, serialised. */
export interface Batch {
  readonly to: number;
  /** The id in it that a client keeps as its position; 0 when there is none. */
  readonly lastId: number;
  /** Null when none of the events looked at fits the filter. */
  readonly payload: Payload | null;
}

/** In UTF-16 units, of which each takes three bytes at most: a batch is under 240 KiB, unless one event alone is larger. */
const BATCH_LENGTH_MAX = 80 * 1024;
const SCAN_MIN = 16;
const SCAN_MAX = 1024;

export interface Batches {
  view(events: EventSource, filter: EventFilter): EventView;
  /** The events after `from`, serialised at most once for all readers of the view while the cache holds them. */
  after(view: EventView, from: number): Batch;
}

/**
 * Serialises events for readers. Readers that are up to date all ask for the same batch; those that lag behind come back to the
 * common places when they have caught up. The cache is one, for all views, and drops the oldest batches beyond `maxBytes`.
 */
export function createBatches(maxBytes: number): Batches {
  const cache = new Map<string, Batch>();
  let cachedBytes = 0;
  let views = 0;

  function build(view: EventView, from: number): Batch {
    const { events, cursor } = view.events.read(from, view.scan, view.filter);
    const { lines } = view.events;
    let text = '';
    let fitted = 0;
    let lastId = 0;
    for (const event of events) {
      const frame = eventFrame(lines.nameOf(event.seq), event);
      if (fitted > 0 && text.length + frame.length > BATCH_LENGTH_MAX) {
        view.scan = Math.max(SCAN_MIN, fitted);
        return { to: lastId, lastId, payload: toPayload([text]) };
      }
      text += frame;
      lastId = event.seq;
      fitted++;
    }
    view.scan = Math.min(SCAN_MAX, view.scan * 2);
    return { to: cursor, lastId, payload: text === '' ? null : toPayload([text]) };
  }

  function keep(key: string, batch: Batch): void {
    cache.set(key, batch);
    cachedBytes += sizeOf(batch);
    for (const [oldest, dropped] of cache) {
      if (cachedBytes <= maxBytes) break;
      cache.delete(oldest);
      cachedBytes -= sizeOf(dropped);
    }
  }

  return {
    view(events, filter) {
      return { key: String(views++), events, filter, readers: 0, scan: SCAN_MAX };
    },
    after(view, from) {
      // Nobody else will ask for what a single reader gets.
      if (view.readers < 2) return build(view, from);
      const key = `${view.key}@${from}`;
      const known = cache.get(key);
      if (known !== undefined) return known;
      const batch = build(view, from);
      // A batch says all there is between two places, for ever. One that leads nowhere would be wrong by the next event.
      if (batch.to > from) keep(key, batch);
      return batch;
    },
  };
}

/** With what the map and the objects take, so that many small batches are bounded too. */
function sizeOf(batch: Batch): number {
  return 300 + (batch.payload?.chunk.length ?? 0);
}

/** The same text for filters that let the same events through. */
export function filterKey(filter: EventFilter): string {
  const { types, pipelineId, itemId, feedId, stage, status } = filter;
  return JSON.stringify([types, pipelineId, itemId, feedId, stage, status].map((set) => set && [...set].sort()));
}
