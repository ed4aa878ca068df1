/** One round of a cluster of three nodes: it is fed by all kinds of clients at any node while it is disturbed, and then everything is counted. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as after } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { Random } from '../../engine/simulation/random.ts';
import { faultsOf, itemsOf } from '../account.ts';
import { FEEDERS } from '../feeders.ts';
import { type Answer, type Asking, Clients, Ledger } from '../ledger.ts';
import { Network } from '../network.ts';
import { OPERATORS } from '../operators.ts';
import { shapeOf, workIn } from '../work.ts';
import { copyFaults } from './copies.ts';
import { schemaOf, startLogServer } from './log-server.ts';
import { type Disturbed, goneOn, NEMESES, nemesesOf } from './nemeses.ts';
import { LEASE_SECONDS, Node, untilOwned } from './nodes.ts';
import { type Disturbance, nowUs, repeatsOf } from './repeats.ts';

export interface ClusterReport {
  clients: string[];
  nemeses: string[];
  acknowledged: number;
  /** Of what was acknowledged and then lost by the log itself: how many ids, and how many of them are not there. */
  doubtful: number;
  missing: number;
  fed: number;
  repeatedRequests: number;
  repeatedExecutions: number;
  events: number;
  takeovers: number;
  /** Seconds until a node served again after a nemesis had begun, the longest. */
  slowestTakeover: number;
  faults: string[];
}

const FEEDERS_OF_ROUND = 4;
const OPERATORS_OF_ROUND = 2;
/** Time between two nemeses. */
const CALM_MS = 1500;
/** After a nemesis is over, executions that it explains may still begin. */
const AFTERMATH_US = (LEASE_SECONDS + 3) * 1_000_000;
const PATIENCE_MS = 90_000;
/** The longest pause of a client before a request. */
const PAUSE_MS = 150;
/** And a client's pause for each item, and each byte, that it feeds. So what 200 nemeses take to happen can be counted, and fits on the small disk. */
const PAUSE_PER_ITEM_MS = 80;
const PAUSE_PER_BYTE_MS = 0.015;
/** What waits for a client to stand still waits no longer than this for items. */
const LONGEST_PAUSE_MS = 8000;
/** More than all of a round. */
const EVENTS_KEPT = 5_000_000;
/** Clients that ask any node. */
class Hoppers extends Clients {
  private readonly nodes: readonly Node[];
  private readonly random: Random;

  constructor(ledger: Ledger, nodes: readonly Node[], random: Random) {
    super(ledger);
    this.nodes = nodes;
    this.random = random;
  }

  override place(): string | null {
    const open = this.nodes.filter(({ isOpen }) => isOpen);
    return open.length === 0 ? null : this.random.pick(open).server.url;
  }

  /** Without a pause they would feed so much that counting it takes longer than all that happens to the cluster. */
  override async ask(path: string, asking: Asking): Promise<Answer> {
    const { items, bytes } = sizeOf(asking.body);
    await after(this.random.int(0, PAUSE_MS) + Math.max(pauseFor(items), bytes * PAUSE_PER_BYTE_MS));
    const answer = await super.ask(path, asking);
    // Each time it is more, since some items fail for good.
    if (answer.body?.retried !== undefined) await after(pauseFor(answer.body.retried));
    return answer;
  }

  /** Another node may answer by the time. */
  override isStillAt(): boolean {
    return false;
  }
}

const pauseFor = (items: number): number => Math.min(items * PAUSE_PER_ITEM_MS, LONGEST_PAUSE_MS);

/** What a request feeds. */
function sizeOf(body: unknown): { items: number; bytes: number } {
  if (typeof body === 'string') return { items: body.split('\n').length - 1, bytes: body.length };
  const { items = [] } = (body ?? {}) as { items?: unknown[] };
  return { items: items.length, bytes: items.length === 0 ? 0 : JSON.stringify(items).length };
}

