import { expect, onTestFinished } from 'vitest';
import { type EventType, Pipeline, type PipelineOptions, type SluiceEvent, type StageOptions } from '../../src/engine/index.ts';
import type { Logger } from '../../src/engine/ports.ts';
import { countedIds, seededRandom, VirtualClock } from './virtual-clock.ts';

export interface LogLine {
  level: keyof Logger;
  fields: object;
  message: string;
}

export function collectingLogger(lines: LogLine[]): Logger {
  const log = (level: keyof Logger) => (fields: object, message: string) => void lines.push({ level, fields, message });
  return { debug: log('debug'), info: log('info'), warn: log('warn'), error: log('error') };
}

export interface Virtual {
  pipeline: Pipeline;
  clock: VirtualClock;
  logs: LogLine[];
}

/** A pipeline whose time stands still unless the test moves it. It is stopped by force when the test is over. */
export function virtualPipeline(stages: StageOptions[], options: Omit<PipelineOptions, 'stages' | 'ports'> = {}): Virtual {
  const clock = new VirtualClock();
  const logs: LogLine[] = [];
  const ports = { clock, random: seededRandom(1), uniqueId: countedIds(), logger: collectingLogger(logs) };
  const pipeline = new Pipeline({ stages, ...options, ports });
  onTestFinished(() => void pipeline.shutdown('force'));
  return { pipeline, clock, logs };
}

/** A task that stops each item until the test lets it go. */
export interface Gate {
  task: (value: unknown, ctx: { itemId: string; signal: AbortSignal }) => Promise<unknown>;
  /** Ids of the items at the gate, in the order of their arrival. */
  readonly inside: string[];
  /** Resolves when this item is at the gate. That it is `in_progress` says less: its task may be about to begin. */
  arrived: (id: string) => Promise<void>;
  /** How many executions have begun. */
  begun: number;
  /** Lets one go, with its own value or another; without an id, all that are there. */
  open: (id?: string, ...value: [unknown?]) => void;
  fail: (id: string, error: unknown) => void;
}

export function createGate(): Gate {
  const arrivals = new Map<string, (() => void)[]>();
  const waiting = new Map<string, { value: unknown; resolve: (value: unknown) => void; reject: (error: unknown) => void }>();
  const leave = (id: string, how: (entry: NonNullable<ReturnType<typeof waiting.get>>) => void): void => {
    const entry = waiting.get(id);
    if (entry === undefined) throw new Error(`"${id}" is not at the gate`);
    waiting.delete(id);
    how(entry);
  };
  const gate: Gate = {
    begun: 0,
    task: function gated(value, { itemId, signal }) {
      gate.begun++;
      return new Promise((resolve, reject) => {
        waiting.set(itemId, { value, resolve, reject });
        for (const arrived of arrivals.get(itemId)?.splice(0) ?? []) arrived();
        signal.addEventListener('abort', () => waiting.delete(itemId));
      });
    },
    get inside() {
      return [...waiting.keys()];
    },
    arrived: (id) =>
      new Promise((resolve) => {
        if (waiting.has(id)) resolve();
        else arrivals.set(id, [...(arrivals.get(id) ?? []), resolve]);
      }),
    open(id, ...value) {
      for (const each of id === undefined ? [...waiting.keys()] : [id]) {
        leave(each, (entry) => entry.resolve(value.length === 0 ? entry.value : value[0]));
      }
    },
    fail: (id, error) => leave(id, (entry) => entry.reject(error)),
  };
  return gate;
}

/** Invariant 9, at this instant: the counters of the pipeline, of its stages and of its workers tell the same story. */
export function expectBooksToBalance({ pipeline }: { pipeline: Pipeline }): void {
  const stats = pipeline.getStats();
  const { itemsFed, itemsProcessed, itemsFailed, itemsCancelled, itemsInFlight, statusCounts, stageStats } = stats;
  expect(itemsProcessed + itemsFailed + itemsCancelled + itemsInFlight).toBe(itemsFed);
  expect(itemsInFlight).toBeGreaterThanOrEqual(0);
  expect(statusCounts.queued + statusCounts.in_progress + statusCounts.retrying).toBe(itemsInFlight);
  expect(statusCounts).toMatchObject({ completed: itemsProcessed, failed: itemsFailed, cancelled: itemsCancelled });
  const stages = Object.values(stageStats);
  const sum = (field: 'pendingItems' | 'inProgressItems' | 'failedItems') => stages.reduce((total, stage) => total + stage[field], 0);
  expect(sum('pendingItems') + sum('inProgressItems')).toBe(itemsInFlight);
  expect(sum('failedItems')).toBe(itemsFailed);
  const busy = Object.values(pipeline.getWorkerStates()).filter((worker) => worker.status === 'busy').length;
  expect(busy).toBe(sum('inProgressItems'));
}

/** Every event so far of these types, oldest first. */
export function eventsOf(pipeline: Pipeline, ...types: EventType[]): SluiceEvent[] {
  return pipeline.events.read(0, Number.MAX_SAFE_INTEGER, { types: new Set(types) }).events;
}

/** `stage:status` of an item's history. */
export async function historyOf(pipeline: Pipeline, id: string): Promise<string[]> {
  const { history } = await pipeline.runtime.item(id);
  return history.map(({ stage, status }) => `${stage}:${status}`);
}
