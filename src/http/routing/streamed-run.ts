import type { Readable } from 'node:stream';
import type { RunStream } from '../../engine/index.ts';
import { feedNdjson, type NdjsonFeedOptions } from '../bodies/ndjson-feed.ts';
import type { RowStep } from './row-stream.ts';

/**
 * Reads a body into a run while the results of it are sent: both at once, over one connection.
 *
 * Resolves when the answer may begin: when the first items were accepted, or the whole body was read. What is wrong until then is
 * thrown and can still be a status. `outcome` tells what becomes of the rest; it never rejects.
 */
export async function beginUpload(
  body: Readable,
  run: RunStream,
  options: NdjsonFeedOptions,
): Promise<{ outcome: Promise<{ fault?: unknown }> }> {
  const { promise: accepted, resolve: onAccepted } = Promise.withResolvers<void>();
  // The body of a repeat is compared as a whole first, and what an earlier request had begun is sent to its end.
  const isRepeat = run.isReplay || run.isResumed;
  let hasAccepted = false;
  const writer = {
    feedId: run.feedId,
    push: async (items: readonly unknown[]) => {
      await run.push(items);
      hasAccepted = true;
      if (!isRepeat) onAccepted();
    },
    end: (fingerprint?: string) => run.end(fingerprint),
    abort: () => run.abort(),
  };
  const outcome = feedNdjson(body, writer, options).then(
    () => ({}),
    (fault: unknown) => ({ fault }),
  );
  const first = await Promise.race([accepted.then(() => ({})), outcome]);
  if ('fault' in first && (!hasAccepted || isRepeat)) throw first.fault;
  return { outcome };
}

/**
 * Yields the outcome of a run step by step. A body that breaks off or has a bad line ends the steps with its fault, after the results of
 * all items that were accepted before.
 */
export async function* stepsOf(run: RunStream, outcome: Promise<{ fault?: unknown }>): AsyncGenerator<RowStep> {
  for (;;) {
    const step = await run.read();
    if (step.kind === 'results') {
      yield { results: step.results };
      continue;
    }
    if (step.kind === 'pending') {
      yield { pending: step.feed };
      return;
    }
    const { fault } = await outcome;
    if (fault !== undefined) throw fault;
    yield { summary: { feedId: step.feedId, duplicates: step.duplicates, errorSummary: step.errorSummary } };
    return;
  }
}