export interface ClusterOptions {
  /** The URL of a PostgreSQL that others use too; null: one of its own is started. */
  service: string | null;
  canMount: boolean;
  /** Nodes can be on machines of their own. */
  canSeparate: boolean;
  awayMs: number;
  /** No others than these; empty: all that can happen. */
  only: readonly string[];
}

export async function playClusterRound(seed: number, count: number, options: ClusterOptions): Promise<ClusterReport> {
  const { service, canMount, canSeparate, awayMs, only } = options;
  const random = new Random(seed);
  const folder = mkdtempSync(join(tmpdir(), 'sluice-cluster-'));
  const log = service === null ? await startLogServer() : schemaOf(service);
  const network = canSeparate ? new Network() : null;
  const nodes: Node[] = [];
  const ledger = new Ledger();
  let doing = 'the start';
  const asking = (): string[] => [...(clientsOf.get(ledger)?.asking ?? [])].map((each) => each.join(': '));
  const tooLate = async (): Promise<never> => {
    await after(PATIENCE_MS + count * (20_000 + awayMs), undefined, { ref: false });
    throw new Error(
      `it does not come to an end at ${doing}:\n${ledger.surprises.slice(0, 10).join('\n')}\n${[...(nodes[0] === undefined ? [] : asking())].join('\n')}`,
    );
  };
  try {
    const env = { ...workIn(folder, folder), HANDS: '1', LOG_LEVEL: 'info', EVENTS_KEPT: String(EVENTS_KEPT) };
    const clocks = [0, 5000, -5000];
    for (const [i, clockMs] of clocks.entries()) {
      const name = `node-${i}`;
      mkdirSync(folder, { recursive: true });
      const machine = network?.add() ?? null;
      const way = { log: log.url, host: network?.host ?? '127.0.0.1' };
      nodes.push(await Node.make({ name, folder, env, hasSmallDisk: canMount && i === 2, clockMs, machine }, way, ledger));
    }
    const say = (what: string): void => {
      doing = what;
      if (count > 20 || only.length > 0) process.stderr.write(`${new Date().toISOString()} ${what}, ${ledger.acknowledged.size} ids\n`);
    };
    const clients = new Hoppers(ledger, nodes, random.fork());
    clientsOf.set(ledger, clients);
    return await Promise.race([play({ nodes, log, clients, random, awayMs }, { ledger, folder, count, only, say }), tooLate()]);
  } finally {
    keepLogs(nodes);
    for (const node of nodes) await node.tidy();
    network?.dispose();
    await log.dispose();
    rmSync(folder, { recursive: true, force: true });
  }
}

const LOGS = fileURLToPath(new URL('../../../test-results/cluster-logs/', import.meta.url));
const clientsOf = new WeakMap<Ledger, Clients>();

/** What the nodes have logged, in files of its own: it is too much to be printed. */
function keepLogs(nodes: readonly Node[]): void {
  rmSync(LOGS, { recursive: true, force: true });
  mkdirSync(LOGS, { recursive: true });
  for (const { name, logs } of nodes)
    writeFileSync(join(LOGS, `${name}.ndjson`), logs.map((record) => `${JSON.stringify(record)}\n`).join(''));
}

interface Play {
  ledger: Ledger;
  folder: string;
  count: number;
  only: readonly string[];
  say: (what: string) => void;
}

