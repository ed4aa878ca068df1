import { callerGone, SluiceError } from '../contract/errors.ts';
import type { IdempotencyKey } from '../contract/requests.ts';
import type { Clock } from '../ports.ts';

/** How far a request has come that sends its items in pushes. */
export interface Sent {
  /** The feed's; an id can be given to another one. */
  readonly ordinal: number;
  /** How many items were sent with the last push, in all, and their fingerprint. The feed tells how many of them it has. */
  readonly count: number;
  readonly print: string;
}

/** The record of a key's first request. */
export interface KeptAnswer {
  readonly request: string;
  readonly body: string;
  /** The feed that it made, from which the answer can be made again when `answer` is null. */
  readonly feedId: string;
  /** The answer as JSON; null while there is none, and when it was too long to be kept. */
  readonly answer: string | null;
  /** How far the request has come, whose body is not known yet; null when all of it was sent. */
  readonly sent: Sent | null;
}

/**
 * Keeps the answers. `set` is called in the turn in which the request's items are accepted, before any of them runs: a durable store MUST write
 * both in one flush, so that a crash leaves both or neither. A key's record may be forgotten at any time, but only as a whole; the store decides
 * how long it is kept.
 */
export interface AnswerStore {
  get(key: string): KeptAnswer | undefined;
  set(key: string, kept: KeptAnswer): void;
  delete(key: string): void;
}

/** The longest answer of a run that is kept as it was given, in characters; longer ones are made again from the feed's results. */
export const ANSWER_CHARACTERS = 1024 * 1024;

export const ANSWERS_MAX = 10_000;
export const ANSWERS_AGE_MS = 86_400_000;
export const ANSWERS_CHARACTERS = 64 * 1024 * 1024;

/** The newest answers, bounded by number, age and size, for as long as the process lives. */
export class RecentAnswers implements AnswerStore {
  private readonly answers = new Map<string, { kept: KeptAnswer; at: number; size: number }>();
  private readonly clock: Clock;
  private readonly most: number;
  private size = 0;

  constructor(clock: Clock, most = ANSWERS_MAX) {
    this.clock = clock;
    this.most = most;
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

  /** Forgets answers beyond the bounds, oldest first; the newest stays, however large it is. */
  private forgetOld(): void {
    const limit = this.clock.monotonic() - ANSWERS_AGE_MS;
    for (const [key, { at }] of this.answers) {
      const isOver = this.answers.size > this.most || (this.size > ANSWERS_CHARACTERS && this.answers.size > 1);
      if (!isOver && at > limit) return;
      this.delete(key);
    }
  }
}

/**
 * The right to answer a key's request, until one of its methods settles it. Only the first one counts.
 *
 *     first ──accepted──▶ answer to come ──keep──▶ answered
 *      │ │                  │      └─leave: the next request makes the answer from the feed
 *      │ └─sending──▶ a part is sent ──accepted──▶ as above
 *      │                    │      └─leave, or a crash: the next request goes on with it
 *      └──release, forget───┴──▶ unknown again
 */
export interface Ticket {
  /** The feed that an earlier request of the key has begun and not sent to its end; null when there is none. */
  readonly earlier: { readonly feedId: string; readonly sent: Sent } | null;
  /** Called in the turn in which the feed is opened, and in that before the items of a push are accepted. */
  sending(feedId: string, sent: Sent): void;
  /** Called in the turn in which the items are accepted. */
  accepted(feedId: string, body?: string): void;
  /** Keeps the answer as JSON, unless it takes more than `most` characters: then it is to be made again from the feed. */
  keep(answer: unknown, most?: number): void;
  /** Called when nobody waits for the answer any more, or it cannot be given yet. */
  leave(): void;
  /** Called when the request is refused: the key is as it was before it. */
  release(): void;
  /** Called when nothing is left of the request, nor of earlier ones. */
  forget(): void;
}

/** A no-op ticket for requests without a key. */
export const NO_TICKET: Ticket = {
  earlier: null,
  sending: nothing,
  accepted: nothing,
  keep: nothing,
  leave: nothing,
  release: nothing,
  forget: nothing,
};

/** A first request that is being carried out. */
interface Running {
  request: string;
  body: string | undefined;
  settled: Promise<void>;
}

/** The idempotency keys of a pipeline; {@link IdempotencyKey} states their guarantees. */
export class Answers {
  private readonly store: AnswerStore;
  private readonly running = new Map<string, Running>();

  constructor(store: AnswerStore) {
    this.store = store;
  }

  /**
   * A ticket for the first request of a key, and for a repeat of one that broke off; the kept answer for any other repeat. Waits while an earlier
   * request is under way. Throws `idempotency-key-reused`, and `request-timeout` when the caller has disconnected.
   */
  async claim(asked: IdempotencyKey, signal?: AbortSignal): Promise<Ticket | KeptAnswer> {
    for (;;) {
      const running = this.running.get(asked.key);
      const known = running ?? this.store.get(asked.key);
      if (known === undefined) return this.first(asked, null);
      if (known.request !== asked.request) throw keyReused();
      if ('sent' in known && known.sent !== null) return this.first(asked, { feedId: known.feedId, sent: known.sent });
      if (asked.body !== undefined && known.body !== undefined) expectSameBody(known.body, asked.body);
      if (running === undefined) return known as KeptAnswer;
      await unlessGone(running.settled, signal);
    }
  }

  /** Keeps an answer that was made from the feed, if it is short enough. */
  keepLate(key: string, kept: KeptAnswer, answer: unknown, most: number): void {
    const text = JSON.stringify(answer);
    if (text.length <= most && this.store.get(key)?.feedId === kept.feedId) this.store.set(key, { ...kept, answer: text });
  }

  private first({ key, request, body: givenBody }: IdempotencyKey, earlier: Ticket['earlier']): Ticket {
    const { promise: settled, resolve } = Promise.withResolvers<void>();
    const running: Running = { request, body: givenBody, settled };
    this.running.set(key, running);
    let kept: KeptAnswer | undefined;
    const settle = (last: () => unknown): void => {
      if (this.running.get(key) !== running) return;
      last();
      this.running.delete(key);
      resolve();
    };
    return {
      earlier,
      sending: (feedId, sent) => {
        if (this.running.get(key) === running) this.store.set(key, { request, body: '', feedId, answer: null, sent });
      },
      accepted: (feedId, body = givenBody) => {
        if (this.running.get(key) !== running) return;
        kept = { request, body: body ?? '', feedId, answer: null, sent: null };
        running.body = kept.body;
        this.store.set(key, kept);
      },
      keep: (answer, most = Number.POSITIVE_INFINITY) =>
        settle(() => {
          const text = JSON.stringify(answer);
          if (kept !== undefined && text.length <= most) this.store.set(key, { ...kept, answer: text });
        }),
      leave: () => settle(nothing),
      release: () => settle(() => earlier === null && this.store.delete(key)),
      forget: () => settle(() => this.store.delete(key)),
    };
  }
}

export function isAnswered(claim: Ticket | KeptAnswer): claim is KeptAnswer {
  return 'answer' in claim;
}

/** Throws `idempotency-key-reused` when the fingerprints differ. */
export function expectSameBody(known: string, given: string | undefined): void {
  if (known !== given) throw keyReused();
}

export function keyReused(): SluiceError {
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
