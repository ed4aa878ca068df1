import type { FeedOptions, FeedReceipt, RunReply } from '../../schemas/control.ts';
import type { FeedView, ReturnWhen } from '../../schemas/feed.ts';
import type { PipelineResult } from '../../schemas/item.ts';
import type { ErrorSummary } from '../../schemas/stats.ts';
import type { TraceContext } from '../../schemas/trace-context.ts';

/** Requests to {@link PipelineRuntime} for feeding and waiting, and their answers. */

/**
 * Makes a request safe to repeat. The first request of a key is carried out, and its answer kept; a later one of the same key and
 * the same content gets that answer, and while the first one still runs it waits for it. A first request that was refused is
 * forgotten: the next one of its key is the first again. One that sends in pushes and ended after some of its items were accepted, by a
 * crash too, is gone on with: the next one of its key sends everything again, and those items are compared and not fed once more.
 * Throws `idempotency-key-reused` when the content differs.
 *
 * It is part of a request's options and no layer above the runtime, so that a durable store can write the answer (of a feed) or
 * the feed that will be the answer (of a run) in the same flush as the items: after a crash neither is there without the other.
 */
export interface IdempotencyKey {
  key: string;
  /** Fingerprint of all that the caller asked but the body: what for, how, options. */
  request: string;
  /** Fingerprint of the body; absent when the body is yet to be read, then `end` is given it. */
  body?: string;
}

/** An answer that may be that of an earlier request under the same key. */
export interface Replayable {
  replayed?: true;
}

export interface FeedRequest extends FeedOptions {
  /** The name of the key that it comes with: what it may look at later. */
  maker?: string | undefined;
  /** True: only feeds that were made under `maker` may be appended to. */
  isOwnOnly?: boolean | undefined;
  /**
   * Continues the feed of `feedId`, or opens it. Ids that it has already are not accepted again, and the receipt is about this request alone.
   * Goes with a `feedId` and without a key.
   */
  append?: boolean | undefined;
  /** How long to wait for room when there is none; without it the answer is `queue-full` at once. A writer waits as long as it takes. */
  waitSeconds?: number | undefined;
  idempotency?: IdempotencyKey | undefined;
  /** The items were parsed from JSON for this request, and nobody else has them: they become the pipeline's own without a copy. */
  isParsed?: boolean | undefined;
  /** The place in a trace that the request names; what it feeds is linked to it, and carries it on. */
  trace?: TraceContext | null | undefined;
  /** Aborts when the caller has disconnected: whatever waits stops waiting, with `request-timeout`. Accepted items go on. */
  signal?: AbortSignal | undefined;
}

export interface RunRequest extends FeedRequest {
  /** False: a pipeline that does not run is not started, but the run refused with `not-running`. */
  mayStart?: boolean | undefined;
  /** The only maker whose known items are among the results; undefined: everybody's are. Those of others are duplicates, and nothing more is told. */
  onlyMaker?: string | undefined;
  /** How long to wait for the items, counted from their acceptance. They go on after that. */
  timeoutSeconds?: number | undefined;
  /** Cancels what is unfinished when `signal` aborts. */
  cancelOnAbort?: boolean | undefined;
}

/**
 * `pending` is there when the time was up first: how the feed was then, and `results` are those so far; and when the results are too large
 * for one document: the feed is done then, `results` is empty, and the feed has them.
 */
export interface RunAnswer extends RunReply, Replayable {
  pending?: FeedView;
}

export interface FeedWriter {
  readonly feedId: string;
  push(items: readonly unknown[]): Promise<void>;
  /**
   * All is sent: what was accepted, as durable as the store makes it. Idempotent. `body` is the fingerprint of what was sent, for
   * a request with an idempotency key. The writer MUST be ended or aborted.
   */
  end(body?: string): Promise<FeedReceipt & Replayable>;
  /** The request ends otherwise. What was accepted stays, for a repeat of its key to go on with; a feed that accepted nothing is forgotten. Idempotent. */
  abort(): Promise<FeedReceipt>;
}

/** The next step of {@link RunStream.read}. Nothing follows `done` and `pending`. */
export type RunStep =
  | { kind: 'results'; results: readonly PipelineResult[] }
  | { kind: 'done'; feedId: string; duplicates: number; errorSummary: ErrorSummary }
  | { kind: 'pending'; feed: FeedView };

/**
 * A run whose results are read while it is still fed. `push` also waits while many results are unread, so that memory stays
 * bounded when the reader is slow: whoever pushes MUST read meanwhile.
 */
export interface RunStream extends FeedWriter {
  /** An earlier request of this key was answered: pushed items are only compared, and `end` comes before the first `read`. */
  readonly isReplay: boolean;
  /**
   * An earlier request of this key has sent a part: `end` comes before the first `read` here, too, and the results are of all items, in feed order.
   */
  readonly isResumed: boolean;
  /**
   * The next results in the order of completion, as soon as there are any; one that failed, was retried and ended again comes twice.
   * Throws as {@link PipelineRuntime.run} when it ends before every item has.
   */
  read(): Promise<RunStep>;
}

export interface FeedsQuery {
  /** Only feeds that were made under this name. */
  maker?: string | undefined;
  /** `desc`: the newest first; `after` is then the place behind which the page begins in that order. */
  order?: 'asc' | 'desc' | undefined;
  /** Only feeds after this one, by their ordinals: `next` of the page before, or 0. */
  after: number;
  limit: number;
}

export interface FeedResultsQuery {
  status: 'completed' | 'failed' | 'cancelled' | 'all';
  after: number;
  limit: number;
}

export interface FollowQuery {
  status: FeedResultsQuery['status'];
  after: number;
  /** Ends the following. */
  signal?: AbortSignal | undefined;
}

export interface FeedWaitQuery {
  timeoutSeconds?: number | undefined;
  signal?: AbortSignal | undefined;
}

export interface ItemsWaitQuery extends FeedWaitQuery {
  /** Only items of feeds that were made under this name are known. */
  maker?: string | undefined;
  itemIds: readonly string[];
  returnWhen: ReturnWhen;
}
