/**
 * Random moves on a stored pipeline under a virtual clock, crashes, stops and a disk that fails among them, in its writes, its reads or both, for
 * a while or once at any call: what was acknowledged is never
 * lost, what any answer has told is never taken back, and the books balance after every start.
 *
 *     CRASH_SEED=7 npx vitest run test/stores/crash-simulation.test.ts      replays one seed
 *     CRASH_SEEDS=2000 npx vitest run …                                     runs so many
 *
 * The same on the replicated store: each start is on another node, and the log fails in its own ways.
 */
import { afterEach, describe, expect, it, vi } from 'vitest';
import { type PipelineRuntime, SluiceError, type SluiceEvent, type TaskContext } from '../../src/engine/index.ts';
import { AnswerGate } from '../../src/engine/local/answer-gate.ts';
import type { Reads } from '../../src/engine/local/reads.ts';
import { systemPorts } from '../../src/engine/ports.ts';
import { audit } from '../../src/stores/sqlite/audit.ts';
import { replicatedLives } from '../cluster/replicated-lives.ts';
import { ALL, EVERYTHING } from '../conformance/world.ts';
import { Random } from '../engine/simulation/random.ts';
import { countedIds, VirtualClock } from '../engine/virtual-clock.ts';
import { type Life, livesOf, unstoredOf } from './durable-host.ts';
import { FailingStore } from './failing-store.ts';
import { Told } from './told.ts';

const only = process.env.CRASH_SEED;
const seeds = only === undefined ? Array.from({ length: Number(process.env.CRASH_SEEDS ?? 6) }, (_, i) => i + 1) : [Number(only)];
const STEPS = 60;
/** So few of a queue are in memory that most of it goes through the store. */
const QUEUE_WINDOW = 4;

/** What a disk that fails makes of any promise. */
const TROUBLE = ['store-unavailable'];

const MOVES = {
  feed: 14,
  feedUnderKey: 4,
  advance: 20,
  pause: 1,
  resume: 3,
  pauseStage: 1,
  resumeStage: 3,
  cancel: 3,
  retry: 3,
  tune: 3,
  put: 2,
  look: 14,
  disk: 5,
  crash: 6,
  stop: 3,
};

/** `random` is drawn from by those that fail by themselves. */
type MakeLives = (random: Random) => typeof livesOf;
const onOneFile: MakeLives = () => livesOf;

class World {
  readonly random: Random;
  readonly clock = new VirtualClock();
  readonly acknowledged = new Set<string>();
  /** Every event that a reader was shown, as text. */
  readonly shown: string[] = [];
  readonly keys = new Map<string, string[]>();
  readonly log: string[] = [];
  readonly disk = new FailingStore();
  readonly told = new Told();
  life!: Life;
  private generation = 0;
  count = 0;
  isIll = false;
  private areFaults = false;
  private readonly lives;

  constructor(seed: number, makeLives: MakeLives) {
    this.random = new Random(seed);
    const behaviour = this.random.fork();
    const step = (value: unknown, { attempt, stage, permanent }: TaskContext): unknown => {
      const way = [...((value as { way?: string[] }).way ?? []), stage];
      if (behaviour.chance(0.03)) throw permanent('never');
      if (attempt < 3 && behaviour.chance(0.25)) throw new RangeError('again');
      if (behaviour.chance(0.3)) return { way };
      return new Promise((resolve) => this.clock.setTimer(() => resolve({ way }), behaviour.int(1, 50)));
    };
    this.lives = makeLives(this.random.fork())(
      { step },
      {
        queueWindow: QUEUE_WINDOW,
        maxDeliveries: 1000,
        ports: { ...systemPorts, clock: this.clock, random: this.random.fork().next, uniqueId: countedIds(`s${seed}-`) },
      },
      (work) => this.clock.finish(work),
      (store) => this.disk.of(store),
    );
  }

