import type { Feed } from './feed.ts';
import { createAttempts, type Patience } from './patience.ts';
import { isPassing } from './problem.ts';
import { pathOf, send, type Transport } from './transport.ts';

export interface WaitOptions {
  /** Maximum time to wait; without it, as long as it takes. */
  timeoutSeconds?: number;
  signal?: AbortSignal;
  patience?: Patience;
}

/** No request lasts long enough to be taken for dead by what is between. */
const REQUEST_SECONDS = 30;

/** The feed when it is done, or, with `done: false`, as it is when the time is up. */
export async function wait(transport: Transport, pipeline: string, feedId: string, options: WaitOptions = {}): Promise<Feed> {
  const { timeoutSeconds = Number.POSITIVE_INFINITY, signal, patience = {} } = options;
  const attempts = createAttempts(patience);
  const path = pathOf('pipelines', pipeline, 'feeds', feedId, 'wait');
  const endsAt = Date.now() + timeoutSeconds * 1000;
  for (;;) {
    try {
      const left = Math.max(0, endsAt - Date.now()) / 1000;
      const query = { timeoutSeconds: Math.min(REQUEST_SECONDS, left) };
      const feed = (await (await send(transport, path, { method: 'POST', query, signal })).json()) as Feed;
      if (feed.done || Date.now() >= endsAt) return feed;
      attempts.progress();
    } catch (error) {
      signal?.throwIfAborted();
      if (!isPassing(error)) throw error;
      await attempts.wait(error, signal);
    }
  }
}
