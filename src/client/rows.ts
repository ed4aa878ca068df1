import type { components } from './api-types.ts';
import { linesOf } from './lines.ts';
import { createAttempts, type Patience } from './patience.ts';
import { isPassing, SluiceProblem } from './problem.ts';
import { pathOf, type Sending, send, type Transport } from './transport.ts';

export type ItemResult = components['schemas']['ItemResult'];

export interface ResultOptions {
  /** Only results of this feed, of every status by default. Otherwise those of the pipeline, the completed ones by default. */
  feedId?: string;
  status?: 'completed' | 'failed' | 'cancelled' | 'all';
  /** A `sequenceId`: only what was fed after it. */
  after?: number;
  /** Waits for what has not ended, until the feed is done. Needs a `feedId`. */
  follow?: boolean;
  signal?: AbortSignal;
  patience?: Patience;
}

/** A line of an answer: its text as it came, with the digits of every number, and its value. */
export interface Row {
  text: string;
  value: ItemResult;
}

/** Results in feed order. After an interruption it goes on behind the last one. */
export async function* resultRows(transport: Transport, pipeline: string, options: ResultOptions): AsyncGenerator<Row> {
  const { feedId, status, follow, signal, patience = {} } = options;
  const attempts = createAttempts(patience);
  const ofFeed = feedId !== undefined;
  const path = ofFeed ? pathOf('pipelines', pipeline, 'feeds', feedId, 'results') : pathOf('pipelines', pipeline, 'results');
  let after = options.after ?? 0;
  for (;;) {
    try {
      const query = { status, ...(ofFeed ? { ...(follow && { follow: true }) } : { after }) };
      for await (const row of rowsOf(transport, path, { query, signal })) {
        // Results of a feed are read from its beginning.
        if (row.value.sequenceId <= after) continue;
        after = row.value.sequenceId;
        attempts.progress();
        yield row;
      }
      return;
    } catch (error) {
      signal?.throwIfAborted();
      if (!isPassing(error)) throw error;
      await attempts.wait(error, signal);
    }
  }
}

/** The lines of one answer. Its last one may be a problem, which is thrown; those that tell of the whole are left out. */
export async function* rowsOf(transport: Transport, path: string, sending: Sending): AsyncGenerator<Row> {
  const headers = { accept: 'application/x-ndjson', ...sending.headers };
  const { body } = await send(transport, path, { ...sending, headers });
  if (body === null) return;
  for await (const text of linesOf(body, sending.signal)) {
    const value = JSON.parse(text) as ItemResult | { problem: components['schemas']['Problem'] } | { summary: unknown };
    if ('problem' in value) throw new SluiceProblem(value.problem);
    if ('id' in value) yield { text, value };
  }
}
