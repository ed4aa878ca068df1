/** Start data of the watchdog's thread, and the messages that the main thread sends to it. */
import type { Place, SharedNotes } from './loop-notes.ts';

export interface WatchdogData {
  notes: SharedNotes;
  /** Infinity: a loop that stands is nobody's business. */
  stallSeconds: number;
  shutdownSeconds: number;
  tickMs: number;
  secrets: Readonly<Record<string, string>>;
  isSilent: boolean;
  /** Where the store looks for who ended the process; null without a store. */
  blamePath: string | null;
}

export type WatchdogMessage =
  | { is: 'place'; place: Place }
  /** The start is over: from now on the loop has only requests and items, and must not stand. */
  | { is: 'serving' }
  /** A shutdown has begun, or a harder one; it has so long. */
  | { is: 'shutdown'; seconds: number }
  /** These are to be masked as well from now on. */
  | { is: 'secrets'; secrets: Readonly<Record<string, string>> }
  /** The report is in the log; what is left is the end. */
  | { is: 'reported' };

/** The name of a global function of the main thread that says what runs, for who can still ask it. */
export const WORK_NOW = 'sluice.workNow';
