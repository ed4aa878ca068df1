import type { PipelineResult } from '../../schemas/item.ts';
import { callerGone, SluiceError } from '../contract/errors.ts';
import type { RunAnswer, RunRequest, RunStep } from '../contract/requests.ts';
import type { Page } from '../contract/runtime.ts';
import type { Lifecycle } from '../control/lifecycle.ts';
import type { Core } from '../flow/core.ts';
import { ErrorTally } from '../flow/error-tally.ts';
import type { Feed } from '../model/feed.ts';
import type { Item } from '../model/model.ts';
import { waitWithin } from '../time/waited.ts';
import { DOCUMENT_CHARACTERS } from '../values/sizes.ts';
import { ANSWER_CHARACTERS, type Answers, expectSameBody, isAnswered, type KeptAnswer, NO_TICKET, type Ticket } from './answers.ts';
import { FeedResults } from './feed-results.ts';
import type { Feeds } from './feeds.ts';
import { inOrderOf, NamedItems } from './named-items.ts';
import { resumedRun } from './resumed-run.ts';
import { LiveRun, type OpenedRun, type RunParts } from './run-stream.ts';
import { hasItems, openFeed, openWholeFeed, refusalOf } from './sending.ts';

/** The number of results read at a time. */
const PAGE = 1000;

/** Feeds items and waits for their results. */
export class Runs implements RunParts {
  readonly core: Core;
  readonly feeds: Feeds;
  private readonly lifecycle: Lifecycle;
  private readonly answers: Answers;

  constructor(core: Core, lifecycle: Lifecycle, feeds: Feeds, answers: Answers) {
    this.core = core;
    this.lifecycle = lifecycle;
    this.feeds = feeds;
    this.answers = answers;
  }

  async run(given: readonly unknown[], request: RunRequest): Promise<RunAnswer> {
    const items = this.core.admission.check(given, request);
    const { idempotency: key } = request;
    const claim = key === undefined ? NO_TICKET : await this.answers.claim(key, request.signal);
    if (isAnswered(claim)) return this.repeat(claim, items, request);
    const { feed, results } = await this.accept(items, request, claim, (made) => this.collect(made, request));
    try {
      // What could not be read when it was named.
      results.recall();
      return await this.finish(feed, results, request, claim);
    } catch (error) {
      // The items are accepted: a repeat gets the answer that the feed has then.
      claim.leave();
      throw error;
    } finally {
      results.stop();
    }
  }

  /** Opens a run. With items `given`, all of them are accepted when it resolves, or none; without, they are pushed. */
  async open(request: RunRequest, given?: readonly unknown[]): Promise<OpenedRun> {
    const { core } = this;
    const items = given === undefined ? undefined : core.admission.check(given, request);
    const { idempotency: key } = request;
    const claim = key === undefined ? NO_TICKET : await this.answers.claim(key, request.signal);
    if (isAnswered(claim)) return this.replay(claim, request, items);
    const make = (feed: Feed): LiveRun => new LiveRun(this, feed, request, claim);
    if (items !== undefined) {
      const { results: run } = await this.accept(items, request, claim, make);
      run.begin();
      return run;
    }
    try {
      this.startIfIdle(request);
      const feed = openFeed(core, request, claim);
      if (hasItems(feed)) {
        const named = new NamedItems(core, feed.id, request.onlyMaker);
        const steps = this.again({ feedId: feed.id, answer: null }, request, named);
        return resumedRun(this, feed, request, claim, named, steps);
      }
      const run = make(feed);
      run.begin();
      return run;
    } catch (error) {
      claim.release();
      throw error;
    }
  }

  tally(): ErrorTally {
    const { index, time } = this.core;
    const now = time.instant(time.tick());
    return new ErrorTally((id) => {
      const item = index.get(id);
      return item === undefined ? now : time.instant(item.updatedAt);
    });
  }

