import type { components } from './api-types.ts';
import { eventStream } from './event-stream.ts';
import { linesOf } from './lines.ts';
import { createAttempts, type Patience } from './patience.ts';
import { isPassing, SluiceProblem, SluiceUnreachable } from './problem.ts';
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
  /** With `follow`: so long the stream may be silent before another connection is tried. Default 45: three comments that did not come. */
  silenceSeconds?: number;
}

/** A result of an answer: its text as it came, with the digits of every number, and its value. */
export interface Row {
  text: string;
  value: ItemResult;
}

/** Results in feed order. After an interruption it goes on behind the last one. */
export async function* resultRows(transport: Transport, pipeline: string, options: ResultOptions): AsyncGenerator<Row> {
  const { feedId, status, follow, signal, patience = {}, silenceSeconds } = options;
  const attempts = createAttempts(patience);
  const ofFeed = feedId !== undefined;
  const path = ofFeed ? pathOf('pipelines', pipeline, 'feeds', feedId, 'results') : pathOf('pipelines', pipeline, 'results');
  let after = options.after ?? 0;
  for (;;) {
    try {
      const rows =
        ofFeed && follow
          ? rowsAsTheyCome(transport, path, { query: { status, follow: true }, signal, silenceSeconds })
          : rowsOf(transport, path, { query: { status, ...(!ofFeed && { after }) }, signal });
      for await (const row of rows) {
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

/** The lines of one answer. Its last one may be a problem, which is thrown. */
async function* rowsOf(transport: Transport, path: string, sending: Sending): AsyncGenerator<Row> {
  const headers = { accept: 'application/x-ndjson', ...sending.headers };
  const { body } = await send(transport, path, { ...sending, headers });
  if (body === null) return;
  for await (const text of linesOf(body, sending.signal)) {
    const value = JSON.parse(text) as ItemResult | { problem: components['schemas']['Problem'] };
    if ('problem' in value) throw new SluiceProblem(value.problem);
    yield { text, value };
  }
}

/** Names of the events that end an answer that is well. */
const ENDS = new Set(['summary', 'pending', 'feed']);

/**
 * The results of one answer that may last: as events, since a stream of events has comments while nothing ends, and lines have nothing, so that Node and what is
 * between would take them for dead. Throws the problem that ends it, and {@link SluiceUnreachable} for an end that nothing tells.
 */
export async function* rowsAsTheyCome(
  transport: Transport,
  path: string,
  { silenceSeconds = 45, ...sending }: Sending & { silenceSeconds?: number | undefined; isHeadSlow?: boolean },
): AsyncGenerator<Row> {
  let isWhole = false;
  for await (const { event, data } of eventStream(transport, path, { ...sending, silenceSeconds })) {
    if (data === null) continue;
    if (event === 'result') yield { text: data, value: JSON.parse(data) as ItemResult };
    else if (event === 'problem') throw new SluiceProblem(JSON.parse(data) as components['schemas']['Problem']);
    else if (event !== undefined && ENDS.has(event)) isWhole = true;
  }
  if (!isWhole) throw new SluiceUnreachable('the answer ended before its last event');
}
