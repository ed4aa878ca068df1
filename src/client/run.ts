import type { FeedOptions } from './feed.ts';
import { createItems, type ItemSource, type Items } from './items.ts';
import { createAttempts } from './patience.ts';
import { isPassing } from './problem.ts';
import { type ItemResult, type Row, rowsAsTheyCome } from './rows.ts';
import { createSeen, type Seen } from './seen.ts';
import { pathOf, type Transport } from './transport.ts';
import { bodyOf, canStream, readLines } from './upload.ts';

type Shared = 'feedId' | 'targetStage' | 'priority' | 'onDuplicate' | 'bigNumbers' | 'idField' | 'upload' | 'patience' | 'signal';

export interface RunOptions extends Pick<FeedOptions, Shared> {
  /** Cancels the items that have not ended when the loop over the results is left, or the connection breaks. */
  cancelOnDisconnect?: boolean;
  /** So long the answer may be silent, once it has begun, before its connection is taken for dead. Default 45: three comments that did not come. */
  silenceSeconds?: number;
}

const ALL = { characters: Number.POSITIVE_INFINITY, lines: Number.POSITIVE_INFINITY };

/**
 * Feeds a source and yields the result of each item, in the order in which they end. After an interruption the same request is sent again under its idempotency key, and those
 * results are left out that have been there; a source that can be read only once is not sent again.
 */
export async function* run(transport: Transport, pipeline: string, source: ItemSource, options: RunOptions): AsyncGenerator<Row> {
  const { upload = canStream() ? 'stream' : 'batches', patience = {}, signal, silenceSeconds, ...query } = options;
  const items = createItems(source);
  const attempts = createAttempts(patience);
  const headers = {
    'content-type': 'application/x-ndjson',
    'idempotency-key': `run-${Date.now().toString(36)}-${Math.random().toString(36).slice(2)}`,
  };
  /**
   * Results that have been, by feed and sequence id: an id that runs again has another result. Only for a source that may be sent again; and a service that has
   * forgotten the feed makes another one, whose results are other ones.
   */
  const seen = new Map<string, Seen>();
  const isNew = ({ feedId, sequenceId }: ItemResult): boolean => {
    const ofFeed = seen.get(feedId) ?? createSeen();
    seen.set(feedId, ofFeed);
    return ofFeed.add(sequenceId);
  };
  try {
    for (;;) {
      const attempt = createAttempt(items, upload, signal);
      try {
        const sending = { method: 'POST', query, headers, body: await attempt.body(), signal: attempt.signal };
        // The answer begins when the first items are accepted.
        const waiting = { silenceSeconds, isHeadSlow: true };
        for await (const row of rowsAsTheyCome(transport, pathOf('pipelines', pipeline, 'run'), { ...sending, ...waiting })) {
          if (items.canRestart && !isNew(row.value)) continue;
          attempts.progress();
          yield row;
        }
        return;
      } catch (error) {
        signal?.throwIfAborted();
        const failure = attempt.failureOfSource() ?? { error };
        if (!items.canRestart || !isPassing(failure.error)) throw failure.error;
        await attempts.wait(failure.error, signal);
        await items.seek(0);
      } finally {
        attempt.end();
      }
    }
  } finally {
    items.close();
  }
}

/** One request with the source as its body. */
function createAttempt(items: Items, upload: 'stream' | 'batches', outer: AbortSignal | undefined) {
  const until = new AbortController();
  const { signal } = until;
  const onAbort = (): void => until.abort(outer?.reason);
  outer?.addEventListener('abort', onAbort, { once: true });
  let failure: { error: unknown } | undefined;
  return {
    signal,
    failureOfSource: () => failure,
    async body(): Promise<string | ReadableStream<Uint8Array>> {
      outer?.throwIfAborted();
      // Of a source that is read once nothing is kept.
      const onChunk = (position: number): void => items.confirm(position);
      const onFailure = (error: unknown): void => {
        failure ??= { error };
      };
      if (upload === 'stream') return bodyOf(items, { before: async () => undefined, onChunk, onFailure, isOver: () => signal.aborted });
      return readLines(items, { most: ALL, moment: () => new Promise<void>(() => undefined) });
    },
    end() {
      outer?.removeEventListener('abort', onAbort);
      until.abort();
    },
  };
}
