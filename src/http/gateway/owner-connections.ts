import { Agent } from 'undici';

/** A connection that takes longer to be made counts as refused. */
const CONNECT_MS = 2000;

/**
 * Connections to the owner, anew for each ownership. Those of one that is over are closed as soon as nothing is under way on them: an owner that has left waits for that,
 * see hop-connections.ts.
 */
export class OwnerConnections {
  private current: { epoch: number; agent: Agent } | null = null;
  private readonly agents = new Set<Agent>();

  of(epoch: number): Agent {
    this.keepOnly(epoch);
    this.current ??= { epoch, agent: this.make() };
    return this.current.agent;
  }

  /** `epoch`: by which the pipelines are owned now; null when nobody owns. */
  keepOnly(epoch: number | null): void {
    if (this.current === null || this.current.epoch === epoch) return;
    const { agent } = this.current;
    this.current = null;
    const closed = (): void => void this.agents.delete(agent);
    // Rejects when it is destroyed meanwhile.
    agent.close().then(closed, closed);
  }

  async destroy(): Promise<void> {
    await Promise.all([...this.agents].map((agent) => agent.destroy()));
  }

  private make(): Agent {
    const agent = new Agent({ pipelining: 1, headersTimeout: 0, bodyTimeout: 0, connect: { timeout: CONNECT_MS } });
    this.agents.add(agent);
    return agent;
  }
}
