import type { Shelf, StoredAnswer } from '../store.ts';
import { unlessUnreadable } from './guarded-shelf.ts';

/** Bounds of retention: the number of keys, the bytes of their answers as JSON, and their age. */
export interface KeyBounds {
  most: number;
  bytes: number;
  ageMs: number;
}

/** The least and the most of the oldest keys that one flush looks at. */
const PAGE_LEAST = 16;
const PAGE_MOST = 200;

interface KeyChanges {
  answers: StoredAnswer[];
  removedAnswers: string[];
}

type KeyShelf = Pick<Shelf, 'answerTotals' | 'answerSize' | 'oldestAnswers'>;

/**
 * Decides which idempotency keys are removed, oldest first. It asks the store once how many keys there are and counts from then on; it asks for
 * the oldest keys page by page, and only between two flushes, when the store has everything that was captured before.
 */
export class KeyRetirement {
  private readonly shelf: KeyShelf;
  private readonly now: () => number;
  private readonly bounds: KeyBounds;
  private totals: { count: number; bytes: number } | null = null;
  /** No stored key is older than this. */
  private oldest = Number.NEGATIVE_INFINITY;

  /** `now`: the time by which keys age, in milliseconds; see key-clock.ts. */
  constructor(shelf: KeyShelf, now: () => number, bounds: KeyBounds) {
    this.shelf = shelf;
    this.now = now;
    this.bounds = bounds;
  }

  /** The changed keys to write, and the keys to remove: those without a request, and those that are too many, too large or too old. */
  capture(changed: ReadonlyMap<string, StoredAnswer>): KeyChanges {
    return unlessUnreadable(() => this.captureNow(changed), null) ?? this.captureUnread(changed);
  }

  /** When the store cannot be read now: none goes because of the bounds, and all are counted anew the next time. */
  private captureUnread(changed: ReadonlyMap<string, StoredAnswer>): KeyChanges {
    this.totals = null;
    this.oldest = Number.NEGATIVE_INFINITY;
    const all = [...changed.values()];
    return {
      answers: all.filter(({ request }) => request !== null),
      removedAnswers: all.filter(({ request }) => request === null).map(({ key }) => key),
    };
  }

  private captureNow(changed: ReadonlyMap<string, StoredAnswer>): KeyChanges {
    const answers: StoredAnswer[] = [];
    const removedAnswers: string[] = [];
    if (changed.size === 0) return { answers, removedAnswers };
    this.totals ??= this.shelf.answerTotals();
    for (const answer of changed.values()) {
      const stored = this.shelf.answerSize(answer.key);
      if (stored !== undefined) this.count(-1, -stored);
      if (answer.request !== null) {
        this.count(1, answer.answer === null ? 0 : Buffer.byteLength(answer.answer));
        this.oldest = Math.min(this.oldest, answer.at);
        answers.push(answer);
      } else if (stored !== undefined) {
        removedAnswers.push(answer.key);
      }
    }
    this.retire(changed, removedAnswers);
    return { answers, removedAnswers };
  }

  private retire(changed: ReadonlyMap<string, StoredAnswer>, removed: string[]): void {
    const limit = this.now() - this.bounds.ageMs;
    if (!this.isOver && this.oldest > limit) return;
    const tooMany = (this.totals?.count ?? 0) - this.bounds.most;
    // Changed keys are skipped: what the store has of them is out of date.
    const page = this.shelf.oldestAnswers(Math.min(PAGE_MOST, Math.max(PAGE_LEAST, tooMany + changed.size)));
    for (const { key, at, bytes } of page) {
      this.oldest = at;
      if (!this.isOver && at > limit) return;
      if (changed.has(key)) continue;
      removed.push(key);
      this.count(-1, -bytes);
    }
  }

  private count(keys: number, bytes: number): void {
    if (this.totals === null) return;
    this.totals.count += keys;
    this.totals.bytes += bytes;
  }

  private get isOver(): boolean {
    const { count, bytes } = this.totals ?? { count: 0, bytes: 0 };
    return count > this.bounds.most || (bytes > this.bounds.bytes && count > 1);
  }
}
