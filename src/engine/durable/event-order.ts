import type { StoredLines } from '../contract/event-lines.ts';
import type { EventLog } from '../events/event-log.ts';
import type { HostEvents } from '../events/host-events.ts';
import { OF_STORE, ORDER, type PipelineWrites } from '../store.ts';
import type { Flusher, Sequel } from './flusher.ts';
import { OrderChunks } from './order-chunks.ts';

/** The events of a stored pipeline, as a start finds them. */
export interface FoundEvents {
  pipeline: number;
  lastEvent: number;
  /** False when some of them may have no common number, since an earlier version has written them. */
  areOrdered: boolean;
}

/**
 * The common order of the events of all pipelines, kept in the store. The order is that of the writes: each says which events of which pipelines it
 * has. So it costs one small fact a write and nothing an event, and no event is in the store without its common number, or the other way round.
 */
export class EventOrder implements Sequel {
  private readonly flusher: Flusher;
  private readonly host: HostEvents;
  private readonly chunks = new OrderChunks();
  /** The newest event of each pipeline that has a common number. */
  private readonly numbered = new Map<number, number>();
  /** The logs of pipelines that are about to be dropped. */
  private readonly leaving = new Map<number, EventLog>();
  /** See {@link Store.mayLackEvents}. */
  private readonly beginsLine: boolean;
  private captured: { pipeline: number; to: number; left: EventLog | undefined }[] = [];

  constructor(flusher: Flusher, host: HostEvents, beginsLine: boolean) {
    this.flusher = flusher;
    this.host = host;
    this.beginsLine = beginsLine;
    flusher.followWith(this);
  }

  /**
   * Goes on with the order that the process before has left. When events may be missing in it, or there is none, another one begins, after all of them.
   * `facts`: those whose names begin with {@link ORDER}. Call it before anything is written.
   */
  restore(facts: Readonly<Record<string, string>>, found: readonly FoundEvents[]): void {
    for (const { pipeline, lastEvent } of found) this.numbered.set(pipeline, lastEvent);
    const head = facts[ORDER];
    if (head !== undefined && found.every(({ lastEvent, areOrdered }) => areOrdered || lastEvent === 0)) {
      const lines = JSON.parse(head) as StoredLines;
      this.host.restore({ lines, ...this.chunks.restore(facts) }, found, this.beginsLine);
      return;
    }
    this.chunks.replace(facts);
    this.host.restore(null, found);
    // Readers are told of its name before it has an event.
    this.host.lines.isUnstored = true;
    this.flusher.stir();
  }

  /** To be called before a pipeline is dropped: its last events, which are not stored themselves, get their numbers with that. */
  leaves(pipeline: number, log: EventLog): void {
    this.leaving.set(pipeline, log);
  }

  capture(pipelines: readonly PipelineWrites[], dropped: readonly number[]): PipelineWrites | null {
    for (const { pipeline, events } of pipelines) {
      if (events !== null) this.add(pipeline, events.first + events.cells.length / 4 - 1);
    }
    for (const pipeline of dropped) {
      const left = this.leaving.get(pipeline);
      if (left !== undefined) this.add(pipeline, left.last, left);
      this.leaving.delete(pipeline);
      this.numbered.delete(pipeline);
    }
    const facts = this.chunks.take(this.host.oldest);
    const { lines } = this.host;
    if (lines.isUnstored) facts.push([ORDER, JSON.stringify(lines.stored)]);
    lines.isUnstored = false;
    if (facts.length === 0) return null;
    return {
      ...{ pipeline: OF_STORE, items: null, feeds: [], removedFeeds: [], answers: [], removedAnswers: [], ends: null, endsBefore: 0 },
      ...{ emptied: [], removed: [], events: null, eventsBefore: 0, parkedShift: 0, facts },
    };
  }

  written(): void {
    const { captured } = this;
    this.captured = [];
    for (const { pipeline, to, left } of captured) {
      left?.show(to);
      this.host.append(pipeline, to);
    }
  }

  private add(pipeline: number, to: number, left?: EventLog): void {
    const before = this.numbered.get(pipeline) ?? 0;
    if (to <= before) return;
    this.numbered.set(pipeline, to);
    this.chunks.add({ pipeline, from: before + 1, count: to - before });
    this.captured.push({ pipeline, to, left });
  }
}
