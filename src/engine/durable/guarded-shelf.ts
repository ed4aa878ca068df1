import type { Shelf } from '../store.ts';
import type { Flusher } from './flusher.ts';

/**
 * A shelf whose reads that fail are trouble of the whole store: each throws `store-unavailable`, and is tried again until it succeeds, see
 * {@link Flusher.readFailed}. Whoever reads MUST be able to stop there: nothing is read in the middle of a change.
 */
export function guardedShelf(shelf: Shelf, flusher: Flusher): Shelf {
  const read = <T>(ask: () => T): T => {
    try {
      return ask();
    } catch (error) {
      throw flusher.readFailed(error, ask);
    }
  };
  return {
    bySequence: (seq, texts) => read(() => shelf.bySequence(seq, texts)),
    byId: (id, texts) => read(() => shelf.byId(id, texts)),
    page: (query) => read(() => shelf.page(query)),
    queued: (stage, priority, ord, limit, characters) => read(() => shelf.queued(stage, priority, ord, limit, characters)),
    parked: (stage, due, seq, limit, characters) => read(() => shelf.parked(stage, due, seq, limit, characters)),
    suspects: () => read(() => shelf.suspects()),
    parkedCounts: () => read(() => shelf.parkedCounts()),
    lowestTask: () => read(() => shelf.lowestTask()),
    queuedCounts: () => read(() => shelf.queuedCounts()),
    failures: (limit) => read(() => shelf.failures(limit)),
    feeds: () => read(() => shelf.feeds()),
    feed: (ordinal) => read(() => shelf.feed(ordinal)),
    emptyFeeds: (limit) => read(() => shelf.emptyFeeds(limit)),
    answer: (key) => read(() => shelf.answer(key)),
    answerSize: (key) => read(() => shelf.answerSize(key)),
    answerTotals: () => read(() => shelf.answerTotals()),
    oldestAnswers: (limit) => read(() => shelf.oldestAnswers(limit)),
    endsFrom: (number) => read(() => shelf.endsFrom(number)),
    events: () => read(() => shelf.events()),
  };
}

/** Asks, and gives `otherwise` when the store cannot be read now: for those who can wait for the next time. */
export function unlessUnreadable<T>(ask: () => T, otherwise: T): T {
  try {
    return ask();
  } catch (error) {
    if (isUnreadable(error)) return otherwise;
    throw error;
  }
}

/** Whether it says that the store cannot be read now. */
export function isUnreadable(error: unknown): boolean {
  return (error as { code?: unknown } | null)?.code === 'store-unavailable';
}