  get p(): PipelineRuntime {
    return this.life.host.get('p');
  }

  get definition() {
    const { random } = this;
    const stage = (name: string) => ({
      name,
      workers: random.int(1, 3),
      tasks: ['step'],
      retry: random.pick(['per_task', 'per_stage'] as const),
      taskWaitSeconds: random.pick([0, 0.02, 0.5]),
      queueCapacity: random.int(1, 4),
    });
    const names = random.pick([
      ['A', 'B', 'C'],
      ['A', 'B', 'C'],
      ['A', 'X', 'B', 'C'],
      ['A', 'C', 'B'],
      ['X', 'A', 'B', 'C'],
    ]);
    return { id: 'p', backlogCapacity: 1000, stages: names.map(stage) };
  }

  async begin(): Promise<void> {
    this.life = await this.lives.begin();
    this.setFaults(this.areFaults);
  }

  /** What is below the store fails by itself, or does not. */
  setFaults(are: boolean): void {
    this.areFaults = are;
    this.lives.setFaults?.(are);
  }

  /** What is answered counts, as long as whoever asked is still there. */
  ask<T>(asked: Promise<T>, codes: readonly string[], answered?: (answer: T) => void): void {
    const { generation } = this;
    asked.then(
      (answer) => {
        if (this.generation === generation) answered?.(answer);
      },
      (error: unknown) => {
        if (this.generation !== generation || (error instanceof SluiceError && codes.includes(error.code))) return;
        throw error;
      },
    );
  }

  newIds(count: number): string[] {
    return Array.from({ length: count }, () =>
      this.random.chance(0.1) && this.count > 0 ? `i${this.random.int(1, this.count)}` : `i${++this.count}`,
    );
  }

  /** What readers see is what was seen before, and more. */
  look(): void {
    const { events } = this.p;
    expect(events.newest).toBeGreaterThanOrEqual(this.shown.length);
    const all = this.eventsNow();
    // What they refer to cannot be read now.
    if (all === null) return;
    expect(all.map(({ seq }) => seq)).toEqual(all.map((_, i) => i + 1));
    const texts = all.map(essenceOf);
    expect(texts.slice(0, this.shown.length)).toEqual(this.shown);
    this.shown.push(...texts.slice(this.shown.length));
  }

  private eventsNow(): SluiceEvent[] | null {
    try {
      return this.p.events.read(0, Number.MAX_SAFE_INTEGER, ALL, { characters: Number.MAX_SAFE_INTEGER }).events;
    } catch (error) {
      if (error instanceof SluiceError && TROUBLE.includes(error.code) && this.isIll) return null;
      throw error;
    }
  }

  /** Invariant 9. What failed in a stage that is gone is in no stage's count any more. */
  async balance(): Promise<void> {
    const { itemsFed, itemsProcessed, itemsFailed, itemsCancelled, itemsInFlight, statusCounts, queueSizes } = await this.p.stats();
    expect(itemsProcessed + itemsFailed + itemsCancelled + itemsInFlight).toBe(itemsFed);
    expect(statusCounts.queued + statusCounts.in_progress + statusCounts.retrying).toBe(itemsInFlight);
    expect(Object.values(queueSizes).reduce((sum, size) => sum + size, 0)).toBe(statusCounts.queued);
  }

  async end(how: 'crash' | 'stop'): Promise<void> {
    if (how === 'crash') this.generation++;
    else await this.heal();
    this.lives.setFaults?.(false);
    await this.life[how]();
    this.generation++;
    this.disk.heal();
    this.isIll = false;
    expect(audit(this.lives.file()).faults).toEqual([]);
    await this.begin();
    await this.clock.settle();
    this.look();
    await this.clock.finish(this.balance());
    for (const id of this.acknowledged) await this.clock.finish(this.p.item(id));
    await this.clock.finish(this.told.check(this.p));
  }

