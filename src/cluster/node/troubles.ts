import type { Logger } from '../../engine/ports.ts';
import { StoreTrouble } from '../../engine/store.ts';
import { EntryFault, UnknownFormat } from '../entry/entry.ts';
import { LeftBehind, TailLost } from '../replica.ts';
import { CannotRestore } from '../restoring.ts';
import { TooLate } from '../within.ts';

/** In the order in which they are told. */
const KINDS = ['own', 'file', 'log'] as const;
type Kind = (typeof KINDS)[number];

/** Their texts are of this cluster's own making: kinds, formats and positions of entries, and times, which callers may read. */
const FOR_CALLERS = [EntryFault, UnknownFormat, TailLost, LeftBehind, CannotRestore, TooLate] as const;

interface Trouble {
  /** For callers: without what a server, a file or a definition says. */
  readonly shown: string;
  /** With all that is known, to tell one trouble from the next. */
  readonly whole: string;
}

/** The things that a node cannot do now, with their reasons; each is logged once, when it begins or is another. */
export class Troubles {
  private readonly logger: Logger;
  private readonly changed: () => void;
  private readonly current = new Map<Kind, Trouble>();

  constructor(logger: Logger, changed: () => void) {
    this.logger = logger;
    this.changed = changed;
  }

  /** `own`: no host can be made; `file`: the log's entries cannot be applied; `log`: it does not answer. The log of this node has the whole error. */
  set(kind: Kind, what: string, error: unknown): void {
    const whole = `${what}: ${error instanceof Error ? error.message : String(error)}`;
    const before = this.current.get(kind);
    if (before?.whole === whole) return;
    const reason = reasonOf(error);
    const shown = reason === null ? what : `${what}: ${reason}`;
    this.current.set(kind, { shown, whole });
    this.logger.warn({ err: error }, what);
    this.changed();
  }

  end(kind: Kind): void {
    if (this.current.delete(kind)) this.changed();
  }

  /** The first one, in words that callers may read. */
  get first(): string | null {
    for (const kind of KINDS) {
      const trouble = this.current.get(kind);
      if (trouble !== undefined) return trouble.shown;
    }
    return null;
  }
}

/** Why, where that may be told to anybody. */
function reasonOf(error: unknown): string | null {
  if (error instanceof StoreTrouble) return error.reason;
  return FOR_CALLERS.some((kind) => error instanceof kind) ? (error as Error).message : null;
}
