import type { Logger } from '../../engine/ports.ts';
import type { Rival } from '../log/log.ts';

/** Silence after which a process is taken for dead: two announcements and a half are missing. */
export const SILENT_MS = 5000;
/** A process that was killed may have one announcement under way. Who is seen to announce itself once more after that is alive. */
const REFRESHES = 2;

interface Known {
  rival: Rival;
  /** When it last announced itself, in monotonic milliseconds. */
  at: number;
  refreshes: number;
}

/**
 * The other processes that have this node's name or address: whether they are alive shows by whether their rows go on being written. Of two nodes of one name the list has one, and what is
 * passed on to an address that two nodes give comes to one of them.
 */
export class Rivals {
  private readonly name: string;
  private readonly logger: Logger;
  private readonly known = new Map<string, Known>();
  private told: string | null = null;

  constructor(name: string, logger: Logger) {
    this.name = name;
    this.logger = logger;
  }

  /** Takes in what the list has at the instant `now`. */
  note(rivals: readonly Rival[], now: number): void {
    for (const rival of rivals) {
      const before = this.known.get(rival.name);
      if (before?.rival.stamp === rival.stamp) continue;
      const refreshes = before === undefined ? 0 : before.refreshes + 1;
      this.known.set(rival.name, { rival, at: now - rival.agoSeconds * 1000, refreshes });
    }
    for (const [name, { at }] of this.known) if (now - at >= SILENT_MS) this.known.delete(name);
    this.log();
  }

  /** No process that may be alive is known. */
  get isAlone(): boolean {
    return this.known.size === 0;
  }

  /** The trouble, for whoever runs the node; null while no rival is known to be alive. */
  get trouble(): string | null {
    const living = this.living;
    if (living === null) return null;
    return living.name === this.name
      ? `another process that is alive has the NODE_NAME "${this.name}" too: one of the two needs another`
      : `the node "${living.name}", which is alive, gives the NODE_URL of this one as its own: one of the two is wrong`;
  }

  private get living(): Rival | null {
    for (const { rival, refreshes } of this.known.values()) if (refreshes >= REFRESHES) return rival;
    return null;
  }

  /** Once for each that begins. */
  private log(): void {
    const { living, trouble } = this;
    if (trouble === this.told) return;
    this.told = trouble;
    if (living === null) this.logger.info({ node: this.name }, 'no other process has the name or the address of this node any more');
    else this.logger.warn({ node: living.name, url: living.url, secondsAgo: living.agoSeconds }, trouble as string);
  }
}