  /** Collects all results of a feed for one document; none when they do not fit into it. */
  private collect(feed: Feed, { onlyMaker }: RunRequest): FeedResults {
    const { options } = this.core;
    // A user of the library gets them all, however large.
    const characters = options.values === undefined ? Number.POSITIVE_INFINITY : (options.documentCharacters ?? DOCUMENT_CHARACTERS);
    return new FeedResults(feed, this.core, { characters, beyond: () => 'none', isOrdered: true, onlyMaker });
  }

  /** Starts the pipeline if it does not run. Throws `not-running` when the caller may not start it. */
  private startIfIdle({ mayStart = true }: RunRequest): void {
    const { state } = this.core;
    if (state !== 'created' && state !== 'stopped') return;
    if (!mayStart) throw new SluiceError('not-running', `the pipeline is ${state}, and this key may not start it`);
    this.lifecycle.start();
  }

  /** Opens a feed, lets `watch` observe it, and accepts the items; a refusal leaves nothing behind. */
  private async accept<T extends { stop(): void }>(
    items: readonly unknown[],
    request: RunRequest,
    ticket: Ticket,
    watch: (feed: Feed) => T,
  ): Promise<{ feed: Feed; results: T }> {
    const { admission, feeds } = this.core;
    let feed: Feed | undefined;
    let results: T | undefined;
    try {
      feed = openWholeFeed(this.core, request, ticket);
      results = watch(feed);
      this.startIfIdle(request);
      const opened = feed;
      await admission.admitAll(items, opened, request, request, () => {
        feeds.close(opened);
        ticket.accepted(opened.id);
      });
      return { feed, results };
    } catch (error) {
      results?.stop();
      if (feed === undefined) ticket.release();
      else {
        feeds.refuse(feed, refusalOf(this.core, error));
        ticket.forget();
      }
      throw error;
    }
  }

  private async finish(feed: Feed, results: FeedResults, request: RunRequest, ticket: Ticket): Promise<RunAnswer> {
    const { core } = this;
    const waited = await waitWithin(results.all(), request, core.time, core.dues);
    if (waited.is === 'gone') {
      if (request.cancelOnAbort) {
        await this.feeds.cancel(feed.id);
        ticket.forget();
      }
      throw callerGone();
    }
    const rows = waited.is === 'done' ? waited.value : results.inOrder(results.take());
    if (results.lost > 0) throw noLongerKept(feed.id);
    const answer: RunAnswer = this.answer(feed, rows ?? []);
    if (waited.is === 'late' || rows === null) answer.pending = this.feeds.view(feed.id);
    // A repeat of a run whose results were too large is told again where they are.
    if (rows === null) ticket.leave();
    else ticket.keep(answer, ANSWER_CHARACTERS);
    return answer;
  }

  private answer(feed: Feed, rows: readonly PipelineResult[]): RunAnswer {
    const tally = this.tally();
    for (const row of rows) tally.add(row);
    return {
      feedId: feed.id,
      duplicates: feed.duplicates,
      results: this.core.options.collectResults ? [...rows] : [],
      errorSummary: tally.summary(),
    };
  }

  /** The first answer; if it was not kept (too long, or its caller had gone), one made from what the feed and the known items are now. */
  private async repeat(kept: KeptAnswer, items: readonly unknown[], request: RunRequest): Promise<RunAnswer> {
    const { core } = this;
    const feed = core.feeds.find(kept.feedId);
    if (kept.answer !== null) {
      const answer = JSON.parse(kept.answer) as RunAnswer;
      // An earlier version did not keep the number.
      return { ...answer, duplicates: answer.duplicates ?? feed?.duplicates ?? 0, replayed: true };
    }
    if (feed === undefined) throw noLongerKept(kept.feedId);
    const named = new NamedItems(core, feed.id, request.onlyMaker);
    named.add(items);
    const isDone = (await this.feeds.until(feed, request)) && (await named.ended(request));
    const rows: PipelineResult[] = [];
    let left = core.options.documentCharacters ?? DOCUMENT_CHARACTERS;
    let isTooMuch = false;
    for (const page of chain(this.pagesOf(feed), named.pages())) {
      for (const item of page) {
        rows.push(item.toResult());
        left -= item.resultSize;
      }
      isTooMuch = left <= 0 && core.options.collectResults;
      if (isTooMuch) break;
    }
    const answer = this.answer(feed, isTooMuch ? [] : inOrderOf(items, rows, feed.id));
    if (!isDone || isTooMuch) return { ...answer, pending: this.feeds.view(feed.id), replayed: true };
    if (rows.length < feed.accepted + named.size) throw noLongerKept(feed.id);
    this.answers.keepLate((request.idempotency as { key: string }).key, kept, answer, ANSWER_CHARACTERS);
    return { ...answer, replayed: true };
  }