async function play(cluster: Disturbed, { ledger, folder, count, only, say }: Play): Promise<ClusterReport> {
  const { nodes, clients, random } = cluster;
  await Promise.all(nodes.map((node) => node.start()));
  await untilOwned(nodes);
  clients.expect('the pipeline', await clients.ask('/pipelines', { body: shapeOf(0) }), 201, 409);
  const feeders = some(Object.keys(FEEDERS), FEEDERS_OF_ROUND, random);
  const operators = ['follows', ...some(['pauses', 'tunes', 'cancels', 'retries', 'redefinitions'], OPERATORS_OF_ROUND, random)];
  const work = [...feeders.map((name) => FEEDERS[name]), ...operators.map((name) => OPERATORS[name])];
  const all = clients.work(work.map((begin) => async () => begin?.(clients, random.fork())));
  const names = nemesesOf(cluster).filter((name) => only.length === 0 || only.includes(name));
  const nemeses: string[] = [];
  const disturbances: Disturbance[] = [];
  let slowestTakeover = 0;
  // Each kind comes before one comes again.
  let left: string[] = [];
  for (let i = 0; i < count; i++) {
    if (left.length === 0) left = some(names, names.length, random);
    const name = left.pop() as string;
    nemeses.push(name);
    await Promise.race([all, after(random.int(100, CALM_MS))]);
    await Promise.race([all, goneOn(ledger, 20)]);
    say(`${i + 1}: ${name}`);
    const from = nowUs();
    await (NEMESES[name] as (typeof NEMESES)[string])(cluster);
    const over = performance.now();
    await untilOwned(nodes);
    slowestTakeover = Math.max(slowestTakeover, (performance.now() - over) / 1000);
    disturbances.push({ what: name, from, to: nowUs() + AFTERMATH_US, isLoss: name === 'logLosesTail' });
  }
  clients.isOver = true;
  say('the end of all clients');
  await all;
  const owner = await untilOwned(nodes);
  say('the end of all items');
  await owner.server.post('/pipelines/work/resume', {});
  for (const stage of ['One', 'Two']) await owner.server.post(`/pipelines/work/stages/${stage}/resume`, {});
  await owner.server.post('/pipelines/work/retry', {});
  await owner.server.post('/pipelines/work/join', {});
  say('the account');
  const faults = await faultsOf(random.pick(nodes).server, ledger, join(folder, 'executions'), false);
  const ids = new Set((await itemsOf(owner.server)).map(({ id }) => id));
  const stats = (await owner.server.get('/pipelines/work/stats')).body;
  say('the followers');
  await levelled(owner, nodes);
  const takeovers = nodes.reduce((sum, { logs }) => sum + logs.filter(({ msg }) => msg === 'this node owns').length, 0);
  // Nobody takes over any more.
  await Promise.all(nodes.map((node) => node.kill()));
  const repeats = repeatsOf(readFileSync(join(folder, 'executions'), 'utf8'), disturbances);
  faults.push(...repeats.faults, ...copyFaults(nodes));
  return {
    clients: [...feeders, ...operators],
    nemeses,
    acknowledged: [...ledger.uploads.values()].reduce((sum, lines) => sum + lines, ledger.acknowledged.size),
    doubtful: ledger.doubtful.size,
    missing: [...ledger.doubtful].filter((id) => !ids.has(id)).length,
    fed: stats.itemsFed,
    repeatedRequests: ledger.repeated,
    repeatedExecutions: repeats.count,
    events: Number(String(stats.asOf).split('-').at(-1)),
    takeovers,
    slowestTakeover,
    faults: [...ledger.surprises, ...faults],
  };
}

/** All nodes have applied what the owner has now; after that there are only its beats. */
async function levelled(owner: Node, nodes: readonly Node[]): Promise<void> {
  let goal: number | undefined;
  for (;;) {
    const { body } = await owner.server.get('/nodes');
    const positions = new Map((body.nodes as { name: string; position: number }[]).map(({ name, position }) => [name, position]));
    goal ??= positions.get(owner.name);
    if (goal !== undefined && nodes.every(({ name }) => (positions.get(name) ?? 0) >= (goal as number))) return;
    await after(100);
  }
}

function some(names: readonly string[], count: number, random: Random): string[] {
  return names
    .map((name) => ({ name, at: random.next() }))
    .sort((a, b) => a.at - b.at)
    .slice(0, count)
    .map(({ name }) => name);
}
