import type { FeedReceipt } from '../../schemas/control.ts';
import type { PipelineResult } from '../../schemas/item.ts';
import { callerGone, SluiceError } from '../contract/errors.ts';
import type { RunRequest, RunStep, RunStream } from '../contract/requests.ts';
import type { Core } from '../flow/core.ts';
import type { ErrorTally } from '../flow/error-tally.ts';
import type { Feed } from '../model/feed.ts';
import type { Due } from '../time/due-queue.ts';
import { sizeWithin } from '../values/json-size.ts';
import { BUFFER_CHARACTERS } from '../values/sizes.ts';
import { ANSWER_CHARACTERS, type Ticket } from './answers.ts';
import { FeedResults } from './feed-results.ts';
import type { Feeds } from './feeds.ts';
import { Sending } from './sending.ts';

/** The parts that a run works with. */
export interface RunParts {
  readonly core: Core;
  readonly feeds: Feeds;
  /** Makes an empty tally of failures. */
  tally(): ErrorTally;
}

/** A run, and the way to leave it before its last step. */
export interface OpenedRun extends RunStream {
  /** Nobody reads any more; its items go on, and whoever asks again gets what the feed has. Idempotent. */
  leave(): void;
}

/** With this many unread results, pushes wait. */
const UNREAD_MAX = 1000;

/**
 * A run whose results are read while its items are still being fed.
 *
 *     sending ──end──▶ sent ──every item has ended, all is read──▶ over
 *        │ abort        │ stopped, time is up, the caller has disconnected ──▶ over
 *        └──▶ sent, as far as it goes; a repeat under its key goes on with it
 */
export class LiveRun implements OpenedRun {
  readonly isReplay = false;
  readonly isResumed = false;
  private readonly runs: RunParts;
  private readonly feed: Feed;
  private readonly request: RunRequest;
  private readonly ticket: Ticket;
  private readonly sending: Sending;
  private readonly results: FeedResults;
  private readonly tally: ErrorTally;
  private late: Due | null = null;
  private isLate = false;
  private isOver = false;
  /** The results read so far, for a repeat under the same key; null without a key, or when they became too long. */
  private given: PipelineResult[] | null;
  private givenCharacters = 0;
  private wakeReader: () => void = () => undefined;
  private wakeWriter: () => void = () => undefined;

  constructor(runs: RunParts, feed: Feed, request: RunRequest, ticket: Ticket) {
    this.runs = runs;
    this.feed = feed;
    this.request = request;
    this.ticket = ticket;
    this.sending = new Sending(runs.core, feed, request, ticket);
    this.given = request.idempotency === undefined ? null : [];
    this.tally = runs.tally();
    const beyond = () => (runs.core.options.collectResults ? 'later' : 'lost') as 'later' | 'lost';
    this.results = new FeedResults(feed, runs.core, { characters: BUFFER_CHARACTERS, beyond, onlyMaker: request.onlyMaker }, () =>
      this.wakeReader(),
    );
  }

  get feedId(): string {
    return this.feed.id;
  }

  /** Starts the time limit, and heeds the caller's signal from now on. */
  begin(): void {
    const { timeoutSeconds, signal } = this.request;
    const { dues, time } = this.runs.core;
    if (timeoutSeconds !== undefined) {
      this.late = dues.add(time.tick() + timeoutSeconds * 1000, () => {
        this.isLate = true;
        this.wakeReader();
      });
    }
    signal?.addEventListener('abort', this.onGone, { once: true });
    if (signal?.aborted) this.onGone();
  }

  async push(items: readonly unknown[]): Promise<void> {
    while ((this.results.size >= UNREAD_MAX || this.results.isFull) && !this.isOver) {
      await new Promise<void>((resolve) => {
        this.wakeWriter = resolve;
      });
    }
    await this.sending.push(items);
  }

  async end(body?: string): Promise<FeedReceipt> {
    if (this.feed.isOpen) {
      this.sending.finish(body);
      if (this.isOver) this.ticket.leave();
    }
    return this.feed.receipt();
  }