  /** The ended items of a feed, page by page. */
  private *pagesOf(feed: Feed): Generator<Item[]> {
    for (let after: number | null = 0; after !== null; ) {
      const page: Page<Item> = this.core.index.results({ status: 'all', after, limit: PAGE, feedId: feed.id }, feed);
      if (page.rows.length > 0) yield page.rows;
      after = page.next;
    }
  }

  /** Yields the kept answer, or the results as the feed has them now. */
  private async *again(kept: Pick<KeptAnswer, 'feedId' | 'answer'>, request: RunRequest, named: NamedItems): AsyncGenerator<RunStep> {
    const { core } = this;
    const tally = this.tally();
    const results = (rows: PipelineResult[]): RunStep => {
      for (const row of rows) tally.add(row);
      return { kind: 'results', results: rows };
    };
    if (kept.answer !== null) {
      const answer = JSON.parse(kept.answer) as RunAnswer;
      if (answer.results.length > 0) yield results(answer.results);
      const duplicates = answer.duplicates ?? core.feeds.find(kept.feedId)?.duplicates ?? 0;
      yield { kind: 'done', feedId: kept.feedId, duplicates, errorSummary: answer.errorSummary };
      return;
    }
    const feed = core.feeds.find(kept.feedId);
    if (feed === undefined) throw noLongerKept(kept.feedId);
    const isDone = (await this.feeds.until(feed, request)) && (await named.ended(request));
    let count = 0;
    for (const page of chain(this.pagesOf(feed), named.pages())) {
      count += page.length;
      if (core.options.collectResults) yield results(page.map((item) => item.toResult()));
      else for (const item of page) tally.add(item.toResult());
    }
    if (!isDone) yield { kind: 'pending', feed: this.feeds.view(feed.id) };
    else if (count < feed.accepted + named.size) throw noLongerKept(feed.id);
    else yield { kind: 'done', feedId: feed.id, duplicates: feed.duplicates, errorSummary: tally.summary() };
  }

  private replay(kept: KeptAnswer, request: RunRequest, items: readonly unknown[] = []): OpenedRun {
    const { core } = this;
    const named = new NamedItems(core, kept.feedId, request.onlyMaker);
    named.add(items);
    const receipt = () =>
      core.feeds.find(kept.feedId)?.receipt() ?? {
        feedId: kept.feedId,
        accepted: 0,
        duplicates: 0,
        firstSequence: null,
        lastSequence: null,
      };
    const steps = this.again(kept, request, named);
    return {
      feedId: kept.feedId,
      isReplay: true,
      isResumed: false,
      // The repeated body is compared as a whole at its end.
      push: async (more) => named.add(more),
      end: async (body) => {
        expectSameBody(kept.body, body ?? request.idempotency?.body);
        return { ...receipt(), replayed: true };
      },
      abort: async () => receipt(),
      // Nobody reads after the last step.
      read: async () => (await steps.next()).value as RunStep,
      leave: () => undefined,
    };
  }
}

function* chain<T>(...parts: Iterable<T>[]): Generator<T> {
  for (const part of parts) yield* part;
}

function noLongerKept(feedId: string): SluiceError {
  return new SluiceError('no-longer-kept', `some results of the feed "${feedId}" are no longer kept`, { details: { feedId } });
}
