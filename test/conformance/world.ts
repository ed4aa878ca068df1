import { expect, onTestFinished } from 'vitest';
import {
  createTaskRegistry,
  type EventFilter,
  type Hook,
  type PipelineHost,
  type PipelineRuntime,
  type Predicate,
  type SluiceEvent,
  type TaskContext,
  type TaskDeclaration,
  type TaskHandler,
  type TaskRegistry,
} from '../../src/engine/index.ts';
import type { PipelineDefinition, StageDefinitionInput } from '../../src/schemas/definition.ts';
import type { StatusEvent } from '../../src/schemas/item.ts';
import { createGate, type Gate } from '../engine/harness.ts';

/** What the suite asks of a host: these tasks, and at least 10 000 items, events and places. */
export interface HostNeeds {
  registry: TaskRegistry;
}

/**
 * Makes an empty host, with nothing in it of an earlier one. It is called inside a test, so it may register its own
 * tidying with `onTestFinished`; by then the suite has shut the host down by force.
 */
export type MakeHost = (needs: HostNeeds) => PipelineHost | Promise<PipelineHost>;

export interface Suite {
  test: (title: string, body: () => Promise<void>) => void;
  world: (extras?: Extras) => Promise<World>;
}

/** What a test registers beside the tasks that every world has. */
export interface Extras {
  tasks?: Record<string, TaskHandler>;
  predicates?: Record<string, Predicate>;
  hooks?: Record<string, Hook>;
}

export interface World {
  host: PipelineHost;
  gate: Gate;
  /** `task:itemId` of each execution of `pass`, `double`, `flaky`, `broken` and `gated`, in their order. */
  runs: string[];
  /** Resolves when so many items are held by `gated`; their ids in the order of their arrival. */
  held: (count: number) => Promise<string[]>;
  /** A pipeline `p`, started unless that is declined. */
  pipeline: (stages: StageDefinitionInput[], options?: PipelineOptions) => Promise<PipelineRuntime>;
}

export type PipelineOptions = Partial<Omit<PipelineDefinition, 'stages'>> & { start?: boolean };

/** A wait between attempts that is short enough to be waited for. */
export const SOON = 0.005;
/** One that is never over within a test. */
export const NEVER = 3_600;

/** A host with the suite's tasks. It is shut down by force when the test is over. */
export async function openWorld(makeHost: MakeHost, extras: Extras = {}): Promise<World> {
  const gate = createGate();
  const runs: string[] = [];
  const arrivals = new Set<() => void>();
  const tasks: Record<string, TaskHandler> = {
    pass: (value: unknown) => value,
    double: (value: number) => value * 2,
    gated: (value: unknown, ctx: TaskContext) => {
      const held = gate.task(value, ctx);
      for (const arrived of arrivals) arrived();
      return held;
    },
    /** Fails as often as its params say, then gives its value. */
    flaky: (value: unknown, { attempt, params }: TaskContext<{ failures?: number } | undefined>) => {
      if (attempt <= (params?.failures ?? 1)) throw new RangeError(`attempt ${attempt} failed`);
      return value;
    },
    broken: () => {
      throw new RangeError('broken');
    },
    refused: (_value: unknown, ctx: TaskContext) => {
      throw ctx.permanent('useless');
    },
  };
  const noted = Object.entries({ ...tasks, ...extras.tasks }).map(([name, run]) =>
    declare('task', name, (value: unknown, ctx: TaskContext) => {
      runs.push(`${name}:${ctx.itemId}`);
      return run(value, ctx);
    }),
  );
  const registry = createTaskRegistry([
    ...noted,
    ...Object.entries(extras.predicates ?? {}).map(([name, run]) => declare('predicate', name, run)),
    ...Object.entries(extras.hooks ?? {}).map(([name, run]) => declare('hook', name, run)),
  ]);
  const host = await makeHost({ registry });
  onTestFinished(async () => void (await host.shutdown('force', 10)));
  return {
    host,
    gate,
    runs,
    held: (count) =>
      new Promise((resolve) => {
        const look = (): void => {
          if (gate.inside.length < count) return;
          arrivals.delete(look);
          resolve(gate.inside);
        };
        arrivals.add(look);
        look();
      }),
    pipeline: async (stages, { start = true, ...options } = {}) => {
      await host.create({ id: 'p', stages, ...options }, { start });
      return host.get(options.id ?? 'p');
    },
  };
}

