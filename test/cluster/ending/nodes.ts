/** Nodes as a process makes them, without HTTP: their host, their part in the cluster, their file; over a log in memory, by a virtual clock. */
import { onTestFinished } from 'vitest';
import { Deposed } from '../../../src/cluster/appender.ts';
import { type ClusterNode, createClusterNode } from '../../../src/cluster/node.ts';
import { replicaOf } from '../../../src/cluster/replica.ts';
import { Clustered } from '../../../src/composition/clustered.ts';
import { createLocalHost } from '../../../src/engine/index.ts';
import { type Logger, silentLogger, systemPorts } from '../../../src/engine/ports.ts';
import type { ShutdownReport } from '../../../src/schemas/control.ts';
import { removeSqliteReplica, setSqliteReplicaAside } from '../../../src/stores/sqlite/lost.ts';
import { openSqliteReplica } from '../../../src/stores/sqlite/replica.ts';
import { createGate, type Gate } from '../../engine/harness.ts';
import { countedIds, seededRandom, VirtualClock } from '../../engine/virtual-clock.ts';
import { HOST, registryOf } from '../../stores/durable-host.ts';
import { type FaultLink, FaultLog } from '../fault-log.ts';
import { newFile } from '../replicas.ts';

export const LEASE_MS = 3000;
/** What every node has to end in, after its items have: the process does not wait longer. */
export const ENDS_WITHIN_MS = 5500;

export interface EndingNode {
  readonly name: string;
  readonly clustered: Clustered;
  readonly node: ClusterNode;
  readonly link: FaultLink;
  /** Where the items that this node runs stand. */
  readonly gate: Gate;
  /** The ids that it has said the log may lack the last changes of, once for each time that it said so. */
  readonly leftBehind: string[][];
  readonly errors: string[];
  /** As the process does when it is asked to: `closedAfterMs` is the time from the end of its items to that of its part in the cluster. */
  end(timeoutSeconds?: number): Promise<{ report: ShutdownReport; closedAfterMs: number }>;
}

export class EndingNodes {
  readonly clock = new VirtualClock();
  readonly server = new FaultLog(this.clock);
  /** The list of nodes does not answer. */
  isListSilent = false;
  private readonly random = seededRandom(1);
  private readonly uniqueId = countedIds();

  /** The first one to be started owns. It ends with the test. */
  async start(name: string): Promise<EndingNode> {
    const { clock } = this;
    const gate = createGate();
    const link = this.server.link(1);
    const [errors, leftBehind]: [string[], string[][]] = [[], []];
    const logger: Logger = {
      ...silentLogger,
      error: (_, message) => void errors.push(String(message)),
      warn: (fields, message) => {
        if (String(message).startsWith('the last changes could not be written')) leftBehind.push((fields as { itemIds: string[] }).itemIds);
      },
    };
    const registry = registryOf({ gated: gate.task });
    const nodes: ClusterNode[] = [];
    const clustered = new Clustered({
      config: {
        ...{ dataDir: '', nodeName: name, nodeUrl: `http://${name}:1`, keys: ['key'], leaseSeconds: LEASE_MS / 1000 },
        ...{ takeoverWaitSeconds: 30, pipelinesFrom: undefined },
      },
      ...{ listensOn: '127.0.0.1', kind: 'fault log', tasks: registry, logger },
      hands: { enter: () => undefined, letGo: () => undefined, ownedBy: () => undefined },
      isDeposed: (error) => error instanceof Deposed,
      loaded: { definitions: [], limiters: [] },
      fail: (error) => void errors.push(`the store has a fault: ${error}`),
      createHost: (fail, ownerClock) =>
        createLocalHost({ ...HOST, registry, ports: { ...systemPorts, clock: ownerClock, logger, fail, uniqueId: this.uniqueId } }),
      createNode: async (parts) => {
        const node = createClusterNode({
          ...{ name, url: parts.url, version: '1.2.3', file: newFile(), leaseMs: LEASE_MS, clock, random: this.random, logger },
          backbone: {
            ...{ log: link, snapshots: { put: async () => undefined, newest: async () => null }, close: async () => undefined },
            presence: { announce: this.answered, list: async () => [], rivals: async () => [], leave: this.answered },
          },
          openReplica: async (file) => replicaOf(await openSqliteReplica({ file, inProcess: true })),
          removeReplica: async (file) => removeSqliteReplica(file),
          setReplicaAside: async (file, position) => setSqliteReplicaAside(file, position),
          own: parts.own,
        });
        nodes.push(node);
        return node;
      },
    });
    await clock.finish(clustered.start(1));
    const [node] = nodes as [ClusterNode];
    const { host } = clustered;
    onTestFinished(async () => {
      this.server.isStalled = false;
      link.fates.length = 0;
      await clock.finish(host.shutdown('force', 0));
      await clock.finish(host.close());
    });
    return {
      ...{ name, clustered, node, link, gate, leftBehind, errors },
      async end(timeoutSeconds = 60) {
        const report = await host.shutdown('graceful', timeoutSeconds);
        const since = clock.monotonic();
        await host.close();
        return { report, closedAfterMs: clock.monotonic() - since };
      },
    };
  }

  /** Lets time pass until something holds; the most that it may take is a minute. Returns how long it took, in milliseconds. */
  async until(holds: () => boolean): Promise<number> {
    const since = this.clock.monotonic();
    while (!holds()) {
      if (this.clock.monotonic() - since > 60_000) throw new Error('it does not come about');
      await this.clock.advance(10);
    }
    return this.clock.monotonic() - since;
  }

  /** Answers of the list of nodes. */
  private readonly answered = (): Promise<void> => (this.isListSilent ? new Promise(() => undefined) : Promise.resolve());
}
