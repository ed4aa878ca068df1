/**
 * Every scenario is played twice under a virtual clock: in one process in memory, and with a restart before each deployment, by a stop or a
 * crash, where the new definition comes by `PUT` or from a file. Each item meets the same tasks in the same order, and ends in the same way.
 *
 *     PAIR=7 npx vitest run test/stores/redeployment.test.ts      plays one seed
 *     PAIRS=1000 npx vitest run …                                 plays so many
 */
import { afterEach, describe, expect, it, vi } from 'vitest';
import { History } from '../../src/engine/durable/history.ts';
import { HostStore } from '../../src/engine/durable/host-store.ts';
import { createLocalHost, type LocalHost, type PipelineRuntime, SluiceError, type TaskContext } from '../../src/engine/index.ts';
import { systemPorts } from '../../src/engine/ports.ts';
import { audit } from '../../src/stores/sqlite/audit.ts';
import { EVERYTHING } from '../conformance/world.ts';
import { Random } from '../engine/simulation/random.ts';
import { countedIds, VirtualClock } from '../engine/virtual-clock.ts';
import { HOST, type Life, type Lives, livesOf, registryOf } from './durable-host.ts';
import { type Definition, type Move, type Rest, scenarioOf } from './redeployment-scenario.ts';

const only = process.env.PAIR;
const seeds = only === undefined ? Array.from({ length: Number(process.env.PAIRS ?? 12) }, (_, i) => i + 1) : [Number(only)];
const TASK_MS_MAX = 50;
/** Whatever runs without a longer wait has ended by then. */
const IDLE_MS = 20_000;
/** More time than any restart takes: both plays go on at the same instant. */
const RESTART_MS = 60_000;
/** So few of a queue are in memory that most of it goes through the store. */
const QUEUE_WINDOW = 2;

/** What a play leaves: how each move was answered, and what became of each item. */
interface Played {
  answers: string[];
  items: Record<string, { status: string; value: unknown; runs: string[] }>;
}

class Play {
  private readonly seed: number;
  private readonly clock = new VirtualClock();
  private readonly runs = new Map<string, string[]>();
  private readonly begun = new Map<string, number>();
  private readonly answers: string[] = [];
  private readonly isRestarted: boolean;
  private readonly tasks: Record<string, (value: unknown, ctx: TaskContext) => unknown>;
  private readonly options;
  private readonly lives: Lives;
  private life: Life | null = null;
  private host!: LocalHost;

  constructor(seed: number, isRestarted: boolean, names: ReadonlySet<string>) {
    this.seed = seed;
    this.isRestarted = isRestarted;
    this.tasks = Object.fromEntries([...names].map((name) => [name, (value: unknown, ctx: TaskContext) => this.run(name, value, ctx)]));
    const ports = { ...systemPorts, clock: this.clock, random: new Random(seed).next, uniqueId: countedIds(`s${seed}-`) };
    this.options = { queueWindow: QUEUE_WINDOW, retentionMaxAgeSeconds: 1_000_000_000, ports };
    this.lives = livesOf(this.tasks, this.options, (work) => this.clock.finish(work));
  }

  /** Plays the moves and what is left after them. */
  async all(first: Definition, moves: readonly Move[]): Promise<Played> {
    if (this.isRestarted) await this.begin({});
    else this.host = createLocalHost({ ...HOST, ...this.options, registry: registryOf(this.tasks) });
    await this.clock.finish(this.host.create(first));
    for (const [i, move] of moves.entries()) await this.make(move, moves.slice(i));
    await this.go();
    expect(await this.clock.finish(this.p.join())).toMatchObject({ done: true });
    const { rows } = await this.clock.finish(this.p.results({ ...EVERYTHING, status: 'all' }));
    const items: Played['items'] = {};
    for (const { id, value, error } of rows) {
      const { status } = await this.clock.finish(this.p.item(id));
      items[id] = { status: error === null ? status : `${status}: ${error.type} in ${error.stage}`, value, runs: this.runs.get(id) ?? [] };
    }
    await (this.life === null ? this.clock.finish(this.host.shutdown('force', 1)) : this.life.stop());
    return { answers: this.answers, items };
  }

  private get p(): PipelineRuntime {
    return this.host.get('p');
  }

  /** A task takes its time, and fails now and then: both hang on the item, and on how often it was here. */
  private run(name: string, value: unknown, { itemId, params, signal, permanent }: TaskContext): unknown {
    const step = params === undefined ? name : `${name}${JSON.stringify(params)}`;
    const times = (this.begun.get(`${itemId} ${step}`) ?? 0) + 1;
    this.begun.set(`${itemId} ${step}`, times);
    const random = new Random([...`${this.seed} ${itemId} ${step} ${times}`].reduce((sum, c) => Math.imul(sum, 31) + c.charCodeAt(0), 7));
    const fate = random.weighted({ passes: 7, fails: 2, breaks: 0.5 });
    const end = (): unknown => {
      const runs = this.runs.get(itemId) ?? [];
      this.runs.set(itemId, [...runs, fate === 'passes' ? step : `${step} ${fate}`]);
      if (fate === 'fails') throw new RangeError('again');
      if (fate === 'breaks') throw permanent('never');
      return [...(value as string[]), step];
    };
    if (random.chance(0.15)) return end();
    return new Promise((resolve, reject) => {
      const timer = this.clock.setTimer(
        () => {
          try {
            resolve(end());
          } catch (error) {
            reject(error);
          }
        },
        random.int(1, TASK_MS_MAX),
      );
      signal.addEventListener('abort', () => {
        this.clock.clearTimer(timer);
        reject(signal.reason);
      });
    });
  }

