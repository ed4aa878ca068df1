import type { Logger } from '../../engine/ports.ts';
import { expectSameLog } from '../follower.ts';
import { type Log, LogConflict } from '../log/log.ts';
import { LeftBehind, type Replica, TailLost } from '../replica.ts';

/**
 * The log, for an owner. One that was out of reach for longer than the lease compares it with its file before it appends: a log that has lost its end, and has grown again to the same
 * length under another owner, takes its entries for the next ones. `apart` is called when it has.
 */
export function comparedWhenLate(log: Log, replica: Replica, logger: Logger, isLate: () => boolean, apart: () => void): Log {
  const compare = async (): Promise<void> => {
    try {
      await expectSameLog(log, replica, logger);
    } catch (error) {
      if (!(error instanceof TailLost || error instanceof LeftBehind)) throw error;
      apart();
      throw new LogConflict(error.message, { cause: error });
    }
  };
  return {
    kind: log.kind,
    maxBytes: log.maxBytes,
    append: async (expected, bytes, signal) => {
      if (isLate()) await compare();
      await log.append(expected, bytes, signal);
    },
    read: (position) => log.read(position),
    ends: () => log.ends(),
    follow: (after, each, lost) => log.follow(after, each, lost),
    trim: (upTo) => log.trim(upTo),
    close: () => log.close(),
  };
}
