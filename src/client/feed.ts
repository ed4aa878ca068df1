import type { components } from './api-types.ts';
import { createItems, type ItemSource, type Items } from './items.ts';
import { createAttempts, type Patience, sleep } from './patience.ts';
import { isPassing, SluiceProblem } from './problem.ts';
import { pathOf, type Sending, send, type Transport } from './transport.ts';
import { bodyOf, canStream, readLines } from './upload.ts';

export type Feed = components['schemas']['Feed'];

export interface FeedOptions {
  /** The id of the feed; by default a new one. */
  feedId?: string;
  /**
   * How a feed of this id is taken: `new` (the default) must not exist; `append` gets these items on top; `resume` goes on with an upload of the same source that broke off,
   * whose first items are passed over.
   */
  mode?: 'new' | 'append' | 'resume';
  /** With `resume`: counts of the feed before the upload that broke off, if that was an `append`; they are not of this source ({@link FeedProgress.before}). */
  resumeAfter?: FeedCounts;
  targetStage?: string;
  /** Lower runs sooner: 0 to 2097151, by default 100. */
  priority?: number;
  onDuplicate?: components['schemas']['OnDuplicate'];
  /** How integers are taken that a number of 64 bits cannot hold; by default they are refused. */
  bigNumbers?: 'refuse' | 'lossy';
  /** The member that is the id of an item, in place of `id`. */
  idField?: string;
  /** One streamed request, or many small ones. By default what works here: web pages cannot stream a body over HTTP/1.1. */
  upload?: 'stream' | 'batches';
  patience?: Patience;
  /** Ends the upload. What was accepted stays accepted. */
  signal?: AbortSignal;
  onProgress?: (progress: FeedProgress) => void;
}

export interface FeedProgress {
  feedId: string;
  /** Items handed to the network, those passed over among them. */
  sent: number;
  /** The failure after which the upload goes on, or null. */
  interruption: Error | null;
  /** The feed before this source. Told before anything is sent; whoever goes on with an `append` later needs it. */
  before: FeedCounts;
}

export type FeedCounts = Pick<Feed, 'total' | 'duplicates'>;

export interface FeedOutcome {
  feedId: string;
  /** Items of this upload that are in the feed now, those passed over among them. */
  accepted: number;
  /** Items whose id the pipeline knew already, from this upload or from before it. */
  duplicates: number;
}

/** Bound of what a source that is read once keeps unconfirmed; above it the service is asked for what it has. */
const KEPT_CHARACTERS = 4 * 1024 * 1024;
/** So many times it is asked before more is kept all the same. */
const TRIES_MAX = 8;
const BATCH = { characters: 256 * 1024, lines: 5000 };
/** A batch of a slow source is sent after this time. */
const BATCH_SECONDS = 0.25;

const newFeedId = (): string => `feed-${Date.now().toString(36)}-${Math.random().toString(36).slice(2, 10).padEnd(8, '0')}`;

export async function feed(transport: Transport, pipeline: string, source: ItemSource, options: FeedOptions = {}): Promise<FeedOutcome> {
  const items = createItems(source);
  try {
    return await createUpload(transport, pipeline, items, options).run();
  } finally {
    items.close();
  }
}

/**
 * Sends a source to its end, over interruptions.
 *
 *     ┌──▶ position ──▶ sending ──the source has ended──▶ done
 *     │  (unless first)    │
 *     └──── waiting ◀──────┘ the connection broke, no room, the service restarts
 *
 * The service takes items in the order of the body and counts each, also one whose id it knows, so `total` + `duplicates` is the position to go on from. It is read when no
 * request is sending for the feed any more: the one that broke may still be at work there.
 */
