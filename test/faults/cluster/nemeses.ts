/** What happens to a cluster. Each leaves all nodes running and the log reachable. */
import { setTimeout as after } from 'node:timers/promises';
import { type OwnPostgres, runOnce } from '../../cluster/postgres-binaries.ts';
import type { Random } from '../../engine/simulation/random.ts';
import { LEASE_SECONDS, type Node, untilOwned } from './nodes.ts';

/** A cluster as those see it who disturb it. */
export interface Disturbed {
  readonly nodes: readonly Node[];
  readonly log: OwnPostgres;
  readonly random: Random;
  /** How long a log that is stopped stays away, in milliseconds. */
  readonly awayMs: number;
}

type Nemesis = (cluster: Disturbed) => Promise<void>;

const LEASE_MS = LEASE_SECONDS * 1000;

async function follower(cluster: Disturbed): Promise<Node> {
  const owner = await untilOwned(cluster.nodes);
  return cluster.random.pick(cluster.nodes.filter((node) => node !== owner));
}

async function stopFor(node: Node, ms: number): Promise<void> {
  node.server.signal('SIGSTOP');
  await after(ms);
  node.server.signal('SIGCONT');
}

export const NEMESES: Record<string, Nemesis> = {
  async killOwner(cluster) {
    const owner = await untilOwned(cluster.nodes);
    await owner.kill();
    await after(cluster.random.int(0, 1500));
    await owner.start();
  },

  async killFollower(cluster) {
    const node = await follower(cluster);
    await node.kill();
    await after(cluster.random.int(0, 1500));
    await node.start();
  },

  /** One is left, which may know less than they did. */
  async killTwo(cluster) {
    const owner = await untilOwned(cluster.nodes);
    const other = await follower(cluster);
    const both = [...new Set([owner, other])];
    await Promise.all(both.map((node) => node.kill()));
    await after(cluster.random.int(0, 2000));
    for (const node of both) await node.start();
  },

  async ownerLeaves(cluster) {
    const owner = await untilOwned(cluster.nodes);
    await owner.stop();
    await owner.start();
  },

  async killHand(cluster) {
    const owner = await untilOwned(cluster.nodes);
    for (const pid of owner.hands) process.kill(pid, 'SIGKILL');
  },

  /** Longer than its lease: it comes back and believes that it owns. */
  async freezeOwner(cluster) {
    await stopFor(await untilOwned(cluster.nodes), LEASE_MS + cluster.random.int(500, 3000));
  },

  async freezeOwnerBriefly(cluster) {
    await stopFor(await untilOwned(cluster.nodes), cluster.random.int(200, LEASE_MS - 500));
  },

  async freezeFollower(cluster) {
    await stopFor(await follower(cluster), LEASE_MS + cluster.random.int(0, 2000));
  },

  async logStops({ log, awayMs }) {
    await log.stop();
    await after(awayMs);
    await log.start();
  },

  async logDies({ log, random }) {
    await log.kill();
    await after(random.int(0, 2000));
    await log.start();
  },

  async logFreezes({ log, random }) {
    log.freeze();
    await after(random.int(500, LEASE_MS + 2000));
    log.thaw();
  },

  async connectionsEnd({ log }) {
    await runOnce(log.url, 'select pg_terminate_backend(pid) from pg_stat_activity where pid <> pg_backend_pid() and datname is not null');
  },

  /** No packet of it arrives, nor does any reach it; nobody is told. */
  async ownerIsCutOff(cluster) {
    await cutOff(await untilOwned(cluster.nodes), LEASE_MS + cluster.random.int(500, 3000));
  },

  async followerIsCutOff(cluster) {
    await cutOff(await follower(cluster), LEASE_MS + cluster.random.int(500, 3000));
  },

  async diskFills(cluster) {
    const node = cluster.nodes.find(({ disk }) => disk !== null);
    node?.disk?.fill();
    await after(cluster.random.int(500, 2000));
    node?.disk?.free();
  },
};

async function cutOff({ proxy }: Node, ms: number): Promise<void> {
  proxy.isCutOff = true;
  await after(ms);
  proxy.isCutOff = false;
}
