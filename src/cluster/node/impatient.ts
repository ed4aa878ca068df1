import type { Clock } from '../../engine/ports.ts';
import type { Log } from '../log/log.ts';
import { within } from '../within.ts';

/** The log, whose questions reject when they have no answer within `answerMs`. Appends have a time of their own, and following has none. */
export function impatient(log: Log, clock: Clock, answerMs: number): Log {
  return {
    kind: log.kind,
    maxBytes: log.maxBytes,
    append: (after, bytes, signal) => log.append(after, bytes, signal),
    read: (position) => within(clock, answerMs, () => log.read(position)),
    ends: () => within(clock, answerMs, () => log.ends()),
    follow: (after, each, lost) => log.follow(after, each, lost),
    trim: (upTo) => log.trim(upTo),
    close: () => log.close(),
  };
}
