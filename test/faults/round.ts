import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as after } from 'node:timers/promises';
import { audit } from '../../src/stores/sqlite/audit.ts';
import { ServerProcess } from '../e2e/server.ts';
import { Random } from '../engine/simulation/random.ts';
import { faultsOf } from './account.ts';
import { DEATHS, type Mortal } from './deaths.ts';
import { SmallDisk } from './disk.ts';
import { FEEDERS } from './feeders.ts';
import { Clients, Ledger } from './ledger.ts';
import { OPERATORS } from './operators.ts';
import { shapeOf, workIn } from './work.ts';

export interface RoundReport {
  /** What was drawn. */
  clients: string[];
  deaths: string[];
  /** Processes that have ended. */
  lives: number;
  /** Items that an answer promised. */
  acknowledged: number;
  /** With those that were fed again under their ids. */
  fed: number;
  repeated: number;
  events: number;
  /** Seconds until the service answered again, the longest. */
  slowestStart: number;
  /** Seconds until a request had its answer, over all its repeats. */
  longestAsk: number;
  faults: string[];
}

const FEEDERS_OF_ROUND = 5;
const OPERATORS_OF_ROUND = 3;
const LIFE_MS = 800;
const PATIENCE_MS = 240_000;

/** A service, and what becomes of it in one round. */
class Round implements Mortal {
  readonly random: Random;
  readonly folder = mkdtempSync(join(tmpdir(), 'sluice-round-'));
  readonly ledger = new Ledger();
  readonly clients = new Clients(this.ledger);
  readonly disk: SmallDisk | null;
  readonly env: Record<string, string>;
  server!: ServerProcess;
  /** Rejects when a process ends that nobody has asked to. */
  readonly endedByItself = Promise.withResolvers<never>();
  private readonly due = new WeakSet<ServerProcess>();
  /** What it is at. */
  doing = 'the start';
  slowestStart = 0;

  constructor(random: Random, hasDisk: boolean) {
    this.random = random;
    const folder = join(this.folder, 'disk');
    this.disk = hasDisk ? SmallDisk.mount(folder) : null;
    mkdirSync(folder, { recursive: true });
    this.env = workIn(this.folder, folder);
  }

  signal(signal: NodeJS.Signals): void {
    if (signal === 'SIGKILL' || signal === 'SIGTERM') {
      this.clients.url = null;
      this.due.add(this.server);
    }
    this.server.signal(signal);
  }

  async ended(): Promise<void> {
    const { code, signal } = await this.server.exited;
    if (code !== 0 && signal !== 'SIGKILL')
      this.ledger.surprises.push(`it ended with ${code ?? signal}: ${this.server.stderr.slice(0, 500)}`);
    for (const record of this.server.log) if (record.level >= 60) this.ledger.surprises.push(JSON.stringify(record));
    this.ledger.life++;
  }

  beginStart(): void {
    const server = new ServerProcess({ ...this.env, LIFE: String(this.ledger.life) }, {});
    this.server = server;
    void server.exited.then((exit) => {
      if (this.due.has(server)) return;
      const log = server.log.slice(-20).map((record) => JSON.stringify(record));
      this.endedByItself.reject(
        new Error(`it ended by itself after ${this.doing}: ${JSON.stringify(exit)}\n${server.stderr}\n${log.join('\n')}`),
      );
    });
  }

  async start(): Promise<void> {
    const began = performance.now();
    this.beginStart();
    await this.server.logged('listening');
    // Each life has a port of its own: between two lives anybody may take the one that was left.
    this.clients.url = this.server.url;
    this.slowestStart = Math.max(this.slowestStart, (performance.now() - began) / 1000);
  }

  async goneOn(count: number): Promise<void> {
    const { acknowledged } = this.ledger;
    for (const goal = acknowledged.size + count; acknowledged.size < goal; ) await after(5);
  }

