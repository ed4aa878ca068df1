import { SluiceProblem, SluiceUnreachable } from '../client/index.ts';

/** How a command ended, as its exit code. docs/terminal.md has the same list. */
export const EXIT = {
  ok: 0,
  /** The service refused it, or something broke. */
  failed: 1,
  /** The command line is wrong. */
  usage: 2,
  /** Items failed or were cancelled; the command itself did what it was asked for. */
  itemsFailed: 3,
  /** The service cannot be reached; the number is that of sysexits.h. */
  unreachable: 69,
  /** Ended by Ctrl-C: 128 and the number of the signal. */
  interrupted: 130,
} as const;

/** Ends the command with a code and, unless it is empty, a message. */
export class CommandEnd extends Error {
  override readonly name = 'CommandEnd';
  readonly code: number;

  constructor(code: number, message = '') {
    super(message);
    this.code = code;
  }
}

/** A failure as it is told to a person: what happened, and what can be done. */
export function describe(error: unknown): { code: number; lines: string[] } {
  if (error instanceof CommandEnd) return { code: error.code, lines: error.message === '' ? [] : error.message.split('\n') };
  if (error instanceof SluiceUnreachable) {
    return { code: EXIT.unreachable, lines: [error.message, 'Is the service running, and is --url (or SLUICE_URL) its address?'] };
  }
  if (error instanceof SluiceProblem) {
    const faults = error.errors.map(({ path, message }) => `  ${path} ${message}`);
    return { code: EXIT.failed, lines: [`${error.message} (${error.code})`, ...(faults.length > 1 ? faults : []), error.fix] };
  }
  return { code: EXIT.failed, lines: [error instanceof Error ? error.message : String(error)] };
}
