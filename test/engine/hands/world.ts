import { onTestFinished } from 'vitest';
import { createLocalHost, createTaskRegistry, type PipelineRuntime, type TaskDeclaration } from '../../../src/engine/index.ts';
import { type Ports, systemPorts } from '../../../src/engine/ports.ts';
import type { PipelineDefinition, StageDefinitionInput } from '../../../src/schemas/definition.ts';
import { expressionLanguage } from '../../../tasks/index.ts';
import { createManualClock } from '../../http/sse-harness.ts';
import { collectingLogger, type LogLine } from '../harness.ts';
import { heldHands } from './held-hands.ts';

/** A declaration as the loader makes it of a user's file. `here` notes that it was called in this process. */
export function declared(
  kind: TaskDeclaration['kind'],
  name: string,
  here: string[],
  more: Partial<TaskDeclaration> = {},
): TaskDeclaration {
  const run = (value: unknown): unknown => {
    here.push(name);
    return value;
  };
  return { kind, name, description: '', paramsSchema: null, parseParams: (given) => given, prefersHands: true, run, ...more };
}

const mask = (text: string): string => text.replaceAll('hush', '[secret KEY]');

export function handWorld(more: (here: string[]) => TaskDeclaration[] = () => [], ports: Partial<Ports> = {}) {
  const clock = createManualClock();
  const hands = heldHands();
  const here: string[] = [];
  const lines: LogLine[] = [];
  const declarations = [
    declared('task', 'work', here),
    declared('task', 'builtIn', here, { prefersHands: false }),
    declared('predicate', 'skips', here),
    declared('hook', 'tell', here),
    declared('hook', 'builtInHook', here, { prefersHands: false }),
    ...more(here),
  ];
  const host = createLocalHost({
    registry: createTaskRegistry(declarations),
    ports: {
      ...systemPorts,
      clock,
      hands,
      logger: collectingLogger(lines),
      expressions: expressionLanguage,
      secrets: { values: { KEY: 'hush' }, mask },
      ...ports,
    },
    ...{ retentionMaxItems: 100, retentionMaxAgeSeconds: 60, backlogCapacity: 100, eventsKept: 1024 },
    ...{ hookTimeoutSeconds: 1, maxStages: 10, maxWorkersPerStage: 100 },
  });
  onTestFinished(async () => void (await host.shutdown('force', 1)));
  const pipeline = async (stage: Partial<StageDefinitionInput>, rest: Partial<PipelineDefinition> = {}): Promise<PipelineRuntime> => {
    await host.create({ id: 'p', ...rest, stages: [{ name: 'A', tasks: ['work'], taskAttempts: 1, ...stage }] });
    return host.get('p');
  };
  return { host, pipeline, hands, clock, here, lines };
}

/** Lets everything happen that needs no time. */
export const turns = async (): Promise<void> => {
  for (let i = 0; i < 30; i++) await new Promise((resolve) => setImmediate(resolve));
};