  fallIll(): void {
    const { disk, random } = this;
    const fault = 'the disk reports an error';
    const how = random.pick(['hangs', 'write', 'write', 'read', 'read', 'both', 'once', 'once'] as const);
    this.log.push(`(${how})`);
    if (how === 'hangs') disk.hangs = true;
    if (how === 'write' || how === 'both') disk.fault = fault;
    if (how === 'read' || how === 'both') disk.readFault = fault;
    if (how === 'once') {
      let left = random.int(1, 40);
      disk.failsRead = () => --left === 0;
    }
  }

  /** The disk is well again, and has everything. */
  async heal(): Promise<void> {
    this.disk.heal();
    this.lives.setFaults?.(false);
    // An append that has no answer is given up after three seconds.
    await this.clock.advance(this.lives.setFaults === undefined ? 500 : 4000);
    this.lives.setFaults?.(this.areFaults);
  }
}

/** Results and durations may be told otherwise later: of what a failed item was, of fractions of a microsecond. */
function essenceOf({ seq, type, data }: SluiceEvent): string {
  if (type === 'result') return `${seq} result ${data.id}`;
  if (type === 'task') return `${seq} ${data.itemId} ${data.stage} ${data.taskName} ${data.eventType} ${data.attempt}`;
  if (type === 'status') return `${seq} ${data.itemId} ${data.stage} ${data.status} ${data.final} ${data.timestamp}`;
  if (type === 'feed') return `${seq} ${JSON.stringify(data)}`;
  return `${seq} ${data.change} ${data.state} ${data.stage}`;
}

async function move(world: World): Promise<void> {
  const { random, p, clock } = world;
  const what = random.weighted(MOVES);
  world.log.push(what);
  const stages = p.definition.stages.map(({ name }) => name);
  switch (what) {
    case 'feed': {
      const ids = world.newIds(random.int(1, 12));
      const items = ids.map((id) => ({ id, value: { n: id } }));
      const request = { priority: random.pick([1, 100, 100, 200]), ...(random.chance(0.2) ? { targetStage: random.pick(stages) } : {}) };
      // The definition is shown as stored: a stage that it still lists can be gone by a change that is on its way to the disk.
      world.ask(p.feed(items, request), ['unknown-stage', ...TROUBLE], () => ids.forEach((id) => void world.acknowledged.add(id)));
      break;
    }
    case 'feedUnderKey': {
      // The same key asks for the same again, whether it was answered or not: nothing is doubled.
      const key = `k${random.int(1, 5)}`;
      const idempotency = { key, request: 'feed', body: key };
      world.ask(p.feed([{ n: key }, { n: key }], { idempotency }), TROUBLE, ({ ids = [] }) => {
        const before = world.keys.get(key);
        if (before !== undefined) expect(ids).toEqual(before);
        world.keys.set(key, ids);
        for (const id of ids) world.acknowledged.add(id);
      });
      break;
    }
    case 'advance':
      await clock.advance(random.pick([0, 1, 10, 50, 300]));
      break;
    case 'cancel':
    case 'retry': {
      const id = random.pick([...world.acknowledged, 'i1']);
      const asked = what === 'cancel' ? p.cancelItem(id) : p.retryItem(id);
      if (what === 'retry') world.told.mayGoOn(id);
      world.ask(asked, ['item-not-found', 'item-final', 'item-not-final', 'draining', ...TROUBLE]);
      break;
    }
    case 'pause':
    case 'resume':
      world.ask(p[what](), ['invalid-state', ...TROUBLE]);
      break;
    case 'pauseStage':
    case 'resumeStage':
      world.ask(p[what](random.pick(stages)), ['invalid-state', 'unknown-stage', ...TROUBLE]);
      break;
    case 'tune':
      world.ask(p.tune(random.pick(stages), { workers: random.int(1, 4) }), ['unknown-stage', ...TROUBLE]);
      break;
    case 'put':
      world.ask(world.life.host.put('p', world.definition), TROUBLE);
      break;
    case 'look': {
      // In any turn, however far the disk has come.
      const looks = world.told.looks(random.pick([...world.acknowledged, `i${random.int(1, world.count + 1)}`]));
      for (const look of random.chance(0.5) ? looks : [random.pick(looks)]) {
        world.ask(look(p), ['item-not-found', ...TROUBLE], (note) => note());
      }
      break;
    }
    case 'disk':
      if (world.isIll) await world.heal();
      else world.fallIll();
      world.isIll = !world.isIll;
      break;
    case 'crash':
    case 'stop':
      await world.end(what);
      return;
  }
  // Sometimes the next move comes before anything of this one is stored.
  if (random.chance(0.7)) {
    await clock.settle();
    world.look();
  }
}