function declare(kind: TaskDeclaration['kind'], name: string, run: TaskHandler): TaskDeclaration {
  return { kind, name, description: `the ${kind} ${name}`, paramsSchema: null, parseParams: (given) => given, run };
}

/** Resolves when `check` holds. It is asked again after events, never after a time; when none come, the test times out here. */
export async function until(runtime: PipelineRuntime, check: () => boolean | Promise<boolean>): Promise<void> {
  let wake = (): void => undefined;
  const leave = runtime.events.subscribe(() => wake());
  try {
    for (;;) {
      const woken = new Promise<void>((resolve) => {
        wake = resolve;
      });
      if (await check()) return;
      await woken;
    }
  } finally {
    leave();
  }
}

/** Resolves when `check` holds. It is asked in each turn of the event loop: for what no event tells of. */
export async function inTime(check: () => Promise<boolean>): Promise<void> {
  while (!(await check())) await new Promise((resolve) => setImmediate(resolve));
}

/** Resolves when so many items have ended, in all. */
export function ended(runtime: PipelineRuntime, count: number): Promise<void> {
  return until(runtime, async () => {
    const { itemsProcessed, itemsFailed, itemsCancelled } = await runtime.stats();
    return itemsProcessed + itemsFailed + itemsCancelled >= count;
  });
}

/** Resolves when the item has that status, in that stage if one is named. */
export function reaches(runtime: PipelineRuntime, id: string, status: string, stage?: string): Promise<void> {
  return until(runtime, async () => {
    const item = await runtime.item(id);
    return item.status === status && (stage === undefined || item.stage === stage);
  });
}

export const ALL: EventFilter = { types: new Set(['status', 'task', 'result', 'pipeline', 'feed']) };

/** Every kept event that fits, oldest first. */
export function eventsOf(runtime: PipelineRuntime, filter: EventFilter = ALL): SluiceEvent[] {
  const { events } = runtime;
  const all: SluiceEvent[] = [];
  for (let cursor = events.oldest - 1; cursor < events.newest; ) {
    const read = events.read(cursor, 1_000, filter);
    all.push(...read.events);
    cursor = read.cursor;
  }
  return all;
}

/** The seq of the first status event of that kind; the test fails when there is none. */
export function seqOf(runtime: PipelineRuntime, itemId: string, status: StatusEvent['status'], stage?: string): number {
  const found = eventsOf(runtime, { types: new Set(['status']) }).find(
    ({ data }) => 'status' in data && data.itemId === itemId && data.status === status && (stage === undefined || data.stage === stage),
  );
  expect(found, `a ${status} event of ${itemId}`).toBeDefined();
  return found?.seq ?? Number.NaN;
}

/** Ids of the items whose status became this, in the order of the events. */
export function idsOf(runtime: PipelineRuntime, status: StatusEvent['status'], stage?: string): string[] {
  return eventsOf(runtime, { types: new Set(['status']), status: new Set([status]), ...(stage && { stage: new Set([stage]) }) }).flatMap(
    ({ data }) => ('itemId' in data ? [data.itemId] : []),
  );
}

/** Items that name themselves, with their name for a value. */
export const named = (...ids: string[]): { id: string; value: string }[] => ids.map((id) => ({ id, value: id }));

/** The first page, with everything in it. */
export const EVERYTHING = { after: 0, limit: 10_000 };

/** The counters tell one story, at this instant. */
export async function expectBooksToBalance(runtime: PipelineRuntime): Promise<void> {
  const { itemsFed, itemsProcessed, itemsFailed, itemsCancelled, itemsInFlight, statusCounts, stageStats, queueSizes } =
    await runtime.stats();
  expect(itemsProcessed + itemsFailed + itemsCancelled + itemsInFlight).toBe(itemsFed);
  expect(statusCounts).toMatchObject({ completed: itemsProcessed, failed: itemsFailed, cancelled: itemsCancelled });
  expect(statusCounts.queued + statusCounts.in_progress + statusCounts.retrying).toBe(itemsInFlight);
  const stages = Object.values(stageStats);
  const sum = (field: 'pendingItems' | 'inProgressItems' | 'failedItems'): number =>
    stages.reduce((total, stage) => total + stage[field], 0);
  expect(sum('pendingItems')).toBe(statusCounts.queued + statusCounts.retrying);
  expect(sum('inProgressItems')).toBe(statusCounts.in_progress);
  expect(sum('failedItems')).toBe(itemsFailed);
  expect(Object.values(queueSizes).reduce((total, size) => total + size, 0)).toBe(statusCounts.queued);
}
