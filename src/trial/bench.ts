import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { PipelineRuntime } from '../engine/index.ts';
import { systemClock } from '../engine/ports.ts';
import type { DefinitionTest, Fixture } from './fixture.ts';
import { createHttpStandIns } from './http-stand-in.ts';
import { repeated } from './items.ts';
import type { Tried } from './run-test.ts';
import { hostOf, type Workshop } from './workshop.ts';

export interface BenchOptions {
  /** How many items are measured. */
  items: number;
  /** How many are under way at a time: the next one is fed when one has ended. By default, as many as the pipeline has workers. */
  inFlight?: number | undefined;
  /** Requests go to the network, with the secrets of the environment, and are not answered by the stand-ins of the test. */
  network: boolean;
  signal: AbortSignal;
}

interface Quantiles {
  p50: number;
  p90: number;
  p99: number;
  max: number;
}

export interface StageFigures {
  stage: string;
  workers: number;
  /** How much of the time that its workers had they spent with an item, 0 to 1. */
  busy: number;
  /** The mean over all items that were measured. */
  meanSeconds: number;
  /** As the service would tell it, of the last minute. */
  runSeconds: { p50: number | null; p90: number | null };
  waitSeconds: { p50: number | null; p90: number | null };
  retried: number;
  failed: number;
}

export interface BenchFigures {
  pipeline: string;
  items: number;
  completed: number;
  failed: number;
  inFlight: number;
  seconds: number;
  itemsPerSecond: number;
  /** From when an item is fed until it has ended. */
  itemSeconds: Quantiles;
  stages: StageFigures[];
}

/** Measures a definition with the items of a test, by the clock of the machine, in this process and without a store. As many items as are in flight go first, unmeasured. */
export async function bench(
  workshop: Workshop,
  { definition, limiters }: Tried,
  test: DefinitionTest,
  fixture: Fixture,
  { items, inFlight = definition.stages.reduce((total, { workers }) => total + workers, 0), network, signal }: BenchOptions,
): Promise<BenchFigures> {
  const outputDir = await mkdtemp(join(tmpdir(), 'sluice-bench-'));
  const standIns = [...(test.http ?? []), ...fixture.http];
  const host = hostOf(workshop, {
    secrets: network ? workshop.config.secrets : { ...fixture.secrets, ...test.secrets },
    builtIn: { outputDir, ...(!network && { httpClient: createHttpStandIns(standIns, systemClock) }) },
  });
  try {
    for (const { name, settings } of limiters) host.limiters.define(name, settings);
    await host.create(definition);
    const pipeline = host.get(definition.id);
    const times = Math.ceil((items + inFlight) / test.items.length);
    const all = repeated(test.items, times);
    await rounds(pipeline, all.slice(0, inFlight), inFlight, signal);
    const before = await stagesOf(pipeline);
    const began = performance.now();
    const durations = await rounds(pipeline, all.slice(inFlight, inFlight + items), inFlight, signal);
    const seconds = (performance.now() - began) / 1000;
    const failed = durations.filter(({ isFailed }) => isFailed).length;
    return {
      pipeline: definition.id,
      items,
      completed: items - failed,
      failed,
      inFlight,
      seconds,
      itemsPerSecond: items / seconds,
      itemSeconds: quantiles(durations.map(({ seconds: one }) => one)),
      stages: await figuresOf(pipeline, before, definition, seconds),
    };
  } finally {
    await host.shutdown('force', 0);
    await rm(outputDir, { recursive: true, force: true });
  }
}

/** Runs the items, so many at a time, and tells how long each took. */
async function rounds(
  pipeline: PipelineRuntime,
  items: readonly unknown[],
  inFlight: number,
  signal: AbortSignal,
): Promise<{ seconds: number; isFailed: boolean }[]> {
  const durations: { seconds: number; isFailed: boolean }[] = [];
  const left = items.values();
  const goOn = async (): Promise<void> => {
    for (const item of left) {
      signal.throwIfAborted();
      const began = performance.now();
      const { results } = await pipeline.run([item], {});
      durations.push({ seconds: (performance.now() - began) / 1000, isFailed: results[0]?.error !== null });
    }
  };
  await Promise.all(Array.from({ length: inFlight }, goOn));
  return durations;
}

type StageCounts = Map<string, { busySeconds: number; ended: number; retried: number; failed: number }>;

async function stagesOf(pipeline: PipelineRuntime): Promise<StageCounts> {
  const [metrics, { stageStats }] = await Promise.all([pipeline.workerMetrics(), pipeline.stats()]);
  return new Map(
    Object.entries(stageStats).map(([name, { retriedItems, failedItems }]) => {
      const own = Object.values(metrics).filter(({ stage }) => stage === name);
      const busySeconds = own.reduce((total, { totalProcessingTimeSeconds }) => total + totalProcessingTimeSeconds, 0);
      const ended = own.reduce((total, { itemsProcessed, itemsFailed }) => total + itemsProcessed + itemsFailed, 0);
      return [name, { busySeconds, ended, retried: retriedItems, failed: failedItems }];
    }),
  );
}

async function figuresOf(
  pipeline: PipelineRuntime,
  before: StageCounts,
  { stages }: Tried['definition'],
  seconds: number,
): Promise<StageFigures[]> {
  const [after, { stageStats }] = [await stagesOf(pipeline), await pipeline.stats()];
  return stages.map(({ name, workers }) => {
    const [from, to] = [before.get(name), after.get(name)];
    const since = (of: 'busySeconds' | 'ended' | 'retried' | 'failed'): number => (to?.[of] ?? 0) - (from?.[of] ?? 0);
    const { runSeconds = { p50: null, p90: null }, waitSeconds = { p50: null, p90: null } } = stageStats[name] ?? {};
    return {
      stage: name,
      workers,
      busy: since('busySeconds') / (seconds * workers),
      meanSeconds: since('ended') === 0 ? 0 : since('busySeconds') / since('ended'),
      ...{ runSeconds, waitSeconds, retried: since('retried'), failed: since('failed') },
    };
  });
}

/** By the nearest rank: each is the time of an item that was measured. */
export function quantiles(durations: readonly number[]): Quantiles {
  const sorted = durations.toSorted((a, b) => a - b);
  const at = (share: number): number => sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)] ?? 0;
  return { p50: at(0.5), p90: at(0.9), p99: at(0.99), max: at(1) };
}