async function simulate(seed: number, makeLives = onOneFile): Promise<void> {
  const world = new World(seed, makeLives);
  try {
    await world.begin();
    await world.clock.finish(world.life.host.create(world.definition));
    world.setFaults(true);
    for (let step = 0; step < STEPS; step++) await move(world);
    world.setFaults(false);
    await world.end('crash');
    const { p, clock } = world;
    if ((await p.describe()).state === 'paused') await clock.finish(p.resume());
    for (const { name } of p.definition.stages) await clock.finish(p.resumeStage(name));
    expect(await clock.finish(p.join())).toMatchObject({ done: true });
    await clock.finish(world.balance());
    const { rows } = await clock.finish(p.items(EVERYTHING));
    expect(new Set(rows.map(({ id }) => id)).size).toBe(rows.length);
    const { itemsFed, itemsProcessed, itemsFailed, itemsCancelled } = await clock.finish(p.stats());
    expect(itemsProcessed + itemsFailed + itemsCancelled).toBe(itemsFed);
    expect(rows).toHaveLength(itemsFed);
    const byId = new Map(rows.map((row) => [row.id, row.status]));
    for (const id of world.acknowledged) expect(['completed', 'failed', 'cancelled'], id).toContain(byId.get(id));
    for (const ids of world.keys.values()) for (const id of ids) expect(byId.has(id)).toBe(true);
    // X comes and goes, and is another stage each time; of the others no item meets one twice, whatever became of their order.
    for (const { id, value } of (await clock.finish(p.results({ ...EVERYTHING, status: 'completed' }))).rows) {
      const way = ((value as { way?: string[] }).way ?? []).filter((stage) => stage !== 'X');
      expect(new Set(way).size, `${id} went ${way}`).toBe(way.length);
    }
    // Nothing is counted that is not waited for any more.
    expect(unstoredOf(world.life.host)).toMatchObject({ items: 0, characters: 0, isFull: false });
    await world.end('stop');
  } catch (error) {
    (error as Error).message = `seed ${seed}, after ${world.log.join(' ')}: ${(error as Error).message}`;
    throw error;
  }
}

afterEach(() => vi.restoreAllMocks());

describe('a stored pipeline under random moves and crashes', () => {
  it.each(seeds)('keeps what it promised with seed %i', { timeout: 30_000 }, (seed) => simulate(seed));
  it.each(seeds)('keeps it on the replicated store with seed %i', { timeout: 30_000 }, (seed) => simulate(seed, replicatedLives));

  it.skipIf(only !== undefined)('notices when answers tell what is in memory', { timeout: 60_000 }, async () => {
    vi.spyOn(AnswerGate.prototype, 'read').mockImplementation(async function (this: { live: Reads }, ask: (reads: Reads) => unknown) {
      return ask(this.live);
    } as AnswerGate['read']);
    const found: string[] = [];
    for (let seed = 1; seed <= 20 && found.length === 0; seed++) await simulate(seed).catch((error: Error) => found.push(error.message));
    expect(found).toEqual([expect.stringMatching(/^seed \d+, after /)]);
  });
});
