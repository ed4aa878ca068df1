/*
 * Room `sse`: fans the events of pipelines out to the readers of `text/event-stream`.
 *
 * Holds:
 * 1. A reader gets every event of its filter after its cursor exactly once and in order, or is told of the gap.
 *    Replay and live reading are the same: there is no moment at which one becomes the other.
 * 2. A reader that does not read costs its connection, its cursor and what one step has written. It slows nobody, and after
 *    `maxBlockedMs` it is cut off; it resumes by its last id.
 * 3. Nothing is serialised without a reader, and nothing twice for readers of the same filter at the same place.
 * 4. Without a reader the hub has no timer and no subscription.
 *
 * Refuses: to queue for a reader, and to drop events in silence.
 */

import type { ServerResponse } from 'node:http';
import { type EventFilter, type EventSource, SluiceError } from '../../engine/index.ts';
import { type Clock, type Logger, systemClock, unref } from '../../engine/ports.ts';
import { createBatches, type EventView, filterKey } from './batches.ts';
import { COMMENT_FRAME, toPayload } from './frame.ts';
import { createReader, type ReaderWorld, type SseReader } from './reader.ts';
import { createSnapshots, type SnapshotView } from './snapshots.ts';
import { createTurns } from './turns.ts';

export interface SseHubOptions {
  logger: Logger;
  clock?: Clock;
  /** Between two comment lines; 15 s when absent, as the HTML standard advises. */
  heartbeatMs?: number;
  /** How long a reader may be held back without having taken what was written to it; 30 s when absent. */
  maxBlockedMs?: number;
  /** How long an ended stream may take to reach its client before the connection is cut; 2 s when absent. */
  closeMs?: number;
  /** While events keep coming: at least so long between two writes to a reader; 5 ms when absent. */
  paceMs?: number;
}

export interface SseAttachment {
  /** Nothing may have been sent on it. It belongs to the hub from here on. */
  response: ServerResponse;
  /** Sent with the stream beside its own headers. */
  headers?: Record<string, number | string | string[] | undefined>;
  events: EventSource;
  filter: EventFilter;
  /** Where to begin: after this seq. */
  after: number;
  /** True when events before that were missed that nobody can count. */
  gap?: boolean;
  /** Sent at once and then at this interval. */
  snapshots?: Periodic;
  stats?: Periodic;
  overview?: Periodic;
}

export interface Periodic {
  /** One, or several that are read and shared one by one. */
  view: SnapshotView | readonly SnapshotView[];
  seconds: number;
}

export interface SseHub {
  /** How many streams are open. */
  readonly size: number;
  /** Since the hub was made: streams opened, gaps told, and readers cut off because they did not read. */
  readonly counts: { readonly opened: number; readonly gaps: number; readonly evictions: number };
  /** Opens a stream. Throws `shutting-down`, before anything is sent, once the hub is closed. */
  attach(attachment: SseAttachment): void;
  /** Ends the streams of one pipeline, as {@link SseHub.close} does. */
  closeSource(events: EventSource): Promise<void>;
  /**
   * Sends every reader what it lacks, `event: bye`, and the end of the stream. Resolves when all connections are closed, those that
   * do not take it within `closeMs` by force. Idempotent; no stream is opened any more.
   */
  close(): Promise<void>;
}

interface Source {
  events: EventSource;
  views: Map<string, EventView>;
  readers: Set<SseReader>;
  unsubscribe: () => void;
  /** When its readers were last woken, and the timer for the next time. */
  pacedAt: number;
  pacing: unknown;
}

const CACHE_BYTES = 8 * 1024 * 1024;
const COMMENT = toPayload([COMMENT_FRAME]);

