import { callerGone, SluiceError } from '../contract/errors.ts';
import type { IdempotencyKey } from '../contract/requests.ts';
import type { Clock } from '../ports.ts';

/** What is known of the first request of a key. */
export interface KeptAnswer {
  readonly request: string;
  readonly body: string;
  /** The feed that it made. Without an `answer` this is what the answer can be made of anew. */
  readonly feedId: string;
  /** JSON; null as long as there is none, and when it was too long to be kept. */
  readonly answer: string | null;
}

/**
 * Where answers are kept. `set` is called in the same turn in which the items of the request are accepted, before any of them
 * runs: a durable store MUST write both in one flush, so that a crash leaves both or neither. What a key holds may be forgotten
 * at any time but as a whole; the store decides for how long it is kept.
 */
export interface AnswerStore {
  get(key: string): KeptAnswer | undefined;
  set(key: string, kept: KeptAnswer): void;
  delete(key: string): void;
}

/** Answers of runs up to so many characters are kept as they were given; longer ones are made from the feed's results anew. */
export const ANSWER_CHARACTERS = 1024 * 1024;

export const ANSWERS_MAX = 10_000;
export const ANSWERS_AGE_MS = 86_400_000;
export const ANSWERS_CHARACTERS = 64 * 1024 * 1024;

/** The newest answers, bounded by number, age and size, for as long as the process lives. */
export class RecentAnswers implements AnswerStore {
  private readonly answers = new Map<string, { kept: KeptAnswer; at: number; size: number }>();
  private readonly clock: Clock;
  private size = 0;

  constructor(clock: Clock) {
    this.clock = clock;
  }

  get(key: string): KeptAnswer | undefined {
    this.forgetOld();
    return this.answers.get(key)?.kept;
  }

  set(key: string, kept: KeptAnswer): void {
    this.delete(key);
    const size = key.length + (kept.answer?.length ?? 0);
    this.answers.set(key, { kept, at: this.clock.monotonic(), size });
    this.size += size;
    this.forgetOld();
  }

  delete(key: string): void {
    this.size -= this.answers.get(key)?.size ?? 0;
    this.answers.delete(key);
  }

  /** The oldest come first; the newest stays, however large it is. */
  private forgetOld(): void {
    const limit = this.clock.monotonic() - ANSWERS_AGE_MS;
    for (const [key, { at }] of this.answers) {
      const isOver = this.answers.size > ANSWERS_MAX || (this.size > ANSWERS_CHARACTERS && this.answers.size > 1);
      if (!isOver && at > limit) return;
      this.delete(key);
    }
  }
}

/**
 * The right to answer a key's request, until it is settled by one of its methods. Only the first settling counts.
 *
 *     first ──accepted──▶ answer to come ──keep──▶ answered
 *       │                   │      └─leave: whoever asks next makes the answer from the feed
 *       └──────release──────┴──▶ unknown again
 */
export interface Ticket {
  /** The items are accepted, in this turn. */
  accepted(feedId: string, body?: string): void;
  /** The answer, as JSON can say it; when that takes more than `most` characters, it is left to be made from the feed anew. */
  keep(answer: unknown, most?: number): void;
  /** Nobody waits for the answer any more, or it could not be given yet. */
  leave(): void;
  release(): void;
}

/** Of a request without a key, for which nothing has to be waited for: nothing is kept. */
export const NO_TICKET: Ticket = { accepted: nothing, keep: nothing, leave: nothing, release: nothing };

/** A first request that is being carried out. */
interface Running {
  request: string;
  body: string | undefined;
  settled: Promise<void>;
}

/** The idempotency keys of a pipeline; see {@link IdempotencyKey} for what they promise. */
export class Answers {
  private readonly store: AnswerStore;
  private readonly running = new Map<string, Running>();

  constructor(store: AnswerStore) {
    this.store = store;
  }

  /** A ticket for the first request of its key, or what is kept of it. Throws `idempotency-key-reused`. */
  async claim(asked: IdempotencyKey, signal?: AbortSignal): Promise<Ticket | KeptAnswer> {
    for (;;) {
      const running = this.running.get(asked.key);
      const known = running ?? this.store.get(asked.key);
      if (known === undefined) return this.first(asked);
      if (known.request !== asked.request) throw keyReused();
      if (asked.body !== undefined && known.body !== undefined) expectSameBody(known.body, asked.body);
      if (running === undefined) return known as KeptAnswer;
      await unlessGone(running.settled, signal);
    }
  }

  /** The answer was made from the feed. */
  keepLate(key: string, kept: KeptAnswer, answer: unknown, most: number): void {
    const text = JSON.stringify(answer);
    if (text.length <= most && this.store.get(key)?.feedId === kept.feedId) this.store.set(key, { ...kept, answer: text });
  }

  private first({ key, request, body: givenBody }: IdempotencyKey): Ticket {
    const { promise: settled, resolve } = Promise.withResolvers<void>();
    const running: Running = { request, body: givenBody, settled };
    this.running.set(key, running);
    let kept: KeptAnswer | undefined;
    const settle = (last: () => void): void => {
      if (this.running.get(key) !== running) return;
      last();
      this.running.delete(key);
      resolve();
    };
    return {
      accepted: (feedId, body = givenBody) => {
        if (this.running.get(key) !== running) return;
        kept = { request, body: body ?? '', feedId, answer: null };
        running.body = kept.body;
        this.store.set(key, kept);
      },
      keep: (answer, most = Number.POSITIVE_INFINITY) =>
        settle(() => {
          const text = JSON.stringify(answer);
          if (kept !== undefined && text.length <= most) this.store.set(key, { ...kept, answer: text });
        }),
      leave: () => settle(nothing),
      release: () => settle(() => this.store.delete(key)),
    };
  }
}

export function isKept(claim: Ticket | KeptAnswer): claim is KeptAnswer {
  return 'answer' in claim;
}

/** Throws `idempotency-key-reused` when the fingerprints differ. */
export function expectSameBody(known: string, given: string | undefined): void {
  if (known !== given) throw keyReused();
}

function keyReused(): SluiceError {
  return new SluiceError('idempotency-key-reused', 'this Idempotency-Key was used for a different request');
}

function unlessGone(work: Promise<void>, signal: AbortSignal | undefined): Promise<void> {
  if (signal === undefined) return work;
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const gone = (): void => reject(callerGone());
  signal.addEventListener('abort', gone, { once: true });
  work.then(resolve);
  if (signal.aborted) gone();
  return promise.finally(() => signal.removeEventListener('abort', gone));
}

function nothing(): void {
  // A request without a key leaves nothing to do.
}
