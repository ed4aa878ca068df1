import { LinesOfHistory, type StoredLines } from '../contract/event-lines.ts';
import type { EventFilter, EventSource, ReadBudget, SluiceEvent } from '../contract/runtime.ts';
import type { Clock } from '../ports.ts';
import { EVENTS_CHARACTERS } from '../values/sizes.ts';

interface Entry {
  pipelineId: string;
  log: EventSource;
  /** In the store; null without one. */
  number: number | null;
  /** The last and the first seq of its log that are in the runs. */
  seen: number;
  first: number;
  unsubscribe: () => void;
}

/** Consecutive events of one pipeline in the common order: `from` to `to` of its log are `base`, `base + 1`, … here. */
interface Run {
  entry: Entry;
  base: number;
  from: number;
  to: number;
}

/** An entry of a pipeline that is yet to be added. */
function newEntry(): Entry {
  return { pipelineId: '', log: NO_EVENTS, number: null, seen: 0, first: 1, unsubscribe: () => undefined };
}

const NO_EVENTS: EventSource = {
  ...{ lines: new LinesOfHistory({ epoch: '' }), oldest: 1, newest: 0 },
  read: (after) => ({ events: [], cursor: after }),
  subscribe: () => () => undefined,
};

/** The number of removed pipelines whose logs are kept, so that readers can read them to the end within bounded memory. */
const REMOVED_KEPT = 2;
/** With more than RUNS_MAX runs, the list is cut to RUNS_KEPT at once: removing them one by one from the front of a long list is slow. */
const RUNS_MAX = 131_072;
const RUNS_KEPT = 98_304;

/** Runs of the process before, in the common order; `base`: the common number of the first of them. */
export interface KeptOrder {
  lines: StoredLines;
  base: number;
  runs: readonly { pipeline: number; from: number; count: number }[];
}

/**
 * The events of all pipelines in one sequence. The events stay in the logs of their pipelines; only their order is recorded here, as runs. Within a
 * pipeline the order is that of its log. When a pipeline no longer keeps an event, the sequence begins after it for all pipelines, so that there is no
 * gap within it.
 *
 * With a store, a run is what a pipeline has in one write: durable/event-order.ts says so when that is stored, and keeps the order with it. Without one,
 * a run is what it has added in a turn of the event loop, and nothing is recorded until somebody asks: nobody has ids to resume from before that.
 */
export class HostEvents implements EventSource {
  newest = 0;
  private ownLines: LinesOfHistory;
  private readonly clock: Pick<Clock, 'defer'>;
  private runs: Run[] = [];
  private readonly entries = new Map<string, Entry>();
  /** The entries of pipelines in a store, by their numbers there. */
  private readonly numbered = new Map<number, Entry>();
  private removed: Entry[] = [];
  private readonly wakes = new Set<() => void>();
  private isFollowed = false;
  private isWakeDue = false;

  constructor(epoch: string, clock: Pick<Clock, 'defer'>) {
    this.ownLines = new LinesOfHistory({ epoch });
    this.clock = clock;
  }

  get lines(): LinesOfHistory {
    return this.ownLines;
  }

  /** `number`: of the pipeline in the store; undefined without one. */
  add(pipelineId: string, log: EventSource, number?: number): void {
    const entry = number === undefined ? newEntry() : this.entryOf(number);
    entry.pipelineId = pipelineId;
    entry.log = log;
    this.entries.set(pipelineId, entry);
    if (number !== undefined) this.forgetLost(entry);
    else if (this.isFollowed) this.follow(entry, 0);
  }

  remove(pipelineId: string): void {
    const entry = this.entries.get(pipelineId);
    if (entry === undefined) return;
    this.entries.delete(pipelineId);
    if (entry.number !== null) this.numbered.delete(entry.number);
    else if (this.isFollowed) this.note(entry);
    // Nobody reads: it need not be kept for anyone.
    if (this.isFollowed) this.removed.push(entry);
    else this.forget(entry, entry.seen);
    const oldest = this.removed.length > REMOVED_KEPT ? this.removed.shift() : undefined;
    if (oldest === undefined) return;
    oldest.unsubscribe();
    this.forget(oldest, oldest.seen);
  }

  /** Begins to record the order of new events, where no store does. Idempotent. */
  begin(): this {
    if (this.isFollowed) return this;
    this.isFollowed = true;
    for (const entry of this.entries.values()) if (entry.number === null) this.follow(entry, entry.log.newest);
    return this;
  }

