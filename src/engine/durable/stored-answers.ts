import { ANSWERS_AGE_MS, type AnswerStore, type KeptAnswer, type Sent } from '../feeds/answers.ts';
import type { Shelf } from '../store.ts';
import type { Journal } from './journal.ts';
import type { KeyClock } from './key-clock.ts';

/** Stores the answers of idempotency keys beside the items. */
export class StoredAnswers implements AnswerStore {
  private readonly journal: Journal;
  private readonly shelf: Shelf;
  private readonly clock: KeyClock;

  constructor(journal: Journal, shelf: Shelf, clock: KeyClock) {
    this.journal = journal;
    this.shelf = shelf;
    this.clock = clock;
  }

  get(key: string): KeptAnswer | undefined {
    const row = this.journal.answer(key) ?? this.shelf.answer(key);
    if (row === undefined || row.request === null || row.at <= this.clock.now() - ANSWERS_AGE_MS) return undefined;
    const sent = row.answer === null ? sentOf(row.body) : null;
    return { request: row.request, body: sent === null ? row.body : '', feedId: row.feed, answer: row.answer, sent };
  }

  set(key: string, { request, body, feedId, answer, sent }: KeptAnswer): void {
    this.journal.touchAnswer({ key, request, body: sent === null ? body : textOf(sent), feed: feedId, answer, at: this.clock.now() });
  }

  delete(key: string): void {
    this.journal.touchAnswer({ key, request: null, body: '', feed: '', answer: null, at: 0 });
  }
}

/** Stands in the place of the body's fingerprint, which is not known before all of the body is. */
function textOf({ ordinal, count, print }: Sent): string {
  return `sent ${ordinal} ${count} ${print}`;
}

function sentOf(body: string): Sent | null {
  const [, ordinal, count, print = ''] = /^sent (\d+) (\d+) (\S*)$/.exec(body) ?? [];
  return ordinal === undefined ? null : { ordinal: Number(ordinal), count: Number(count), print };
}
