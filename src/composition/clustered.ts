import { hostname } from 'node:os';
import type { ClusterConfig } from '../config.ts';
import { type LocalHost, SluiceError, type TaskCatalogue } from '../engine/index.ts';
import type { Clock, Logger } from '../engine/ports.ts';
import type { Store } from '../engine/store.ts';
import type { ClusterView, Owner } from '../http/gateway/cluster-view.ts';
import type { Loaded } from '../loader/definitions.ts';
import type { NodeView } from '../schemas/nodes.ts';
import type { Hands } from './hands.ts';
import { HostSwitch } from './host-switch.ts';
import { type Owned, Ownership } from './ownership.ts';

/** A node that takes part, as src/cluster makes it. */
export interface NodeOfCluster extends Omit<ClusterView, 'term' | 'taken'> {
  start(): Promise<void>;
  leave(): Promise<void>;
}

/** The parts of this process that a node needs. */
export interface NodeParts {
  name: string;
  url: string;
  /** Makes a host on a store and starts it; rejects when the ownership is to be given up. */
  own(store: Store, epoch: number, clock: Clock): Promise<Owned>;
  /** To be told why the node cannot take part yet; null: it can. */
  tell(trouble: string | null): void;
}

export interface ClusteredDeps {
  config: ClusterConfig;
  /** Where it listens: `HOST`. */
  listensOn: string;
  createNode: (parts: NodeParts) => Promise<NodeOfCluster>;
  isDeposed: (error: unknown) => boolean;
  /** The name of the log in `/readyz` and metrics. */
  kind: string;
  tasks: TaskCatalogue;
  hands: Pick<Hands, 'enter' | 'letGo' | 'ownedBy'>;
  createHost: (fail: (error: unknown) => void, clock: Clock) => LocalHost;
  loaded: Loaded;
  /** Ends the process for a fault of the store. */
  fail: (error: unknown) => void;
  logger: Logger;
}

/** A node's part in a cluster, before and while it takes part. */
export class Clustered {
  readonly host: HostSwitch;
  readonly ownership: Ownership;
  readonly view: ClusterView;
  private readonly deps: ClusteredDeps;
  private node: NodeOfCluster | null = null;
  /** That of the last owner that hands were told of. */
  private toldEpoch: number | null = null;
  private joining: string | null = 'it has not joined the cluster yet';
  /** The ownership in which what this node passes on is refused; null while it is taken. */
  private refusedIn: number | null = null;
  private readonly listeners = new Set<() => void>();

  constructor(deps: ClusteredDeps) {
    this.deps = deps;
    this.host = new HostSwitch({
      ...{ tasks: deps.tasks, kind: deps.kind },
      trouble: () => this.view.trouble,
      leave: async () => this.node?.leave(),
      leftBehind: (itemIds) =>
        deps.logger.warn(
          { itemIds },
          'the last changes could not be written to the log: whoever owns next goes on without them, and tasks that have ended here may run again',
        ),
    });
    this.ownership = new Ownership({ ...deps, host: this.host, pipelinesFrom: deps.config.pipelinesFrom });
    this.view = this.viewed();
    this.host.watch(this.tell);
  }

  /** Takes part from now on. `port`: where it listens. */
  async start(port: number): Promise<void> {
    const { config, listensOn, createNode, logger } = this.deps;
    const url = config.nodeUrl ?? originOf(listensOn, port);
    const name = config.nodeName ?? `${hostname()}-${port}`;
    const node = await createNode({
      ...{ name, url },
      own: (store, epoch, clock) => this.ownership.own(store, epoch, clock),
      tell: (trouble) => {
        this.joining = trouble ?? this.joining;
        this.tell();
      },
    });
    this.node = node;
    node.watch(() => {
      this.tell();
      this.tellHands(node);
    });
    if (this.host.shuttingDown) return;
    await node.start();
    if (this.host.shuttingDown) return;
    logger.info({ node: name, url }, 'the node takes part in the cluster');
  }

  /** The part that `buildApp` needs. */
  get forHttp() {
    const { keys, takeoverWaitSeconds } = this.deps.config;
    return { view: this.view, keys, takeoverWaitSeconds };
  }

  readonly rereads = (loaded: Loaded): boolean => this.ownership.reread(loaded);

  private readonly tell = (): void => {
    for (const changed of this.listeners) changed();
  };

  private tellHands({ owner }: NodeOfCluster): void {
    if (owner === null || owner.epoch === this.toldEpoch) return;
    this.toldEpoch = owner.epoch;
    this.deps.hands.ownedBy(owner.epoch);
  }

  private taken({ node, epoch }: Owner, isTaken: boolean): void {
    const refusedIn = isTaken ? null : epoch;
    if (refusedIn === this.refusedIn) return;
    this.refusedIn = refusedIn;
    if (!isTaken) this.deps.logger.warn({ owner: node, epoch }, refusedBy(node));
    this.tell();
  }

  private async nodes(): Promise<readonly NodeView[]> {
    try {
      return (await this.node?.nodes()) ?? [];
    } catch (cause) {
      throw new SluiceError('store-unavailable', 'the nodes are not known now: the log does not answer', { retryAfterSeconds: 5, cause });
    }
  }

  /** The view of the HTTP side: the node, and whether its pipelines are here. Before it takes part, nobody is known. */
  private viewed(): ClusterView {
    const node = (): NodeOfCluster | null => this.node;
    const joining = (): string | null => this.joining;
    const { host, listeners } = this;
    const refused = ({ owner }: NodeOfCluster): string | null =>
      owner !== null && owner.epoch === this.refusedIn ? refusedBy(owner.node) : null;
    return {
      get name() {
        return node()?.name ?? '';
      },
      get url() {
        return node()?.url ?? '';
      },
      get role() {
        return node()?.role ?? 'follower';
      },
      get owner() {
        return node()?.owner ?? null;
      },
      get isInformed() {
        return node()?.isInformed ?? false;
      },
      get term() {
        return host.term;
      },
      get isServing() {
        return host.term !== null && node()?.isServing === true;
      },
      get position() {
        return node()?.position ?? 0;
      },
      get lagSeconds() {
        return node()?.lagSeconds ?? 0;
      },
      get trouble() {
        const now = node();
        return now === null ? joining() : (now.trouble ?? refused(now));
      },
      watch(changed) {
        listeners.add(changed);
        return () => void listeners.delete(changed);
      },
      nodes: async () => this.nodes(),
      taken: (owner, isTaken) => this.taken(owner, isTaken),
    };
  }
}

function refusedBy(owner: string): string {
  return `the owner ${owner} refuses what this node passes on: the two have different CLUSTER_KEYs`;
}

/** The address of this node for others on the network that `HOST` is of. */
function originOf(host: string, port: number): string {
  return `http://${host.includes(':') ? `[${host}]` : host}:${port}`;
}