  /**
   * Goes on with the order of the process before, null: with none of it. `beginsLine`: in a line of its own. Call it before any pipeline is added.
   */
  restore(kept: KeptOrder | null, found: readonly { pipeline: number; lastEvent: number }[], beginsLine = false): void {
    for (const { pipeline, lastEvent } of found) this.entryOf(pipeline).seen = lastEvent;
    if (kept === null) return;
    this.newest = kept.base - 1;
    const known = new Set(found.map(({ pipeline }) => pipeline));
    let lost = 0;
    for (const { pipeline, from, count } of kept.runs) {
      this.runs.push({ entry: this.entryOf(pipeline), base: this.newest + 1, from, to: from + count - 1 });
      this.newest += count;
      // Nobody has the events of a pipeline that was dropped.
      if (!known.has(pipeline)) lost = this.runs.length;
    }
    this.runs.splice(0, lost);
    const { current } = this.lines;
    this.ownLines = new LinesOfHistory(kept.lines, this.newest);
    if (beginsLine) this.lines.begin(current, this.newest);
    for (const pipeline of this.numbered.keys()) if (!known.has(pipeline)) this.numbered.delete(pipeline);
  }

  /** Adds the events of a stored pipeline after the last ones, up to `to`; they can be read by now. */
  append(number: number, to: number): void {
    const entry = this.entryOf(number);
    this.extend(entry, to);
    if (this.isWakeDue || this.wakes.size === 0) return;
    this.isWakeDue = true;
    this.clock.defer(() => {
      this.isWakeDue = false;
      for (const wake of this.wakes) wake();
    });
  }

  get oldest(): number {
    return this.runs[0]?.base ?? this.newest + 1;
  }

  read(
    after: number,
    scan: number,
    filter: EventFilter,
    budget: ReadBudget = { characters: EVENTS_CHARACTERS },
  ): { events: SluiceEvent[]; cursor: number } {
    const events: SluiceEvent[] = [];
    const begin = Math.max(after + 1, this.oldest);
    let next = begin;
    const end = Math.min(this.newest, begin + scan - 1);
    for (let i = this.runAt(next); next <= end; i++) {
      const { entry, base, from, to } = this.runs[i] as Run;
      const start = from + (next - base);
      const count = Math.min(to - start, end - next) + 1;
      if (filter.pipelineId === undefined || filter.pipelineId.has(entry.pipelineId)) {
        const { pipelineId } = entry;
        const read = entry.log.read(start - 1, count, filter, budget);
        for (const event of read.events) {
          events.push({ ...event, seq: base + event.seq - from, data: { pipelineId, ...event.data } } as SluiceEvent);
        }
        if (budget.characters <= 0) return { events, cursor: base + read.cursor - from };
      }
      next += count;
    }
    return { events, cursor: Math.max(next - 1, after) };
  }

  subscribe(wake: () => void): () => void {
    const entry = (): void => wake();
    this.wakes.add(entry);
    return () => void this.wakes.delete(entry);
  }

  private follow(entry: Entry, after: number): void {
    entry.seen = after;
    entry.first = after + 1;
    entry.unsubscribe = entry.log.subscribe(() => {
      this.note(entry);
      for (const wake of this.wakes) wake();
    });
    if (entry.log.newest > after) this.note(entry);
  }

  /** Records the events that a pipeline has added. */
  private note(entry: Entry): void {
    this.extend(entry, entry.log.newest);
  }

  private extend(entry: Entry, to: number): void {
    if (to > entry.seen) {
      const last = this.runs.at(-1);
      if (last?.entry === entry) last.to = to;
      else this.runs.push({ entry, base: this.newest + 1, from: entry.seen + 1, to });
      this.newest += to - entry.seen;
      entry.seen = to;
    }
    this.forgetLost(entry);
    if (this.runs.length > RUNS_MAX) this.runs.splice(0, this.runs.length - RUNS_KEPT);
  }

  private forgetLost(entry: Entry): void {
    const { oldest } = entry.log;
    if (oldest > entry.first) this.forget(entry, oldest - 1);
  }

  private entryOf(number: number): Entry {
    let entry = this.numbered.get(number);
    if (entry === undefined) {
      entry = { ...newEntry(), number };
      this.numbered.set(number, entry);
    }
    return entry;
  }

  /** Removes an entry's events up to `lost`, which can no longer be read, and everything before them. */
  private forget(entry: Entry, lost: number): void {
    entry.first = lost + 1;
    let whole = 0;
    for (const [i, run] of this.runs.entries()) {
      if (run.entry !== entry) continue;
      if (run.from > lost) break;
      whole = run.to <= lost ? i + 1 : i;
      if (run.to <= lost) continue;
      run.base += lost + 1 - run.from;
      run.from = lost + 1;
      break;
    }
    if (whole > 0) this.runs.splice(0, whole);
  }

  /** The index of the run that contains a seq. */
  private runAt(seq: number): number {
    let low = 0;
    let high = this.runs.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if ((this.runs[middle] as Run).base <= seq) low = middle;
      else high = middle - 1;
    }
    return low;
  }
}