export function createSseHub(options: SseHubOptions): SseHub {
  const { logger, clock = systemClock, heartbeatMs = 15_000, maxBlockedMs = 30_000, closeMs = 2000, paceMs = 5 } = options;
  const batches = createBatches(CACHE_BYTES);
  const periodic = {
    snapshots: createSnapshots({ event: 'snapshot', clock, logger }),
    stats: createSnapshots({ event: 'stats', clock, logger }),
    overview: createSnapshots({ event: 'overview', clock, logger }),
  };
  const sources = new Map<EventSource, Source>();
  const readers = new Set<SseReader>();
  const turns = createTurns({ clock, logger });
  const counts = { opened: 0, gaps: 0, evictions: 0 };
  let closing = false;
  let heartbeat: unknown;
  let blockedCheck: unknown;
  const closedListeners = new Set<() => void>();

  function open(events: EventSource): Source {
    const source: Source = {
      events,
      views: new Map(),
      readers: new Set(),
      unsubscribe: () => undefined,
      pacedAt: Number.NEGATIVE_INFINITY,
      pacing: undefined,
    };
    source.unsubscribe = events.subscribe(() => pace(source));
    sources.set(events, source);
    return source;
  }

  /**
   * Sends an event after a quiet period at once. While events keep coming, collects them for a moment, so that one write carries many
   * events: a write is most of what an event costs.
   */
  function pace(source: Source): void {
    if (source.pacing !== undefined) return;
    const wait = source.pacedAt + paceMs - clock.monotonic();
    if (wait <= 0) {
      wake(source);
      return;
    }
    source.pacing = clock.setTimer(() => {
      source.pacing = undefined;
      wake(source);
    }, wait);
    unref(source.pacing);
  }

  function wake(source: Source): void {
    source.pacedAt = clock.monotonic();
    for (const reader of source.readers) turns.enqueue(reader);
    turns.begin();
  }

  function attach(attachment: SseAttachment): void {
    if (closing) throw new SluiceError('shutting-down');
    const { events, filter, response, headers = {}, after, gap = false } = attachment;
    const source = sources.get(events) ?? open(events);
    const key = filterKey(filter);
    const view = source.views.get(key) ?? batches.view(events, filter);
    source.views.set(key, view);
    view.readers++;
    const reader = createReader(world, { response, headers, view, after, gap });
    if (reader === undefined) {
      release(source, view);
      return;
    }
    counts.opened++;
    source.readers.add(reader);
    readers.add(reader);
    for (const kind of ['overview', 'snapshots', 'stats'] as const) {
      const asked = attachment[kind];
      for (const view of asked ? [asked.view].flat() : [])
        reader.leaves.push(periodic[kind].join(view as SnapshotView, asked?.seconds as number, reader));
    }
    if (heartbeat === undefined) armHeartbeat();
    turns.enqueue(reader);
    turns.plan();
  }

  const world: ReaderWorld = {
    batches,
    counts,
    now: () => clock.monotonic(),
    onBlocked: checkBlocked,
    onReady(ready) {
      turns.enqueue(ready);
      turns.plan();
    },
    onClosed(closed) {
      for (const leave of closed.leaves) leave();
      const source = sources.get(closed.view.events) as Source;
      source.readers.delete(closed);
      readers.delete(closed);
      release(source, closed.view);
      if (readers.size === 0) stopTimers();
      for (const listener of [...closedListeners]) listener();
    },
  };

  function release(source: Source, view: EventView): void {
    view.readers--;
    if (view.readers === 0) source.views.delete(filterKey(view.filter));
    if (source.views.size > 0) return;
    source.unsubscribe();
    if (source.pacing !== undefined) clock.clearTimer(source.pacing);
    sources.delete(source.events);
  }

  function armHeartbeat(): void {
    heartbeat = clock.setTimer(() => {
      armHeartbeat();
      for (const reader of readers) {
        reader.offer(COMMENT);
        reader.offerPosition();
      }
    }, heartbeatMs);
    unref(heartbeat);
  }

  /** One timer for all who are held back: armed for the first of them, and again for the oldest that is left. */
  function checkBlocked(): void {
    if (blockedCheck !== undefined) return;
    armBlockedCheck(maxBlockedMs);
  }

  function armBlockedCheck(ms: number): void {
    blockedCheck = clock.setTimer(() => {
      blockedCheck = undefined;
      const now = clock.monotonic();
      let wait = Number.POSITIVE_INFINITY;
      for (const reader of readers) {
        if (reader.mode !== 'blocked') continue;
        const left = reader.blockedSince + maxBlockedMs - now;
        if (left <= 0) {
          counts.evictions++;
          reader.destroy();
        } else wait = Math.min(wait, left);
      }
      if (wait < Number.POSITIVE_INFINITY) armBlockedCheck(wait);
    }, ms);
    unref(blockedCheck);
  }

  function stopTimers(): void {
    if (heartbeat !== undefined) clock.clearTimer(heartbeat);
    if (blockedCheck !== undefined) clock.clearTimer(blockedCheck);
    heartbeat = undefined;
    blockedCheck = undefined;
  }

  /** Ends these readers and resolves when the last of them is closed. */
  async function endAll(ending: readonly SseReader[]): Promise<void> {
    const open = (): SseReader[] => ending.filter((reader) => reader.mode !== 'closed');
    for (const reader of ending) reader.end();
    if (open().length === 0) return;
    await new Promise<void>((resolve) => {
      const deadline = clock.setTimer(() => {
        for (const reader of open()) reader.destroy();
      }, closeMs);
      const listener = (): void => {
        if (open().length > 0) return;
        clock.clearTimer(deadline);
        closedListeners.delete(listener);
        resolve();
      };
      closedListeners.add(listener);
    });
  }

  return {
    get size() {
      return readers.size;
    },
    counts,
    attach,
    closeSource: (events) => endAll([...(sources.get(events)?.readers ?? [])]),
    close() {
      closing = true;
      return endAll([...readers]);
    },
  };
}
