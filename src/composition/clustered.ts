import { hostname } from 'node:os';
import type { ClusterConfig } from '../cluster-config.ts';
import type { LocalHost, TaskCatalogue } from '../engine/index.ts';
import type { Logger } from '../engine/ports.ts';
import type { Store } from '../engine/store.ts';
import type { ClusterView } from '../http/gateway/cluster-view.ts';
import type { Loaded } from '../loader/definitions.ts';
import { HostSwitch } from './host-switch.ts';
import { type Owned, Ownership } from './ownership.ts';

/** This node of a cluster, as src/cluster makes it. */
export interface NodeOfCluster extends Omit<ClusterView, 'term'> {
  readonly epoch: number | null;
  start(): Promise<void>;
  leave(): Promise<void>;
}

export interface NodeParts {
  name: string;
  url: string;
  /** Makes a host on a store and starts it; rejects when the ownership is to be given up. */
  own(store: Store, epoch: number): Promise<Owned>;
}

export interface ClusteredDeps {
  config: ClusterConfig;
  /** Where it listens: `HOST`. */
  listensOn: string;
  createNode: (parts: NodeParts) => NodeOfCluster;
  isDeposed: (error: unknown) => boolean;
  /** What a log is called in `/readyz` and metrics. */
  kind: string;
  tasks: TaskCatalogue;
  createHost: (fail: (error: unknown) => void) => LocalHost;
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
  private readonly listeners = new Set<() => void>();

  constructor(deps: ClusteredDeps) {
    this.deps = deps;
    this.host = new HostSwitch({
      ...{ tasks: deps.tasks, kind: deps.kind },
      trouble: () => this.node?.trouble ?? null,
      leave: async () => this.node?.leave(),
    });
    this.ownership = new Ownership({ ...deps, host: this.host, pipelinesFrom: deps.config.pipelinesFrom });
    this.view = this.viewed();
    this.host.watch(this.tell);
  }

  /** Takes part from now on. `port`: where it listens. */
  async start(port: number): Promise<void> {
    const { config, listensOn, createNode } = this.deps;
    const url = config.nodeUrl ?? originOf(listensOn, port);
    const name = config.nodeName ?? `${hostname()}-${port}`;
    this.node = createNode({ name, url, own: (store, epoch) => this.ownership.own(store, epoch) });
    this.node.watch(this.tell);
    await this.node.start();
  }

  /** What `buildApp` needs of it. */
  get forHttp() {
    const { keys, takeoverWaitSeconds } = this.deps.config;
    return { view: this.view, keys, takeoverWaitSeconds };
  }

  readonly rereads = (loaded: Loaded): boolean => this.ownership.reread(loaded);
  readonly hasLoaded = (): void => this.ownership.hasLoaded();

  private readonly tell = (): void => {
    for (const changed of this.listeners) changed();
  };

  /** What the HTTP side sees: the node, and whether its pipelines are here. Before it takes part, nobody is known. */
  private viewed(): ClusterView {
    const node = (): NodeOfCluster | null => this.node;
    const { host, listeners } = this;
    return {
      get name() {
        return node()?.name ?? '';
      },
      get role() {
        return node()?.role ?? 'follower';
      },
      get owner() {
        return node()?.owner ?? null;
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
        return node() === null ? 'it has not joined the cluster yet' : (node()?.trouble ?? null);
      },
      watch(changed) {
        listeners.add(changed);
        return () => void listeners.delete(changed);
      },
      nodes: async () => node()?.nodes() ?? [],
    };
  }
}

/** The address of this node for others on the network that `HOST` is of. */
function originOf(host: string, port: number): string {
  return `http://${host.includes(':') ? `[${host}]` : host}:${port}`;
}
