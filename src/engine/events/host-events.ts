import type { EventFilter, EventSource, ReadBudget, SluiceEvent } from '../contract/runtime.ts';
import { EVENTS_CHARACTERS } from '../values/sizes.ts';

interface Entry {
  pipelineId: string;
  log: EventSource;
  /** Up to which seq of its log it stands in the runs, and from which on it did so. */
  seen: number;
  first: number;
  unsubscribe: () => void;
}

/** Events of one pipeline that follow each other in the common order: `from` to `to` of its log are `base`, `base + 1`, … here. */
interface Run {
  entry: Entry;
  base: number;
  from: number;
  to: number;
}

/** Number of logs kept of removed pipelines, so that their readers can read to the end within bounded memory. */
const REMOVED_KEPT = 2;
/** Beyond the first number, trimmed to the second: taking one from the front of a long list each time is slow. */
const RUNS_MAX = 131_072;
const RUNS_KEPT = 98_304;

/**
 * The events of all pipelines in one sequence. They stay in the logs of their pipelines; here stands in which order they came, in runs:
 * what one pipeline added in a turn of the event loop. Within a pipeline that is the order of its log; between two of them, that of their turns.
 *
 * Until somebody asks for it nothing is noted: of a sequence whose ids nobody has, nothing can be resumed. What one pipeline no longer keeps
 * ends the sequence before it for all, so that no gap is inside it.
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
    const dropped = this.removed.length > REMOVED_KEPT ? this.removed.shift() : undefined;
    if (dropped === undefined) return;
    dropped.unsubscribe();
    this.forget(dropped, dropped.seen);
  }

  /** Begins to note the order of what comes from now on. Idempotent. */
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

  /** Takes up what a pipeline has added. */
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

  /** An entry's events up to `lost` can no longer be read: with them goes what stands before them. */
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

  /** The place of the run that holds a seq. */
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
