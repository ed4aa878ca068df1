import type { Hash } from 'node:crypto';
import type { Readable } from 'node:stream';
import { type FeedWriter, type Replayable, SluiceError } from '../../engine/index.ts';
import type { Clock } from '../../engine/ports.ts';
import type { FeedReceipt } from '../../schemas/control.ts';
import type { Fault } from '../../schemas/problem.ts';
import type { ItemReading } from './item-reading.ts';
import { readNdjson } from './ndjson-reader.ts';

export interface NdjsonFeedOptions {
  maxLineBytes: number;
  idleTimeoutMs: number;
  clock: Clock;
  /** Is fed the body as it is read, when its fingerprint is wanted. */
  hash?: Hash | undefined;
  reading?: ItemReading | undefined;
  /** Gives a promise while nothing more is to be taken, and resolves it when it is again. */
  pause?: (() => Promise<void> | undefined) | undefined;
}

/**
 * Streams a body of any length into a feed, as fast as there is room. Whatever ends it (a bad line, the pipeline, the client),
 * the items before that stay accepted.
 *
 * An error is thrown with `accepted`, how many items of the body were taken, and for a bad line with `line`.
 */
export async function feedNdjson(
  stream: Readable,
  writer: FeedWriter,
  { hash, pause, ...options }: NdjsonFeedOptions,
): Promise<FeedReceipt & Replayable> {
  let failure: unknown;
  try {
    await readNdjson(stream, {
      ...options,
      onBytes: hash && ((bytes) => void hash.update(bytes)),
      onItems: async (items, firstLine) => {
        const pausing = pause?.();
        if (pausing !== undefined) await pausing;
        await push(writer, items, firstLine);
      },
    });
  } catch (error) {
    failure = error;
  }
  if (failure === undefined) return writer.end(hash?.digest('base64url'));
  const receipt = await aborted(writer);
  if (!(failure instanceof SluiceError)) throw failure;
  const accepted = typeof failure.details.accepted === 'number' ? failure.details.accepted : receipt.accepted;
  throw new SluiceError(failure.code, `${failure.message.replace(/[.]$/, '')}. ${wordsFor(accepted)}`, {
    cause: failure.cause,
    ...(failure.errors ? { errors: failure.errors } : {}),
    ...(failure.retryAfterSeconds === undefined ? {} : { retryAfterSeconds: failure.retryAfterSeconds }),
    details: { ...failure.details, feedId: receipt.feedId, accepted, duplicates: receipt.duplicates },
  });
}

/** The outcome of the feed. An error that is thrown instead names the feed, so that it can be looked for. */
async function aborted(writer: FeedWriter): Promise<FeedReceipt> {
  try {
    return await writer.abort();
  } catch (error) {
    if (!(error instanceof SluiceError)) throw error;
    const { code, message, cause, retryAfterSeconds, details } = error;
    throw new SluiceError(code, message, {
      ...{ cause, details: { ...details, feedId: writer.feedId } },
      ...(retryAfterSeconds === undefined ? {} : { retryAfterSeconds }),
    });
  }
}

const wordsFor = (accepted: number): string =>
  accepted === 1 ? '1 item before it was accepted.' : `${accepted} items before it were accepted.`;

/** One batch. When an item in it is refused for what it is, those before it are pushed and its line is named. */
async function push(writer: FeedWriter, items: readonly unknown[], firstLine: number): Promise<void> {
  try {
    await writer.push(items);
  } catch (error) {
    const bad = badItem(error);
    if (bad === undefined) throw error;
    if (bad.index > 0) await writer.push(items.slice(0, bad.index));
    const line = firstLine + bad.index;
    const code = (error as SluiceError).code === 'value-too-large' ? 'value-too-large' : 'malformed-line';
    throw new SluiceError(code, `Line ${line}: ${bad.field} ${bad.message}.`, { cause: error, details: { line } });
  }
}

/** The first item that was refused for what it is. */
function badItem(error: unknown): { index: number; field: string; message: string } | undefined {
  if (!(error instanceof SluiceError) || (error.code !== 'invalid-input' && error.code !== 'value-too-large')) return undefined;
  const found = (error.errors ?? []).flatMap(({ path, message }: Fault) => {
    const match = /^\/items\/(\d+)(\/.*)?$/.exec(path);
    return match ? [{ index: Number(match[1]), field: match[2] ?? 'the item', message }] : [];
  });
  return found.sort((a, b) => a.index - b.index)[0];
}