function createUpload(transport: Transport, pipeline: string, items: Items, options: FeedOptions): { run(): Promise<FeedOutcome> } {
  const { feedId = newFeedId(), mode = 'new', signal, onProgress } = options;
  if (options.resumeAfter !== undefined && mode !== 'resume') throw new TypeError('resumeAfter needs the mode "resume"');
  const { targetStage, priority, onDuplicate, bigNumbers, idField } = options;
  const upload = options.upload ?? (canStream() ? 'stream' : 'batches');
  const attempts = createAttempts(options.patience ?? {});
  const feedPath = pathOf('pipelines', pipeline, 'feeds', feedId);
  const query = { feedId, targetStage, priority, onDuplicate, bigNumbers, idField };
  /** The feed before this upload; its items are not ours, unless we resume. */
  let base: FeedCounts = options.resumeAfter ?? { total: 0, duplicates: 0 };
  let isAppending = mode !== 'new';
  let confirmed = 0;

  const tell = (interruption: Error | null): void => onProgress?.({ feedId, sent: items.position, interruption, before: base });

  async function view(until: AbortSignal | undefined): Promise<Feed | null> {
    try {
      return (await (await send(transport, feedPath, { signal: until })).json()) as Feed;
    } catch (error) {
      if (error instanceof SluiceProblem && error.code === 'feed-not-found') return null;
      throw error;
    }
  }

  const countOf = ({ total, duplicates }: FeedCounts): number => total + duplicates - base.total - base.duplicates;

  function noteConfirmed(count: number): void {
    if (count <= confirmed) return;
    confirmed = count;
    items.confirm(count);
    attempts.progress();
  }

  /** Goes to the first item that the feed does not have, once no request sends for it. */
  async function findPosition(): Promise<void> {
    const feed = await view(signal);
    if (feed?.sending === true) throw new StillSending(feedId);
    if (feed !== null && mode === 'resume' && countOf(feed) < 0)
      throw new RangeError(`the feed ${feedId} has fewer items than it had before this upload: it is another one`);
    if (feed !== null) noteConfirmed(countOf(feed));
    else {
      // A service without a durable store knows nothing of it after a restart, nor of what it had before; all is sent again, if it can be.
      confirmed = 0;
      base = { total: 0, duplicates: 0 };
    }
    await items.seek(confirmed);
  }

  /** Holds a source that is read once back until the service has confirmed enough of it. */
  async function confirmSome(until: AbortSignal): Promise<void> {
    for (let waitSeconds = 0.02, tries = 0; items.keptLength > KEPT_CHARACTERS; waitSeconds = Math.min(1, waitSeconds * 2), tries++) {
      const before = confirmed;
      const feed = await view(until);
      if (feed !== null) noteConfirmed(countOf(feed));
      // The count stands still while there is no room, and then nothing more is sent anyway.
      if (confirmed === before && tries >= TRIES_MAX) return;
      if (items.keptLength > KEPT_CHARACTERS) await sleep(waitSeconds, until);
    }
  }

  function request(body: string | ReadableStream<Uint8Array>, until: AbortSignal): Promise<Response> {
    const sending: Sending = { method: 'POST', query: { ...query, ...(isAppending && { append: true }) }, body, signal: until };
    return send(transport, pathOf('pipelines', pipeline, 'feed'), { ...sending, headers: { 'content-type': 'application/x-ndjson' } });
  }

  async function sendStream(until: AbortController): Promise<void> {
    let failure: { error: unknown } | undefined;
    const body = bodyOf(items, {
      before: () => confirmSome(until.signal),
      onChunk: () => tell(null),
      onFailure(error) {
        failure ??= { error };
      },
      isOver: () => until.signal.aborted,
    });
    try {
      await (await request(body, until.signal)).json();
    } catch (error) {
      throw failure === undefined ? error : failure.error;
    }
    noteConfirmed(items.position);
  }

  async function sendBatches(until: AbortController): Promise<void> {
    for (let isFirst = true; ; isFirst = false) {
      const text = await readLines(items, { most: BATCH, moment: () => sleep(BATCH_SECONDS, until.signal) });
      if (text === '' && !(isFirst && confirmed === 0)) return;
      await (await request(text, until.signal)).json();
      isAppending = true;
      noteConfirmed(items.position);
      tell(null);
    }
  }

  async function attempt(): Promise<void> {
    const until = new AbortController();
    const onAbort = (): void => until.abort(signal?.reason);
    signal?.addEventListener('abort', onAbort, { once: true });
    try {
      await (upload === 'stream' ? sendStream(until) : sendBatches(until));
    } finally {
      isAppending = true;
      signal?.removeEventListener('abort', onAbort);
      // An answer that came early leaves a body that nobody reads.
      until.abort();
    }
  }

  /** Reads what has to be known before the first request. */
  async function begin(): Promise<void> {
    if (mode === 'resume') return findPosition();
    if (options.feedId === undefined) return;
    const there = await view(signal);
    if (there === null) return;
    if (mode === 'new') throw alreadyThere(feedPath, feedId);
    base = { total: there.total, duplicates: there.duplicates };
  }

  async function outcome(): Promise<FeedOutcome> {
    const { total, duplicates } = (await view(signal)) ?? { total: base.total + items.position, duplicates: base.duplicates };
    return { feedId, accepted: total - base.total, duplicates: duplicates - base.duplicates };
  }

  return {
    async run() {
      signal?.throwIfAborted();
      /** The next step; a failure that may pass repeats it, or goes on from where the service is. */
      let step: 'begin' | 'position' | 'send' | 'outcome' = 'begin';
      for (;;) {
        try {
          if (step === 'begin') {
            await begin();
            tell(null);
          }
          if (step === 'position') await findPosition();
          if (step !== 'outcome') {
            // From here on the feed may be there, opened by a request whose answer is lost.
            step = 'position';
            await attempt();
            step = 'outcome';
          }
          return await outcome();
        } catch (error) {
          signal?.throwIfAborted();
          if (!goesOn(error, isAppending)) throw error;
          tell(error as Error);
          await attempts.wait(error, signal);
        }
      }
    },
  };
}

/** A request that broke is still at work in the service. */
class StillSending extends Error {
  override readonly name = 'StillSending';

  constructor(feedId: string) {
    super(`another request is still sending for the feed ${feedId}`);
  }
}

function goesOn(error: unknown, isAppending: boolean): boolean {
  return (
    error instanceof StillSending || isPassing(error) || (isAppending && error instanceof SluiceProblem && error.code === 'feed-exists')
  );
}

/** The refusal of the service, seen ahead: after an interruption a feed of this id would pass for ours. */
function alreadyThere(instance: string, feedId: string): SluiceProblem {
  return new SluiceProblem({
    type: 'urn:sluice:problem:feed-exists',
    title: 'A feed with this id already exists',
    status: 409,
    detail: `the feed "${feedId}" already exists`,
    instance,
    code: 'feed-exists',
    fix: 'Use another feedId, or the mode "resume" or "append".',
  });
}
