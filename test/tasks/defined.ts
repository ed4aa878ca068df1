import { createLocalHost, createTaskRegistry } from '../../src/engine/index.ts';
import { type Logger, systemPorts } from '../../src/engine/ports.ts';
import { createSecrets } from '../../src/loader/secrets.ts';
import type { StageDefinitionInput } from '../../src/schemas/definition.ts';
import type { PipelineResult } from '../../src/schemas/item.ts';
import { builtInTasks, expressionLanguage } from '../../tasks/index.ts';

export interface DefinedRun {
  results: readonly PipelineResult[];
  /** What was logged: its level, its text and its fields. */
  logs: readonly { level: string; text: string; fields: object }[];
}

/** Sends items through one stage of the built-in tasks, with secrets, as the service would; loopback may be reached. */
export async function runDefined(
  stage: Omit<StageDefinitionInput, 'name'>,
  items: readonly unknown[],
  { secrets: values = {}, allowHosts = ['127.0.0.1'] }: { secrets?: Record<string, string>; allowHosts?: readonly string[] } = {},
): Promise<DefinedRun> {
  const logs: DefinedRun['logs'][number][] = [];
  const log = (level: string) => (fields: object, text: string) => void logs.push({ level, text, fields });
  const logger: Logger = { debug: log('debug'), info: log('info'), warn: log('warn'), error: log('error') };
  const secrets = createSecrets(values);
  const host = createLocalHost({
    registry: createTaskRegistry(builtInTasks({ outputDir: 'unused', httpAllowHosts: allowHosts, maskSecrets: secrets.mask })),
    ports: { ...systemPorts, expressions: expressionLanguage, secrets, logger },
    maxStages: 8,
    maxWorkersPerStage: 100,
    retentionMaxItems: 100,
    retentionMaxAgeSeconds: 60,
    backlogCapacity: 100,
    eventsKept: 1024,
    hookTimeoutSeconds: 5,
  });
  await host.create({ id: 'p', stages: [{ taskAttempts: 1, ...stage, name: 'S' }] });
  const { results } = await host.get('p').run([...items], {});
  await host.shutdown('graceful', 5);
  return { results, logs };
}
