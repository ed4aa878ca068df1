import { HostStore } from '../../../src/engine/durable/host-store.ts';
import { HostEvents } from '../../../src/engine/events/host-events.ts';
import { Pipeline, type PipelineOptions } from '../../../src/engine/local/pipeline.ts';
import { type Logger, type Ports, systemPorts } from '../../../src/engine/ports.ts';
import type { Store } from '../../../src/engine/store.ts';
import { checkAll, checkQuick } from './checks.ts';
import { endRun } from './ending.ts';
import { meddle, randomMove } from './moves.ts';
import { createStage } from './tasks.ts';
import { show } from './values.ts';
import { Watch } from './watch.ts';
import { text, World } from './world.ts';

export interface SimulateOptions {
  /** Breaks the engine on purpose, once the pipeline is made. */
  sabotage?: (world: World) => void;
  /** Writes down every event. */
  trace?: boolean;
  /** Keeps everything in this store, and little of the queues in memory. */
  store?: Store;
}

/** So few items of a queue are in memory that most of them go through the store. */
const QUEUE_WINDOW = 3;

/**
 * One seed: a random pipeline under a virtual clock, random moves, and a look at the invariants after each of them.
 * Returns the run; throws the first {@link Violation}.
 */
export async function simulate(seed: number, options: SimulateOptions = {}): Promise<World> {
  const world = new World(seed);
  const watch = new Watch(world);
  if (options.trace === true) world.ledger.trace = [];
  world.log.push(`seed ${seed}: ${show(world.scenario)}`);
  const uninstall = world.clock.install();
  const restore = onUnhandled((error) => world.report(1, `a rejection nobody handles: ${text(error)}`));
  try {
    world.pipeline = createPipeline(world, watch, options.store);
    options.sabotage?.(world);
    if (world.moves.chance(0.9)) await Promise.all([world.pipeline.start(), world.clock.settle()]);
    const afterTimer = (): void => checkQuick(world);
    for (world.step = 1; world.step <= world.scenario.steps; world.step++) {
      await randomMove(world, watch, afterTimer);
      await world.clock.settle();
      checkAll(world);
    }
    await endRun(world);
    return world;
  } catch (error) {
    world.log.push(`   ${text(error)}`);
    // What was found first says more than what came of it.
    world.verdict();
    throw error;
  } finally {
    restore();
    uninstall();
    lastLog = world.log;
  }
}

/** What the last run did, step by step. */
export let lastLog: readonly string[] = [];

function createPipeline(world: World, watch: Watch, store: Store | undefined): Pipeline {
  const { scenario } = world;
  const around = { world, watch, meddle: (itemId: string) => meddle(world, watch, itemId) };
  let ids = 0;
  const ports: Ports = {
    ...systemPorts,
    clock: world.clock,
    random: world.behaviour.fork().next,
    uniqueId: () => `id${++ids}`,
    logger: loggerOf(world),
    tracer: world.spans ?? undefined,
  };
  const bounds = { maxDeliveries: 5, queueWindow: QUEUE_WINDOW };
  const host = { events: new HostEvents('all', ports.clock), startAfter: () => false };
  const link = store === undefined ? undefined : new HostStore(store, ports, bounds, host).create(`seed ${world.seed}`);
  const options: PipelineOptions = {
    stages: scenario.stages.map((stage, i) => createStage(around, stage, i)),
    collectResults: scenario.collectResults,
    backlogCapacity: scenario.backlogCapacity,
    retention: scenario.retention,
    hookTimeoutSeconds: scenario.hookTimeoutSeconds,
    ports,
  };
  return new Pipeline(options, link);
}

/** Hooks that throw are warnings; an error in the engine's log is a fault of the engine. */
function loggerOf(world: World): Logger {
  const quiet = (): void => undefined;
  return { debug: quiet, info: quiet, warn: quiet, error: (fields, message) => world.report(1, `logged: ${message} ${show(fields)}`) };
}

/** Takes unhandled rejections to itself, so that they are told with their seed. */
function onUnhandled(listener: (error: unknown) => void): () => void {
  const others = process.listeners('unhandledRejection');
  process.removeAllListeners('unhandledRejection');
  process.on('unhandledRejection', listener);
  return () => {
    process.off('unhandledRejection', listener);
    for (const other of others) process.on('unhandledRejection', other);
  };
}
