import { ANSWERS_AGE_MS, type AnswerStore, type KeptAnswer } from '../feeds/answers.ts';
import type { Clock } from '../ports.ts';
import type { Shelf } from '../store.ts';
import type { Journal } from './journal.ts';

/** Stores the answers of idempotency keys beside the items. */
export class StoredAnswers implements AnswerStore {
  private readonly journal: Journal;
  private readonly shelf: Shelf;
  private readonly clock: Clock;

  constructor(journal: Journal, shelf: Shelf, clock: Clock) {
    this.journal = journal;
    this.shelf = shelf;
    this.clock = clock;
  }

  get(key: string): KeptAnswer | undefined {
    const row = this.journal.answer(key) ?? this.shelf.answer(key);
    if (row === undefined || row.request === null || row.at <= this.clock.now() - ANSWERS_AGE_MS) return undefined;
    return { request: row.request, body: row.body, feedId: row.feed, answer: row.answer };
  }

  set(key: string, { request, body, feedId, answer }: KeptAnswer): void {
    this.journal.touchAnswer({ key, request, body, feed: feedId, answer, at: this.clock.now() });
  }

  delete(key: string): void {
    this.journal.touchAnswer({ key, request: null, body: '', feed: '', answer: null, at: 0 });
  }
}
