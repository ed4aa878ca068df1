/** Three nodes of a cluster as processes, each with its own data, its own way to PostgreSQL and, if asked for, its own clock. */
import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as after } from 'node:timers/promises';
import { PostgresProxy } from '../../cluster/proxy.ts';
import { type LogRecord, ServerProcess } from '../../e2e/server.ts';
import { SmallDisk } from '../disk.ts';
import type { Ledger } from '../ledger.ts';
import type { Machine } from '../network.ts';

export const LEASE_SECONDS = 3;
const CLUSTER_KEY = 'a-secret-of-all-nodes-of-the-test';

export interface NodeOptions {
  name: string;
  folder: string;
  env: Readonly<Record<string, string>>;
  hasSmallDisk: boolean;
  /** How far its clock is off, in milliseconds. */
  clockMs: number;
  /** Its place in a network of the test's own; null: it is on this machine. */
  machine: Machine | null;
}

/** How a node gets to the log. */
export interface Way {
  /** The log as this process reaches it. */
  log: string;
  /** Where the proxy before it listens. */
  host: string;
}

export class Node {
  readonly name: string;
  readonly dataDir: string;
  readonly disk: SmallDisk | null;
  readonly proxy: PostgresProxy;
  /** Whether clients use it. */
  isOpen = false;
  server!: ServerProcess;
  private readonly past: LogRecord[] = [];
  private readonly options: NodeOptions;
  private readonly ledger: Ledger;

  private constructor(options: NodeOptions, proxy: PostgresProxy, ledger: Ledger) {
    this.options = options;
    this.name = options.name;
    this.ledger = ledger;
    this.proxy = proxy;
    this.dataDir = join(options.folder, options.name);
    this.disk = options.hasSmallDisk ? SmallDisk.mount(this.dataDir) : null;
    mkdirSync(this.dataDir, { recursive: true });
  }

  static async make(options: NodeOptions, { log, host }: Way, ledger: Ledger): Promise<Node> {
    return new Node(options, await PostgresProxy.before(log, host), ledger);
  }

  get machine(): Machine | null {
    return this.options.machine;
  }

  async start(): Promise<void> {
    const { env, clockMs, machine } = this.options;
    const place = machine === null ? {} : { HOST: machine.host, PORT: '3000', ALLOW_UNAUTHENTICATED: 'true' };
    const skew = `const now = Date.now; Date.now = () => now() + (${clockMs});`;
    const flags = clockMs === 0 ? [] : [`--import=data:text/javascript,${encodeURIComponent(skew)}`];
    this.past.push(...(this.server?.log ?? []));
    const life = String(this.ledger.life++);
    this.server = new ServerProcess(
      {
        ...env,
        ...place,
        LIFE: life,
        STORE_URL: this.proxy.url,
        DATA_DIR: this.dataDir,
        NODE_NAME: this.name,
        CLUSTER_KEY,
        LEASE_SECONDS: String(LEASE_SECONDS),
        NODE_OPTIONS: ['--disable-warning=ExperimentalWarning', ...flags].join(' '),
      },
      machine === null ? {} : { under: machine.under },
    );
    await this.server.logged('listening');
    this.isOpen = true;
  }

  async kill(): Promise<void> {
    this.isOpen = false;
    this.server.signal('SIGKILL');
    await this.server.exited;
    this.noteFaults();
  }

  async stop(): Promise<void> {
    this.isOpen = false;
    this.server.signal('SIGTERM');
    const { code } = await this.server.exited;
    if (code !== 0) this.ledger.surprises.push(`${this.name} ended with ${code}: ${this.server.stderr.slice(0, 500)}`);
    this.noteFaults();
  }

  /** The records of all its processes. */
  get logs(): LogRecord[] {
    return [...this.past, ...(this.server?.log ?? [])];
  }

  /** Its processes of hands. */
  get hands(): number[] {
    const { pid } = this.server;
    return readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ').filter(Boolean).map(Number);
  }

  /** What a node says of itself; null when it does not answer soon. */
  async look(): Promise<{ status: number; role: string | undefined } | null> {
    try {
      const response = await fetch(`${this.server.url}/readyz`, { signal: AbortSignal.timeout(1000) });
      const { role } = (await response.json()) as { role?: string };
      return { status: response.status, role };
    } catch {
      return null;
    }
  }

  async tidy(): Promise<void> {
    this.isOpen = false;
    // What is cut off would not hear that its connections have ended.
    this.machine?.heal();
    this.server?.signal('SIGCONT');
    this.server?.signal('SIGKILL');
    await this.server?.exited;
    await this.proxy.close();
    this.disk?.unmount();
  }

  private noteFaults(): void {
    for (const record of this.server.log) if (record.level >= 60) this.ledger.surprises.push(`${this.name}: ${JSON.stringify(record)}`);
  }
}

/** The node that owns and serves, when there is one. */
export async function untilOwned(nodes: readonly Node[]): Promise<Node> {
  for (;;) {
    for (const node of nodes) {
      if (!node.isOpen) continue;
      const seen = await node.look();
      if (seen?.status === 200 && seen.role === 'owner') return node;
    }
    await after(20);
  }
}
