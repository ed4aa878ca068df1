import type { EventFilter, EventSource, ReadBudget, SluiceEvent } from '../contract/runtime.ts';
import { EVENTS_CHARACTERS } from '../values/sizes.ts';

interface Entry {
  pipelineId: string;
  log: EventSource;
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

/** The number of removed pipelines whose logs are kept, so that readers can read them to the end within bounded memory. */
const REMOVED_KEPT = 2;
/** With more than RUNS_MAX runs, the list is cut to RUNS_KEPT at once: removing them one by one from the front of a long list is slow. */
const RUNS_MAX = 131_072;
const RUNS_KEPT = 98_304;

/**
 * The events of all pipelines in one sequence. The events stay in the logs of their pipelines; only their order is recorded here, as runs: the
 * events that one pipeline added in a turn of the event loop. Within a pipeline the order is that of its log; between pipelines, that of their turns.
 *
 * Nothing is recorded until somebody asks: nobody has ids to resume from before that. When a pipeline no longer keeps an event, the sequence
 * begins after it for all pipelines, so that there is no gap within it.
 */
export class HostEvents implements EventSource {
  readonly epoch: string;
  newest = 0;
  private runs: Run[] = [];
  private readonly entries = new Map<string, Entry>();
  private removed: Entry[] = [];
  private readonly wakes = new Set<() => void>();
  private isFollowed = false;

  constructor(epoch: string) {
    this.epoch = epoch;
  }

  add(pipelineId: string, log: EventSource): void {
    const entry: Entry = { pipelineId, log, seen: 0, first: 1, unsubscribe: () => undefined };
    this.entries.set(pipelineId, entry);
    if (this.isFollowed) this.follow(entry, 0);
  }

  remove(pipelineId: string): void {
    const entry = this.entries.get(pipelineId);
    if (entry === undefined) return;
    this.entries.delete(pipelineId);
    if (!this.isFollowed) return;
    this.note(entry);
    this.removed.push(entry);
    const oldest = this.removed.length > REMOVED_KEPT ? this.removed.shift() : undefined;
    if (oldest === undefined) return;
    oldest.unsubscribe();
    this.forget(oldest, oldest.seen);
  }

  /** Begins to record the order of new events. Idempotent. */
  begin(): this {
    if (this.isFollowed) return this;
    this.isFollowed = true;
    for (const entry of this.entries.values()) this.follow(entry, entry.log.newest);
    return this;
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
    const { newest, oldest } = entry.log;
    if (newest > entry.seen) {
      const last = this.runs.at(-1);
      if (last?.entry === entry) last.to = newest;
      else this.runs.push({ entry, base: this.newest + 1, from: entry.seen + 1, to: newest });
      this.newest += newest - entry.seen;
      entry.seen = newest;
    }
    if (oldest > entry.first) this.forget(entry, oldest - 1);
    if (this.runs.length > RUNS_MAX) this.runs.splice(0, this.runs.length - RUNS_KEPT);
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
