/**
 * One reader of an event stream: a connection and a cursor into the sequence of events. What it has not read yet is nowhere
 * queued for it; it is in the pipeline's event source, or no longer, and then the reader is told so by a `gap`.
 *
 *     open ──write() is false──▶ blocked          end(): to the newest event of that moment, then `bye`
 *      ▲                           │    │         either of them ──▶ ended ──▶ closed
 *      └─────────drain─────────────┘    └─too long, or the connection closes ──▶ closed
 *
 * Only step(), onDrain, finish() and onClose change the mode. A blocked reader holds at most what one step has written: 64 KiB
 * and one batch.
 */
import type { ServerResponse } from 'node:http';
import type { Batches, EventView } from './sse-batches.ts';
import { controlFrame, type Payload, positionFrame, RETRY_FRAME, toPayload } from './sse-frame.ts';
import { openWire } from './sse-wire.ts';

/** A step writes until it has so many bytes; more would wait in the socket, which asks for a pause at 64 KiB. */
const STEP_BYTES = 64 * 1024;

export interface SseReader {
  readonly mode: 'open' | 'blocked' | 'ended' | 'closed';
  /** Set by the hub while the reader waits for its turn. */
  queued: boolean;
  /** When it was last held back, by the hub's clock. */
  readonly blockedSince: number;
  /** True when a step has something to do. */
  readonly ready: boolean;
  /** Writes what follows the cursor, as much as fits in one go. */
  step(): void;
  /** Writes a heartbeat or a snapshot; it is left out, not queued, when the reader is held back. */
  offer(payload: Payload): void;
  /** Says where the cursor is when the filter kept the last events from the client, so that it need not read over them again. */
  offerPosition(): void;
  /** Sends what there is up to now, then `bye`, then ends the stream. */
  end(): void;
  destroy(): void;
}

export interface SseReaderOptions {
  response: ServerResponse;
  headers: Record<string, number | string | string[] | undefined>;
  batches: Batches;
  view: EventView;
  /** The seq after which to begin. */
  after: number;
  /** True when events were missed that nobody can count: the client comes from another epoch. */
  gap: boolean;
  now: () => number;
  onBlocked(reader: SseReader): void;
  /** It is `ready` again. */
  onReady(reader: SseReader): void;
  onClosed(reader: SseReader): void;
}

const BYE = toPayload([controlFrame('bye', {})]);

/** Opens the stream. Undefined when the client is gone already. */
export function createReader(options: SseReaderOptions): SseReader | undefined {
  const { response, batches, view, now } = options;
  const { events } = view;
  let mode: SseReader['mode'] = 'open';
  let blockedSince = 0;
  let cursor = options.after;
  let foreign = options.gap;
  /** What the client resumes from when it is cut off now. */
  let position = cursor;
  /** The seq of the last event to send, once the end is asked for. */
  let last: number | undefined;

  // Who comes from another epoch keeps its old id until it has been told of the gap.
  const first = toPayload([RETRY_FRAME, ...(foreign ? [] : [positionFrame(events.epoch, cursor)])]);
  const wire = openWire(response, options.headers, first, { onDrain, onClose });
  if (wire === undefined) return undefined;
  const { write, end: endWire, destroy } = wire;

  const reader: SseReader = {
    queued: false,
    get mode() {
      return mode;
    },
    get blockedSince() {
      return blockedSince;
    },
    get ready() {
      return mode === 'open' && (last !== undefined || foreign || cursor < events.newest);
    },
    step() {
      if (!reader.ready) return;
      const next = takeNext();
      if (next !== undefined) send(next);
      finish();
    },
    offer(payload) {
      if (mode === 'open' && last === undefined) send(payload);
    },
    offerPosition() {
      if (mode !== 'open' || last !== undefined || foreign || position === cursor) return;
      position = cursor;
      send(toPayload([positionFrame(events.epoch, cursor)]));
    },
    end() {
      if (last !== undefined) return;
      last = events.newest;
      if (!finish() && mode === 'open') options.onReady(reader);
    },
    destroy,
  };

  function send(payload: Payload): void {
    if (write(payload)) return;
    if (mode !== 'open') return;
    mode = 'blocked';
    blockedSince = now();
    options.onBlocked(reader);
  }

  /** Fallen off what is kept, or come from another epoch, whose events nobody can count any more: `missed` is null then. */
  function takeGap(): string | undefined {
    const { epoch, oldest } = events;
    const behind = cursor + 1 < oldest;
    if (!foreign && !behind) return undefined;
    const frame = controlFrame('gap', { missed: foreign ? null : oldest - 1 - cursor, oldest: `${epoch}-${oldest}` });
    foreign = false;
    if (behind) cursor = oldest - 1;
    return frame;
  }

  /** What follows, as much as goes in one write. Mostly that is the one batch that everyone else gets too, and nothing is copied. */
  function takeNext(): Payload | undefined {
    const gap = takeGap();
    const payloads: Payload[] = [];
    let bytes = 0;
    // The source changes only between two turns of the event loop: what is kept now is kept until the end of this function.
    while (bytes < STEP_BYTES && cursor < events.newest) {
      const batch = batches.after(view, cursor);
      cursor = batch.to;
      if (batch.lastId > 0) position = batch.lastId;
      if (batch.payload === null) break;
      payloads.push(batch.payload);
      bytes += batch.payload.body.length;
    }
    if (gap !== undefined) return toPayload([gap, ...payloads]);
    return payloads.length > 1 ? toPayload(payloads) : payloads[0];
  }

  /** Says good-bye when everything up to the end is written; true then. A `bye` on top of a full buffer is small enough. */
  function finish(): boolean {
    if (last === undefined || foreign || cursor < last || (mode !== 'open' && mode !== 'blocked')) return false;
    mode = 'ended';
    endWire(BYE);
    return true;
  }

  function onDrain(): void {
    if (mode !== 'blocked') return;
    mode = 'open';
    if (reader.ready) options.onReady(reader);
  }

  function onClose(): void {
    if (mode === 'closed') return;
    mode = 'closed';
    options.onClosed(reader);
  }

  return reader;
}
