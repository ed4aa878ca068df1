/** What happens to a cluster. Each leaves all nodes running and the log reachable. */
import { setTimeout as after } from 'node:timers/promises';
import type { Random } from '../../engine/simulation/random.ts';
import type { Clients, Ledger } from '../ledger.ts';
import type { Machine } from '../network.ts';
import type { LogServer } from './log-server.ts';
import { LEASE_SECONDS, type Node, untilOwned } from './nodes.ts';

/** A cluster as those see it who disturb it. */
export interface Disturbed {
  readonly nodes: readonly Node[];
  readonly log: LogServer;
  readonly clients: Clients;
  readonly random: Random;
  /** How long a log that is stopped stays away, in milliseconds. */
  readonly awayMs: number;
}

type Nemesis = (cluster: Disturbed) => Promise<void>;

const LEASE_MS = LEASE_SECONDS * 1000;
/** So much is acknowledged at least before it is lost. */
const LOST_TAIL = 30;
/** Within that time hands have come to the next owner. By silence alone they would notice after three beats, of 10 s each, that the one before is gone. */
const WORKS_AGAIN_MS = 25_000;
/** As long as a hand may be cut off without being taken for lost. */
const HAND_CUT_MS = 10_000;

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
    await log.own?.stop();
    await after(awayMs);
    await log.own?.start();
  },

  async logDies({ log, random }) {
    await log.own?.kill();
    await after(random.int(0, 2000));
    await log.own?.start();
  },

  async logFreezes({ log, random }) {
    log.own?.freeze();
    await after(random.int(500, LEASE_MS + 2000));
    log.own?.thaw();
  },

  /**
   * What the log had acknowledged last is gone, as after a failover to a standby that was behind. Clients stand still while that happens: so each thing that they were told before the
   * copy has to be there in the end, and of each after it they know that it may not.
   */
  async logLosesTail({ nodes, log, clients }) {
    const { ledger } = clients;
    const mark = ledger.mark();
    log.own?.copy();
    await goneOn(ledger, LOST_TAIL);
    const goOn = await clients.standStill();
    const noticed = nodes.map(({ server }) => server.nextRecord('the log has lost entries'));
    await log.own?.failOver();
    await Promise.all(noticed);
    await untilOwned(nodes);
    ledger.doubt(mark);
    goOn();
  },

  connectionsEnd({ log }) {
    return log.endConnections();
  },

  /** It cannot reach the log, nor the log it; nobody is told. The other nodes and clients still reach it. */
  async ownerIsCutOff(cluster) {
    await cutOff(await untilOwned(cluster.nodes), LEASE_MS + cluster.random.int(500, 3000));
  },

  async followerIsCutOff(cluster) {
    await cutOff(await follower(cluster), LEASE_MS + cluster.random.int(500, 3000));
  },

  /** No packet of its machine arrives anywhere, and none reaches it. */
  async ownerIsAlone(cluster) {
    await isolate(await untilOwned(cluster.nodes), LEASE_MS + cluster.random.int(500, 3000));
  },

  async followerIsAlone(cluster) {
    await isolate(await follower(cluster), LEASE_MS + cluster.random.int(500, 3000));
  },

  /** Nobody is told that it has ended, neither the other nodes nor their hands, which were connected to it. Its work goes on before it is back. */
  async ownerLosesPower(cluster) {
    const owner = await untilOwned(cluster.nodes);
    (owner.machine as Machine).cut();
    await owner.kill();
    const began = performance.now();
    await untilWorking(await untilOwned(cluster.nodes));
    const ms = performance.now() - began;
    if (ms > WORKS_AGAIN_MS) cluster.clients.ledger.surprises.push(`nothing was done for ${ms} ms after ${owner.name} had lost its power`);
    (owner.machine as Machine).heal();
    await owner.start();
  },

  /** Its hand has work of the owner. */
  async handIsAlone(cluster) {
    await isolate(await follower(cluster), HAND_CUT_MS);
  },

  async diskFills(cluster) {
    const node = cluster.nodes.find(({ disk }) => disk !== null);
    node?.disk?.fill();
    await after(cluster.random.int(500, 2000));
    node?.disk?.free();
  },
};

/** Those that can happen to a cluster. */
export function nemesesOf({ nodes, log }: Pick<Disturbed, 'nodes' | 'log'>): string[] {
  const impossible = [
    ...(log.own === null ? ['logStops', 'logDies', 'logFreezes', 'logLosesTail'] : []),
    ...(nodes.some(({ disk }) => disk !== null) ? [] : ['diskFills']),
    ...(nodes.every(({ machine }) => machine !== null) ? [] : ['ownerIsAlone', 'ownerLosesPower', 'followerIsAlone', 'handIsAlone']),
  ];
  return Object.keys(NEMESES).filter((name) => !impossible.includes(name));
}

/** Another item has ended at this owner. */
async function untilWorking({ server }: Node): Promise<void> {
  const ended = async (): Promise<number> => (await server.get('/pipelines/work/stats')).body.itemsProcessed;
  for (const before = await ended(); (await ended()) === before; ) await after(50);
}

async function isolate({ machine }: Node, ms: number): Promise<void> {
  (machine as Machine).cut();
  await after(ms);
  (machine as Machine).heal();
}

/** So many more items are acknowledged. */
export async function goneOn({ acknowledged, uploads }: Ledger, count: number): Promise<void> {
  for (const goal = acknowledged.size + uploads.size + count; acknowledged.size + uploads.size < goal; ) await after(10);
}

async function cutOff({ proxy }: Node, ms: number): Promise<void> {
  proxy.isCutOff = true;
  await after(ms);
  proxy.isCutOff = false;
}
