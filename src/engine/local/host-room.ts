import type { PipelineDefinition } from '../../schemas/definition.ts';
import { SluiceError } from '../contract/errors.ts';
import { expectRoomFor } from '../control/worker-room.ts';
import type { StoreLink } from '../durable/durable.ts';
import { workersStored } from './host-parts.ts';
import type { LocalRuntime } from './local-runtime.ts';

/** The bound for the workers of all pipelines of a host together. Whatever exceeds it throws `invalid-pipeline`. */
export class HostRoom {
  readonly most: number;
  private readonly pipelines: ReadonlyMap<string, LocalRuntime>;

  constructor(pipelines: ReadonlyMap<string, LocalRuntime>, most: number) {
    this.pipelines = pipelines;
    this.most = most;
  }

  /** The number of workers that the pipelines other than `id` count with; `among`: only these, by their ids. */
  beside(id: string, among: Iterable<string> = this.pipelines.keys()): number {
    let sum = 0;
    for (const other of among) if (other !== id) sum += this.pipelines.get(other)?.defined.workersClaimed() ?? 0;
    return sum;
  }

  /** Expects room for a pipeline with so many workers. */
  expect(workers: number, id: string, among?: Iterable<string>): void {
    expectRoomFor(workers, this.beside(id, among), this.most);
  }

  /** Expects room for all pipelines of the host. */
  expectAll(): void {
    const counts = [...this.pipelines].map(([id, pipeline]) => ({ id, workers: pipeline.defined.workersClaimed() }));
    this.expectSum('all pipelines together', counts);
  }

  /** Expects room for the pipelines of a store, before any of them is made. */
  expectStored(stored: readonly { definition: PipelineDefinition; link: StoreLink }[]): void {
    const counts = stored.map(({ definition, link }) => ({ id: definition.id, workers: workersStored(definition, link) }));
    this.expectSum('the pipelines of the store', counts);
  }

  private expectSum(whose: string, counts: readonly { id: string; workers: number }[]): void {
    const sum = counts.reduce((total, { workers }) => total + workers, 0);
    if (sum <= this.most) return;
    const largest = counts.toSorted((a, b) => b.workers - a.workers).slice(0, 3);
    const message =
      `${whose} have ${sum} workers, more than MAX_WORKERS allows (${this.most}), most of them ` +
      `${largest.map(({ id, workers }) => `"${id}" (${workers})`).join(', ')}: set it to ${sum} or more, and lower it when they have fewer`;
    throw new SluiceError('invalid-pipeline', message);
  }
}
