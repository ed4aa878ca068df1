import type { Logger } from '../../engine/ports.ts';

/** In the order in which they are told. */
const KINDS = ['own', 'file', 'log'] as const;
type Kind = (typeof KINDS)[number];

/** The things that a node cannot do now, with their reasons; each is logged once, when it begins or is another. */
export class Troubles {
  private readonly logger: Logger;
  private readonly changed: () => void;
  private readonly current = new Map<Kind, string>();

  constructor(logger: Logger, changed: () => void) {
    this.logger = logger;
    this.changed = changed;
  }

  /** `own`: no host can be made; `file`: the log's entries cannot be applied; `log`: it does not answer. */
  set(kind: Kind, what: string, error: unknown): void {
    const text = `${what}: ${error instanceof Error ? error.message : String(error)}`;
    if (this.current.get(kind) === text) return;
    this.current.set(kind, text);
    this.logger.warn({ err: error }, what);
    this.changed();
  }

  end(kind: Kind): void {
    if (this.current.delete(kind)) this.changed();
  }

  get first(): string | null {
    for (const kind of KINDS) {
      const text = this.current.get(kind);
      if (text !== undefined) return text;
    }
    return null;
  }
}