  private async begin(options: Parameters<Lives['begin']>[0], files: readonly Definition[] = []): Promise<void> {
    this.life = await this.lives.begin(options, files);
    this.host = this.life.host;
  }

  /** Waits for what was asked. What is refused is refused in both plays. */
  private async ask(asked: Promise<unknown>): Promise<void> {
    const answer = asked.then(
      () => 'yes',
      (error: unknown) => {
        if (error instanceof SluiceError) return error.code;
        throw error;
      },
    );
    this.answers.push(await this.clock.finish(answer));
    await this.clock.settle();
  }

  /** Whatever holds items back is over. */
  private async go(): Promise<void> {
    const { state } = await this.clock.finish(this.p.describe());
    if (state === 'stopped' || state === 'created') await this.clock.finish(this.p.start());
    if (state === 'paused') await this.clock.finish(this.p.resume());
    for (const { name } of this.p.definition.stages) await this.clock.finish(this.p.resumeStage(name));
  }

  private async make(move: Move, left: readonly Move[]): Promise<void> {
    const { p, clock } = this;
    const { stages } = p.definition;
    const nameOf = (index: number): string => (stages[index % stages.length] as { name: string }).name;
    switch (move.do) {
      case 'feed': {
        const target = move.target === null ? {} : { targetStage: nameOf(move.target) };
        const items = move.ids.map((id) => ({ id, value: [] }));
        return this.ask(p.feed(items, { priority: move.priority, ...target }));
      }
      case 'advance':
        return clock.advance(move.ms);
      case 'go':
        return this.go();
      case 'pauseStage':
      case 'resumeStage':
        return this.ask(p[move.do](nameOf(move.stage)));
      case 'cancel':
        return this.ask(p.cancelItem(`i${move.item}`));
      case 'retry':
        return this.ask(p.retryItem(`i${move.item}`, move.from === null ? undefined : nameOf(move.from)));
      case 'retryFailed':
        return this.ask(p.retryFailed({}));
      case 'redefine':
        return this.ask(this.host.put('p', move.definition));
      case 'deploy':
        await this.rest(move.rest);
        await this.deploy(move, left);
        if (move.retried !== null) await this.ask(this.p.retryItem(`i${move.retried}`));
        return;
      default:
        return this.ask(p[move.do]());
    }
  }

  /** No worker has an item afterwards. */
  private async rest(how: Rest): Promise<void> {
    const { p, clock } = this;
    if (how === 'pause') await this.ask(p.pause());
    else if (how !== 'idle') await this.ask(p.shutdown(how));
    await clock.advance(IDLE_MS);
    expect((await clock.finish(p.stats())).statusCounts.in_progress).toBe(0);
  }

  private async deploy({ how, by, definition }: Extract<Move, { do: 'deploy' }>, left: readonly Move[]): Promise<void> {
    const { clock, life } = this;
    const until = clock.now() + RESTART_MS;
    if (life !== null) {
      await life[how]();
      expect(audit(this.lives.file()).faults).toEqual([]);
      if (by === 'file') {
        // A task that no definition names from now on does not exist any more.
        const names = tasksOf(left.flatMap((move) => ('definition' in move ? [move.definition] : [])));
        const registry = registryOf(Object.fromEntries([...names].map((name) => [name, this.tasks[name] as () => unknown])));
        await this.begin({ registry }, [definition]);
      } else {
        await this.begin({});
      }
    }
    if (life === null || by === 'put') await clock.finish(this.host.put('p', definition));
    await clock.advance(until - clock.now());
  }
}

function tasksOf(definitions: readonly Definition[]): Set<string> {
  const uses = definitions.flatMap(({ stages }) => stages.flatMap(({ tasks }) => tasks as (string | { task: string })[]));
  return new Set(uses.map((use) => (typeof use === 'string' ? use : use.task)));
}

async function playTwice(seed: number): Promise<void> {
  const { first, moves } = scenarioOf(seed);
  const names = tasksOf([first, ...moves.flatMap((move) => ('definition' in move ? [move.definition] : []))]);
  const through = await new Play(seed, false, names).all(first, moves);
  const restarted = await new Play(seed, true, names).all(first, moves);
  expect(restarted, `seed ${seed}`).toEqual(through);
}

afterEach(() => vi.restoreAllMocks());

describe('a definition that is deployed by a restart', () => {
  it.each(seeds)('has the same executions as one that is put while it runs, with seed %i', { timeout: 30_000 }, playTwice);

  it.skipIf(only !== undefined).each([
    ['what waits in the store goes by the definition that it was stored under', () => vi.spyOn(History.prototype, 'add').mockReturnValue()],
    [
      'it is not known that items have ways of their own',
      () => {
        const { pipelines } = HostStore.prototype;
        vi.spyOn(HostStore.prototype, 'pipelines').mockImplementation(function (this: HostStore) {
          return pipelines.call(this).map((found) => ({ ...found, hasRoutes: false }));
        });
      },
    ],
  ])('is noticed when %s', { timeout: 60_000 }, async (_what, sabotage) => {
    sabotage();
    const found: string[] = [];
    for (let seed = 1; seed <= 300 && found.length === 0; seed++) await playTwice(seed).catch((error: Error) => found.push(error.message));
    expect(found).toEqual([expect.stringMatching(/^seed \d+/)]);
  });
});