  /** Rejects when a round takes too long, with what it waits for. */
  async tooLate(): Promise<never> {
    await after(PATIENCE_MS, undefined, { ref: false });
    const log = this.server.log.slice(-5).map((record) => JSON.stringify(record));
    throw new Error(
      `it does not come to an end after ${this.doing}: ${[...this.clients.asking].map((each) => each.join(': ')).join('\n')}\n${this.ledger.surprises}\n${log.join('\n')}`,
    );
  }

  async tidy(): Promise<void> {
    this.clients.isOver = true;
    this.due.add(this.server);
    this.server.signal('SIGKILL');
    await this.server.exited;
    this.disk?.unmount();
    rmSync(this.folder, { recursive: true, force: true });
  }
}

/** Feeds a service, works with it and lets it die `deaths` times, all of it drawn; in the end everything that it has promised has to be there, once. */
export async function playRound(seed: number, deaths: number, canMount: boolean): Promise<RoundReport> {
  const random = new Random(seed);
  const round = new Round(random, canMount && random.chance(0.4));
  const names = Object.keys(DEATHS).filter((name) => round.disk !== null || !/[dD]isk$/.test(name));
  const drawn = {
    deaths: Array.from({ length: deaths }, () => random.pick(names)),
    feeders: some(Object.keys(FEEDERS), FEEDERS_OF_ROUND, random),
    operators: [
      'follows',
      ...some(
        Object.keys(OPERATORS).filter((name) => name !== 'follows'),
        OPERATORS_OF_ROUND,
        random,
      ),
    ],
  };
  try {
    return await Promise.race([play(round, drawn), round.tooLate(), round.endedByItself.promise]);
  } finally {
    await round.tidy();
  }
}

interface Drawn {
  deaths: string[];
  feeders: string[];
  operators: string[];
}

async function play(round: Round, { deaths, feeders, operators }: Drawn): Promise<RoundReport> {
  const { ledger, clients, random } = round;
  await round.start();
  clients.expect('the pipeline', await clients.ask('/pipelines', { body: shapeOf(0) }), 201);
  const work = [...feeders.map((name) => FEEDERS[name]), ...operators.map((name) => OPERATORS[name])];
  const all = Promise.all(work.map((begin) => begin?.(clients, random.fork())));
  for (const [i, death] of deaths.entries()) {
    await Promise.race([all, after(20 + random.next() * LIFE_MS)]);
    // However slow the machine is: every second life lives until it has acknowledged some items.
    if (i % 2 === 0) await Promise.race([all, round.goneOn(25)]);
    round.doing = death;
    await DEATHS[death]?.(round);
  }
  clients.isOver = true;
  await all;
  round.doing = 'all is fed';
  await round.server.post('/pipelines/work/retry', {});
  await round.server.post('/pipelines/work/join', {});
  round.doing = 'the end of all items';
  const { uploads } = ledger;
  const faults = await faultsOf(round.server, ledger, round.env.EXECUTIONS as string);
  const { itemsFed, asOf } = (await round.server.get('/pipelines/work/stats')).body;
  round.signal('SIGTERM');
  await round.ended();
  faults.push(...audit(join(round.folder, 'disk/data/sluice.db')).faults);
  return {
    clients: [...feeders, ...operators],
    deaths,
    lives: ledger.life,
    acknowledged: [...uploads.values()].reduce((sum, count) => sum + count, ledger.acknowledged.size),
    fed: itemsFed,
    repeated: ledger.repeated,
    events: Number(asOf.split('-').at(-1)),
    slowestStart: round.slowestStart,
    longestAsk: clients.longestAskSeconds,
    faults: [...ledger.surprises, ...faults],
  };
}

/** So many of them, in any order. */
function some(names: readonly string[], count: number, random: Random): string[] {
  return names
    .map((name) => ({ name, at: random.next() }))
    .sort((a, b) => a.at - b.at)
    .slice(0, count)
    .map(({ name }) => name);
}