  async abort(): Promise<FeedReceipt> {
    if (this.feed.isOpen) {
      this.sending.breakOff();
      // There is nothing to read, and nobody who would.
      if (this.feed.accepted === 0) this.stop();
    }
    return this.feed.receipt();
  }

  async read(): Promise<RunStep> {
    for (;;) {
      // Armed before looking, so that no wake is missed.
      const woken = new Promise<void>((resolve) => {
        this.wakeReader = resolve;
      });
      if (this.request.signal?.aborted) throw callerGone();
      if (this.results.size > 0) {
        const step = this.take();
        if (step.results.length > 0) return step;
        continue;
      }
      const { fault } = this.results;
      if (fault !== null) {
        this.stop();
        this.ticket.leave();
        throw fault;
      }
      if (this.results.isDone) return this.finish();
      if (this.isLate) {
        this.stop();
        this.ticket.leave();
        return { kind: 'pending', feed: this.runs.feeds.view(this.feed.id) };
      }
      await woken;
    }
  }

  /** Stops collecting results. Idempotent. */
  stop(): void {
    this.isOver = true;
    this.results.stop();
    if (this.late !== null) this.runs.core.dues.cancel(this.late);
    this.request.signal?.removeEventListener('abort', this.onGone);
    this.wakeReader();
    this.wakeWriter();
  }

  leave(): void {
    this.stop();
    // Of one that is still sent there is no answer yet.
    if (!this.feed.isOpen) this.ticket.leave();
  }

  private readonly onGone = (): void => {
    if (this.request.cancelOnAbort !== true) {
      this.leave();
      return;
    }
    this.stop();
    this.ticket.forget();
    // A feed that was refused meanwhile has nothing to cancel.
    if (this.runs.core.feeds.find(this.feed.id) === this.feed) void this.runs.feeds.cancel(this.feed.id);
  };

  private take(): Extract<RunStep, { kind: 'results' }> {
    const results = this.results.take();
    if (results.length === 0) this.lookUp(results);
    if (results.length === 0) results.push(...this.recalled());
    this.wakeWriter();
    for (const result of results) {
      this.tally.add(result);
      this.note(result);
    }
    return { kind: 'results', results };
  }

  /** Looks up the results that were not buffered, as the pipeline has them now. */
  private lookUp(results: PipelineResult[]): void {
    const { index } = this.runs.core;
    this.results.takeLater((sequenceId) => {
      const item = index.bySequence(sequenceId);
      if (item?.isKept !== true) this.results.lost++;
      // A failed item that was retried ends once more.
      if (item?.isKept !== true || !item.isFinal) return 0;
      results.push(item.toResult());
      return item.resultSize;
    });
  }

  /** The results of known items for which there was no room when they were named, or ended. */
  private recalled(): PipelineResult[] {
    this.results.recall();
    return this.results.take();
  }

  private note(result: PipelineResult): void {
    if (this.given === null) return;
    this.given.push(result);
    this.givenCharacters += sizeWithin(result, ANSWER_CHARACTERS);
    if (this.givenCharacters > ANSWER_CHARACTERS) this.given = null;
  }

  private finish(): RunStep {
    this.stop();
    const { lost } = this.results;
    if (lost > 0) {
      this.ticket.leave();
      const text = `${lost} results of the feed "${this.feed.id}" are no longer kept: they were not read in time`;
      throw new SluiceError('no-longer-kept', text, { details: { feedId: this.feed.id, missing: lost } });
    }
    const { duplicates } = this.feed;
    const errorSummary = this.tally.summary();
    if (this.given === null) this.ticket.leave();
    else this.ticket.keep({ feedId: this.feed.id, duplicates, results: this.given, errorSummary }, ANSWER_CHARACTERS);
    return { kind: 'done', feedId: this.feed.id, duplicates, errorSummary };
  }
}
