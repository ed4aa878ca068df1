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
import type { Batch, Batches, EventView } from './batches.ts';
import { controlFrame, type Payload, positionFrame, RETRY_FRAME, toPayload } from './frame.ts';
import { openWire, type Wire, type WireEvents } from './wire.ts';

/** A step writes until it has so many bytes; more would wait in the socket, which asks for a pause at 64 KiB. */
const STEP_BYTES = 64 * 1024;

/** State shared by all readers of a hub. */
export interface ReaderWorld {
  batches: Batches;
  counts: { gaps: number };
  now: () => number;
  onBlocked(reader: SseReader): void;
  /** It is `ready` again. */
  onReady(reader: SseReader): void;
  onClosed(reader: SseReader): void;
}

export interface SseReaderOptions {
  response: ServerResponse;
  headers: Record<string, number | string | string[] | undefined>;
  view: EventView;
  /** The seq after which to begin. */
  after: number;
  /** True when events were missed that nobody can count: the id of the client is not known. */
  gap: boolean;
}

const BYE = toPayload([controlFrame('bye', {})]);

/** Opens the stream. Undefined when the client is gone already. */
export function createReader(world: ReaderWorld, options: SseReaderOptions): SseReader | undefined {
  const reader = new SseReader(world, options);
  return reader.open(options) ? reader : undefined;
}

/** A thousand of them may idle: what it holds is in its fields, and no closure is made for it. */
export class SseReader implements WireEvents {
  mode: 'open' | 'blocked' | 'ended' | 'closed' = 'open';
  /** Set by the hub while the reader waits for its turn. */
  queued = false;
  /** When it was last held back, by the hub's clock. */
  blockedSince = 0;
  readonly view: EventView;
  /** The hub's: each ends something that the reader is offered from time to time. */
  readonly leaves: (() => void)[] = [];
  private readonly world: ReaderWorld;
  private wire: Wire | null = null;
  private cursor: number;
  private foreign: boolean;
  /** The event id from which the client would resume if it were cut off now. */
  private position: number;
  /** The seq of the last event to send, once the end is asked for; -1 before that. */
  private last = -1;

  constructor(world: ReaderWorld, { view, after, gap }: SseReaderOptions) {
    this.world = world;
    this.view = view;
    this.cursor = after;
    this.position = after;
    this.foreign = gap;
  }

  open({ response, headers }: SseReaderOptions): boolean {
    const { lines } = this.view.events;
    // A reader with an id that is not known keeps it until it has been told of the gap.
    const first = [RETRY_FRAME, ...(this.foreign ? [] : [positionFrame(lines.nameOf(this.cursor), this.cursor)])].join('');
    this.wire = openWire(response, headers, first, this);
    return this.wire !== null;
  }

  /** True when a step has something to do. */
  get ready(): boolean {
    return this.mode === 'open' && (this.last >= 0 || this.foreign || this.cursor < this.view.events.newest);
  }

  /** Writes what follows the cursor, as much as fits in one go. */
  step(): void {
    if (!this.ready) return;
    const next = this.takeNext();
    if (next !== undefined) this.send(next);
    this.finish();
  }

  /** Writes a heartbeat or a snapshot; it is left out, not queued, when the reader is held back. */
  offer(payload: Payload): void {
    if (this.mode === 'open' && this.last < 0) this.send(payload);
  }

  /** Says where the cursor is when the filter kept the last events from the client, so that it need not read over them again. */
  offerPosition(): void {
    if (this.mode !== 'open' || this.last >= 0 || this.foreign || this.position === this.cursor) return;
    this.position = this.cursor;
    this.send(toPayload([positionFrame(this.view.events.lines.nameOf(this.cursor), this.cursor)]));
  }

  /** Sends what there is up to now, then `bye`, then ends the stream. */
  end(): void {
    if (this.last >= 0) return;
    this.last = this.view.events.newest;
    if (!this.finish() && this.mode === 'open') this.world.onReady(this);
  }

  destroy(): void {
    this.wire?.destroy();
  }

  onDrain(): void {
    if (this.mode !== 'blocked') return;
    this.mode = 'open';
    if (this.ready) this.world.onReady(this);
  }

  onClose(): void {
    if (this.mode === 'closed') return;
    this.mode = 'closed';
    this.world.onClosed(this);
  }

  private send(payload: Payload): void {
    if ((this.wire as Wire).write(payload) || this.mode !== 'open') return;
    this.mode = 'blocked';
    this.blockedSince = this.world.now();
    this.world.onBlocked(this);
  }

  /** Fallen off what is kept, or come with an id that is not known, so that nobody can count what it has missed: `missed` is null then. */
  private takeGap(): string | undefined {
    const { lines, oldest } = this.view.events;
    const { foreign, cursor } = this;
    const behind = cursor + 1 < oldest;
    if (!foreign && !behind) return undefined;
    this.foreign = false;
    if (behind) this.cursor = oldest - 1;
    this.world.counts.gaps++;
    return controlFrame('gap', { missed: foreign ? null : oldest - 1 - cursor, oldest: lines.idOf(oldest) });
  }

  /** Null when what it refers to cannot be read now, and there is something to send without it. */
  private nextBatch(hasOthers: boolean): Batch | null {
    try {
      return this.world.batches.after(this.view, this.cursor);
    } catch (error) {
      if (hasOthers) return null;
      throw error;
    }
  }

  /** The next events, as many as fit into one write. Usually this is the batch that every other reader gets, and nothing is copied. */
  private takeNext(): Payload | undefined {
    const { view } = this;
    const gap = this.takeGap();
    const payloads: Payload[] = [];
    let bytes = 0;
    // The source changes only between two turns of the event loop: what is kept now is kept until the end of this function.
    while (bytes < STEP_BYTES && this.cursor < view.events.newest) {
      const batch = this.nextBatch(gap !== undefined || payloads.length > 0);
      if (batch === null) break;
      this.cursor = batch.to;
      if (batch.lastId > 0) this.position = batch.lastId;
      if (batch.payload === null) break;
      payloads.push(batch.payload);
      bytes += batch.payload.body.length;
    }
    if (gap !== undefined) return toPayload([gap, ...payloads]);
    return payloads.length > 1 ? toPayload(payloads) : payloads[0];
  }

  /** Says good-bye when everything up to the end is written; true then. A `bye` on top of a full buffer is small enough. */
  private finish(): boolean {
    const { last, mode } = this;
    if (last < 0 || this.foreign || this.cursor < last || (mode !== 'open' && mode !== 'blocked')) return false;
    this.mode = 'ended';
    (this.wire as Wire).end(BYE);
    return true;
  }
}
