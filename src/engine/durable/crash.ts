import { momentOf } from '../model/places.ts';
import { ENDED, type Shelf, STATUS_CODES, type Store, type StoredItem, type StoredPipeline } from '../store.ts';
import type { StoredCounters } from './figures.ts';

/** The end of the process before, as the marks tell it, over all pipelines. */
export interface Crash {
  /** The items of a pipeline that ran, by sequence id. */
  ranIn(pipeline: number): readonly StoredItem[];
  /** How many items ran, in all pipelines: also those that are not stored, and died with the process. */
  readonly ran: number;
  /** How many of them had been in a crash before. */
  readonly suspects: number;
  /** Whether any of them is counted for no item, since the store does not know that it ran: see flow/careful.ts. */
  readonly isUncertain: boolean;
}

/** The reads of a store, each of which throws `store-unavailable`. */
export interface CrashReads {
  pipelines(): readonly StoredPipeline[];
  shelf(pipeline: number): Shelf;
}

/** To be called before anything is written. Throws `store-unavailable`. */
export function crashOf(store: Pick<Store, 'marked' | 'isUncertain'>, reads: CrashReads): Crash {
  const found = new Map<number, StoredItem[]>();
  const last = new Map<number, number>();
  let [ran, suspects] = [0, 0];
  let isUncertain = store.isUncertain === true;
  if (store.marked.length > 0) {
    for (const { pipeline, facts } of reads.pipelines()) {
      last.set(pipeline, (JSON.parse(facts.counters ?? '{}') as Partial<StoredCounters>).lastSequence ?? 0);
    }
  }
  const shelves = new Map([...last.keys()].map((pipeline) => [pipeline, reads.shelf(pipeline)]));
  for (const { pipeline, seq, ord } of store.marked) {
    const shelf = shelves.get(pipeline);
    if (ord === ENDED) continue;
    if (shelf === undefined) {
      // The pipeline itself was not written.
      isUncertain = true;
      ran++;
      continue;
    }
    const row = shelf.bySequence(seq, 'none');
    if (row === undefined) {
      // Its row was not written, or is gone since it had ended.
      if (seq <= (last.get(pipeline) as number)) continue;
      isUncertain = true;
      ran++;
      continue;
    }
    if (momentOf(ord) < momentOf(row.ord)) continue;
    if (row.status !== STATUS_CODES.queued && row.status !== STATUS_CODES.in_progress) {
      // It was between two attempts, or had ended, and has begun anew since its row was written.
      if (momentOf(ord) === momentOf(row.ord)) continue;
      isUncertain = true;
      ran++;
      continue;
    }
    const rows = found.get(pipeline) ?? [];
    if (rows.some((other) => other.seq === seq)) continue;
    rows.push(row);
    found.set(pipeline, rows);
    ran++;
    if (row.deliveries > 0) suspects++;
  }
  return { ranIn: (pipeline) => found.get(pipeline) ?? [], ran, suspects, isUncertain };
}
