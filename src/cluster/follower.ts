/**
 * Applies the entries of the log to a node's file, in their order.
 *
 * What it cannot go on from is one of three things: `TailLost`, the log has not got what the file has (set it aside and restore it; said loudly, since others may have
 * been told of what is lost); `LeftBehind`, the log does not have what comes next any more (restore it); anything else is trouble of the log or of the disk, which may pass.
 */
import type { Logger } from '../engine/ports.ts';
import { type Decoded, unpackEntry } from './entry/entry.ts';
import type { Log } from './log/log.ts';
import { tokenOf } from './log/token.ts';
import { LeftBehind, type Replica, TailLost } from './replica.ts';

export interface FollowOptions {
  readonly log: Log;
  readonly replica: Replica;
  readonly logger: Logger;
  /** Called after each entry that was applied. */
  readonly applied?: (decoded: Decoded, position: number) => void;
  /** Called at most once, when it cannot go on. */
  readonly lost: (why: unknown) => void;
}

export interface Following {
  stop(): Promise<void>;
}

/** Rejects with {@link TailLost}, {@link LeftBehind}, or whatever the log rejects with. */
export async function follow(options: FollowOptions): Promise<Following> {
  const { log, replica, logger, applied, lost } = options;
  await expectSameLog(log, replica, logger);
  return log.follow(
    replica.position,
    async (entry) => {
      const decoded = unpackEntry(entry.bytes);
      await replica.apply(entry, decoded);
      applied?.(decoded, entry.position);
    },
    (why) => {
      if (why instanceof TailLost) tellOfLoss(why, logger);
      lost(why);
    },
  );
}

/** Rejects with what {@link unlikeLog} finds; a lost end is logged. */
export async function expectSameLog(log: Log, replica: Replica, logger: Logger): Promise<void> {
  const why = await unlikeLog(log, replica);
  if (why !== null) throw why instanceof TailLost ? tellOfLoss(why, logger) : why;
}

/** {@link TailLost} when the log has not got the last entry that the file has, {@link LeftBehind} when the next one is gone; null when the log goes on from the file. */
export async function unlikeLog(log: Log, { position, token }: Pick<Replica, 'position' | 'token'>): Promise<TailLost | LeftBehind | null> {
  const { first, last } = await log.ends();
  if (last < position) return new TailLost(`the log ends at entry ${last}, and this node has applied entry ${position}`);
  if (first > position + 1) return new LeftBehind(`the log begins at entry ${first}, and this node has applied entry ${position}`);
  // It may be trimmed between the two.
  const own = position >= first && position > 0 ? await log.read(position) : undefined;
  if (own === undefined || tokenOf(own.bytes) === token) return null;
  return new TailLost(`entry ${position} of the log is another one than this node has applied`);
}

function tellOfLoss(error: TailLost, logger: Logger): TailLost {
  logger.error(
    { err: error },
    'the log has lost entries that were acknowledged: what was answered with success after them may be gone; this node sets its copy aside and restores what the log has',
  );
  return error;
}
