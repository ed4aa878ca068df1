import { copyFileSync, existsSync, rmSync } from 'node:fs';
import type { ClusteredDeps, NodeOfCluster, NodeParts } from '../../../src/composition/clustered.ts';
import { systemClock } from '../../../src/engine/ports.ts';
import type { Store } from '../../../src/engine/store.ts';
import type { Owner } from '../../../src/http/gateway/cluster-view.ts';
import type { NodeView } from '../../../src/schemas/nodes.ts';
import { openSqliteStore } from '../../../src/stores/sqlite/index.ts';

/** A store and what is beside it. */
const PARTS = ['', '-wal', '-running'];

/** What a write is answered with once another node owns. */
export class FakeDeposed extends Error {
  override name = 'Deposed';
}

/** A node that knows what the test tells it. */
export class FakeNode implements NodeOfCluster {
  role: 'owner' | 'follower' = 'follower';
  epoch: number | null = null;
  owner: Owner | null = null;
  isInformed = true;
  isServing = false;
  position = 0;
  lagSeconds = 0;
  trouble: string | null = null;
  readonly parts: NodeParts;
  owned: Awaited<ReturnType<NodeParts['own']>> | null = null;
  private readonly listeners = new Set<() => void>();
  private readonly cluster: FakeCluster;

  constructor(parts: NodeParts, cluster: FakeCluster) {
    this.parts = parts;
    this.cluster = cluster;
  }

  get name(): string {
    return this.parts.name;
  }
  get url(): string {
    return this.parts.url;
  }

  /** Has it know something else, and say so. */
  learn(known: Partial<Pick<FakeNode, 'role' | 'epoch' | 'owner' | 'isInformed' | 'isServing' | 'trouble'>>): void {
    Object.assign(this, known);
    for (const changed of [...this.listeners]) changed();
  }

  watch(changed: () => void): () => void {
    this.listeners.add(changed);
    return () => void this.listeners.delete(changed);
  }

  async nodes(): Promise<readonly NodeView[]> {
    return this.cluster.nodes.map(({ name, url, role, position, lagSeconds }) => ({
      ...{ name, url, role, position, lagSeconds },
      ...{ hands: 0, version: '0.0.0' },
    }));
  }

  async start(): Promise<void> {
    this.cluster.nodes.push(this);
  }

  async leave(): Promise<void> {
    if (this.role === 'owner') await this.cluster.depose();
  }
}

/** Decides who owns a store in a file: one node after the other, each on what the one before has stored. */
export class FakeCluster {
  readonly nodes: FakeNode[] = [];
  private readonly file: string;
  private epoch = 0;
  private term: { node: FakeNode; close: () => Promise<void> } | null = null;

  constructor(file: string) {
    this.file = file;
  }

  readonly createNode: ClusteredDeps['createNode'] = async (parts) => new FakeNode(parts, this);

  node(name: string): FakeNode {
    return this.nodes.find((node) => node.name === name) as FakeNode;
  }

  /** From now on this node owns: the one before is deposed, and all know. */
  async elect(name: string): Promise<void> {
    await this.depose();
    const node = this.node(name);
    this.epoch++;
    const { epoch } = this;
    const owner = { node: name, url: node.url, epoch };
    for (const each of this.nodes) each.learn({ owner, role: each === node ? 'owner' : 'follower', epoch: each === node ? epoch : null });
    const store = await openSqliteStore({ file: this.file, inProcess: true });
    const { fenced, close } = fencedStore(store);
    this.term = { node, close };
    node.owned = await node.parts.own(fenced, epoch, systemClock);
    node.learn({ isServing: true });
  }

  /** The owner is none any more, and learns of it. Nobody else does. */
  async depose(): Promise<void> {
    const { term } = this;
    this.term = null;
    if (term === null) return;
    const { node } = term;
    node.learn({ role: 'follower', epoch: null, isServing: false });
    await node.owned?.depose();
    node.owned = null;
    await term.close();
  }

  /** Keeps what is stored now, for {@link FakeCluster.lose}. */
  keep(): void {
    for (const suffix of PARTS) if (existsSync(this.file + suffix)) copyFileSync(this.file + suffix, `${this.file}.kept${suffix}`);
  }

  /** Nobody owns any more, and all that was stored since {@link FakeCluster.keep} is lost. Nothing tells of it. */
  async lose(): Promise<void> {
    await this.depose();
    for (const suffix of PARTS) {
      rmSync(this.file + suffix, { force: true });
      if (existsSync(`${this.file}.kept${suffix}`)) copyFileSync(`${this.file}.kept${suffix}`, this.file + suffix);
    }
  }

  /** Nobody knows an owner. */
  forget(): void {
    for (const node of this.nodes) node.learn({ owner: null });
  }
}

/** A store that can be taken away between two writes, as a log takes it away from an owner. */
function fencedStore(store: Store): { fenced: Store; close: () => Promise<void> } {
  let isOver = false;
  let writing: Promise<void> = Promise.resolve();
  const fenced = new Proxy(store, {
    get(target, member) {
      if (member === 'write')
        return (writes: Parameters<Store['write']>[0]) => {
          if (isOver) return Promise.reject(new FakeDeposed('another node owns'));
          writing = target.write(writes);
          return writing;
        };
      if (member === 'close') return async () => undefined;
      if (member === 'mayLackEvents') return true;
      const value = Reflect.get(target, member, target);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
  return {
    fenced,
    async close() {
      isOver = true;
      await writing.catch(() => undefined);
      await store.close();
    },
  };
}
