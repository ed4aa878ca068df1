import { expect } from 'vitest';
import { type PipelineRuntime, SluiceError, type SluiceEvent, type TaskContext } from '../../../src/engine/index.ts';
import { systemPorts } from '../../../src/engine/ports.ts';
import { audit } from '../../../src/stores/sqlite/audit.ts';
import { ALL } from '../../conformance/world.ts';
import { Random } from '../../engine/simulation/random.ts';
import { countedIds, VirtualClock } from '../../engine/virtual-clock.ts';
import type { Life, Lives, livesOf } from '../durable-host.ts';
import { FailingStore } from '../failing-store.ts';
import { Expected } from './expected.ts';

/** So few of a queue are in memory that most of it goes through the store. */
const QUEUE_WINDOW = 4;

/** What a disk that fails makes of any promise. */
export const TROUBLE = ['store-unavailable'];

/** `random` is drawn from by those that fail by themselves. */
export type MakeLives = (random: Random) => typeof livesOf;

/** A stored pipeline, a clock that stands still unless it is moved, and what was promised so far. */
export class World {
  readonly random: Random;
  readonly clock = new VirtualClock();
  readonly steps: string[] = [];
  readonly disk = new FailingStore();
  readonly expected: Expected;
  life!: Life;
  private generation = 0;
  count = 0;
  isIll = false;
  readonly lives: Lives;
  private areFaults = false;
  /** What the log has kept, when it has lost more than the file of its owner can do without. */
  private keptUpTo: number | null = null;
  /** The last entry that the log had left when it lost its end in this life. */
  private lostAfter: number | null = null;

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
    this.expected = new Expected(() => this.lives.log?.position() ?? 0);
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
    const { shown } = this.expected.now;
    expect(this.p.events.newest).toBeGreaterThanOrEqual(shown.length);
    const all = this.eventsNow();
    // What they refer to cannot be read now.
    if (all === null) return;
    const texts = all.map(essenceOf);
    // A comparison of lists takes as long as the reading of them.
    if (all.some(({ seq }, i) => seq !== i + 1)) expect(all.map(({ seq }) => seq)).toEqual(all.map((_, i) => i + 1));
    if (shown.some((text, i) => texts[i] !== text)) expect(texts.slice(0, shown.length)).toEqual(shown);
    const more = texts.slice(shown.length);
    if (more.length > 0) this.expected.note((known) => void known.shown.push(...more));
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
    // The answer to an append may come after its entry is lost again; then the owner believes in what is in its file alone.
    if (this.lostAfter !== null && this.lives.log?.isApart()) this.keptUpTo = Math.min(this.lostAfter, this.keptUpTo ?? this.lostAfter);
    this.lostAfter = null;
    this.lives.setFaults?.(false);
    await this.life[how]();
    this.generation++;
    this.disk.heal();
    this.isIll = false;
    expect(audit(this.lives.file()).faults).toEqual([]);
    if (this.keptUpTo !== null) this.expected.forgetAfter(this.keptUpTo);
    this.keptUpTo = null;
    await this.begin();
    await this.clock.settle();
    this.look();
    await this.clock.finish(this.balance());
    const { acknowledged, told } = this.expected.now;
    for (const id of acknowledged) await this.clock.finish(this.p.item(id));
    await this.clock.finish(told.check(this.p));
  }

  /** The log has lost its end. Whoever owns may not know yet; what was told of the entries that are gone does not count any more. */
  loseTail(): void {
    const { log } = this.lives;
    if (log === undefined) return;
    const last = log.loseTail();
    this.lostAfter = Math.min(last, this.lostAfter ?? last);
    if (log.position() > last) this.keptUpTo = Math.min(last, this.keptUpTo ?? last);
  }

  fallIll(): void {
    const { disk, random } = this;
    const fault = 'the disk reports an error';
    const how = random.pick(['hangs', 'write', 'write', 'read', 'read', 'both', 'once', 'once'] as const);
    this.steps.push(`(${how})`);
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
