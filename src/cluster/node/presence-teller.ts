import type { Clock, Logger } from '../../engine/ports.ts';
import { unref } from '../../engine/ports.ts';
import type { NodeInfo, Presence } from '../log/log.ts';
import type { NodeView } from './contract.ts';
import type { Passages } from './passages.ts';

const EVERY_MS = 2000;

export interface PresenceTellerDeps {
  presence: Presence;
  passages: Passages;
  clock: Clock;
  logger: Logger;
  /** This node, now. */
  self(): NodeInfo & { readonly lagSeconds: number };
}

/** Says every two seconds, and at each change of role, that this node is there; and tells who else is. */
export class PresenceTeller {
  private readonly deps: PresenceTellerDeps;
  private timer: unknown;
  private isTelling = false;
  private isDue = false;
  private isClosed = false;

  constructor(deps: PresenceTellerDeps) {
    this.deps = deps;
  }

  /** Now, and from now on again and again. */
  tell(): void {
    this.isDue = true;
    if (!this.isTelling) void this.announce();
  }

  async nodes(): Promise<NodeView[]> {
    const { presence, passages, clock, self } = this.deps;
    const { name, url, role, position, lagSeconds, hands, version } = self();
    const now = clock.monotonic();
    const others = (await presence.list()).filter((node) => node.name !== name);
    return [
      { name, url, role, position, lagSeconds, hands, version },
      ...others.map((node) => ({
        name: node.name,
        url: node.url,
        role: node.role,
        position: node.position,
        lagSeconds: node.role === 'owner' ? 0 : passages.lagMs(node.position, now - node.agoSeconds * 1000) / 1000,
        hands: node.hands,
        version: node.version,
      })),
    ];
  }

  /** Takes this node out of the list. */
  async close(): Promise<void> {
    this.isClosed = true;
    this.deps.clock.clearTimer(this.timer);
    await this.deps.presence.leave(this.deps.self().name);
  }

  private async announce(): Promise<void> {
    const { presence, clock, logger, self } = this.deps;
    clock.clearTimer(this.timer);
    this.isTelling = true;
    this.isDue = false;
    const { lagSeconds: _, ...info } = self();
    try {
      await presence.announce(info);
    } catch (err) {
      // Nothing stands on it; what else does not answer then is said elsewhere.
      logger.debug({ err }, 'this node could not announce itself');
    }
    this.isTelling = false;
    if (this.isClosed) return;
    if (this.isDue) void this.announce();
    else {
      this.timer = clock.setTimer(() => this.tell(), EVERY_MS);
      unref(this.timer);
    }
  }
}
