import { onTestFinished } from 'vitest';
import { createLocalHost, createTaskRegistry, type LocalHost, type TaskDeclaration } from '../../src/engine/index.ts';
import { noSecrets, silentLogger } from '../../src/engine/ports.ts';
import type { LimiterSettings } from '../../src/schemas/limiter.ts';
import { expressionLanguage } from '../../tasks/index.ts';
import { createGate, type Gate } from './harness.ts';
import { countedIds, seededRandom, VirtualClock } from './virtual-clock.ts';

/** A host with two tasks, and limiters by name. */
export function world(limiters: Record<string, LimiterSettings>, run: TaskDeclaration['run'] = (value) => value) {
  const clock = new VirtualClock();
  const gate: Gate = createGate();
  const starts: [id: string, seconds: number][] = [];
  const declare = (name: string, handler: TaskDeclaration['run']): TaskDeclaration => ({
    name,
    kind: 'task',
    description: '',
    paramsSchema: null,
    parseParams: (given) => given,
    run: (value, context) => {
      starts.push([context.itemId, clock.seconds]);
      return handler(value, context);
    },
  });
  const host: LocalHost = createLocalHost({
    registry: createTaskRegistry([declare('gated', gate.task), declare('call', run)]),
    ports: {
      clock,
      random: seededRandom(1),
      uniqueId: countedIds(),
      logger: silentLogger,
      threads: undefined,
      expressions: clock.awaiting(expressionLanguage),
      secrets: noSecrets,
    },
    maxStages: 64,
    maxWorkersPerStage: 100,
    retentionMaxItems: 1000,
    retentionMaxAgeSeconds: 3600,
    backlogCapacity: 1000,
    eventsKept: 10_000,
    hookTimeoutSeconds: 5,
  });
  onTestFinished(() => void host.shutdown('force', 0));
  for (const [name, settings] of Object.entries(limiters)) host.limiters.define(name, settings);
  const pipeline = async (id: string, limiter: string, stage: object = {}, task = 'gated') => {
    await host.create({ id, stages: [{ name: 'S', workers: 4, tasks: [{ task, limiter }], ...stage }] });
    return host.get(id);
  };
  return { clock, gate, host, pipeline, starts };
}
