import type { Clock, Logger } from '../../engine/ports.ts';
import { unref } from '../../engine/ports.ts';
import type { NodeInfo, Presence } from '../log/log.ts';
import { within } from '../within.ts';
import type { NodeView } from './contract.ts';
import type { Passages } from './passages.ts';
import { Rivals, SILENT_MS } from './rivals.ts';

const EVERY_MS = 2000;
/** Between two looks at the list, before this node is in it. */
const LOOK_MS = 1000;
const WAITING =
  'a process with the name or the address of this node announced itself a moment ago: this node takes part when that one turns out to be gone';

export interface PresenceTellerDeps {
  presence: Presence;
  passages: Passages;
  clock: Clock;
  logger: Logger;
  /** How long the list may take to answer. */
  answerMs: number;
  /** This node, now. */
  self(): NodeInfo & { readonly lagSeconds: number };
  /** The name of the owner as of the log; null when nobody is known. */
  owner(): string | null;
  /** {@link PresenceTeller.trouble} has another value. */
  changed(): void;
}

/** Says every two seconds, and at each change of role, that this node is there; and tells who else is. */
export class PresenceTeller {
  private readonly deps: PresenceTellerDeps;
  private readonly rivals: Rivals;
  private timer: unknown;
  private wake: () => void = () => undefined;
  /** The announcement that is under way. */
  private telling: Promise<void> | null = null;
  private isDue = false;
  private isClosed = false;
  private isWaiting = false;
  private isAdmitted = false;

  constructor(deps: PresenceTellerDeps) {
    this.deps = deps;
    this.rivals = new Rivals(deps.self().name, deps.logger);
  }

  /** Why this node should not be there, or may not yet; null when nothing speaks against it. */
  get trouble(): string | null {
    const { trouble } = this.rivals;
    if (!this.isWaiting) return trouble;
    return trouble === null ? WAITING : `this node takes no part: ${trouble}`;
  }

  /**
   * Resolves when no other process that may be alive has the name or the address of this node, or the node ends. After a process that was killed that takes five seconds from its
   * last announcement. While the list does not answer, nothing is known against it.
   */
  async admitted(): Promise<void> {
    const { clock } = this.deps;
    for (;;) {
      await this.look();
      if (this.isClosed) return;
      this.isAdmitted = this.rivals.isAlone;
      this.waits(!this.isAdmitted);
      if (this.isAdmitted) return;
      await new Promise<void>((resolve) => {
        this.wake = resolve;
        this.timer = clock.setTimer(resolve, LOOK_MS);
        unref(this.timer);
      });
    }
  }

  /** Now, and from now on again and again. Before this node is admitted it is not in the list. */
  tell(): void {
    if (!this.isAdmitted || this.isClosed) return;
    this.isDue = true;
    if (this.telling === null) this.announce();
  }

  async nodes(): Promise<NodeView[]> {
    const { presence, passages, clock, self } = this.deps;
    const { name, url, role, position, lagSeconds, hands, version } = self();
    const now = clock.monotonic();
    const others = (await presence.list()).filter((node) => node.name !== name);
    const owner = this.deps.owner();
    return [
      { name, url, role, position, lagSeconds, hands, version },
      ...others.map((node) => {
        const agoMs = node.agoSeconds * 1000;
        const isSilent = agoMs >= SILENT_MS;
        // Who has died says for ever what it said last. The log knows better, except while it names nobody.
        const isOwner = owner === null ? node.role === 'owner' && !isSilent : node.name === owner;
        const lagMs = isOwner ? 0 : passages.lagMs(node.position, now - agoMs);
        return {
          name: node.name,
          url: node.url,
          role: isOwner ? ('owner' as const) : ('follower' as const),
          position: node.position,
          // Nothing says that it has come any further since.
          lagSeconds: Math.max(lagMs, isSilent ? agoMs : 0) / 1000,
          hands: node.hands,
          version: node.version,
        };
      }),
    ];
  }

  /** Takes this node out of the list. */
  async close(): Promise<void> {
    this.isClosed = true;
    this.deps.clock.clearTimer(this.timer);
    this.wake();
    // It would put this node back into the list.
    await this.telling;
    await this.deps.presence.leave(this.deps.self().name);
  }

  private waits(isWaiting: boolean): void {
    if (isWaiting === this.isWaiting) return;
    this.isWaiting = isWaiting;
    this.deps.logger.info(
      { node: this.deps.self().name },
      isWaiting ? WAITING : 'no other process has the name or the address of this node: it takes part',
    );
    this.deps.changed();
  }

  /** Reads who has the name or the address of this node. */
  private async look(): Promise<void> {
    const { presence, clock, logger, answerMs, self, changed } = this.deps;
    const before = this.trouble;
    try {
      this.rivals.note(await within(clock, answerMs, () => presence.rivals(self())), clock.monotonic());
    } catch (err) {
      logger.debug({ err }, 'it is not known whether another process has the name or the address of this node');
    }
    if (this.trouble !== before) changed();
  }

  private announce(): void {
    const { clock } = this.deps;
    clock.clearTimer(this.timer);
    this.isDue = false;
    this.telling = this.announceNow().then(() => {
      this.telling = null;
      if (this.isClosed) return;
      if (this.isDue) this.announce();
      else {
        this.timer = clock.setTimer(() => this.tell(), EVERY_MS);
        unref(this.timer);
      }
    });
  }

  private async announceNow(): Promise<void> {
    const { presence, logger, self } = this.deps;
    await this.look();
    if (this.isClosed) return;
    const { lagSeconds: _, ...info } = self();
    try {
      await presence.announce(info);
    } catch (err) {
      // Nothing stands on it; what else does not answer then is said elsewhere.
      logger.debug({ err }, 'this node could not announce itself');
    }
  }
}
